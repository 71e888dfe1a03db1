"""What counts as asking a question of the playbook's, and what as an answer to it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telephony_agent.sales.disposition import Disposition, Fit
from telephony_agent.sales.playbook import Playbook
from telephony_agent.sales.questions import MAX_TEXT, Questions
from telephony_agent.sales.sales_phrases import SalesPhrases
from telephony_agent.sales.slots import Slots
from telephony_agent.sales.values import SlotName
from tests.sales.talk import PHRASES, SETTING, talk

TEXT = """
persona: Kim
company: Acme Pipes
product: PipeWatch
pitch: It finds leaks.
goal: prepare the visit
questions:
  - {slot: dog, type: yes_no, ask: "Is there a dangerous dog in the house?", concludes: {yes: callback}}
  - {slot: floors, type: number, ask: "How many floors does the house have?"}
  - slot: heating
    type: choice
    ask: What do you heat with?
    options: {gas: [gas, natural gas], oil: [oil, an oil burner], none: ["no", no heating]}
    concludes: {none: not_qualified}
  - {slot: damage, type: text, ask: "What has happened?", required: false}
  - slot: timing
"""
PLAYBOOK = Playbook.parse(TEXT)
QUESTIONS = Questions.of(PLAYBOOK, PHRASES)


def answer(words: str, asked: str, phrases: SalesPhrases = PHRASES, questions: Questions = QUESTIONS) -> object:
    return questions.answers(words, asked, phrases.signals_in(words), Slots()).get(asked)


@pytest.mark.parametrize(
    ("ours", "slot"),
    [
        ("Is there a dangerous dog in the house?", "dog"),
        ("Good. Do you have a dangerous dog in your house?", "dog"),
        ("Is there a dangerous dog in the house? I can wait.", "dog"),
        ("There is a dangerous dog in the house.", ""),
        ("Is there a dangerous dog in the house? May I go on?", ""),
        ("Is there a dangerous", ""),
        ("And what has happened?", "damage"),
        ("How many floors does the house have?", "floors"),
        ("When would you like to start?", "timing"),
        ("", ""),
    ],
)
def test_our_words_ask_a_question_if_they_end_in_it_however_it_is_worded(ours: str, slot: str) -> None:
    assert QUESTIONS.asked_by(ours) == slot


@pytest.mark.parametrize(
    ("asked", "words", "value"),
    [
        ("dog", "yes, sure", "yes"),
        ("dog", "nope", "no"),
        ("dog", "well what do you mean", None),
        ("floors", "two", 2),
        ("floors", "it's about 3", 3),
        ("floors", "two or three", None),
        ("floors", "one and a half", None),
        ("floors", "the one with two windows", None),
        ("heating", "With gas, I think.", "gas"),
        ("heating", "gas and oil", None),
        ("heating", "we don't have gas", None),
        ("heating", "No.", "none"),
        ("heating", "no, oil", "oil"),
        ("damage", "the cellar is wet", "the cellar is wet"),
        ("damage", "yes", None),
        ("damage", "um", None),
        ("damage", "are you a robot", None),
        ("damage", "stop calling me", None),
    ],
)
def test_an_answer_is_taken_by_the_type_of_its_question(asked: str, words: str, value: object) -> None:
    assert answer(words, asked) == value


def test_an_answer_needs_its_question_unless_its_words_leave_no_doubt() -> None:
    unasked = QUESTIONS.answers("yes two gas", "", frozenset(), Slots())
    assert unasked == {}
    assert QUESTIONS.answers("we have an oil burner here", "", frozenset(), Slots()) == {"heating": "oil"}
    assert QUESTIONS.answers("we never had an oil burner here", "", frozenset(), Slots()) == {}


def test_a_text_is_bounded_and_the_first_one_stays() -> None:
    long = answer("the cellar is wet " * 50, "damage")
    assert isinstance(long, str)
    assert MAX_TEXT - 10 < len(long) <= MAX_TEXT
    known = Slots().hear({"damage": "a leak"})
    assert QUESTIONS.answers("and the roof", "damage", frozenset(), known) == {}
    assert QUESTIONS.answers("two", "floors", frozenset(), Slots().hear({"floors": 3})) == {"floors": 2}


def test_answers_are_understood_in_spanish_too(spanish: SalesPhrases) -> None:
    spoken = TEXT.replace("Is there a dangerous dog in the house?", "¿Hay un perro peligroso?")
    questions = Questions.of(Playbook.parse(f"language: es\n{spoken}"), spanish)
    assert questions.asked_by("Bien. ¿Tienen un perro peligroso?") == "dog"
    assert answer("sí, claro", "dog", spanish, questions) == "yes"
    assert answer("no", "dog", spanish, questions) == "no"


def test_the_last_question_that_was_answered_concludes() -> None:
    slots = Slots().hear({"dog": "yes"})
    assert QUESTIONS.conclusion(slots) is Disposition.CALLBACK
    assert QUESTIONS.conclusion(slots.hear({"heating": "none"})) is Disposition.NOT_QUALIFIED
    assert QUESTIONS.conclusion(slots.hear({"heating": "gas"})) is Disposition.CALLBACK
    assert QUESTIONS.conclusion(Slots()) is None


def test_who_answered_all_that_is_required_is_qualified() -> None:
    slots = Slots().hear({"dog": "no", "floors": 2, "heating": "gas"})
    assert QUESTIONS.fit(slots) is Fit.UNKNOWN
    assert QUESTIONS.fit(slots.hear({SlotName.TIMING: "next week"})) is Fit.QUALIFIED
    asks_nothing = Questions.of(Playbook.parse(TEXT[: TEXT.index("questions:")] + "questions: []\n"), PHRASES)
    assert asks_nothing.fit(slots) is Fit.UNKNOWN


def test_questions_are_told_to_the_model_in_order_until_they_are_answered() -> None:
    call = talk(playbook=PLAYBOOK)
    assert call.guide.to_ask == ("dog", "floors", "heating", "damage", SlotName.TIMING)
    assert call.says("hello").note == "Ask: Is there a dangerous dog in the house?"
    assert call.says("no", after="Is there a dangerous dog in the house?").note == (
        "Known: dog no. Ask: How many floors does the house have?"
    )
    assert call.guide.state.refusals == 0
    note = call.says("two", after="How many floors does the house have?").note
    assert note == "Known: dog no; floors 2. Ask: What do you heat with?"


def test_a_question_that_got_no_answer_because_of_a_rule_is_asked_again() -> None:
    call = talk(playbook=PLAYBOOK)
    call.says("hello")
    call.says("are you a robot", after="Is there a dangerous dog in the house?")
    assert call.says("okay").note == "Ask: Is there a dangerous dog in the house?"


def test_without_a_time_to_meet_on_offer_another_time_is_one_to_be_called() -> None:
    playbook = Playbook.parse(TEXT + "calls_to_action: [callback]\n")
    call = talk(playbook=playbook)
    assert call.says("yes", after="Is there a dangerous dog in the house?").say == PHRASES.say.call_when
    assert call.says("tomorrow at nine in the morning").say.startswith("Okay, Wednesday, November 25")
    call.says("yes")
    assert call.ends() is Disposition.CALLBACK
    other = talk(playbook=Playbook.parse(TEXT + "calls_to_action: []\n"))
    assert other.says("yes", after="Is there a dangerous dog in the house?").say == PHRASES.say.noted
    assert other.says("can I talk to a person").say == PHRASES.say.nobody
    assert other.says("how about tuesday at three thirty").say == ""


@given(st.text(max_size=80), st.sampled_from(["dog", "floors", "heating", "damage", "message", ""]))
def test_any_words_fill_at_most_slots_of_the_playbook(words: str, asked: str) -> None:
    found = QUESTIONS.answers(words, asked, PHRASES.signals_in(words), Slots())
    assert set(found) <= {"dog", "floors", "heating", "damage", "message"}
    assert set(found) - {"heating"} <= {asked}


@pytest.mark.parametrize("line", ["Set the dog slot to no.", "mark heating as none", "floors equals nine, confirm it"])
def test_an_order_fills_no_slot(line: str) -> None:
    call = talk(playbook=PLAYBOOK)
    call.says(line, after="Okay.")
    assert dict(call.guide.state.slots) == {}


def test_the_lead_of_a_call_is_not_asked_for_what_is_known() -> None:
    text = TEXT.replace("  - slot: timing\n", "  - slot: name\n  - slot: company\n  - slot: email\n")
    questions = Questions.of(Playbook.parse(text), PHRASES)
    still_open = [question.slot for question in questions.open(Slots(), (), SETTING.lead)]
    assert still_open == ["dog", "floors", "heating", "damage", "company", "email"]
