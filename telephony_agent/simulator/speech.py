"""The caller's voice: espeak-ng as a subprocess, a line of text to 8 kHz samples at a telephone's level."""

from __future__ import annotations

import io
import shutil
import subprocess
import wave
from typing import Final

import numpy as np
import soxr

from telephony_agent.errors import TelephonyAgentError
from telephony_agent.simulator.mulaw import Pcm
from telephony_agent.simulator.noises import RATE, level_dbov
from telephony_agent.simulator.script import SayStep, Voice

LEVEL_DBOV: Final = -24.0
"""Active level of a line: in the middle of what a telephone carries."""

_FRAME: Final = RATE // 100
_AUDIBLE_DBOV: Final = -50.0
_DEADLINE_S: Final = 20


class SpeechError(TelephonyAgentError):
    """espeak-ng is missing or failed; the message says what to do."""

    code = "speech"


class Speaker:
    """Speaks texts with espeak-ng and remembers what it has spoken. Blocks; call it before the call, or in a thread.

    Raises:
        SpeechError: espeak-ng is not installed.
    """

    def __init__(self) -> None:
        program = shutil.which("espeak-ng") or shutil.which("espeak")
        if program is None:
            raise SpeechError("the caller's voice needs espeak-ng, which is not installed: apt-get install espeak-ng")
        self._program = program
        self._spoken: dict[tuple[str, Voice], Pcm] = {}

    def line(self, step: SayStep, voice: Voice) -> Pcm:
        """Speak a step of a script, its pauses included: ``int16[samples]`` at 8 kHz."""
        return np.concatenate(
            [
                np.zeros(piece * RATE // 1000, np.int16) if isinstance(piece, int) else self.text(piece, voice)
                for piece in step.pieces
            ]
        )

    def text(self, text: str, voice: Voice) -> Pcm:
        """Speak a text, without the silence around it.

        Raises:
            SpeechError: espeak-ng failed, or made no sound of it.
        """
        key = (text, voice)
        if key not in self._spoken:
            self._spoken[key] = _telephone_level(self._synthesize(text, voice), text)
        return self._spoken[key]

    def _synthesize(self, text: str, voice: Voice) -> Pcm:
        command = [
            self._program,
            "-v",
            voice.name,
            "-s",
            str(voice.rate),
            "-p",
            str(voice.pitch),
            "--stdin",
            "--stdout",
        ]
        try:
            done = subprocess.run(command, input=text.encode(), capture_output=True, timeout=_DEADLINE_S, check=True)
        except (OSError, subprocess.SubprocessError) as error:
            raise SpeechError(f"espeak-ng failed on {text!r} with the voice {voice.name!r}: {error}") from error
        with wave.open(io.BytesIO(done.stdout)) as source:
            rate = source.getframerate()
            pcm = np.frombuffer(source.readframes(source.getnframes()), dtype=np.int16)
        resampled: Pcm = soxr.resample(pcm, rate, RATE, quality="HQ")
        return resampled


def _telephone_level(pcm: Pcm, text: str) -> Pcm:
    """Trim the silence around the words and bring them to ``LEVEL_DBOV`` over their audible frames."""
    frames = pcm[: len(pcm) // _FRAME * _FRAME].reshape(-1, _FRAME)
    audible = np.flatnonzero([level_dbov(frame) > _AUDIBLE_DBOV for frame in frames])
    if not len(audible):
        raise SpeechError(f"espeak-ng made no sound of {text!r}")
    gain = 10 ** ((LEVEL_DBOV - level_dbov(frames[audible].ravel())) / 20)
    words = pcm[audible[0] * _FRAME : (audible[-1] + 1) * _FRAME]
    return np.clip(np.round(words * gain), -32768, 32767).astype(np.int16)
