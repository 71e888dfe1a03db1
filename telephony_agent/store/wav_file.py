"""A two-channel WAV that is written as the sound comes, and mended if its writer died: caller left, agent right."""

from __future__ import annotations

import os
import struct
from pathlib import Path
from typing import BinaryIO

from telephony_agent.audio import SAMPLE_RATE

CHANNELS = 2
FRAME_BYTES = CHANNELS * 2
"""Bytes of one moment: a sample of each channel."""
HEADER_BYTES = 44
_HEADER = struct.Struct("<4sI4s4sIHHIIHH4sI")
_LARGEST = 0xFFFFFFFF - HEADER_BYTES


def wav_header(sound_bytes: int) -> bytes:
    """Return the header of a file with so many bytes of sound."""
    return _HEADER.pack(
        *(b"RIFF", HEADER_BYTES - 8 + sound_bytes, b"WAVE", b"fmt ", 16, 1, CHANNELS, SAMPLE_RATE),
        *(SAMPLE_RATE * FRAME_BYTES, FRAME_BYTES, 16, b"data", sound_bytes),
    )


class WavFile:
    """A new file that grows. It may block, and raises ``OSError`` when the disk won't take more."""

    def __init__(self, path: Path) -> None:
        self._file: BinaryIO = open(path, "xb", opener=_private)  # noqa: SIM115 - closed by close()
        self._file.write(wav_header(0))
        self._file.flush()

    def write(self, sound: bytes) -> None:
        """Append PCM16, the two channels by turns."""
        self._file.write(sound)
        self._file.flush()

    def close(self) -> None:
        """Put the true length into the header and close."""
        try:
            _write_length(self._file)
        finally:
            self._file.close()


def mend_wav(path: Path) -> bool:
    """Set the header right of a file whose writer died; False if it was right, or is none of ours.

    The file keeps its time of writing: it says when the call was.
    """
    status = path.stat()
    with open(path, "r+b") as file:
        header = file.read(HEADER_BYTES)
        sound = (status.st_size - HEADER_BYTES) // FRAME_BYTES * FRAME_BYTES
        if len(header) < HEADER_BYTES:
            # It died before its first sound.
            file.seek(0)
            file.write(wav_header(0))
        elif _is_ours(header) and header[-4:] != wav_header(min(sound, _LARGEST))[-4:]:
            _write_length(file)
        else:
            return False
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    return True


def _is_ours(header: bytes) -> bool:
    """Say whether a header is one of ``wav_header``'s, whatever length it gives."""
    ours = wav_header(0)
    return header[:4] == ours[:4] and header[8:40] == ours[8:40]


def _write_length(file: BinaryIO) -> None:
    size = file.seek(0, os.SEEK_END)
    sound = (size - HEADER_BYTES) // FRAME_BYTES * FRAME_BYTES
    file.truncate(HEADER_BYTES + sound)
    file.seek(0)
    file.write(wav_header(min(sound, _LARGEST)))
    file.flush()


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
