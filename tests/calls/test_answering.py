"""Calls of ours, told in virtual time: a person, a mailbox, a screening, a menu; and who is taken for what."""

from __future__ import annotations

import pytest

from telephony_agent.core.call_terms import CallRules
from telephony_agent.core.events import EndReason
from telephony_agent.sales.guide import Guide
from tests.calls.stage import ANNOUNCEMENTS, INTRODUCTION, MESSAGE, Call
from tests.sales.talk import PHRASES, SETTING

GREETING = ANNOUNCEMENTS.greeting.text


def dialled(**given: object) -> Call:
    return Call(["It costs ten dollars."], dialled=True, **given)  # type: ignore[arg-type]  # as the stage takes them


def spoken(call: Call) -> list[str]:
    return [text for text in call.heard if text]


def silence_before_greeting_s(call: Call, since: float) -> float:
    """Return how long it took from a moment until something of ours was heard."""
    call.caller_waits(2.5)
    call.caller_listens()
    start = round((since - 100.0) * 50)
    return next(i for i, heard in enumerate(call.twin.sounding[start:]) if heard) * 0.02


def test_a_person_is_greeted_as_soon_as_their_first_words_end() -> None:
    call = dialled()
    call.caller_says("hello")
    assert silence_before_greeting_s(call, call.now) <= 0.6
    assert spoken(call) == [GREETING]
    assert not call.prompts, "the model has nothing to say to a hello"


def test_the_talk_after_the_greeting_is_an_ordinary_one() -> None:
    call = dialled()
    call.caller_says("hello")
    call.caller_listens()
    call.caller_says("how much is it")
    call.caller_listens()
    assert spoken(call) == [GREETING, "It costs ten dollars."]
    roles = [message["role"] for message in call.prompts[-1]]
    assert roles == ["system", "assistant", "user"], "the model's memory begins with our greeting, as it was read ahead"


def test_who_says_nothing_is_greeted_within_two_seconds() -> None:
    call = dialled()
    assert silence_before_greeting_s(call, call.now) <= 2.0
    assert spoken(call) == [GREETING]


def test_the_verdict_of_the_carrier_holds_up_no_greeting() -> None:
    call = dialled()
    call.caller_says("hello")
    call.caller_listens()
    call.carrier_says("human")
    call.caller_says("how much is it")
    call.caller_listens()
    assert spoken(call) == [GREETING, "It costs ten dollars."]


def test_who_wants_no_calls_from_the_first_word_on_is_heard() -> None:
    call = dialled(counsel=Guide.of(SETTING, PHRASES))
    call.caller_says("take me off your list and never call again")
    call.caller_listens()
    assert call.hung_up is not None
    assert "list" in spoken(call)[-1]
    assert GREETING not in spoken(call)


def mailbox(call: Call) -> None:
    call.caller_says("you've reached Harbor Bakery")
    call.caller_waits(0.3)
    call.caller_says("please leave a message after the tone")


def test_a_mailbox_gets_the_message_after_its_beep_and_no_word_before() -> None:
    call = dialled()
    mailbox(call)
    call.caller_waits(1.5)
    assert spoken(call) == []
    call.beeps()
    call.caller_listens()
    assert spoken(call) == [MESSAGE.text]
    assert call.hung_up is not None
    assert call.hung_up.reason is EndReason.MACHINE
    assert call.flow.answered_by_machine
    assert call.flow.message_left
    assert not call.prompts, "nobody talks with a machine"


def test_a_mailbox_that_has_its_message_is_hung_up_on() -> None:
    call = dialled(leaves_message=False)
    mailbox(call)
    call.caller_waits(1.5)
    call.beeps()
    assert call.hung_up is not None
    assert spoken(call) == []
    assert call.flow.answered_by_machine
    assert not call.flow.message_left


def test_a_mailbox_whose_beep_nobody_heard_gets_the_message_all_the_same() -> None:
    call = dialled()
    mailbox(call)
    call.caller_listens()
    call.caller_waits(9)
    call.caller_listens()
    assert spoken(call) == [MESSAGE.text]


@pytest.mark.parametrize("verdict", ["machine_end_beep", "machine_end_silence", "machine_end_other"])
def test_the_carrier_may_hear_the_end_of_the_mailbox_before_us(verdict: str) -> None:
    call = dialled()
    mailbox(call)
    call.caller_waits(1.5)
    call.carrier_says(verdict)
    call.caller_listens()
    assert spoken(call) == [MESSAGE.text]


