"""The calls that the suite draws: the same for the same seed, and enough of each kind."""

from __future__ import annotations

from collections import Counter

import pytest

from telephony_agent.simulator.script import KeysStep, SayStep
from telephony_agent.simulator.suite import Family, Scenario, scenarios
from telephony_agent.simulator.suite.goals import GOALS, Figure
from telephony_agent.simulator.suite.lines import load_lines
from telephony_agent.simulator.suite.scenarios import ASIDES


def turns(calls: tuple[Scenario, ...]) -> int:
    steps = (step for call in calls for step in call.script.steps)
    return sum(isinstance(step, SayStep | KeysStep) and step.answered for step in steps)


def test_the_same_seed_draws_the_same_calls_and_another_seed_others() -> None:
    assert scenarios(7) == scenarios(7)
    assert scenarios(7) != scenarios(8)


def test_a_subset_of_the_families_draws_the_same_calls_as_the_whole_set() -> None:
    whole = [call for call in scenarios(3) if call.family is Family.PAUSES]
    assert list(scenarios(3, families=frozenset({Family.PAUSES}))) == whole


def test_every_call_has_a_name_of_its_own_and_every_family_has_calls() -> None:
    calls = scenarios(1, repeat=2)
    assert len({call.name for call in calls}) == len(calls)
    assert {call.family for call in calls} == set(Family)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_one_run_has_as_many_turns_as_the_goals_ask_for(seed: int) -> None:
    wanted = next(goal.bound for goal in GOALS if goal.figure is Figure.N)
    assert turns(scenarios(seed)) > wanted


def test_repeating_draws_more_of_each_kind() -> None:
    once, twice = Counter(c.family for c in scenarios(1)), Counter(c.family for c in scenarios(1, repeat=2))
    assert twice == {family: 2 * calls for family, calls in once.items()}


def test_echo_covers_its_whole_range_and_nothing_beyond() -> None:
    calls = scenarios(5, repeat=5, families=frozenset({Family.ECHO}))
    found = [call.script.echo for call in calls if call.script.echo is not None]
    assert len(found) == len(calls)
    assert all(-30 <= echo.db <= -10 and 50 <= echo.delay_ms <= 300 for echo in found)
    assert {round(-echo.db) // 5 for echo in found} >= {2, 3, 4, 5}


def test_lines_that_want_no_answer_are_only_in_families_of_asides() -> None:
    asides = {
        call.family
        for call in scenarios(2)
        for step in call.script.steps
        if isinstance(step, SayStep) and not step.answered
    }
    assert asides == {Family.BACKCHANNELS, Family.SIDE_TALK}
    assert asides < set(ASIDES)


def test_every_line_is_text_and_every_halting_line_has_several_parts() -> None:
    lines = load_lines()
    assert all(isinstance(line, str) for line in (*lines.short, *lines.backchannels, *lines.questions))
    for halting in (lines.pausing, lines.trailing, lines.corrections):
        assert all(len(pieces) > 1 and all(isinstance(piece, str) for piece in pieces) for pieces in halting)
