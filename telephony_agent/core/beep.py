"""Hears the beep of a mailbox: one tone that stands still for a while, and then silence.

A window of 80 ms, moved on by 20 ms, is tonal when nearly all of its power lies in one line of its spectrum between
``LOWEST_HZ`` and ``HIGHEST_HZ``. That is long enough to part the two tones of a ring (440 and 480 Hz) and of a key, and
voices have harmonics. A beep is a run of such windows at one frequency, not too long, with silence after it: music goes
on, and so does a line that rings.
"""

from __future__ import annotations

from collections import deque

import numpy as np
import numpy.typing as npt

from telephony_agent.audio import FRAME_SAMPLES, SAMPLE_RATE, level_dbov

WINDOW_FRAMES = 4
LOWEST_HZ = 400
HIGHEST_HZ = 2000
PURITY_DB = 20.0
"""How much stronger the line must be than all else together."""
LOUD_DBOV = -45.0
QUIETER_DB = 20.0
"""What is so much quieter than the beep counts as silence."""
MIN_WINDOWS = 3
"""Windows in a run: a tone of 120 ms and more."""
MAX_WINDOWS = 75
SILENT_FRAMES = 8
EDGE_FRAMES = WINDOW_FRAMES + 1
"""Frames in which a tone may fade out, or still fill a part of the window."""

_BIN_HZ = SAMPLE_RATE / (WINDOW_FRAMES * FRAME_SAMPLES)
_LOBE_BINS = 2
_FADE: npt.NDArray[np.float64] = np.hanning(WINDOW_FRAMES * FRAME_SAMPLES)


class BeepDetector:
    """Listens to one party, frame by frame."""

    def __init__(self) -> None:
        self._frames: deque[npt.NDArray[np.int16]] = deque(maxlen=WINDOW_FRAMES)
        self._bin = 0
        self._windows = 0
        self._level = LOUD_DBOV
        self._since = 0
        self._silent = 0

    def hear(self, pcm: bytes) -> bool:
        """Take a frame (20 ms of 16-bit PCM at 8 kHz); tell whether a beep is now known to be over."""
        self._frames.append(np.frombuffer(pcm, np.int16))
        level = level_dbov(pcm)
        line = self._tonal_line() if level > LOUD_DBOV and len(self._frames) == WINDOW_FRAMES else None
        if line is not None:
            self._go_on(line, level)
            return False
        if self._windows:
            return self._fall_silent(level)
        return False

    def _go_on(self, line: int, level: float) -> None:
        if not self._windows or abs(line - self._bin) > 1 or self._silent:
            self._windows = 0
        self._bin, self._level = line, level
        self._windows += 1
        self._since = self._silent = 0

    def _fall_silent(self, level: float) -> bool:
        """Count the silence after a tone; whatever else follows it takes it back."""
        self._since += 1
        if level < self._level - QUIETER_DB:
            self._silent += 1
        elif self._silent or self._since > EDGE_FRAMES:
            self._windows = 0
        if self._silent < SILENT_FRAMES:
            return False
        beeped = MIN_WINDOWS <= self._windows <= MAX_WINDOWS
        self._windows = 0
        return beeped

    def _tonal_line(self) -> int | None:
        """Return the line of the spectrum that holds nearly all of the window's power, if one does."""
        spectrum = np.abs(np.fft.rfft(np.concatenate(self._frames) * _FADE)) ** 2
        line = int(np.argmax(spectrum))
        if not LOWEST_HZ <= line * _BIN_HZ <= HIGHEST_HZ:
            return None
        inside = float(spectrum[max(0, line - _LOBE_BINS) : line + _LOBE_BINS + 1].sum())
        outside = float(spectrum.sum()) - inside
        return line if outside * 10 ** (PURITY_DB / 10) <= inside else None
