"""Recorded calls whose model takes the counsel's notes: what it was asked is the caller's words and the note."""

from __future__ import annotations

from datetime import datetime

from telephony_agent.core.call_flow import CallFlow
from telephony_agent.core.call_terms import CallRules
from telephony_agent.core.conversation import Conversation
from telephony_agent.core.counsel import Advice, NoCounsel, ToTheModel
from telephony_agent.core.events import (
    CallBegan,
    CallerLeft,
    EndReason,
    Event,
    KeyPressed,
    ReplyDelta,
    ReplyFinished,
    Synthesized,
    Tick,
)
from telephony_agent.core.replay import reproduce, retell
from telephony_agent.core.trace import Trace, TraceEncoder, header_of, read_trace
from telephony_agent.sales.phrasebook import Phrasebook
from tests.calls.stage import ANNOUNCEMENTS, NOON, speech_of

PHRASES = Phrasebook.shipped()
REPLY = "Seven it is."


class Prompter(NoCounsel):
    """Leaves everything to the model, with a note."""

    def __init__(self, note: str = "Ask for their name.") -> None:
        self._note = note

    def take(self, turn: int, words: str, heard: str, now: datetime) -> Advice:
        """Let the model word the reply, and tell it what to ask for."""
        return ToTheModel(note=self._note)

    def nobody_came(self) -> None:
        """Nothing to note."""


def keyed_call(*, takes_notes: bool = True) -> Trace:
    """A caller presses a key, and the model answers."""
    conversation = Conversation("You are Ava.", budget=400, count=len, takes_notes=takes_notes)
    flow = CallFlow(CallRules(), ANNOUNCEMENTS, conversation, PHRASES, Prompter())
    encoder = TraceEncoder()
    lines = [encoder.header(header_of(CallRules(), ANNOUNCEMENTS, PHRASES))]
    now = 100.0

    def tell(event: Event) -> None:
        lines.extend(encoder.step(event, now, flow.handle(event, now)))

    tell(CallBegan(NOON))
    now += 1.0
    tell(KeyPressed("7"))
    now += 5.0
    for event in (
        Tick(),
        ReplyDelta(1, 1, REPLY),
        ReplyFinished(1, 1),
        Synthesized(1, 1, 0, speech_of(REPLY)),
        CallerLeft(stopped=True),
    ):
        tell(event)
        now += 0.1
    return read_trace([*lines, *encoder.end(EndReason.CALLER, flow.account(now))])


def questions(trace: Trace) -> list[tuple[str | int, ...]]:
    return [action for step in trace.steps for action in step.actions if action[0] == "respond"]


def test_a_question_is_recorded_with_the_callers_words_and_with_the_note_if_the_model_was_given_it() -> None:
    assert questions(keyed_call()) == [("respond", 1, 1, "7", "Ask for their name.")]
    assert questions(keyed_call(takes_notes=False)) == [("respond", 1, 1, "7")]


def test_a_call_of_a_model_that_takes_notes_is_reproduced() -> None:
    for takes_notes in (True, False):
        trace = keyed_call(takes_notes=takes_notes)
        again = reproduce(trace, PHRASES, Prompter())
        assert again.difference is None
        assert again.turns == trace.turns


def test_another_note_is_another_question() -> None:
    trace = keyed_call()
    difference = reproduce(trace, PHRASES, Prompter("Ask for their town.")).difference
    assert difference is not None
    assert ("respond", 1, 1, "7", "Ask for their name.") in difference.recorded
    assert ("respond", 1, 1, "7", "Ask for their town.") in difference.replayed


def test_a_retold_reply_is_that_to_the_callers_words_whatever_the_note() -> None:
    trace = keyed_call()
    for note in ("Ask for their name.", "Ask for their town."):
        again = retell(trace, trace.header.rules, PHRASES, Prompter(note))
        assert again.turns[1].reply == REPLY
        assert again.notes == ()
