"""Recorded calls run again: under the same rules to the last action, under others as they would have gone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from telephony_agent.core.conversation import TurnInput
from telephony_agent.core.events import CancelReply, EndReason, EngineFailed, MarkHeard, Stage
from telephony_agent.core.replay import reproduce, retell
from telephony_agent.core.rule_data import changed
from telephony_agent.sales.phrasebook import Phrasebook
from tests.calls.traced import (
    STORIES,
    TracedCall,
    a_hesitation,
    a_question,
    an_aside,
    an_interruption,
    engines_that_fail,
    keys_and_late_answers,
    nobody_there,
    second_thoughts,
)

stories = pytest.mark.parametrize("story", STORIES.values(), ids=STORIES)


def test_the_stories_visit_what_they_are_named_for() -> None:
    assert an_interruption().turns[1].interrupted
    assert TurnInput.ASIDE in [turn.input for turn in an_aside().turns]
    assert second_thoughts().sent(CancelReply)
    assert TurnInput.DTMF in [turn.input for turn in keys_and_late_answers().turns]
    assert nobody_there().flow.end_reason is EndReason.SILENCE
    assert engines_that_fail().flow.end_reason is EndReason.FAULT


@stories
def test_under_the_same_rules_every_action_is_the_recorded_one(story: Callable[[], TracedCall]) -> None:
    call = story()
    again = reproduce(call.trace, Phrasebook.shipped())
    assert again.difference is None
    assert again.turns == tuple(call.turns)
    assert again.end_reason is call.flow.end_reason


@stories
def test_retold_under_the_same_rules_the_same_is_said_and_heard(story: Callable[[], TracedCall]) -> None:
    call = story()
    again = retell(call.trace, call.trace.header.rules, Phrasebook.shipped())
    assert [(turn.input, turn.transcript, turn.interrupted) for turn in again.turns] == [
        (turn.input, turn.transcript, turn.interrupted) for turn in call.turns
    ]
    # A word more or less may be out when a caller breaks in: the twin's clock has a grain of 20 ms.
    for before, after in zip(call.turns, again.turns, strict=True):
        assert abs(len(before.reply_heard.split()) - len(after.reply_heard.split())) <= 1
    assert not again.notes


def test_a_call_that_goes_another_way_shows_the_first_step_that_does() -> None:
    trace = a_question().trace
    index = next(i for i, step in enumerate(trace.steps) if isinstance(step.event, MarkHeard) and i > 100)
    tampered = replace(trace.steps[index], actions=(("clear",),))
    steps = (*trace.steps[:index], tampered, *trace.steps[index + 1 :])
    difference = reproduce(replace(trace, steps=steps), Phrasebook.shipped()).difference
    assert difference is not None
    assert (difference.index, difference.recorded) == (index, (("clear",),))
    assert ("clear",) not in difference.replayed


def test_a_longer_wait_makes_longer_gaps_and_the_same_words() -> None:
    call = a_question()
    rules = changed(changed(call.trace.header.rules, "judge=silence"), "judge.wait=900")
    again = retell(call.trace, rules, Phrasebook.shipped())
    assert [turn.transcript for turn in again.turns] == [turn.transcript for turn in call.turns]
    assert again.turns[1].timings["endpoint_ms"] == 900
    assert again.turns[1].timings["turn_gap_ms"] > call.turns[1].timings["turn_gap_ms"]
    assert again.turns[1].reply_heard == call.turns[1].reply_heard
    assert again.end_reason is call.flow.end_reason


def test_a_shorter_wait_cuts_a_hesitating_caller_off_and_says_what_it_had_to_borrow() -> None:
    call = a_hesitation()
    rules = changed(changed(call.trace.header.rules, "judge=silence"), "judge.wait=300")
    again = retell(call.trace, rules, Phrasebook.shipped())
    assert len(call.turns) == 2
    assert len(again.turns) == 3
    assert again.turns[1].transcript == "I would like um"
    assert any("reply" in note for note in again.notes)
    assert any("transcript" in note for note in again.notes)


def test_what_the_recording_holds_nothing_of_fails() -> None:
    trace = an_interruption().trace
    steps = tuple(step for step in trace.steps if not hasattr(step.event, "turn"))
    again = retell(replace(trace, steps=steps), trace.header.rules, Phrasebook.shipped())
    assert any("holds none" in note for note in again.notes)
    assert again.turns[1].reply == trace.header.announcements.apology.text


def test_a_recording_that_breaks_off_ends_the_retold_call() -> None:
    trace = a_question().trace
    again = retell(replace(trace, steps=trace.steps[:200]), trace.header.rules, Phrasebook.shipped())
    assert "the recording ends before the retold stream does" in again.notes


def test_an_answer_without_its_question_is_passed_over() -> None:
    trace = a_question().trace
    stray = replace(trace.steps[0], event=EngineFailed(7, Stage.RESPOND, 7, 7), actions=())
    again = retell(replace(trace, steps=(stray, *trace.steps)), trace.header.rules, Phrasebook.shipped())
    assert [turn.transcript for turn in again.turns] == [turn.transcript for turn in a_question().turns]
