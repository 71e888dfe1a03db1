"""Recorded calls of several streams run again: through all of them, or to where they go another way."""

from __future__ import annotations

from dataclasses import replace

from telephony_agent.core.conversation import Turn, TurnInput
from telephony_agent.core.events import EndReason, Opening, Transcribed
from telephony_agent.core.replay import reproduce, retell
from telephony_agent.core.rule_data import changed
from telephony_agent.core.trace import Trace
from telephony_agent.live.sales_desk import SalesDesk
from telephony_agent.sales.guide import Guide
from telephony_agent.sales.phrasebook import Phrasebook
from tests.calls.stage import announcement
from tests.calls.traced import TracedCall, a_question
from tests.sales.talk import PLAYBOOK

OVER = "the retold call is over where the recorded one went on in another stream"


def a_broken_line() -> TracedCall:
    """The line breaks in the middle of our second reply; the caller is back and asks once more."""
    call = TracedCall(
        ["It costs ten dollars.", "You get all of our many features and a good deal of time.", "Booking."]
    )
    call.caller_listens()
    call.caller_says("how much is it")
    call.caller_listens()
    call.caller_says("and what do I get for that")
    call.caller_waits(2.0)
    call.line_breaks()
    call.caller_is_back()
    call.caller_listens()
    call.caller_says("what do I get")
    call.caller_listens()
    call.caller_waits(3.0)
    call.caller_hangs_up()
    return call


def guide() -> Guide:
    desk = SalesDesk(PLAYBOOK, can_transfer=True)
    return desk.guide(desk.setting("+15005550006"))


def nobody_took_it() -> tuple[TracedCall, Trace]:
    """The caller wants a person, whom nobody is; back with us, they name a time."""
    counsel = guide()
    call = TracedCall(counsel=counsel, greeting=PLAYBOOK.greeting, transfers=True)
    call.caller_listens()
    call.caller_says("can I talk to a real person")
    call.caller_listens()
    counsel.nobody_came()
    call.caller_is_back(Opening.UNTAKEN)
    call.caller_listens()
    call.caller_says("tomorrow at ten in the morning")
    call.caller_listens()
    call.caller_waits(3.0)
    call.caller_hangs_up()
    header = call.trace.header
    said = replace(header.announcements, greeting=announcement(PLAYBOOK.greeting))
    return call, replace(call.trace, header=replace(header, announcements=said))


def told(turns: tuple[Turn, ...] | list[Turn]) -> list[tuple[TurnInput, str, str]]:
    return [(turn.input, turn.transcript, turn.reply_heard) for turn in turns]


def test_the_steps_of_a_call_are_parted_into_its_streams() -> None:
    trace = a_broken_line().trace
    first, second = trace.streams
    assert first + second == trace.steps
    assert first[-1].actions[-1] == ("hang_up", "line")
    assert len(a_question().trace.streams) == 1
    assert replace(trace, steps=()).streams == ((),)


def test_a_call_that_was_cut_off_is_retold_through_both_streams() -> None:
    call = a_broken_line()
    again = retell(call.trace, call.trace.header.rules, Phrasebook.shipped())
    assert told(again.turns) == told(call.turns)
    assert [turn.input for turn in again.turns][-2:] == [TurnInput.RETURN, TurnInput.SPEECH]
    assert again.end_reason is EndReason.CALLER
    assert again.notes == ()


def test_other_rules_hold_in_the_second_stream_as_well() -> None:
    call = a_broken_line()
    rules = changed(changed(call.trace.header.rules, "judge=silence"), "judge.wait=900")
    again = retell(call.trace, rules, Phrasebook.shipped())
    assert again.turns[-1].transcript == "what do I get"
    assert again.turns[-1].timings["endpoint_ms"] == 900
    assert again.turns[-1].reply_heard == "Booking."
    assert again.notes == ()


def test_a_call_that_no_person_took_is_reproduced_with_its_guide() -> None:
    call, trace = nobody_took_it()
    again = reproduce(trace, Phrasebook.shipped(), guide())
    assert again.difference is None
    assert told(again.turns) == told(call.turns)
    assert "at 10 in the morning" in again.turns[-1].reply_heard


def test_a_call_that_no_person_took_is_retold_though_it_is_handed_over_at_another_time() -> None:
    call, trace = nobody_took_it()
    for wait_ms, notes in ((200, ()), (1500, ("the recording ends before the retold stream does",))):
        rules = changed(changed(trace.header.rules, "judge=silence"), f"judge.wait={wait_ms}")
        again = retell(trace, rules, Phrasebook.shipped(), guide())
        assert told(again.turns) == told(call.turns)
        assert again.notes == notes


def test_a_stream_that_ends_for_another_reason_is_the_last_one_and_a_note_says_so() -> None:
    _, trace = nobody_took_it()
    deaf = tuple(
        replace(step, event=replace(step.event, text="how much is it")) if isinstance(step.event, Transcribed) else step
        for step in trace.steps
    )
    again = retell(replace(trace, steps=deaf), trace.header.rules, Phrasebook.shipped(), guide())
    assert TurnInput.RETURN not in [turn.input for turn in again.turns]
    assert again.end_reason is EndReason.CALLER
    assert OVER in again.notes


def test_what_was_understood_in_one_stream_is_no_answer_in_another() -> None:
    trace = a_broken_line().trace
    first, second = trace.streams
    deaf = tuple(step for step in second if not isinstance(step.event, Transcribed))
    again = retell(replace(trace, steps=first + deaf), trace.header.rules, Phrasebook.shipped())
    assert "a transcript was asked for, and the recording holds none" in " ".join(again.notes)
    assert again.turns[-1].transcript == ""
