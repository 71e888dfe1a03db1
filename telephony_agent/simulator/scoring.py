"""Joins what the caller said with what the agent says it understood and what of its reply was heard."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from telephony_agent.simulator.measure import TurnTimes


@dataclass(frozen=True, slots=True)
class ScoredTurn:
    """One line of the caller's: the words, what the agent made of them, and the times at the caller's ear.

    ``transcript``, ``reply`` and ``reply_heard`` are ``None`` when the agent would not tell; ``wer`` is ``None`` too
    then, and for keys.
    """

    said: str
    answered: bool
    times: TurnTimes
    transcript: str | None = None
    reply: str | None = None
    reply_heard: str | None = None
    interrupted: bool = False
    wer: float | None = None


def words(text: str) -> list[str]:
    """Split into the words that count: lower case, letters, digits and apostrophes."""
    return re.findall(r"[a-z0-9']+", text.lower().replace("’", "'"))


def word_error_rate(said: str, understood: str) -> float:
    """Compute edits per word said: substitutions, insertions and deletions, over words only."""
    reference, guess = words(said), words(understood)
    if not reference:
        return float(bool(guess))
    return _edits(reference, guess) / len(reference)


def mean_word_error_rate(turns: Sequence[ScoredTurn]) -> float | None:
    """Compute edits per word over all turns that have a transcript, long ones weighing more."""
    judged = [turn for turn in turns if turn.wer is not None and turn.transcript is not None]
    total = sum(len(words(turn.said)) for turn in judged)
    edits = sum(_edits(words(turn.said), words(turn.transcript or "")) for turn in judged)
    return edits / total if total else None


def matching(
    start_ms: int, end_ms: int, agent_turns: Sequence[Mapping[str, Any]], *, keys: bool
) -> list[Mapping[str, Any]]:
    """Find the agent's turns that overlap a stretch of the stream's clock; several may fall into one line.

    For keys the agent's turn may begin only when the last key is in, so the nearest one after the first key counts.
    """
    kind = "dtmf" if keys else "speech"
    own = [turn for turn in agent_turns if turn.get("input") == kind]
    overlapping = [turn for turn in own if turn["started_ms"] < end_ms and turn["ended_ms"] > start_ms]
    if keys and not overlapping:
        return [turn for turn in own if turn["started_ms"] >= start_ms][:1]
    return overlapping


def joined(turns: Sequence[Mapping[str, Any]], key: str) -> str:
    """Join one text field of several of the agent's turns."""
    return " ".join(text for turn in turns if (text := str(turn.get(key) or "").strip()))


def _edits(reference: Sequence[str], guess: Sequence[str]) -> int:
    row = list(range(len(guess) + 1))
    for i, expected in enumerate(reference, 1):
        diagonal, row[0] = row[0], i
        for j, found in enumerate(guess, 1):
            diagonal, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, diagonal + (expected != found))
    return row[-1]
