"""The playbook: what a file may hold, what is wrong with a bad one, and the prompt that is built from it."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

import pytest

from telephony_agent.errors import PlaybookError
from telephony_agent.sales.disposition import Disposition
from telephony_agent.sales.playbook import END_CALL, Playbook
from telephony_agent.sales.playbook_parts import BUILT_IN_TOOLS, Action, ClosingLines, Plan, Question, SlotType
from telephony_agent.sales.playbooks import DEFAULT as DEFAULT_NAME
from telephony_agent.sales.playbooks import shipped_playbooks, shipped_text
from telephony_agent.sales.values import SlotName

DEFAULT = shipped_text(DEFAULT_NAME)
TRAINED_ON = "39bc5ce12cd1cc02ea7186dcaf0891725387f7568c84752b56c54e9aea32dbcc"
SMALL = """
persona: Kim
company: Acme Pipes
product: PipeWatch
pitch: It finds leaks before they flood your cellar.
meeting: a short visit
question: How many buildings do you look after?
plans: [{name: solo, price: ten dollars a month}]
"""


def test_the_default_playbook_is_valid_and_fictional() -> None:
    playbook = Playbook.parse(DEFAULT)
    assert playbook.company == "Bluefinch"
    assert [plan.name for plan in playbook.plans] == ["starter", "team", "business"]


def test_the_greeting_names_the_persona_the_company_and_the_ai() -> None:
    greeting = Playbook.parse(SMALL).greeting
    assert "Kim" in greeting
    assert "Acme Pipes" in greeting
    assert "AI" in greeting


def test_every_announcement_has_a_default_and_no_placeholder_is_left() -> None:
    playbook = Playbook.parse(SMALL + "goodbye: Thank you from {persona} at {company}. Goodbye.\n")
    assert playbook.goodbye == "Thank you from Kim at Acme Pipes. Goodbye."
    announcements = [
        playbook.greeting,
        *playbook.reprompts,
        playbook.apology,
        playbook.goodbye,
        playbook.silence_goodbye,
        playbook.fault_goodbye,
    ]
    assert all(announcements)
    assert not any("{" in text for text in announcements)


QUESTIONS = """
persona: Kim
company: Acme Pipes
product: PipeWatch
pitch: It finds leaks.
goal: find out whether the visit suits
questions:
"""
COMING = '  - {slot: coming, type: yes_no, ask: "Are you coming?"}\n'


def test_without_plans_and_a_meeting_the_prompt_has_no_line_for_them() -> None:
    playbook = Playbook.parse(f"{QUESTIONS}{COMING}  - slot: budget\n")
    assert playbook.system_prompt().splitlines()[:3] == [
        "You are Kim, the AI sales assistant of Acme Pipes, on the phone.",
        "PipeWatch: It finds leaks.",
        "Goal: find out whether the visit suits. Ask in this order: Are you coming? budget",
    ]


def test_role_tone_and_a_choice_of_calls_to_action_are_told_to_the_model() -> None:
    prompt = Playbook.parse(SMALL + "role: guide\ntone: warm.\ncalls_to_action: [callback]\n").system_prompt()
    assert prompt.startswith("You are Kim, the AI guide of Acme Pipes, on the phone.\nTone: warm.\n")
    assert "Offer nothing but: callback." in prompt
    assert "Offer nothing but: your answers." in Playbook.parse(SMALL + "calls_to_action: []\n").system_prompt()


def test_yes_and_no_are_words_and_a_list_of_options_needs_no_other_words() -> None:
    playbook = Playbook.parse(
        f"{QUESTIONS}{COMING[:-2]}, concludes: {{yes: meeting_booked, no: callback}}}}\n"
        "  - {slot: size, type: choice, ask: 'Which size?', options: [small, large], required: false}\n"
    )
    assert playbook.questions is not None
    coming, size = playbook.questions
    assert coming.concludes == {"yes": Disposition.MEETING_BOOKED, "no": Disposition.CALLBACK}
    assert size.choices == {"small": ("small",), "large": ("large",)}
    assert (coming.required, size.required) == (True, False)


@pytest.mark.parametrize(
    ("question", "message"),
    [
        ("slot: Coming, type: text, ask: 'Why?'", "questions.0.slot: string should match pattern"),
        ("slot: coming, ask: 'Why?'", "the slot coming needs a type; add one of yes_no, number, choice, text"),
        ("slot: coming, type: text", "the slot coming needs the words that ask for it; add ask"),
        ("slot: coming, type: text, ask: Tell me.", "questions.0.ask: 'Tell me.' is no question; end it with"),
        ("slot: budget, type: text", "budget is a slot that every call has; leave out type"),
        ("slot: coming, type: choice, ask: 'Why?', options: [this]", "a choice needs two options or more"),
        ("slot: coming, type: text, ask: 'Why?', options: [this, that]", "other types have none"),
        (
            "slot: coming, type: yes_no, ask: 'Why?', concludes: {maybe: callback}",
            "'maybe' is no answer to it; allowed: yes",
        ),
        ("slot: coming, type: text, ask: 'Why?', concludes: {yes: callback}", "allowed: none, for only a choice"),
        (
            "slot: coming, type: yes_no, ask: 'Why?', concludes: {yes: do_not_call}",
            "no answer makes a call do_not_call",
        ),
    ],
)
def test_a_wrong_question_is_refused_with_its_line_and_the_fix(question: str, message: str) -> None:
    with pytest.raises(PlaybookError) as caught:
        Playbook.parse(f"{QUESTIONS}  - {{{question}}}\n")
    assert str(caught.value).startswith("line 8: questions.0")
    assert message in str(caught.value)


def test_two_questions_for_one_slot_are_refused() -> None:
    with pytest.raises(PlaybookError, match="line 7: questions: two of them ask for coming; remove one"):
        Playbook.parse(QUESTIONS + COMING + COMING)


def test_a_playbook_comes_back_from_plain_data() -> None:
    for name in shipped_playbooks():
        playbook = Playbook.parse(shipped_text(name))
        assert Playbook.model_validate(playbook.model_dump(mode="json")) == playbook


def test_the_page_of_the_docs_tells_every_key() -> None:
    page = (Path(__file__).parents[2] / "docs" / "playbook.md").read_text(encoding="utf-8")
    for part in (Playbook, Plan, Question, ClosingLines):
        assert [key for key in part.model_fields if f"`{key}`" not in page] == []
    for words in (*Action, *SlotType, *SlotName, *BUILT_IN_TOOLS):
        assert f"`{words}`" in page


def test_a_shipped_playbook_that_is_not_there_is_an_error_that_names_the_others() -> None:
    with pytest.raises(PlaybookError, match="no playbook 'bakery'; allowed: default, appointment-reminder, reception"):
        shipped_text("bakery")


def test_the_two_reprompts_differ() -> None:
    first, second = Playbook.parse(SMALL).reprompts
    assert first != second


def test_the_prompt_holds_everything_the_model_may_say() -> None:
    playbook = Playbook.parse(DEFAULT)
    prompt = playbook.system_prompt()
    for text in (playbook.persona, playbook.company, playbook.product, playbook.pitch, playbook.meeting):
        assert text in prompt
    for plan in playbook.plans:
        assert f"{plan.name}, {plan.price}" in prompt
    for text in (*playbook.facts.values(), *playbook.objections.values(), *playbook.integrations):
        assert text in prompt


def test_the_prompt_tells_the_model_how_to_end_the_call() -> None:
    assert END_CALL in Playbook.parse(SMALL).system_prompt()


def test_empty_sections_leave_no_headings() -> None:
    prompt = Playbook.parse(SMALL).system_prompt()
    assert "Facts" not in prompt
    assert "Objections" not in prompt
    assert "Works with" not in prompt


def test_the_default_prompt_is_the_one_that_the_pocket_model_was_trained_on() -> None:
    prompt = Playbook.parse(DEFAULT).system_prompt()
    assert sha256(prompt.encode()).hexdigest() == TRAINED_ON


def test_the_default_prompt_stays_compact() -> None:
    assert len(Playbook.parse(DEFAULT).system_prompt().split()) <= 240


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("plans: [", "not valid YAML"),
        ("just a sentence", "must be a mapping"),
        ("", "must be a mapping"),
        (SMALL.replace("persona: Kim", ""), "persona: is missing; add it"),
        (SMALL + "price: ten\n", "line 9: price: is not a key of a playbook; remove it"),
        (SMALL.replace("persona: Kim", "persona: 3"), "line 2: persona: input should be a valid string, not 3"),
        (SMALL.replace("persona: Kim", "persona: ''"), "persona: string should have at least 1 character"),
        (
            SMALL.replace("{name: solo, price: ten dollars a month}", "{name: solo}"),
            "line 8: plans.0.price: is missing; add it",
        ),
        (SMALL + "greeting: Hi, I'm an AI.\n", "greeting: must name the company; put 'Acme Pipes' or {company}"),
        (SMALL + "greeting: Hi, Kim of {company} here.\n", "greeting: must say that the caller is an AI"),
        (SMALL + "reprompts: [Hello]\n", "line 9: reprompts.1: is missing; add it"),
        (SMALL + "persona: Lou\n", "'persona' stands twice in \"the playbook\", line 9"),
        (SMALL.replace("meeting: a short visit", ""), "meeting: is missing; add it, or a goal"),
        (
            SMALL.replace("question: How many buildings do you look after?", ""),
            "question: is missing; add it, or quest",
        ),
        (SMALL + "questions: []\n", "question: doesn't go with questions"),
        (SMALL + "disclosure: Kim of {company}.\n", "line 9: disclosure: must say that the caller is an AI"),
        (SMALL + "closing:\n  end: Bye.\n", "line 10: closing.end: is not a key there; remove it"),
        (SMALL + "calls_to_action: [dance]\n", "line 9: calls_to_action.0: input should be 'book_meeting'"),
        (SMALL + "opt_out_phrases:\n  - no way\n  - never\n", "line 11: opt_out_phrases.1: 'never' is a single word"),
        (
            SMALL + "tools: [os.system]\n",
            "line 9: tools.0: 'os.system' is no tool; write one of end_call, schedule_callb",
        ),
    ],
)
def test_a_wrong_playbook_is_refused_with_its_key_and_the_fix(text: str, message: str) -> None:
    with pytest.raises(PlaybookError) as caught:
        Playbook.parse(text)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_ai_may_also_be_called_artificial_intelligence() -> None:
    playbook = Playbook.parse(SMALL + "greeting: Hello, an artificial intelligence of {company} is calling.\n")
    assert playbook.greeting.endswith("Acme Pipes is calling.")
    spanish = Playbook.parse(SMALL + "greeting: Hola, le habla la IA de {company}.\n")
    assert spanish.greeting == "Hola, le habla la IA de Acme Pipes."


def test_a_playbook_cannot_be_changed() -> None:
    playbook = Playbook.parse(SMALL)
    with pytest.raises(ValueError, match="frozen"):
        playbook.persona = "Lou"
