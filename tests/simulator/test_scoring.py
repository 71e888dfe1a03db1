"""Word error rates, and the joining of lines with the agent's turns."""

from __future__ import annotations

import pytest

from telephony_agent.simulator.measure import Span, TurnTimes
from telephony_agent.simulator.scoring import ScoredTurn, joined, matching, mean_word_error_rate, word_error_rate

TIMES = TurnTimes(Span(0, 1), None, None, talked_on=False)


@pytest.mark.parametrize(
    ("said", "understood", "rate"),
    [
        ("yes that's right", "Yes, that's right.", 0),
        ("yes that's right", "yes that’s right", 0),
        ("one two three four", "one two four", 0.25),
        ("one two three four", "one two tree four", 0.25),
        ("one two", "one and two", 0.5),
        ("one", "", 1),
        ("", "", 0),
        ("", "thank you", 1),
    ],
)
def test_a_word_error_rate_counts_edits_per_word_said(said: str, understood: str, rate: float) -> None:
    assert word_error_rate(said, understood) == rate


def test_the_mean_weighs_words_and_leaves_out_what_has_no_transcript() -> None:
    turns = [
        ScoredTurn("one two three", True, TIMES, transcript="one two three", wer=0.0),
        ScoredTurn("four", True, TIMES, transcript="for", wer=1.0),
        ScoredTurn("[keys 1]", True, TIMES, transcript=""),
        ScoredTurn("five", True, TIMES),
    ]
    assert mean_word_error_rate(turns) == 0.25
    assert mean_word_error_rate(turns[2:]) is None


def agent_turn(kind: str, started_ms: int, ended_ms: int, transcript: str = "") -> dict[str, object]:
    return {"input": kind, "started_ms": started_ms, "ended_ms": ended_ms, "transcript": transcript}


def test_a_line_takes_every_turn_that_overlaps_it() -> None:
    turns = [
        agent_turn("speech", 0, 900),
        agent_turn("speech", 1100, 1500, "one"),
        agent_turn("silence", 1200, 1300, "never"),
        agent_turn("speech", 1800, 2100, "two"),
        agent_turn("speech", 2000, 2500),
    ]
    found = matching(1000, 2000, turns, keys=False)
    assert joined(found, "transcript") == "one two"


def test_keys_take_the_next_turn_of_keys_if_none_overlaps() -> None:
    turns = [agent_turn("dtmf", 100, 100), agent_turn("dtmf", 2500, 2500), agent_turn("dtmf", 4000, 4000)]
    assert matching(1000, 2000, turns, keys=True) == turns[1:2]
