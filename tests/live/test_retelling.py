"""What is written of a call that was cut short is enough to say what came of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from telephony_agent.live.retelling import retold
from telephony_agent.live.sales_desk import SalesDesk
from telephony_agent.store import CallRecord, NewCall, Outcome, Transcript, TurnRecord
from tests.loopback.agent import PLAYBOOK

NOW = datetime(2026, 11, 24, 15, 0, tzinfo=UTC)
ANSWERED = {"speculated": 0}
CALL = NewCall("CA1", "inbound", NOW, number="+12125550199")
DESK = SalesDesk(PLAYBOOK)
BOOKED = (
    ("can we meet tomorrow at ten in the morning", "So, Wednesday, November 25, at 10 in the morning. Is that right?"),
    ("yes, that's right", "Great, it is booked."),
)


def told(*talk: tuple[str, str], answered_at: datetime | None = NOW) -> Transcript:
    """Write a call down: the greeting, then what the caller said and what they heard."""
    greeting = TurnRecord(0, "greeting", reply=PLAYBOOK.greeting, reply_heard=PLAYBOOK.greeting)
    turns = [
        TurnRecord(number, transcript=words, reply=reply, reply_heard=reply, ended_ms=number * 9000, timings=ANSWERED)
        for number, (words, reply) in enumerate(talk, start=1)
    ]
    return Transcript(CallRecord(CALL, answered_at, False, None), (greeting, *turns), (), ())


def outcome_of(transcript: Transcript) -> Outcome:
    outcome = retold(transcript, DESK)
    assert outcome is not None
    return outcome


def test_a_time_that_was_read_back_and_confirmed_is_a_meeting() -> None:
    outcome = outcome_of(told(*BOOKED))
    assert (outcome.disposition, outcome.line_result) == ("meeting_booked", "answered")
    assert outcome.next_step is not None
    assert outcome.next_step.at == datetime(2026, 11, 25, 15, 0, tzinfo=UTC)
    assert outcome.next_step.zone == "America/New_York"


def test_a_yes_that_was_not_answered_books_nothing() -> None:
    whole = told(*BOOKED)
    *turns, last = whole.turns
    guessed = replace(whole, turns=(*turns, replace(last, reply="", reply_heard="", timings={})))
    assert outcome_of(guessed).disposition != "meeting_booked"


def test_words_to_somebody_else_are_not_taken_for_an_answer() -> None:
    whole = told(*BOOKED)
    *turns, last = whole.turns
    assert outcome_of(replace(whole, turns=(*turns, replace(last, input="aside")))).disposition != "meeting_booked"


def test_an_opt_out_is_one_even_if_it_was_only_written_as_words() -> None:
    outcome = outcome_of(told(("please take me off your list", "")))
    assert outcome.opted_out
    assert outcome.disposition == "do_not_call"


def test_a_call_that_nobody_answered_was_none() -> None:
    whole = told(answered_at=None)
    assert outcome_of(replace(whole, turns=())).line_result == "failed"


def test_a_record_that_makes_no_sense_is_not_retold() -> None:
    whole = told()
    assert retold(replace(whole, turns=(TurnRecord(0, "telepathy"),)), DESK) is None
