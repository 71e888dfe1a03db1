"""What is a mailbox's beep, and what only sounds a little like one."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
import pytest

from telephony_agent.audio import FRAME_SAMPLES, decode_mulaw, encode_mulaw
from telephony_agent.core.beep import BeepDetector

RATE = 8000
Pcm = npt.NDArray[np.float64]


def tones(seconds: float, *frequencies: float, dbov: float = -18.0) -> Pcm:
    t = np.arange(int(RATE * seconds)) / RATE
    mixed = sum((np.sin(2 * np.pi * hz * t) for hz in frequencies), np.zeros_like(t))
    return np.asarray(mixed * 32768 * 10 ** (dbov / 20) / max(1, len(frequencies)) * np.sqrt(2))


def noise(seconds: float, dbov: float, seed: int = 1) -> Pcm:
    return np.random.default_rng(seed).normal(0, 32768 * 10 ** (dbov / 20), int(RATE * seconds))


def silence(seconds: float = 0.4) -> Pcm:
    return noise(seconds, -66.0)


def voice(seconds: float, hz: float = 140.0) -> Pcm:
    """Return a vowel-like buzz that glides: harmonics, with syllables."""
    t = np.arange(int(RATE * seconds)) / RATE
    phase = 2 * np.pi * hz * (t + 0.05 * np.sin(2 * np.pi * 1.5 * t))
    buzz = sum((np.sin(n * phase) / n for n in range(1, 20)), np.zeros_like(t))
    return np.asarray(buzz * (0.55 + 0.45 * np.sin(2 * np.pi * 4 * t)) * 3000)


def melody(seconds: float) -> Pcm:
    """Return notes without a pause, each with its harmonics."""
    notes = [523.0, 659.0, 784.0, 1046.0]
    return np.concatenate([tones(0.25, hz, 2 * hz, 3 * hz) for hz in notes * int(seconds)])


def beeps_in(*parts: Pcm) -> int:
    """Count the beeps in what came over the line, as mu-law leaves it."""
    samples = np.clip(np.concatenate(parts), -32768, 32767).astype("<i2")
    pcm = decode_mulaw(encode_mulaw(samples.tobytes()))
    detector = BeepDetector()
    size = 2 * FRAME_SAMPLES
    return sum(detector.hear(pcm[i : i + size]) for i in range(0, len(pcm) - size + 1, size))


@pytest.mark.parametrize("hz", [420, 800, 1000, 1400, 1950])
@pytest.mark.parametrize("seconds", [0.15, 0.4, 1.0])
def test_a_single_tone_with_silence_after_it_is_a_beep(hz: float, seconds: float) -> None:
    assert beeps_in(voice(1.5), silence(0.5), tones(seconds, hz), silence()) == 1


@pytest.mark.parametrize("dbov", [-10.0, -20.0, -30.0, -40.0])
def test_a_beep_may_be_loud_or_faint(dbov: float) -> None:
    assert beeps_in(silence(), tones(0.4, 1000, dbov=dbov), silence()) == 1


def test_a_beep_over_line_noise_is_one() -> None:
    beep = tones(0.4, 1000) + noise(0.4, -45.0)
    assert beeps_in(noise(0.5, -45.0), beep, noise(0.5, -45.0)) == 1


def test_two_beeps_are_two() -> None:
    assert beeps_in(tones(0.3, 1000), silence(), tones(0.3, 1000), silence()) == 2


NOT_BEEPS: dict[str, Iterable[Pcm]] = {
    "silence": (silence(2),),
    "noise": (noise(2, -20.0), silence()),
    "a voice": (voice(3), silence()),
    "a high voice": (voice(3, 420.0), silence()),
    "music": (melody(3), silence()),
    "a key": (tones(0.3, 770, 1336), silence()),
    "a ring": (tones(1.0, 440, 480), silence(3)),
    "a ring of another country": (tones(0.4, 400, 450), silence()),
    "a busy line": (tones(0.5, 480, 620), silence()),
    "a click": (tones(0.06, 1000), silence()),
    "a fax": (tones(1.0, 2100), silence()),
    "a hum": (tones(1.0, 120), silence()),
    "a tone without an end": (tones(3.0, 1000),),
    "a tone that is held": (tones(3.0, 1000), silence()),
    "a tone before words": (tones(0.3, 1000), voice(1.0), silence()),
    "three tones and words": (tones(0.33, 913), tones(0.33, 1370), tones(0.33, 1776), voice(1.0), silence()),
}


@pytest.mark.parametrize("sound", NOT_BEEPS)
def test_what_is_not_a_beep(sound: str) -> None:
    assert beeps_in(silence(0.2), *NOT_BEEPS[sound]) == 0
