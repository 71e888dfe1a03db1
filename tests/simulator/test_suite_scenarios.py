"""The calls that the suite draws: the same for the same seed, and enough of each kind."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from telephony_agent.simulator.caller import FRAME, Caller, rehearse
from telephony_agent.simulator.script import HangUpStep, KeysStep, NoiseStep, SayStep, Side
from telephony_agent.simulator.suite import Family, Scenario, scenarios
from telephony_agent.simulator.suite.goals import GOALS, Figure
from telephony_agent.simulator.suite.lines import load_lines
from telephony_agent.simulator.suite.scenarios import ASIDES, LEFT_TO_THE_AGENT
from telephony_agent.simulator.suite.tally import MIN_EVENTS


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


def test_lines_that_want_no_answer_are_only_in_families_of_asides_and_in_voicemails() -> None:
    unanswered = {
        call.family
        for call in scenarios(2)
        for step in call.script.steps
        if isinstance(step, SayStep) and not step.answered
    }
    assert unanswered == {Family.BACKCHANNELS, Family.SIDE_TALK, Family.VOICEMAIL}
    assert unanswered - {Family.VOICEMAIL} < set(ASIDES)


def test_who_is_left_to_the_agent_never_hangs_up_and_expects_the_agent_to() -> None:
    for call in scenarios(1):
        hangs_up = any(isinstance(step, HangUpStep) for step in call.script.steps)
        assert hangs_up == (call.family not in LEFT_TO_THE_AGENT)
        if not hangs_up:
            assert (call.script.expect.ended_by, "silence" in call.script.expect.reasons) == (Side.AGENT, True)


def test_a_silent_caller_waits_for_the_second_reprompt_and_more() -> None:
    (call,) = scenarios(1, families=frozenset({Family.SILENCE}))
    caller = Caller(call.script, rehearse(call.script, None), call.seed)
    voice, silence = np.full(FRAME, 3000, np.int16), np.zeros(FRAME, np.int16)
    reprompts = ([voice] * 100 + [silence] * 500) * 3
    assert not any(caller.hear(frame).hangs_up for frame in reprompts)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_hold_music_comes_over_the_agent_and_in_its_silence_often_enough_for_a_rate(seed: int) -> None:
    calls = scenarios(seed, families=frozenset({Family.HOLD_MUSIC}))
    music = [step for call in calls for step in call.script.steps if isinstance(step, NoiseStep)]
    assert len(music) >= MIN_EVENTS
    assert {step.kind for step in music} == {"music"}
    assert {step.interrupt_ms is None for step in music} == {True, False}


def test_a_voicemail_speaks_at_once_beeps_and_is_silent() -> None:
    for call in scenarios(1, families=frozenset({Family.VOICEMAIL})):
        greeting, _, beep = call.script.steps
        assert isinstance(greeting, SayStep)
        assert greeting.interrupt_ms is not None
        assert isinstance(beep, NoiseStep)
        assert (beep.kind, beep.ms) == ("beep", 400)


def test_every_line_is_text_and_every_halting_line_has_several_parts() -> None:
    lines = load_lines()
    assert all(isinstance(line, str) for line in (*lines.short, *lines.backchannels, *lines.questions))
    for halting in (lines.pausing, lines.trailing, lines.corrections, lines.voicemails):
        assert all(len(pieces) > 1 and all(isinstance(piece, str) for piece in pieces) for pieces in halting)
