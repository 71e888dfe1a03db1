"""Hears keys in the sound of a line (ITU-T Q.23): a media stream can send them in no other way.

A key is two tones, one of four low and one of four high. Over a frame each tone's share of the power is measured; a
frame holds a key when one low and one high tone together carry most of it. A key counts once it has been there for two
frames, and again only after a frame without it.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from telephony_agent.simulator.mulaw import Pcm
from telephony_agent.simulator.noises import RATE, level_dbov

_LOW_HZ: Final = (697, 770, 852, 941)
_HIGH_HZ: Final = (1209, 1336, 1477, 1633)
_KEYS: Final = ("123A", "456B", "789C", "*0#D")
_FRAME: Final = RATE // 50
_QUIETEST_DBOV: Final = -40.0
_SHARE: Final = 0.7
"""Of a frame's power, what the two tones must hold; two pure tones hold nearly all, speech rarely half."""
_TWIST: Final = 10.0
"""How many times as strong one tone may be as the other."""


def _probes() -> npt.NDArray[np.complex128]:
    time = np.arange(_FRAME) / RATE
    probes: npt.NDArray[np.complex128] = np.exp(-2j * np.pi * np.outer((*_LOW_HZ, *_HIGH_HZ), time))
    probes.flags.writeable = False
    return probes


_PROBES: Final = _probes()


class KeyEar:
    """Listens for keys, 20 ms at a time."""

    def __init__(self) -> None:
        self._key = ""
        self._frames = 0

    def hear(self, frame: Pcm) -> str:
        """Take in a frame (``int16[160]``); give the key that it makes certain, or nothing."""
        key = _key_in(frame)
        self._frames = self._frames + 1 if key == self._key else 1
        self._key = key
        return key if self._frames == 2 else ""


def tones(key: str, ms: int, dbov: float = -12.0) -> Pcm:
    """Make the sound of a key, as an agent would put it into its media: ``int16`` at 8 kHz."""
    row = next(number for number, keys in enumerate(_KEYS) if key in keys)
    time = np.arange(ms * RATE // 1000) / RATE
    hertz = (_LOW_HZ[row], _HIGH_HZ[_KEYS[row].index(key)])
    both = sum(np.sin(2 * np.pi * one * time) for one in hertz)
    return np.round(32768 * 10 ** (dbov / 20) * both).astype(np.int16)


def _key_in(frame: Pcm) -> str:
    if level_dbov(frame) < _QUIETEST_DBOV:
        return ""
    samples = frame.astype(np.float64)
    # The power of a sine of amplitude a is a²/2, and its probe gives a·n/2.
    power = 2 * np.abs(_PROBES @ samples / _FRAME) ** 2
    low, high = int(np.argmax(power[:4])), int(np.argmax(power[4:]))
    one, other = float(power[low]), float(power[4 + high])
    if one + other < _SHARE * float(np.mean(np.square(samples))) or not 1 / _TWIST < one / max(other, 1e-9) < _TWIST:
        return ""
    return _KEYS[low][high]