def test_the_message_is_left_once_whoever_says_it_is_time() -> None:
    call = dialled()
    mailbox(call)
    call.caller_waits(1.5)
    call.beeps()
    call.caller_waits(0.5)
    call.carrier_says("machine_end_beep")
    call.beeps()
    call.caller_listens()
    assert spoken(call) == [MESSAGE.text]
    assert bytes(call.twin.played).count(b"\xff" * 160) == 0


def test_a_greeting_into_a_mailbox_gives_way_to_the_message() -> None:
    call = dialled()
    call.caller_says("hi this is Anna")
    call.caller_waits(1.0)
    call.beeps()
    call.caller_listens()
    assert spoken(call)[-1] == MESSAGE.text
    assert not call.prompts


def test_a_person_who_is_taken_for_a_machine_is_greeted_within_two_seconds() -> None:
    call = dialled()
    call.caller_says("hello this is Harbor Bakery my name is Anna how can I help you today")
    began = call.now
    call.carrier_says("machine_start")
    assert silence_before_greeting_s(call, began) <= 2.0
    call.carrier_says("machine_end_silence")
    call.caller_says("how much is it")
    call.caller_listens()
    assert spoken(call) == [GREETING, "It costs ten dollars."]
    assert not call.flow.answered_by_machine


def test_a_person_who_comes_to_the_phone_while_the_mailbox_talks_is_greeted() -> None:
    call = dialled()
    mailbox(call)
    call.caller_waits(1.5)
    call.caller_says("hello")
    assert silence_before_greeting_s(call, call.now) <= 2.0
    assert spoken(call) == [GREETING]


def test_whom_the_carrier_took_for_a_machine_and_who_says_nothing_gets_the_message() -> None:
    call = dialled()
    call.caller_says("hi this is Anna")
    call.caller_listens()
    call.carrier_says("machine_end_silence")
    call.caller_waits(CallRules().reprompt_after_s + 1)
    call.caller_listens()
    assert spoken(call) == [GREETING, MESSAGE.text]


def test_a_screening_gets_name_and_purpose_and_then_the_person_the_greeting() -> None:
    call = dialled()
    call.caller_says("if you record your name and reason for calling, I'll see if this person is available")
    call.caller_listens()
    assert spoken(call) == [INTRODUCTION.text]
    call.caller_says("thanks, hold on a moment")
    call.caller_waits(12)
    assert spoken(call) == [INTRODUCTION.text], "nobody asks a screening whether it is still there"
    call.caller_says("hello")
    call.caller_listens()
    assert spoken(call) == [INTRODUCTION.text, GREETING]
    assert not call.flow.answered_by_machine
    assert not call.prompts


def test_who_is_put_on_hold_after_the_greeting_waits_for_the_person() -> None:
    call = dialled()
    call.caller_says("Harbor Bakery")
    call.caller_listens()
    call.caller_says("thanks please stay on the line")
    call.caller_waits(12)
    assert spoken(call) == [GREETING]
    call.caller_says("how much is it")
    call.caller_listens()
    assert spoken(call) == [GREETING, "It costs ten dollars."]
    assert not call.flow.answered_by_machine


def test_a_screening_that_puts_nobody_through_is_hung_up_on_in_the_end() -> None:
    call = dialled()
    call.caller_says("who is calling please")
    call.caller_listens()
    call.caller_waits(60)
    assert call.hung_up is not None
    assert spoken(call) == [INTRODUCTION.text]
    assert call.flow.answered_by_machine


def test_a_menu_is_hung_up_on_without_a_word() -> None:
    call = dialled()
    call.caller_says("thank you for calling, for orders press one, for anything else press two")
    call.caller_waits(3)
    assert call.hung_up is not None
    assert spoken(call) == []
    assert call.flow.answered_by_machine


def test_a_fax_is_hung_up_on() -> None:
    call = dialled()
    call.carrier_says("fax")
    assert call.hung_up is not None
    assert spoken(call) == []


def test_a_beep_in_a_talk_is_none_of_a_mailbox() -> None:
    call = dialled()
    call.caller_says("hello")
    call.caller_listens()
    call.caller_says("how much is it")
    call.caller_listens()
    call.beeps()
    call.caller_waits(1)
    assert call.hung_up is None
    assert MESSAGE.text not in spoken(call)


def test_who_calls_us_is_greeted_at_once_and_never_taken_for_a_machine() -> None:
    call = Call(["It costs ten dollars."])
    call.caller_listens()
    call.carrier_says("machine_end_beep")
    call.beeps()
    call.caller_says("please leave a message after the tone")
    call.caller_listens()
    assert spoken(call) == [GREETING, "It costs ten dollars."]
