"""Writes a call to a two-channel WAV file: caller left, agent right, 8 kHz, 16 bits."""

from __future__ import annotations

import warnings
from pathlib import Path

from telephony_agent.simulator.mulaw import Pcm
from telephony_agent.simulator.noises import RATE


def write(path: Path, caller: Pcm, agent: Pcm) -> None:
    """Write both tracks, which must be of one length.

    Raises:
        OSError: the file can't be written.
    """
    with warnings.catch_warnings():
        # pydub warns of a missing ffmpeg, which WAV files don't need, and of its own escapes under newer Pythons.
        warnings.simplefilter("ignore")
        from pydub import AudioSegment

    tracks = (
        AudioSegment(track.astype("<i2").tobytes(), sample_width=2, frame_rate=RATE, channels=1)
        for track in (caller, agent)
    )
    with path.open("wb") as target:
        AudioSegment.from_mono_audiosegments(*tracks).export(target, format="wav")
