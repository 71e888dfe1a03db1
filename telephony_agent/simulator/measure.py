"""Measurements at the caller's ear: from the two audio tracks on the stream's sample clock, never from anyone's log.

Sample 0 is when ``start`` was sent. The caller's track holds its words without the line's noise. Windows are 10 ms; a
window above ``LOUD_DBOV`` is speech. Loud windows less than 300 ms apart make one *utterance* of the
agent's, unless a ``clear`` or the end of the caller's words lies between them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from telephony_agent.simulator.caller import FRAME, LOUD_DBOV, Turn
from telephony_agent.simulator.mulaw import TOP, Pcm
from telephony_agent.simulator.noises import FULL_SCALE, level_dbov
from telephony_agent.simulator.playout import SAMPLES_PER_MS, Cleared, Gap

WINDOW_MS: Final = 10
UTTERANCE_GAP_MS: Final = 300
GAP_LIMIT_MS: Final = 60
"""A longer hole inside a phrase is heard as a stutter."""

_CLIPPED_RUN: Final = 3


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of the sample clock, in ms, end excluded."""

    start_ms: int
    end_ms: int


@dataclass(frozen=True, slots=True)
class TurnTimes:
    """What the audio says of one turn.

    ``gap_ms`` is from the caller's last loud window to the agent's next onset: negative when the agent took over
    early, ``None`` when it did not speak. ``yielded_ms`` is from the caller's onset to the agent's last loud window
    before it fell silent, ``None`` when the agent was not speaking then; ``talked_on`` says that it never fell silent.
    ``cut_ins`` counts the agent's onsets while the caller was not done: it took a pause for the end.
    """

    said: Span
    gap_ms: int | None
    yielded_ms: int | None
    talked_on: bool
    cut_ins: int = 0


@dataclass(frozen=True, slots=True)
class Measures:
    """What the audio says of a call: levels are dBov, ``None`` where the agent never spoke."""

    greeting_ms: int | None
    turns: tuple[TurnTimes, ...]
    utterances: tuple[Span, ...]
    level_dbov: float | None
    clipped_runs: int
    gaps_ms: tuple[int, ...]
    stale_ms: int


def measure(caller: Pcm, agent: Pcm, turns: Sequence[Turn], gaps: Sequence[Gap], clears: Sequence[Cleared]) -> Measures:
    """Measure one stream.

    Args:
        caller: the caller's words, ``int16[samples]``.
        agent: what played to the caller, as long as ``caller``.
        turns: the caller's lines and keys, in order.
        gaps: where the playout ran dry inside a phrase.
        clears: when the agent asked to forget its queue.
    """
    loud = _loud_windows(agent)
    cleared = tuple(clear.at // SAMPLES_PER_MS for clear in clears)
    said = tuple(_said(caller, turn) for turn in turns)
    utterances = _utterances(loud, (*cleared, *(span.end_ms for span in said)))
    next_starts = (*(span.start_ms for span in said[1:]), len(agent) // SAMPLES_PER_MS)
    return Measures(
        greeting_ms=utterances[0].start_ms if utterances else None,
        turns=tuple(
            _times(span, until_ms, utterances, cleared) for span, until_ms in zip(said, next_starts, strict=False)
        ),
        utterances=utterances,
        level_dbov=_active_level(agent, loud),
        clipped_runs=_clipped_runs(agent),
        gaps_ms=tuple(gap.samples // SAMPLES_PER_MS for gap in gaps if gap.samples > GAP_LIMIT_MS * SAMPLES_PER_MS),
        stale_ms=_stale_ms(loud, said, cleared),
    )


def _times(said: Span, next_ms: int, utterances: Sequence[Span], cleared: Sequence[int]) -> TurnTimes:
    under = next((one for one in utterances if one.start_ms < said.start_ms < one.end_ms), None)
    fell_silent = under is not None and (
        under.end_ms < said.end_ms or any(said.start_ms < ms <= under.end_ms + WINDOW_MS for ms in cleared)
    )
    onsets = [
        one.start_ms
        for one in utterances
        if said.start_ms <= one.start_ms < max(next_ms, said.end_ms) and one.end_ms > said.end_ms
    ]
    return TurnTimes(
        said=said,
        gap_ms=onsets[0] - said.end_ms if onsets else None,
        yielded_ms=under.end_ms - said.start_ms if under and fell_silent else None,
        talked_on=under is not None and not fell_silent,
        cut_ins=sum(said.start_ms <= one.start_ms < said.end_ms for one in utterances),
    )


def _said(caller: Pcm, turn: Turn) -> Span:
    first = turn.first_frame * FRAME
    loud = np.flatnonzero(_loud_windows(caller[first : turn.end_frame * FRAME]))
    start_ms = first // SAMPLES_PER_MS
    if not len(loud):
        return Span(start_ms, turn.end_frame * FRAME // SAMPLES_PER_MS)
    return Span(start_ms + int(loud[0]) * WINDOW_MS, start_ms + (int(loud[-1]) + 1) * WINDOW_MS)


def _windows(pcm: Pcm) -> Pcm:
    size = WINDOW_MS * SAMPLES_PER_MS
    return pcm[: len(pcm) // size * size].reshape(-1, size)


def _loud_windows(pcm: Pcm) -> npt.NDArray[np.bool_]:
    power = np.mean(np.square(_windows(pcm), dtype=np.float64), axis=1)
    loud: npt.NDArray[np.bool_] = power > FULL_SCALE**2 * 10 ** (LOUD_DBOV / 10)
    return loud


def _utterances(loud: npt.NDArray[np.bool_], breaks: Sequence[int]) -> tuple[Span, ...]:
    """Join loud windows into utterances; a silence that holds one of ``breaks`` always parts two."""
    spans: list[Span] = []
    for window in np.flatnonzero(loud):
        start = int(window) * WINDOW_MS
        if spans and _belongs(start, spans[-1], breaks):
            spans[-1] = Span(spans[-1].start_ms, start + WINDOW_MS)
        else:
            spans.append(Span(start, start + WINDOW_MS))
    return tuple(spans)


def _belongs(start_ms: int, last: Span, breaks: Sequence[int]) -> bool:
    if start_ms == last.end_ms:
        return True
    return start_ms - last.end_ms < UTTERANCE_GAP_MS and not any(last.end_ms <= ms <= start_ms for ms in breaks)


def _active_level(agent: Pcm, loud: npt.NDArray[np.bool_]) -> float | None:
    return round(level_dbov(_windows(agent)[loud].ravel()), 1) if loud.any() else None


def _clipped_runs(pcm: Pcm) -> int:
    """Count runs of three or more samples at the codec's top."""
    top = np.abs(pcm.astype(np.int32)) >= TOP
    edges = np.flatnonzero(np.diff(np.concatenate([[False], top, [False]]).astype(np.int8)))
    return int(np.count_nonzero(edges[1::2] - edges[::2] >= _CLIPPED_RUN))


def _stale_ms(loud: npt.NDArray[np.bool_], said: Sequence[Span], cleared: Sequence[int]) -> int:
    """Add up the agent's speech between a ``clear`` and the end of the words that brought it about."""
    stale = 0
    for cleared_ms in cleared:
        end_ms = next((span.end_ms for span in said if span.start_ms <= cleared_ms < span.end_ms), cleared_ms)
        first, end = -(-cleared_ms // WINDOW_MS), end_ms // WINDOW_MS
        stale += int(np.count_nonzero(loud[first:end])) * WINDOW_MS
    return stale
