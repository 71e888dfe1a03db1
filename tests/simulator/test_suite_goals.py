"""Counting, and holding figures against the goals."""

from __future__ import annotations

from telephony_agent.simulator.suite import GOALS, Goal, Measure, Observation, Tally, tally
from telephony_agent.simulator.suite.goals import Figure, missed
from telephony_agent.simulator.suite.tally import as_json


def events(measure: Measure, *values: int) -> list[Observation]:
    return [Observation(measure, value, "pauses 1", 1000) for value in values]


def test_fewer_than_ten_events_give_no_rate_and_no_percentile() -> None:
    few, enough = Tally((1,) * 9), Tally((1,) * 9 + (0,))
    assert (few.n, few.hits, few.rate, few.percentile(50)) == (9, 9, None, None)
    assert enough.rate == 0.9


def test_the_99th_percentile_needs_a_hundred_events() -> None:
    assert Tally(tuple(range(99))).percentile(99) is None
    assert Tally(tuple(range(101))).percentile(99) == 99


def test_every_measure_is_in_the_figures_if_only_without_events() -> None:
    found = as_json(tally(events(Measure.TURN_GAP, *[400] * 10)))
    assert found.keys() == set(Measure)
    assert found["turn_gap_ms"] == {"n": 10, "p50": 400, "p95": 400, "p99": None, "max": 400}
    assert found["dead_air"] == {"n": 0, "hits": 0, "rate": None}


def test_a_goal_is_reached_at_its_bound_and_not_beyond() -> None:
    goal = Goal(Measure.TURN_GAP, Figure.P50, 600, "a paper")
    assert goal.reached(tally(events(Measure.TURN_GAP, *[600] * 10)))
    assert not goal.reached(tally(events(Measure.TURN_GAP, *[601] * 10)))


def test_a_goal_from_below_is_reached_at_its_bound() -> None:
    goal = Goal(Measure.INTERRUPTION, Figure.RATE, 0.9, "a paper", at_least=True)
    assert goal.reached(tally(events(Measure.INTERRUPTION, *[1] * 9, 0)))
    assert not goal.reached(tally(events(Measure.INTERRUPTION, *[1] * 8, 0, 0)))


def test_too_few_events_reach_no_goal() -> None:
    goal = Goal(Measure.CUT_OFF, Figure.RATE, 0.05, "a paper")
    figures = tally(events(Measure.CUT_OFF, *[0] * 9))
    assert not goal.reached(figures)
    assert goal.shortfall(figures) == "false_cut_off rate: fewer than 10 events (N 9), wanted <= 5.0%"


def test_a_few_events_can_all_have_to_happen() -> None:
    goal = Goal(Measure.VOICEMAIL, Figure.MISSES, 0, "a paper")
    assert goal.reached(tally(events(Measure.VOICEMAIL, 1, 1)))
    failed = tally(events(Measure.VOICEMAIL, 1, 0))
    assert not goal.reached(failed)
    assert goal.shortfall(failed) == "voicemail_left misses: 1 (N 2), wanted <= 0"


def test_nothing_at_all_reaches_not_even_a_goal_of_no_events() -> None:
    assert missed(GOALS, tally([])) == GOALS


def test_every_goal_names_its_source() -> None:
    assert all(goal.source for goal in GOALS)
    assert len({(goal.measure, goal.figure) for goal in GOALS}) == len(GOALS)
