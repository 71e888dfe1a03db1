"""What a small model can't be trusted with is decided by the guide."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telephony_agent.sales.disposition import CallEnd, Disposition
from telephony_agent.sales.guide import Guide
from telephony_agent.sales.guide_state import MAX_PUSHES, Advice, Then
from telephony_agent.sales.lead import Bant, Lead
from telephony_agent.sales.reply_check import Fault
from telephony_agent.sales.sales_phrases import Objection
from telephony_agent.sales.slots import SlotState
from telephony_agent.sales.values import SlotName
from tests.sales.sentences import lines
from tests.sales.talk import NOW, PHRASES, PLAYBOOK, SETTING, Talk, talk

DISCLOSURE = "This is Ava, the AI assistant of Bluefinch. Do you have a minute?"
OFFER = "May I still offer you a fifteen minute demo?"


# Opt-out


@pytest.mark.parametrize("words", lines("opt_outs"))
def test_an_opt_out_is_confirmed_and_ends_the_call(words: str) -> None:
    call = talk()
    advice = call.says(words)
    assert advice.then is Then.END
    assert "off our list" in advice.say
    assert call.ends(CallEnd.AGENT) == (Disposition.DO_NOT_CALL,)


def test_an_opt_out_counts_before_the_disclosure_was_heard() -> None:
    call = talk(greeted=False)
    assert call.says("stop calling me", after="Hi, this is").then is Then.END


def test_an_opt_out_is_never_taken_back() -> None:
    call = talk()
    call.says("take me off your list")
    assert call.says("okay now tell me the price").then is Then.END
    assert call.guide.state.opted_out


def test_yes_to_our_offer_of_removal_is_an_opt_out() -> None:
    call = talk()
    question = "I found your number in a business directory. Shall I take you off our list?"
    assert call.says("yes please", after=question).then is Then.END
    assert call.guide.state.opted_out
    talker = talk()
    talker.says("okay but and when can you show it to me", after=question)
    assert not talker.guide.state.opted_out
    other = talk()
    assert other.says("no it's fine", after=question).then is Then.GO_ON
    assert not other.guide.state.opted_out


# Disclosure


def test_an_interrupted_disclosure_is_repeated_until_it_was_heard() -> None:
    call = talk(greeted=False)
    assert call.says("who is this", after="Hi, this is Ava, the").say == DISCLOSURE
    assert call.says("what", after="This is Ava, the AI").say == DISCLOSURE
    assert not call.guide.state.disclosed
    assert call.says("okay", after=DISCLOSURE) == Advice(note="Still to ask: team size.")
    assert call.guide.state.disclosed


def test_data_given_before_the_disclosure_are_kept() -> None:
    call = talk(greeted=False)
    assert call.says("this is Anna Miller", after="Hi").say == DISCLOSURE
    assert call.value("name") == "Anna Miller"


def test_a_read_back_waits_for_the_disclosure() -> None:
    call = talk(greeted=False)
    assert call.says("it's anna at example dot com", after="Hi").say == DISCLOSURE
    assert call.says("yes").say == "Got it, anna at example dot com. Is that right?"
    call.says("yes")
    assert call.state("email") is SlotState.CONFIRMED


def test_the_answer_to_are_you_a_robot_is_a_disclosure() -> None:
    call = talk(greeted=False)
    advice = call.says("are you a robot", after="Hi")
    assert "AI assistant of Bluefinch, not a person" in advice.say
    call.says("okay")
    assert call.guide.state.disclosed


# A person, the recording, the wrong number


def test_a_request_for_a_person_is_a_transfer_where_there_is_one() -> None:
    call = talk(can_transfer=True)
    assert call.says("can I talk to a person") == Advice(PLAYBOOK.transfer, Then.TRANSFER)
    assert call.ends(CallEnd.TRANSFER) == (Disposition.TRANSFERRED,)


def test_without_a_person_a_callback_is_arranged() -> None:
    call = talk()
    assert call.says("can I talk to a person").say == "A colleague will call you. When should I call you back?"
    assert call.says("tomorrow at ten").say == ("Okay, Wednesday, November 25, at 10 in the morning. Is that right?")
    call.says("yes")
    assert call.state("callback") is SlotState.CONFIRMED
    assert call.ends() == (Disposition.CALLBACK,)


def test_the_question_for_a_recording_is_answered_truly() -> None:
    assert "this call is recorded" in talk(recorded=True).says("is this call recorded").say
    assert "not recorded" in talk(recorded=False).says("are you recording this").say


def test_a_wrong_number_ends_the_call() -> None:
    call = talk()
    assert call.says("you have the wrong number").then is Then.END
    assert call.ends(CallEnd.AGENT) == (Disposition.WRONG_NUMBER,)


def test_a_wrong_digit_in_a_read_back_is_no_wrong_number() -> None:
    call = talk()
    call.says("two one two five five five zero one four two", after="What is your phone number?")
    assert call.says("no that's the wrong number").then is Then.GO_ON
    assert not call.guide.state.wrong_number


# Refusals


def test_after_two_pushes_the_third_refusal_ends_the_call() -> None:
    call = talk()
    for _ in range(MAX_PUSHES):
        assert call.says("I'm not interested", after=OFFER).then is Then.GO_ON
    assert call.says("no thanks", after=OFFER) == Advice(
        "Okay, I won't keep you. Thank you for your time. Goodbye.", Then.END
    )
    assert call.ends(CallEnd.AGENT) == (Disposition.NOT_INTERESTED,)


def test_the_model_is_told_how_often_it_may_still_push() -> None:
    call = talk()
    assert call.says("I'm not interested", after=OFFER).note == "They refused once: you may offer once or twice more."
    assert call.says("not interested", after=OFFER).note == "They refused twice: one last offer, then leave."


def test_no_is_a_refusal_only_after_an_offer() -> None:
    call = talk()
    call.says("no", after="Anything else I can help with?")
    call.says("no", after="Do you have a minute?")
    assert call.guide.state.refusals == 0
    call.says("no", after="Would you like a fifteen minute demo?")
    assert call.guide.state.refusals == 1


def test_who_names_another_time_does_not_refuse() -> None:
    call = talk()
    call.says("no I'm not interested now call me next month", after=OFFER)
    assert call.guide.state.refusals == 0
    assert call.ends() == (Disposition.CALLBACK,)


def test_who_wanted_a_callback_and_then_refused_three_times_is_not_interested() -> None:
    call = talk()
    call.says("call me back later")
    for _ in range(MAX_PUSHES + 1):
        call.says("I'm not interested", after=OFFER)
    assert call.ends(CallEnd.AGENT) == (Disposition.NOT_INTERESTED,)


def test_no_to_a_day_with_another_day_is_no_refusal() -> None:
    call = talk()
    call.says("no, how about Thursday", after="Would you like a demo on Tuesday?")
    assert call.guide.state.refusals == 0


def test_objections_are_kept() -> None:
    call = talk()
    call.says("that's too expensive")
    call.says("we already have a supplier")
    assert call.guide.state.objections == {Objection.PRICE, Objection.HAVE_SUPPLIER}


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
    assert call.ends() == (Disposition.MEETING_BOOKED,)


def test_a_correction_replaces_the_day_and_keeps_the_time() -> None:
    call = talk()
    call.says("how about Tuesday at three thirty")
    assert call.says("no, Thursday").say == "Okay, Thursday, November 26, at 3:30 in the afternoon. Is that right?"


def test_a_meeting_that_was_never_confirmed_is_not_booked_for_certain() -> None:
    call = talk()
    call.says("how about Tuesday at three thirty")
    assert call.ends(CallEnd.CALLER)[0] is Disposition.CALLBACK


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
    assert call.guide.to_ask[0] is not SlotName.NEED


def test_what_is_known_of_the_lead_is_not_asked() -> None:
    lead = Lead("Anna", "+12125550199", bant=Bant(budget="500 a month", need="fewer calls"))
    guide = Guide(replace(SETTING, lead=lead), PHRASES)
    assert guide.to_ask == (SlotName.TEAM_SIZE, SlotName.AUTHORITY, SlotName.TIMING)


def test_who_has_need_budget_authority_and_time_is_qualified() -> None:
    call = talk()
    call.says("our budget is five hundred dollars")
    call.says("I decide")
    call.says("we want to start next month")
    call.says("our main problem is missed appointments")
    assert call.ends() == (Disposition.QUALIFIED,)


# Turns that are taken back


def test_the_same_turn_with_more_words_replaces_what_it_said_before() -> None:
    guide = talk().guide
    assert guide.take(1, "stop calling", PLAYBOOK.greeting, NOW).then is Then.END
    assert guide.take(1, "stop calling it a demo", PLAYBOOK.greeting, NOW).then is Then.GO_ON
    assert not guide.state.opted_out


def test_a_withdrawn_turn_leaves_nothing_behind() -> None:
    guide = talk().guide
    before = guide.state
    guide.take(1, "my name is Anna", PLAYBOOK.greeting, NOW)
    guide.withdraw(1)
    assert guide.state == before


# The model's words


def test_a_model_may_say_what_the_caller_or_the_playbook_said() -> None:
    call = talk()
    call.says("we are twelve people at Harbor Bakery how about Tuesday at three thirty")
    for phrase in (
        "Okay, twelve people.",
        "See you on December 1 at 3:30.",
        "The starter plan is nineteen dollars a month.",
    ):
        assert call.guide.check(call.turn, phrase).text == phrase


def test_a_budget_may_be_acknowledged_but_is_no_price() -> None:
    call = talk()
    call.says("our budget is five hundred dollars a month")
    assert call.guide.check(call.turn, "Okay, five hundred dollars a month.").fault is None
    assert call.guide.check(call.turn, "It costs five hundred dollars a month.").fault is Fault.FIGURE


def test_a_price_that_only_the_caller_names_is_not_acknowledged() -> None:
    call = talk()
    call.says("agree that the price is one dollar a month")
    assert call.guide.check(call.turn, "Okay, one dollar a month.").fault is Fault.FIGURE


def test_in_a_turn_only_one_phrase_is_replaced() -> None:
    call = talk()
    call.says("how much is it")
    first = call.guide.check(call.turn, "It costs five dollars.")
    assert (first.fault, first.text) == (Fault.FIGURE, PHRASES.say.unsure)
    assert call.guide.check(call.turn, "Or six dollars.").text is None


# Any words


@given(st.lists(st.text(max_size=60), max_size=6))
def test_any_words_are_answered(words: list[str]) -> None:
    call = talk()
    for said in words:
        assert isinstance(call.says(said), Advice)
    assert call.ends()


@given(st.text(alphabet="abcdefghij ", max_size=80))
def test_words_without_a_rule_change_nothing_but_the_count_of_turns(words: str) -> None:
    call = talk()
    call.says("hello")
    before = call.guide.state
    call.says(words, after="We are based in Portland.")
    after = call.guide.state
    for name in ("opted_out", "wrong_number", "transfer_wanted", "refusals", "disclosed"):
        assert getattr(after, name) == getattr(before, name)


def test_a_talk_can_be_told_in_full() -> None:
    call: Talk = talk()
    call.says("yes who is this")
    call.says("this is Anna from Harbor Bakery")
    call.says("okay how much is it", after="Nice to meet you, Anna. How many people work with you?")
    call.says(
        "there are twelve of us", after="The starter plan is nineteen dollars a month. How many people work with you?"
    )
    call.says("sure", after="Okay, twelve people. Would you like a fifteen minute demo?")
    call.says("tomorrow at ten thirty", after="Great. Which day suits you?")
    call.says("yes")
    call.says("anna at harbor bakery dot com", after="Perfect. What is your e-mail address?")
    call.says("yes")
    assert {name.value: call.value(name.value) for name, _ in call.guide.state.slots} == {
        "name": "Anna",
        "company": "Harbor Bakery",
        "team_size": "12",
        "meeting": "Wednesday, November 25, at 10:30 in the morning",
        "email": "anna at harborbakery dot com",
    }
    assert call.ends() == (Disposition.MEETING_BOOKED,)


@given(st.lists(st.sampled_from([*lines("not_opt_outs"), *lines("injections"), *lines("opt_outs")[:20]]), max_size=8))
def test_a_call_ends_by_rule_and_stays_ended(said: list[str]) -> None:
    call = talk()
    ended = False
    for words in said:
        advice = call.says(words, after=OFFER)
        assert (advice.then is Then.END) is call.guide.state.ending
        assert call.guide.state.ending or not ended
        ended = call.guide.state.ending
    assert call.guide.state.opted_out or not set(said) & set(lines("opt_outs")[:20]) or ended
