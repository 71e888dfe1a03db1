"""What a small model can't be trusted with is decided by the guide."""

from __future__ import annotations

import pytest

from telephony_agent.sales.disposition import CallEnd, Disposition
from telephony_agent.sales.guide_state import MAX_PUSHES, Advice, Then
from telephony_agent.sales.playbook import Playbook
from telephony_agent.sales.playbooks import DEFAULT, shipped_text
from telephony_agent.sales.sales_phrases import Objection, Signal
from telephony_agent.sales.slots import SlotState
from tests.sales.sentences import lines
from tests.sales.talk import PHRASES, PLAYBOOK, talk

DISCLOSURE = "This is Ava, the AI assistant of Bluefinch. Do you have a minute?"
OFFER = "May I still offer you a fifteen minute demo?"


# Opt-out


@pytest.mark.parametrize("words", lines("opt_outs"))
def test_an_opt_out_is_confirmed_and_ends_the_call(words: str) -> None:
    call = talk()
    advice = call.says(words)
    assert advice.then is Then.END
    assert "off our list" in advice.say
    assert call.ends(CallEnd.AGENT) is Disposition.DO_NOT_CALL


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
    assert call.ends(CallEnd.TRANSFER) is Disposition.TRANSFERRED


def test_without_a_person_a_callback_is_arranged() -> None:
    call = talk()
    assert call.says("can I talk to a person").say == "A colleague will call you. When should I call you back?"
    assert call.says("tomorrow at ten").say == ("Okay, Wednesday, November 25, at 10 in the morning. Is that right?")
    call.says("yes")
    assert call.state("callback") is SlotState.CONFIRMED
    assert call.ends() is Disposition.CALLBACK


def test_the_question_for_a_recording_is_answered_truly() -> None:
    assert "this call is recorded" in talk(recorded=True).says("is this call recorded").say
    assert "not recorded" in talk(recorded=False).says("are you recording this").say


def test_a_wrong_number_ends_the_call() -> None:
    call = talk()
    assert call.says("you have the wrong number").then is Then.END
    assert call.ends(CallEnd.AGENT) is Disposition.WRONG_NUMBER


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
    assert call.ends(CallEnd.AGENT) is Disposition.NOT_INTERESTED


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
    assert call.ends() is Disposition.CALLBACK


def test_who_wanted_a_callback_and_then_refused_three_times_is_not_interested() -> None:
    call = talk()
    call.says("call me back later")
    for _ in range(MAX_PUSHES + 1):
        call.says("I'm not interested", after=OFFER)
    assert call.ends(CallEnd.AGENT) is Disposition.NOT_INTERESTED


def test_no_to_a_day_with_another_day_is_no_refusal() -> None:
    call = talk()
    call.says("no, how about Thursday", after="Would you like a demo on Tuesday?")
    assert call.guide.state.refusals == 0


def test_objections_are_kept() -> None:
    call = talk()
    call.says("that's too expensive")
    call.says("we already have a supplier")
    assert call.guide.state.objections == {Objection.PRICE, Objection.HAVE_SUPPLIER}


# What a playbook says differently


def own(text: str) -> Playbook:
    return Playbook.parse(shipped_text(DEFAULT) + text)


def test_an_opt_out_of_the_playbooks_own_counts_as_a_whole() -> None:
    playbook = own("opt_out_phrases: [Lose my digits!]\n")
    call = talk(playbook=playbook)
    assert call.says("well, please just lose my digits, okay").then is Then.END
    assert call.guide.state.opted_out
    for words in ("lose my", "lose all my digits", "close my digits"):
        assert Signal.OPT_OUT not in PHRASES.with_opt_outs(playbook.opt_out_phrases).signals_in(words)


def test_disclosure_and_closing_lines_of_the_playbooks_own_are_spoken() -> None:
    playbook = own(
        "disclosure: It's the AI of {company}. Is that all right?\n"
        "closing:\n  leave: Farewell from {persona}.\n  booked: See you. Bye!\n"
    )
    call = talk(playbook=playbook, greeted=False)
    assert call.says("who is this", after="Hi").say == "It's the AI of Bluefinch. Is that all right?"
    call.says("how about Tuesday at three thirty")
    assert call.says("yes").say == "See you. Bye!"
    for _ in range(MAX_PUSHES + 1):
        advice = call.says("I'm not interested", after=OFFER)
    assert advice == Advice("Farewell from Ava.", Then.END)


def test_nobody_is_transferred_if_the_playbook_does_not_allow_it() -> None:
    call = talk(playbook=own("calls_to_action: [book_meeting, take_message]\n"), can_transfer=True)
    assert call.says("can I talk to a person") == Advice(PHRASES.say.take_message)
    assert call.says("tell him that the order is late").then is Then.GO_ON
    assert call.value("message") == "tell him that the order is late"
    assert call.ends() is Disposition.CALLBACK
