"""How values are heard, read back, corrected, confirmed and given up, and what is still to be asked."""

from __future__ import annotations

from dataclasses import replace

from telephony_agent.sales.disposition import CallEnd, Disposition
from telephony_agent.sales.guide import Guide
from telephony_agent.sales.lead import Bant, Lead
from telephony_agent.sales.slots import SlotState
from telephony_agent.sales.values import SlotName
from tests.sales.talk import PHRASES, PLAYBOOK, SETTING, talk

# Slots


def test_an_email_is_read_back_corrected_and_confirmed() -> None:
    call = talk()
    assert call.says("my email is anna dot miller at example dot com").say == (
        "Got it, anna dot miller at example dot com. Is that right?"
    )
    assert call.says("no it's anna dot millar at example dot com").say == (
        "Got it, anna dot millar at example dot com. Is that right?"
    )
    assert call.says("yes that's right").say == ""
    assert (call.value("email"), call.state("email")) == ("anna dot millar at example dot com", SlotState.CONFIRMED)


def test_yes_does_not_confirm_a_read_back_that_was_not_heard() -> None:
    call = talk()
    call.says("my email is anna at example dot com")
    assert call.says("yes", after="Got it, anna").say == "Got it, anna at example dot com. Is that right?"
    assert call.state("email") is SlotState.HEARD


def test_a_denied_email_is_asked_for_once_more_and_then_left() -> None:
    call = talk()
    call.says("my email is anna at example dot com")
    assert "letter by letter" in call.says("no").say
    call.says("a n n e at example dot com")
    assert "leave that for now" in call.says("no").say
    assert call.state("email") is SlotState.DECLINED


def test_an_unreadable_email_is_asked_for_again() -> None:
    call = talk()
    assert (
        "letter by letter" in call.says("it's anna miller at example dot com", after="What is your e-mail address?").say
    )


def test_after_one_failed_repeat_a_phone_number_is_asked_for_by_keys() -> None:
    call = talk()
    asked = "What is your phone number?"
    assert "digit by digit" in call.says("two one two five five five", after=asked).say
    assert call.says("two one two five five five oh one forty two").say == (
        "Got it, two one two, five five five, zero one four two. Is that right?"
    )
    assert "keypad" in call.says("no").say
    assert call.says("2 1 2 5 5 5 0 1 4 3").say == (
        "Got it, two one two, five five five, zero one four three. Is that right?"
    )
    call.says("yes")
    assert call.guide.state.slots[SlotName.PHONE].value == "+12125550143"
    assert call.state("phone") is SlotState.CONFIRMED


def test_keys_fill_the_phone_slot_even_if_our_request_was_cut_short() -> None:
    call = talk()
    call.says("two one two five five five", after="What is your phone number?")
    call.says("two one two", after="Sorry about that. Could you say the number again, digit by digit?")
    assert call.says("2125550142", after="Sorry about").say.startswith("Got it, two one two")


def test_a_day_and_a_time_are_gathered_and_read_back_in_full() -> None:
    call = talk()
    assert call.says("Tuesday", after="Which day suits you?").note.endswith("Ask for the time of the meeting.")
    assert call.says("half past three", after="What time suits you?").say == (
        "Okay, Tuesday, December 1, at 3:30 in the afternoon. Is that right?"
    )
    call.says("yes")
    assert call.ends() is Disposition.MEETING_BOOKED


def test_a_correction_replaces_the_day_and_keeps_the_time() -> None:
    call = talk()
    call.says("how about Tuesday at three thirty")
    assert call.says("no, Thursday").say == "Okay, Thursday, November 26, at 3:30 in the afternoon. Is that right?"


def test_a_meeting_that_was_never_confirmed_is_not_booked_for_certain() -> None:
    call = talk()
    call.says("how about Tuesday at three thirty")
    assert call.ends(CallEnd.CALLER) is Disposition.CALLBACK


def test_a_question_in_the_place_of_an_answer_leaves_the_slot_heard() -> None:
    call = talk()
    call.says("how about Tuesday at three thirty")
    assert call.says("how much is it").say == ""
    assert call.state("meeting") is SlotState.HEARD


def test_an_unanswered_read_back_is_repeated_after_fixed_words() -> None:
    call = talk()
    call.says("how about Tuesday at three thirty")
    assert "not a person" in call.says("are you a robot").say
    assert call.says("okay").say == "Okay, Tuesday, December 1, at 3:30 in the afternoon. Is that right?"


def test_a_day_and_a_time_that_make_a_past_moment_are_asked_for_again() -> None:
    call = talk()
    call.says("today", after="Which day suits you?")
    assert "Which day and what time" in call.says("at nine in the morning", after="What time suits you?").say
    assert call.value("meeting") == ""


def test_what_was_heard_at_the_end_counts() -> None:
    guide = talk(greeted=False).guide
    assert not guide.state.disclosed
    guide.close(PLAYBOOK.greeting)
    assert guide.state.disclosed


# What is still to be asked


def test_questions_are_asked_in_order_and_volunteered_data_never() -> None:
    call = talk()
    assert call.guide.to_ask == (
        SlotName.TEAM_SIZE,
        SlotName.NEED,
        SlotName.BUDGET,
        SlotName.AUTHORITY,
        SlotName.TIMING,
    )
    call.says("we are twelve people and our budget is five hundred dollars")
    assert SlotName.TEAM_SIZE not in call.guide.to_ask
    call.says("hm", after="What is your biggest problem?")
    assert SlotName.NEED not in call.guide.to_ask


def test_what_is_known_of_the_lead_is_not_asked() -> None:
    lead = Lead("Anna", "+12125550199", bant=Bant(budget="500 a month", need="fewer calls"))
    guide = Guide.of(replace(SETTING, lead=lead), PHRASES)
    assert guide.to_ask == (SlotName.TEAM_SIZE, SlotName.AUTHORITY, SlotName.TIMING)


def test_who_has_need_budget_authority_and_time_is_qualified() -> None:
    call = talk()
    call.says("our budget is five hundred dollars")
    call.says("I decide")
    call.says("we want to start next month")
    call.says("our main problem is missed appointments")
    assert call.ends() is Disposition.QUALIFIED
