"""How much audio Whisper's encoder is shown for one utterance, and where a longer one is cut.

Whisper was trained on windows padded to 30 s, but its encoder takes any shorter one, and the time it needs grows faster
than the window: 10 s cost an eighth of 30 s. So the window follows the utterance, with silence after it, because a
decoder that sees no end doesn't know when to stop.
"""

from __future__ import annotations

import itertools
import json
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

WHISPER_RATE = 16_000
MODEL_NOTE = "telephony_agent.json"
"""A file beside a model's weights that says which windows it was trained on."""

_QUIET_S = 0.2
_EARLIEST_CUT = 0.6


@dataclass(frozen=True, slots=True)
class WindowRule:
    """Which windows a model takes: one of ``sizes_s`` (rising, in seconds), with ``pad_s`` of silence at the end."""

    sizes_s: tuple[float, ...]
    pad_s: float

    @property
    def longest_piece_s(self) -> float:
        """The longest utterance that fits with its silence."""
        return self.sizes_s[-1] - self.pad_s

    def window_s(self, utterance_s: float) -> float:
        """Return the smallest window for an utterance; the largest for one that is too long."""
        wanted_s = utterance_s + self.pad_s
        return next((size_s for size_s in self.sizes_s if size_s >= wanted_s), self.sizes_s[-1])


FULL = WindowRule(sizes_s=(30.0,), pad_s=0.5)
"""What every stock checkpoint was trained on."""

STOCK_AUTO = WindowRule(sizes_s=(5.0, 10.0, 15.0, 30.0), pad_s=1.0)
"""Shorter windows for stock checkpoints, which bear them well with a second of silence after the speech."""


def read_rule(model: Path) -> WindowRule | None:
    """Read a model's own rule, ``{"window_s": [least, most], "pad_s": seconds}``; ``None`` when it comes without one.

    Such a model is shown windows in steps of a second.

    Raises:
        ValueError: the file says something else.
    """
    note = model / MODEL_NOTE
    if not note.is_file():
        return None
    try:
        said = json.loads(note.read_text(encoding="utf-8"))
        least_s, most_s = (float(bound) for bound in said["window_s"])
        pad_s = float(said["pad_s"])
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{note} must say window_s: [least, most] and pad_s: {error!r}") from error
    if not 0 <= pad_s < least_s <= most_s:
        raise ValueError(f"{note}: 0 <= pad_s < least <= most is not true")
    return WindowRule((*np.arange(least_s, most_s).tolist(), most_s), pad_s)


def cut_at_quiet(audio: npt.NDArray[np.float32], longest_s: float) -> list[npt.NDArray[np.float32]]:
    """Cut 16 kHz audio into pieces of at most ``longest_s``, each cut in the quietest fifth of a second in reach."""
    longest = math.floor(longest_s * WHISPER_RATE)
    span = round(_QUIET_S * WHISPER_RATE)
    cuts = [0]
    while len(audio) - cuts[-1] > longest:
        earliest = cuts[-1] + round(_EARLIEST_CUT * longest)
        reach = audio[earliest : cuts[-1] + longest]
        loudness = np.convolve(np.square(reach), np.ones(span, np.float32), mode="valid")
        cuts.append(earliest + int(np.argmin(loudness)) + span // 2)
    return [audio[start:end] for start, end in itertools.pairwise((*cuts, len(audio)))]
