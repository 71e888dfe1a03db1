"""Calls that go on in a second stream: after the line broke, and after no person took them."""

from __future__ import annotations

from telephony_agent.core.conversation import TurnInput
from telephony_agent.core.events import EndReason, Opening
from telephony_agent.core.replay import reproduce
from telephony_agent.sales.disposition import Disposition
from telephony_agent.sales.phrasebook import Phrasebook
from telephony_agent.sales.values import SlotName
from tests.calls.stage import ANNOUNCEMENTS, Call
from tests.calls.test_counsel import GuidedCall
from tests.calls.traced import TracedCall
from tests.sales.talk import PLAYBOOK

assert ANNOUNCEMENTS.reconnected is not None
assert ANNOUNCEMENTS.untaken is not None
RECONNECTED, UNTAKEN = ANNOUNCEMENTS.reconnected.text, ANNOUNCEMENTS.untaken.text


def broken_call(call: Call) -> Call:
    """Let the line break in the middle of our second reply, and the caller come back."""
    call.caller_listens()
    call.caller_says("how much is it")
    call.caller_listens()
    call.caller_says("and what do I get for that")
    call.caller_waits(2.0)
    call.line_breaks()
    assert call.flow.broken_off
    call.caller_is_back()
    call.caller_listens()
    return call


LONG = "You get all of our many features and a good deal of time."
REPLIES: list[str | Exception] = ["It costs ten dollars.", LONG, "Online booking."]


def test_who_is_back_after_the_line_broke_is_told_so_and_the_call_goes_on() -> None:
    call = broken_call(Call(REPLIES))
    call.caller_says("what do I get")
    call.caller_listens()
    assert [turn.input for turn in call.turns] == [
        *(TurnInput.GREETING, TurnInput.SPEECH, TurnInput.SPEECH),
        *(TurnInput.RETURN, TurnInput.SPEECH),
    ]
    assert call.heard[3:] == [RECONNECTED, "Online booking."]
    assert call.hung_up is None


def test_what_was_heard_before_the_line_broke_stays_in_the_history_and_what_was_not_does_not() -> None:
    call = broken_call(Call(REPLIES))
    call.caller_says("what do I get")
    call.caller_listens()
    assert call.heard[1] == "It costs ten dollars."
    assert LONG.startswith(call.heard[2])
    assert call.heard[2] != LONG
    read = " ".join(message["content"] for message in call.prompts[-1])
    assert "It costs ten dollars." in read
    assert "a good deal of time" not in read
    assert RECONNECTED in read


def test_who_was_speaking_when_the_line_broke_is_asked_and_begins_anew() -> None:
    call = Call(["It costs ten dollars."])
    call.caller_listens()
    call.caller_says("how much is", seconds=1.0)
    call.line_breaks()
    call.caller_is_back()
    call.caller_listens()
    call.caller_says("how much is it")
    call.caller_listens()
    assert call.heard[-2:] == [RECONNECTED, "It costs ten dollars."]


def test_a_line_that_breaks_while_we_hold_our_breath_loses_nothing_of_the_next_words() -> None:
    call = Call(["It costs ten dollars, and for that you get all of our many features."])
    call.caller_listens()
    call.caller_says("how much is it")
    call.caller_waits(2.0)
    call.caller_says("mm", seconds=0.5)
    call.line_breaks()
    call.caller_is_back()
    call.caller_listens()
    assert call.heard[-1] == RECONNECTED


def test_a_silent_caller_is_asked_and_left_after_the_line_broke_as_before() -> None:
    call = Call()
    call.caller_listens()
    call.line_breaks()
    call.caller_is_back()
    call.caller_waits(40)
    assert call.hung_up is not None
    assert call.hung_up.reason is EndReason.SILENCE


def test_a_line_that_breaks_at_the_goodbye_breaks_nothing_off() -> None:
    call = Call(["Goodbye, and thank you very much for your time."])
    call.caller_listens()
    call.caller_says("goodbye")
    call.caller_waits(1.5)
    call.line_breaks()
    assert call.flow.end_reason is EndReason.LINE
    assert not call.flow.broken_off


def test_who_hung_up_has_broken_nothing_off() -> None:
    call = Call()
    call.caller_listens()
    call.caller_hangs_up()
    assert not call.flow.broken_off


def test_the_time_of_a_call_runs_over_all_of_its_streams() -> None:
    call = Call(lambda _: "I see. What else?")
    call.caller_listens()
    call.caller_waits(5)
    call.line_breaks()
    call.caller_is_back()
    call.now += 1800
    call.caller_waits(30)
    assert call.hung_up is not None
    assert call.hung_up.reason is EndReason.TIME_LIMIT


def test_a_trace_of_two_streams_is_reproduced() -> None:
    call = TracedCall(REPLIES)
    broken_call(call)
    call.caller_says("what do I get")
    call.caller_listens()
    call.caller_hangs_up()
    told = reproduce(call.trace, Phrasebook.shipped())
    assert told.difference is None
    assert [turn.reply_heard for turn in told.turns] == call.heard


# Nobody took the call


def test_a_caller_whom_no_person_took_is_asked_when_to_be_called_back() -> None:
    call = GuidedCall(transfers=True)
    call.caller_listens()
    call.caller_says("can I talk to a real person")
    call.caller_listens()
    assert call.hung_up is not None
    assert call.hung_up.reason is EndReason.TRANSFER
    call.guide.nobody_came()
    call.caller_is_back(Opening.UNTAKEN)
    call.caller_listens()
    assert call.heard[-1] == UNTAKEN
    call.caller_says("tomorrow at ten in the morning")
    call.caller_listens()
    assert call.guide.state.slots.moment(SlotName.CALLBACK) is not None
    call.caller_says("yes")
    call.caller_listens()
    call.caller_hangs_up()
    assert call.disposition is Disposition.CALLBACK


def test_the_key_for_a_person_rings_nobody_again_whom_nobody_came_for() -> None:
    call = GuidedCall(transfers=True)
    call.caller_listens()
    call.caller_presses("0")
    call.caller_listens()
    assert call.guide.state.transfer_wanted
    call.guide.nobody_came()
    call.caller_is_back(Opening.UNTAKEN)
    call.caller_listens()
    call.caller_presses("0")
    call.caller_listens()
    assert call.hung_up is None
    assert call.heard[-1] == PLAYBOOK.untaken
    call.caller_hangs_up()
    assert call.disposition is Disposition.CALLBACK


def test_who_asks_for_a_person_once_more_is_not_sent_round_in_circles() -> None:
    call = GuidedCall(transfers=True)
    call.caller_listens()
    call.caller_says("can I talk to a real person")
    call.caller_listens()
    call.guide.nobody_came()
    call.caller_is_back(Opening.UNTAKEN)
    call.caller_listens()
    call.caller_says("can I talk to a real person")
    call.caller_listens()
    assert call.hung_up is None
    call.caller_hangs_up()
    assert call.disposition is Disposition.CALLBACK
