"""What callers want is recognised by rule, in many wordings, and nothing else is."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telephony_agent.errors import PlaybookError
from telephony_agent.sales.sales_phrases import Objection, SalesPhrases, Signal
from telephony_agent.sales.values import SlotName
from tests.sales.sentences import lines

PHRASES = SalesPhrases.shipped()


@pytest.mark.parametrize("text", lines("opt_outs"))
def test_an_opt_out_is_recognised(phrases: SalesPhrases, text: str) -> None:
    assert Signal.OPT_OUT in phrases.signals_in(text)


@pytest.mark.parametrize("text", lines("not_opt_outs"))
def test_what_only_looks_like_an_opt_out_is_none(phrases: SalesPhrases, text: str) -> None:
    assert Signal.OPT_OUT not in phrases.signals_in(text)


@pytest.mark.parametrize("text", lines("opt_outs.es"))
def test_an_opt_out_is_recognised_in_spanish(spanish: SalesPhrases, text: str) -> None:
    assert Signal.OPT_OUT in spanish.signals_in(text)


@pytest.mark.parametrize("text", lines("not_opt_outs.es"))
def test_what_only_looks_like_an_opt_out_is_none_in_spanish(spanish: SalesPhrases, text: str) -> None:
    assert Signal.OPT_OUT not in spanish.signals_in(text)


def test_the_lists_are_as_long_as_the_goal_asks() -> None:
    assert len(set(lines("opt_outs"))) >= 50
    assert len(set(lines("not_opt_outs"))) >= 50


@given(
    st.sampled_from(lines("opt_outs")),
    st.sampled_from(["{}", "Um, {}", "{} okay", "{}.", "Yes. {}", "well {}!", "{} thank you"]),
)
def test_an_opt_out_is_recognised_however_it_is_transcribed(text: str, frame: str) -> None:
    for variant in (text, text.upper(), text.capitalize(), text.replace("'", "’"), text.replace("'", "")):
        assert Signal.OPT_OUT in PHRASES.signals_in(frame.format(variant))


@pytest.mark.parametrize(
    "text",
    [
        "are you a robot",
        "Is this a recording?",
        "am I talking to a machine",
        "are you real",
        "you sound like a computer",
        "are you a real person",
        "wait are you an AI",
        "is this an automated call",
        "robot or human",
        "you're a bot aren't you",
    ],
)
def test_the_question_for_a_robot_is_recognised(phrases: SalesPhrases, text: str) -> None:
    assert Signal.ROBOT in phrases.signals_in(text)


@pytest.mark.parametrize(
    "text",
    [
        "are you a real estate company",
        "do you have an answering machine",
        "we are a computer shop",
        "is this a good deal",
        "are you there",
        "are you open on Sundays",
        "our computer is slow",
    ],
)
def test_other_questions_are_not_for_a_robot(phrases: SalesPhrases, text: str) -> None:
    assert Signal.ROBOT not in phrases.signals_in(text)


@pytest.mark.parametrize(
    "text",
    [
        "can I talk to a person",
        "Let me speak to a human.",
        "transfer me",
        "give me your manager",
        "I'd like to speak with someone",
        "put me through to a real person",
        "operator",
        "I don't want to talk to a machine",
        "is there a person I can talk to",
    ],
)
def test_the_request_for_a_person_is_recognised(phrases: SalesPhrases, text: str) -> None:
    assert Signal.PERSON in phrases.signals_in(text)


@pytest.mark.parametrize(
    "text",
    [
        "you need to talk to my boss",
        "I have to talk to my manager",
        "transfer me to plus one nine hundred five five five",
        "connect me to 900 555 0142",
        "forward the call to the number zero one four two",
        "people like it",
        "we talk to customers all day",
    ],
)
def test_other_words_do_not_ask_for_a_person(phrases: SalesPhrases, text: str) -> None:
    assert Signal.PERSON not in phrases.signals_in(text)


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("you have the wrong number", True),
        ("Sorry, wrong number.", True),
        ("there's nobody here by that name", True),
        ("this is a private number", True),
        ("I gave you the wrong number", False),
        ("is it the wrong plan for us", False),
        ("what's your number", False),
    ],
)
def test_a_wrong_number_is_told_from_a_correction(phrases: SalesPhrases, text: str, wrong: bool) -> None:
    assert (Signal.WRONG_NUMBER in phrases.signals_in(text)) is wrong


@pytest.mark.parametrize(
    ("text", "asked"),
    [
        ("is this call recorded", True),
        ("are you recording this", True),
        ("do you record calls", True),
        ("am I being recorded", True),
        ("where do you keep our data", False),
        ("I have a record store", False),
    ],
)
def test_the_question_for_a_recording_is_recognised(phrases: SalesPhrases, text: str, asked: bool) -> None:
    assert (Signal.RECORDING in phrases.signals_in(text)) is asked


@pytest.mark.parametrize(
    ("text", "refused"),
    [
        ("I'm not interested", True),
        ("we don't need that", True),
        ("no thank you we're not interested", True),
        ("I'll pass", True),
        ("that's not for us", True),
        ("we're good thanks", True),
        ("we're good thanks how are you", False),
        ("I'm not interested in the business plan", False),
        ("we don't want to miss calls", False),
        ("tell me more", False),
        ("I'm interested", False),
    ],
)
def test_a_refusal_is_recognised(phrases: SalesPhrases, text: str, refused: bool) -> None:
    assert (Signal.REFUSAL in phrases.signals_in(text)) is refused


@pytest.mark.parametrize(
    ("text", "signal"),
    [
        ("yes that's right", Signal.YES),
        ("correct", Signal.YES),
        ("sounds good", Signal.YES),
        ("no", Signal.NO),
        ("no it's anna", Signal.NO),
        ("right no thanks", Signal.NO),
        ("not really", Signal.NO),
        ("call me back later", Signal.CALLBACK),
        ("call me on Tuesday", Signal.CALLBACK),
        ("maybe another time", Signal.CALLBACK),
    ],
)
def test_short_answers_and_callbacks_are_recognised(phrases: SalesPhrases, text: str, signal: Signal) -> None:
    assert signal in phrases.signals_in(text)


@pytest.mark.parametrize(
    ("text", "objection"),
    [
        ("I don't have time right now", Objection.NO_TIME),
        ("we already have a supplier", Objection.HAVE_SUPPLIER),
        ("that's too expensive", Objection.PRICE),
        ("you have to talk to my boss", Objection.NOT_DECIDER),
        ("just send me an e-mail", Objection.SEND_EMAIL),
        ("where did you get my number", Objection.WHERE_NUMBER),
    ],
)
def test_objections_are_noted(phrases: SalesPhrases, text: str, objection: Objection) -> None:
    assert objection in phrases.objections_in(text)


@pytest.mark.parametrize(
    ("ours", "slot"),
    [
        ("What is your e-mail address?", "email"),
        ("Great. Which day suits you?", "meeting"),
        ("When should I call you back?", "callback"),
        ("How many people work with you?", "team_size"),
        ("Who am I speaking to?", "name"),
        ("What is your budget?", "budget"),
        ("Who decides about that?", "authority"),
        ("When would you like to start?", "timing"),
        ("Thank you, Anna. What is your phone number?", "phone"),
        ("We are based in Portland.", ""),
        ("", ""),
    ],
)
def test_our_own_words_tell_what_they_ask_for(phrases: SalesPhrases, ours: str, slot: str) -> None:
    assert phrases.asked_by(ours) == slot


def test_only_an_offer_at_the_end_counts(phrases: SalesPhrases) -> None:
    assert phrases.is_offer("I understand. May I still offer you a demo?")
    assert not phrases.is_offer("Would you like a demo? Great. Anything else I can help with?")


def test_a_language_without_phrases_is_named_with_those_that_have_some() -> None:
    with pytest.raises(PlaybookError, match=r"language: there are no phrases for 'xx'; allowed: en, es"):
        SalesPhrases.shipped("xx")


@pytest.mark.parametrize("language", ["../en", "turns.en", "", "EN"])
def test_a_language_is_no_path(language: str) -> None:
    with pytest.raises(PlaybookError):
        SalesPhrases.shipped(language)


def test_every_language_has_all_lists(by_language: Mapping[str, SalesPhrases]) -> None:
    names = {language: set(phrases.asks) for language, phrases in by_language.items()}
    assert names["en"] == names["es"]
    assert names["en"] == {slot.value for slot in SlotName}


@given(st.text())
def test_any_text_gives_signals_and_no_exception(text: str) -> None:
    assert PHRASES.signals_in(text) <= set(Signal)
    assert PHRASES.objections_in(text) <= set(Objection)
    assert isinstance(PHRASES.asked_by(text), str)
