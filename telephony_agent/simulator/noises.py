"""Sounds on the caller's side that are no speech: noise, hum, a cough, a click, a television, music, a beep, a fax."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Final

import numpy as np
import numpy.typing as npt

from telephony_agent.simulator.mulaw import Pcm

RATE: Final = 8000
FULL_SCALE: Final = 32768.0

_CHORDS: Final = ((261.6, 329.6, 392.0), (220.0, 261.6, 329.6), (174.6, 220.0, 261.6), (196.0, 246.9, 293.7))
"""C, A minor, F, G: their notes in Hz."""
_NOTE: Final = RATE // 4
_NOTES_PER_CHORD: Final = 8
_BEEP_HZ: Final = 1000
_FAX_HZ: Final = 2100
"""CED: how a fax machine answers (ITU-T T.30)."""

Samples = npt.NDArray[np.float64]


def level_dbov(pcm: Pcm) -> float:
    """Measure the RMS level against digital full scale; minus infinity for digital silence."""
    power = float(np.mean(np.square(pcm, dtype=np.float64))) if len(pcm) else 0.0
    return 10 * math.log10(power / FULL_SCALE**2) if power else -math.inf


def at_level(samples: Samples, dbov: float) -> Pcm:
    """Scale samples to an RMS level."""
    rms = math.sqrt(float(np.mean(np.square(samples)))) if len(samples) else 0.0
    gain = FULL_SCALE * 10 ** (dbov / 20) / rms if rms else 0.0
    return np.clip(np.round(samples * gain), -32768, 32767).astype(np.int16)


def noise(kind: str, samples: int, dbov: float, rng: np.random.Generator) -> Pcm:
    """Make ``samples`` samples of a kind of noise; the level is the RMS over all of them.

    Raises:
        KeyError: no such kind; see ``KINDS``.
    """
    return at_level(KINDS[kind](samples, rng), dbov)


def _white(samples: int, rng: np.random.Generator) -> Samples:
    return rng.standard_normal(samples)


def _pink(samples: int, rng: np.random.Generator) -> Samples:
    spectrum = np.fft.rfft(rng.standard_normal(samples))
    pink: Samples = np.fft.irfft(spectrum / np.sqrt(np.arange(1, len(spectrum) + 1)), samples)
    return pink


def _hum(samples: int, rng: np.random.Generator) -> Samples:
    time = np.arange(samples) / RATE
    hum = np.zeros(samples)
    for n in range(1, 7):
        hum += np.sin(2 * np.pi * 50 * n * time + rng.uniform(0, 2 * np.pi)) / n
    return hum


def _cough(samples: int, rng: np.random.Generator) -> Samples:
    envelope: Samples = np.exp(-np.arange(samples) / (0.25 * samples)) * np.minimum(
        1, np.arange(samples) / (0.005 * RATE)
    )
    return _pink(samples, rng) * envelope


def _click(samples: int, rng: np.random.Generator) -> Samples:
    return rng.standard_normal(samples) * np.exp(-np.arange(samples) / (0.002 * RATE))


def _babble(samples: int, rng: np.random.Generator) -> Samples:
    """Make a television behind the caller: noise in the band of speech, swelling at the rate of syllables."""
    spectrum = np.fft.rfft(_pink(samples, rng))
    hertz = np.fft.rfftfreq(samples, 1 / RATE)
    band: Samples = np.fft.irfft(np.where((hertz > 200) & (hertz < 3000), spectrum, 0), samples)
    swell: Samples = 1 + np.sin(2 * np.pi * 4 * np.arange(samples) / RATE + rng.uniform(0, 2 * np.pi))
    return band * swell


def _music(samples: int, rng: np.random.Generator) -> Samples:
    """Make hold music: held chords, and their notes plucked one after the other an octave higher."""
    first = int(rng.integers(len(_CHORDS)))
    notes = range(-(-samples // _NOTE))
    played = [_note(_CHORDS[(first + note // _NOTES_PER_CHORD) % len(_CHORDS)], note) for note in notes]
    return np.concatenate([*played, np.zeros(0)])[:samples]


def _note(chord: tuple[float, ...], number: int) -> Samples:
    time = np.arange(_NOTE) / RATE
    held: Samples = np.zeros(_NOTE)
    for hertz in chord:
        held += np.sin(2 * np.pi * hertz * time)
    hertz = 2 * chord[number % len(chord)]
    string = np.sin(2 * np.pi * hertz * time) + 0.4 * np.sin(4 * np.pi * hertz * time)
    return _faded(0.3 * held + string * np.exp(-time / 0.15))


def _beep(samples: int, rng: np.random.Generator) -> Samples:
    """Make the tone after which a voicemail records."""
    return _faded(np.sin(2 * np.pi * _BEEP_HZ * np.arange(samples) / RATE))


def _fax(samples: int, rng: np.random.Generator) -> Samples:
    """Make the tone with which a fax machine answers."""
    return _faded(np.sin(2 * np.pi * _FAX_HZ * np.arange(samples) / RATE))


def _faded(sound: Samples) -> Samples:
    """Let a sound rise and fall within 5 ms, so that it doesn't click."""
    place = np.arange(len(sound)) / (0.005 * RATE)
    faded: Samples = sound * np.minimum(1, np.minimum(place, place[::-1]))
    return faded


KINDS: Final[Mapping[str, Callable[[int, np.random.Generator], Samples]]] = {
    "white": _white,
    "pink": _pink,
    "hum": _hum,
    "cough": _cough,
    "click": _click,
    "babble": _babble,
    "music": _music,
    "beep": _beep,
    "fax": _fax,
}
"""The kinds of noise by name."""
