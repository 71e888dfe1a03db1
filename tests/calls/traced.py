"""Calls on the stage that keep their trace, and some stories that together visit every corner of a call."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from telephony_agent.core.call_terms import CallRules
from telephony_agent.core.events import Action, EndReason, EndRequested, Event, HangUp, Stage
from telephony_agent.core.trace import Trace, TraceEncoder, header_of, read_trace
from telephony_agent.sales.phrasebook import Phrasebook
from tests.calls.stage import ANNOUNCEMENTS, INTRODUCTION, MESSAGE, TRANSFER, Call


class TracedCall(Call):
    """A call whose steps are encoded as they are taken."""

    def __init__(self, replies: Any = (), *, rules: CallRules | None = None, **terms: Any) -> None:
        self.encoder = TraceEncoder()
        said = replace(ANNOUNCEMENTS, transfer=TRANSFER) if terms.get("transfers") else ANNOUNCEMENTS
        if terms.get("dialled"):
            said = replace(said, introduction=INTRODUCTION, voicemail=MESSAGE)
        self.lines = [self.encoder.header(header_of(rules or CallRules(), said, Phrasebook.shipped()))]
        super().__init__(replies, rules=rules, **terms)

    def tell(self, event: Event) -> None:
        before = len(self.log)
        super().tell(event)
        asked: list[Action] = self.log[before + 1 :]  # type: ignore[assignment]  # behind the event stand its actions
        self.lines += self.encoder.step(event, self.now, asked)
        if any(isinstance(action, HangUp) for action in asked):
            self.lines += self.encoder.end(self.flow.end_reason or EndReason.LINE, self.flow.conversation.turns)

    @property
    def trace(self) -> Trace:
        return read_trace(self.lines)


def a_question() -> TracedCall:
    call = TracedCall(["It costs ten dollars. Do you want it?", "Goodbye."])
    call.caller_listens()
    call.caller_says("how much is it")
    call.caller_listens()
    call.caller_waits(1.0)
    call.caller_says("no thanks bye")
    call.caller_listens()
    return call


def an_interruption() -> TracedCall:
    call = TracedCall(["It costs ten dollars a month for every seat that you have.", "The team plan costs more."])
    call.caller_listens()
    call.caller_waits(1.0)
    call.caller_says("how much is it")
    call.caller_waits(1.6)
    call.caller_says("what about the team plan", seconds=2.0)
    call.caller_listens()
    call.caller_hangs_up()
    return call


def an_aside() -> TracedCall:
    call = TracedCall(["It costs ten dollars a month for every seat that you have."])
    call.caller_listens()
    call.caller_waits(1.0)
    call.caller_says("how much is it")
    call.caller_waits(1.6)
    call.caller_says("okay", seconds=0.4)
    call.caller_listens()
    call.caller_hangs_up()
    return call


def second_thoughts() -> TracedCall:
    call = TracedCall(["Wrong.", "Fine, the team plan."], transcribe_s=0.02, first_token_s=0.02)
    call.caller_listens()
    call.caller_says("how much does it cost")
    call.caller_waits(0.26)
    call.caller_says("how much does it cost for a team of five")
    call.caller_listens()
    call.caller_hangs_up()
    return call


def a_hesitation() -> TracedCall:
    call = TracedCall(["Fine."])
    call.caller_listens()
    call.caller_says("I would like um")
    call.caller_waits(1.2)
    call.caller_says("I would like um the team plan")
    call.caller_listens()
    call.caller_hangs_up()
    return call


def keys_and_late_answers() -> TracedCall:
    call = TracedCall(["That will do."], first_token_s=3.0)
    call.caller_listens()
    call.caller_presses("12")
    call.caller_waits(3.0)
    call.caller_listens()
    call.tell(EndRequested(EndReason.SHUTDOWN))
    call.caller_listens()
    return call


def nobody_there() -> TracedCall:
    call = TracedCall(lose_marks=True)
    call.caller_waits(60.0)
    return call


def engines_that_fail() -> TracedCall:
    call = TracedCall(["It costs ten dollars."])
    call.caller_listens()
    for stage in Stage:
        call.fail = {stage}
        call.caller_says("how much is it")
        call.caller_listens()
        if call.hung_up:
            break
    return call


def a_person_we_called() -> TracedCall:
    call = TracedCall(["It costs ten dollars."], dialled=True)
    call.caller_says("hello this is Anna")
    call.caller_listens()
    call.carrier_says("machine_end_silence")
    call.caller_says("how much is it")
    call.caller_listens()
    call.caller_hangs_up()
    return call


def a_mailbox() -> TracedCall:
    call = TracedCall(dialled=True)
    call.caller_says("please leave a message after the tone")
    call.caller_waits(1.5)
    call.beeps()
    call.caller_listens()
    return call


STORIES: Mapping[str, Callable[[], TracedCall]] = {
    story.__name__: story
    for story in (
        a_question,
        an_interruption,
        an_aside,
        second_thoughts,
        a_hesitation,
        keys_and_late_answers,
        nobody_there,
        engines_that_fail,
        a_person_we_called,
        a_mailbox,
    )
}
