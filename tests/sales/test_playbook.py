"""The playbook: what a file may hold, what is wrong with a bad one, and the prompt that is built from it."""

from __future__ import annotations

from importlib import resources

import pytest

from telephony_agent.errors import PlaybookError
from telephony_agent.sales.playbook import END_CALL, Playbook

DEFAULT = resources.files("telephony_agent.sales").joinpath("default_playbook.yaml").read_text(encoding="utf-8")
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


def test_the_default_prompt_stays_compact() -> None:
    assert len(Playbook.parse(DEFAULT).system_prompt().split()) <= 240


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("plans: [", "not valid YAML"),
        ("just a sentence", "must be a mapping"),
        ("", "must be a mapping"),
        (SMALL.replace("persona: Kim", ""), "persona: is missing; add it"),
        (SMALL + "price: ten\n", "price: is not a key of a playbook; remove it"),
        (SMALL.replace("persona: Kim", "persona: 3"), "persona: input should be a valid string, not 3"),
        (SMALL.replace("persona: Kim", "persona: ''"), "persona: string should have at least 1 character"),
        (SMALL.replace("{name: solo, price: ten dollars a month}", "{name: solo}"), "plans.0.price: is missing"),
        (SMALL.replace("{name: solo, price: ten dollars a month}", ""), "plans: tuple should have at least 1 item"),
        (SMALL + "greeting: Hi, I'm an AI.\n", "greeting: must name the company; put 'Acme Pipes' or {company}"),
        (SMALL + "greeting: Hi, Kim of {company} here.\n", "greeting: must say that the caller is an AI"),
        (SMALL + "reprompts: [Hello]\n", "reprompts.1: is missing; add it"),
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


def test_a_playbook_cannot_be_changed() -> None:
    playbook = Playbook.parse(SMALL)
    with pytest.raises(ValueError, match="frozen"):
        playbook.persona = "Lou"
