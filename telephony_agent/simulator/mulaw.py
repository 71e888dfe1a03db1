"""G.711 mu-law on numpy arrays: the twin's own codec, written from the standard and not from the agent's."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

Pcm = npt.NDArray[np.int16]
"""``int16[samples]`` at 8 kHz, mono."""

SILENCE: Final = 0xFF
NEGATIVE_SILENCE: Final = 0x7F
TOP: Final = 32124
"""The largest magnitude that mu-law can say; a run of these is clipping."""

_BIAS: Final = 132
_CLIP: Final = 32635


def _decoding_table() -> Pcm:
    code = ~np.arange(256, dtype=np.uint8)
    exponent = (code >> 4) & 7
    magnitude = (((code & 0xF).astype(np.int32) << 3) + _BIAS << exponent) - _BIAS
    table = np.where(code & 0x80, -magnitude, magnitude).astype(np.int16)
    table.flags.writeable = False
    return table


def _encoding_table() -> npt.NDArray[np.uint8]:
    sample = np.arange(65536, dtype=np.uint16).view(np.int16).astype(np.int32)
    magnitude = np.minimum(np.abs(sample), _CLIP) + _BIAS
    exponent = np.floor(np.log2(magnitude)).astype(np.int32) - 7
    mantissa = (magnitude >> (exponent + 3)) & 0xF
    sign = np.where(sample < 0, 0x80, 0)
    table: npt.NDArray[np.uint8] = (~(sign | (exponent << 4) | mantissa) & 0xFF).astype(np.uint8)
    table.flags.writeable = False
    return table


_DECODED: Final = _decoding_table()
_ENCODED: Final = _encoding_table()


def decode(audio: bytes | bytearray) -> Pcm:
    """Turn mu-law bytes into samples, one for one."""
    return _DECODED[np.frombuffer(audio, dtype=np.uint8)]


def encode(pcm: Pcm) -> bytes:
    """Turn samples into mu-law bytes, one for one; louder than mu-law can say is clipped."""
    return _ENCODED[pcm.view(np.uint16)].tobytes()
