"""Whole calls in virtual time: a reply that was begun too early, and failed before it was wanted, costs nothing."""

from __future__ import annotations

import pytest

from telephony_agent.core.call_terms import CallRules
from telephony_agent.core.events import EngineFailed, Respond, Stage, Synthesize
from tests.calls.stage import ANNOUNCEMENTS, Call

QUESTION = "can we meet on tuesday"
"""Words that are waited over for more than half a second, in which the reply is begun."""
REPLY = "Tuesday is fine."


def asked_and_failed(stage: Stage, rules: CallRules | None = None) -> Call:
    """Play a call in which an engine fails as long as the caller may still go on."""
    call = Call([REPLY, REPLY], rules=rules, word_s=0.01, transcribe_s=0.02, first_token_s=0.02)
    call.caller_listens()
    ask(call, stage)
    return call


def ask(call: Call, stage: Stage) -> None:
    call.caller_says(QUESTION)
    call.fail = {stage}
    call.caller_waits(0.5)
    assert call.turns[-1].reply_heard == "", "it is still held"
    call.fail = set()
    call.caller_listens()


def failures(call: Call) -> list[Stage]:
    return [event.stage for event in call.log if isinstance(event, EngineFailed)]


@pytest.mark.parametrize("stage", [Stage.RESPOND, Stage.SYNTHESIZE])
def test_a_held_draft_that_fails_is_asked_for_again_and_nobody_hears_of_it(stage: Stage) -> None:
    call = asked_and_failed(stage)
    assert failures(call) == [stage]
    assert call.heard == [ANNOUNCEMENTS.greeting.text, REPLY]
    first, second = call.sent(Respond)
    assert isinstance(first, Respond)
    assert isinstance(second, Respond)
    assert first.draft != second.draft
    assert first.messages == second.messages


@pytest.mark.parametrize("stage", [Stage.RESPOND, Stage.SYNTHESIZE])
def test_the_caller_waits_no_longer_than_if_it_had_not_been_begun(stage: Stage) -> None:
    begun, not_begun = asked_and_failed(stage), asked_and_failed(stage, CallRules(speculations=0))
    assert failures(not_begun) == []
    assert begun.turns[1].timings["turn_gap_ms"] == not_begun.turns[1].timings["turn_gap_ms"]


def test_held_drafts_that_fail_again_and_again_do_not_end_the_call() -> None:
    call = asked_and_failed(Stage.RESPOND)
    for _ in range(2 * CallRules().max_failures):
        ask(call, Stage.RESPOND)
    assert len(failures(call)) == 1 + 2 * CallRules().max_failures
    assert call.hung_up is None
    assert ANNOUNCEMENTS.apology.text not in call.heard


def test_a_held_draft_that_fails_while_the_caller_goes_on_is_forgotten() -> None:
    call = Call([REPLY, "Wednesday, then."], word_s=0.01, transcribe_s=0.02, first_token_s=0.02)
    call.caller_listens()
    call.caller_says(QUESTION)
    call.fail = {Stage.RESPOND}
    call.caller_waits(0.5)
    call.fail = set()
    call.caller_says(f"{QUESTION} or rather on wednesday")
    call.caller_listens()
    assert failures(call) == [Stage.RESPOND]
    assert len(call.turns) == 2
    assert call.turns[1].transcript.endswith("wednesday")
    assert call.sent(Synthesize)
    assert ANNOUNCEMENTS.apology.text not in call.heard
