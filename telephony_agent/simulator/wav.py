"""Tracks as the bytes of a WAV file: 8 kHz, 16 bits, one channel a track."""

from __future__ import annotations

import io
import wave

import numpy as np

from telephony_agent.simulator.mulaw import Pcm
from telephony_agent.simulator.noises import RATE


def wav_of(*tracks: Pcm) -> bytes:
    """Write tracks of one length side by side."""
    target = io.BytesIO()
    with wave.open(target, "wb") as file:
        file.setnchannels(len(tracks))
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(np.stack(tracks, axis=1).astype("<i2").tobytes())
    return target.getvalue()


def mixed(caller: Pcm, agent: Pcm) -> Pcm:
    """Lay two tracks of one length over each other."""
    both = caller.astype(np.int32) + agent.astype(np.int32)
    return np.clip(both, -32768, 32767).astype(np.int16)
