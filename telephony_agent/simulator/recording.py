"""Writes a call to a two-channel WAV file: caller left, agent right, 8 kHz, 16 bits."""

from __future__ import annotations

import wave
from pathlib import Path

import numpy as np

from telephony_agent.simulator.mulaw import Pcm
from telephony_agent.simulator.noises import RATE


def write(path: Path, caller: Pcm, agent: Pcm) -> None:
    """Write both tracks, which must be of one length.

    Raises:
        OSError: the file can't be written.
    """
    with path.open("wb") as target, wave.open(target, "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(np.column_stack((caller, agent)).astype("<i2").tobytes())
