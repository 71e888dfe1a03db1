"""Turns that are taken back, the check of the model's words, and any words at all."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from telephony_agent.sales.disposition import Disposition
from telephony_agent.sales.guide_state import Advice, Then
from telephony_agent.sales.reply_check import Fault
from tests.sales.sentences import lines
from tests.sales.talk import NOW, PHRASES, PLAYBOOK, Talk, talk

OFFER = "May I still offer you a fifteen minute demo?"


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
    assert {str(name): call.value(name) for name, _ in call.guide.state.slots} == {
        "name": "Anna",
        "company": "Harbor Bakery",
        "team_size": "12",
        "meeting": "Wednesday, November 25, at 10:30 in the morning",
        "email": "anna at harborbakery dot com",
    }
    assert call.ends() is Disposition.MEETING_BOOKED


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
