"""Reads the sound files that pyttsx3's stock drivers write: WAV (espeak, SAPI) and AIFF (macOS), whatever their name.

Only the header's description of the samples is believed, never its lengths: a file that is still being written has
wrong ones. Python's own ``wave`` refuses some of these files, and ``aifc`` is gone since Python 3.13.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np

_PCM = (1, 0xFFFE)
_CHUNK_HEADER_BYTES = 8
ByteOrder = Literal["little", "big"]


@dataclass(frozen=True, slots=True)
class Sound:
    """Mono sound: ``pcm`` is little-endian int16 at ``sample_rate`` Hz; may be empty."""

    pcm: bytes
    sample_rate: int


@dataclass(frozen=True, slots=True)
class _Layout:
    channels: int
    sample_rate: int
    bits: int
    order: ByteOrder


def read_sound(data: bytes) -> Sound:
    """Read a whole WAV or AIFF file.

    Raises:
        ValueError: it is neither, or its samples are not integer PCM of 8 to 32 bits.
    """
    match data[:4], data[8:12]:
        case b"RIFF", b"WAVE":
            return _read_wav(data)
        case b"FORM", b"AIFF" | b"AIFC":
            return _read_aiff(data)
    raise ValueError("neither a WAV nor an AIFF file")


def _chunks(data: bytes, order: ByteOrder) -> Iterator[tuple[bytes, bytes]]:
    position = 12
    while position + _CHUNK_HEADER_BYTES <= len(data):
        name = data[position : position + 4]
        length = int.from_bytes(data[position + 4 : position + 8], order)
        position += _CHUNK_HEADER_BYTES
        yield name, data[position : position + length]  # slicing cuts a length that promises too much
        position += length + length % 2


def _read_wav(data: bytes) -> Sound:
    layout: _Layout | None = None
    for name, body in _chunks(data, "little"):
        if name == b"fmt " and len(body) >= 16:
            encoding, channels, rate, _, _, bits = struct.unpack_from("<HHIIHH", body)
            if encoding not in _PCM:
                raise ValueError(f"WAV encoding {encoding} is not integer PCM")
            layout = _Layout(channels, rate, bits, "little")
        elif name == b"data" and layout is not None:
            return _mono(body, layout)
    raise ValueError("WAV file without samples")


def _read_aiff(data: bytes) -> Sound:
    layout: _Layout | None = None
    samples: bytes | None = None
    for name, body in _chunks(data, "big"):  # the two chunks may come in either order
        if name == b"COMM" and len(body) >= 18:
            channels, _, bits = struct.unpack_from(">hIh", body)
            encoding = body[18:22] if data[8:12] == b"AIFC" else b"NONE"
            if encoding not in (b"NONE", b"twos", b"sowt"):
                raise ValueError(f"AIFF encoding {encoding!r} is not integer PCM")
            layout = _Layout(channels, _extended_to_int(body[8:18]), bits, "little" if encoding == b"sowt" else "big")
        elif name == b"SSND":
            samples = body[8:]
    if layout is None or samples is None:
        raise ValueError("AIFF file without samples")
    return _mono(samples, layout)


def _extended_to_int(field: bytes) -> int:
    """Read the 80-bit float that holds an AIFF file's sample rate."""
    exponent, mantissa = struct.unpack(">HQ", field)
    return int(mantissa >> max(0, 16383 + 63 - (exponent & 0x7FFF)))


def _mono(body: bytes, layout: _Layout) -> Sound:
    width = layout.bits // 8
    if layout.bits % 8 or not 1 <= width <= 4 or layout.channels < 1 or layout.sample_rate < 1:
        raise ValueError(f"unusable samples: {layout}")
    frames = len(body) // (width * layout.channels)
    octets = np.frombuffer(body, np.uint8, frames * width * layout.channels).reshape(frames, layout.channels, width)
    if layout.order == "big":
        octets = octets[..., ::-1]
    if width == 1:
        # WAV stores 8 bits unsigned, AIFF signed.
        wide = octets[..., 0].astype(np.int32)
        wide = (wide - 128 if layout.order == "little" else octets[..., 0].view(np.int8).astype(np.int32)) << 8
    else:
        top = np.ascontiguousarray(octets[..., -2:])  # the two most significant octets are the int16 value
        wide = top.view("<i2")[..., 0].astype(np.int32)
    return Sound(wide.mean(axis=1).astype("<i2").tobytes(), layout.sample_rate)
