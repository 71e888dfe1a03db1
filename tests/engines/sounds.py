"""Sounds for the tests of this folder: float samples at 8 kHz, on the int16 scale."""

from __future__ import annotations

import functools
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import soxr
from pyttsx3.engine import Engine

from telephony_agent.engines.espeak_driver import register

Samples = npt.NDArray[np.float64]
RATE = 8000


@functools.cache
def _speech(text: str, voice: str) -> bytes:
    engine = Engine(register())
    blocks: list[bytes] = []
    engine.connect("audio-chunk", lambda name, pcm, rate: blocks.append(pcm))
    engine.setProperty("voice", voice)
    engine.say(text)
    engine.runAndWait()
    pcm = np.frombuffer(b"".join(blocks), "<i2").astype(np.float64)
    return soxr.resample(pcm, engine.getProperty("sample_rate"), RATE).tobytes()


def speech(text: str, voice: str = "en-us") -> Samples:
    return np.frombuffer(_speech(text, voice), np.float64)


def at_level(samples: Samples, level_dbov: float) -> Samples:
    """Scale to an RMS level, as a whole."""
    return samples * (32768.0 * 10 ** (level_dbov / 20) / np.sqrt(np.mean(samples**2)))


def with_noise(samples: Samples, level_dbov: float) -> Samples:
    return samples + at_level(np.random.default_rng(2).standard_normal(len(samples)), level_dbov)


def pcm(samples: Samples) -> bytes:
    return np.clip(samples, -32768, 32767).astype("<i2").tobytes()


def frames(samples: Samples) -> Iterator[bytes]:
    data = pcm(samples)
    for start in range(0, len(data) - 319, 320):
        yield data[start : start + 320]
