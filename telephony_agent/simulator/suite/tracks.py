"""Reads a track: where it is loud, where a speaker paused, where a noise was made."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Final

import numpy as np

from telephony_agent.simulator.caller import FRAME, LOUD_DBOV, Turn
from telephony_agent.simulator.measure import UTTERANCE_GAP_MS, WINDOW_MS, Span
from telephony_agent.simulator.mulaw import Pcm
from telephony_agent.simulator.noises import FULL_SCALE
from telephony_agent.simulator.playout import SAMPLES_PER_MS

PAUSE_MS: Final = 200
"""A shorter silence inside a line belongs to its words."""

_WINDOW: Final = WINDOW_MS * SAMPLES_PER_MS
_LOUD_POWER: Final = FULL_SCALE**2 * 10 ** (LOUD_DBOV / 10)


def loud_spans(pcm: Pcm, *, join_ms: int = 0) -> tuple[Span, ...]:
    """Find the loud stretches of a track (``int16[samples]`` at 8 kHz); those at most ``join_ms`` apart are one."""
    windows = pcm[: len(pcm) // _WINDOW * _WINDOW].reshape(-1, _WINDOW)
    loud = np.mean(np.square(windows, dtype=np.float64), axis=1) > _LOUD_POWER
    edges = np.flatnonzero(np.diff(np.concatenate([[False], loud, [False]]).astype(np.int8))) * WINDOW_MS
    spans: list[Span] = []
    for start, end in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True):
        if spans and start - spans[-1].end_ms <= join_ms:
            start = spans.pop().start_ms
        spans.append(Span(start, end))
    return tuple(spans)


def overlap_ms(spans: Sequence[Span], start_ms: int, end_ms: int) -> int:
    """Add up how much of the spans lies between two times."""
    return sum(max(0, min(span.end_ms, end_ms) - max(span.start_ms, start_ms)) for span in spans)


def pauses(words: Pcm, turn: Turn) -> tuple[Span, ...]:
    """Find the pauses inside a line of the caller's."""
    first_ms = turn.first_frame * FRAME // SAMPLES_PER_MS
    spans = loud_spans(words[turn.first_frame * FRAME : turn.end_frame * FRAME])
    return tuple(
        Span(first_ms + before.end_ms, first_ms + after.start_ms)
        for before, after in pairwise(spans)
        if after.start_ms - before.end_ms >= PAUSE_MS
    )


def noises(words: Pcm, turns: Sequence[Turn]) -> tuple[Span, ...]:
    """Find what the caller's side made sound of that was no line: coughs, clicks, voices behind it."""
    rest = words.copy()
    for turn in turns:
        rest[turn.first_frame * FRAME : turn.end_frame * FRAME] = 0
    return loud_spans(rest, join_ms=UTTERANCE_GAP_MS)
