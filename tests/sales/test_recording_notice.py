"""Where calls are recorded callers are told so, before anything else, until they have heard it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from telephony_agent.engines.scripted import ScriptedSynthesizer
from telephony_agent.live.announcing import render_announcements
from telephony_agent.live.sales_desk import SalesDesk
from telephony_agent.sales.guide import Guide
from telephony_agent.sales.phrasebook import Phrasebook
from telephony_agent.sales.playbook import Playbook
from telephony_agent.sales.words import with_notice
from tests.sales.talk import NOW, PHRASES, PLAYBOOK, SETTING, Talk

NOTICE = "This call is recorded."
GREETING = with_notice(PLAYBOOK.greeting, NOTICE)


def recorded(greeting_heard: str) -> Talk:
    """Begin a recorded call of whose greeting so much was heard."""
    guide = Guide.of(replace(SETTING, recorded=True), PHRASES)
    return Talk(guide, heard=greeting_heard)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("This is Ava. Do you have a minute?", "This is Ava. This call is recorded. Do you have a minute?"),
        ("Do you have a minute?", "This call is recorded. Do you have a minute?"),
        ("This is Ava.", "This is Ava. This call is recorded."),
        ("Soy Ava. ¿Tiene un minuto?", "Soy Ava. This call is recorded. ¿Tiene un minuto?"),
    ],
)
def test_the_notice_comes_before_the_question_that_will_be_answered(words: str, told: str) -> None:
    assert with_notice(words, NOTICE) == told


@pytest.mark.parametrize("words", ["This is Ava.  Do you?", ""])
def test_without_a_notice_not_a_space_changes(words: str) -> None:
    assert with_notice(words, "") == words


def test_the_greeting_has_the_notice_only_where_calls_are_recorded() -> None:
    synthesizer = ScriptedSynthesizer(ms_per_character=5)
    for desk, greeting in (
        (SalesDesk(PLAYBOOK), PLAYBOOK.greeting),
        (SalesDesk(PLAYBOOK, recorded=True), GREETING),
    ):
        said = render_announcements(desk, synthesizer)
        assert said.greeting.text == greeting
        assert (NOTICE in greeting) is desk.setting("+15005550006").recorded


def test_the_notice_is_in_the_language_of_the_playbook_or_in_its_words() -> None:
    spanish = PLAYBOOK.model_copy(update={"language": "es"})
    assert SalesDesk(spanish, recorded=True).recording_notice == "Esta llamada se graba."
    data = PLAYBOOK.model_dump(mode="json") | {"recording_notice": "{company} tapes this."}
    assert SalesDesk(Playbook.model_validate(data), recorded=True).recording_notice == "Bluefinch tapes this."


def test_who_heard_the_notice_is_not_told_again() -> None:
    call = recorded(GREETING)
    assert call.says("yes, go on").say == ""
    assert call.guide.state.disclosed


@pytest.mark.parametrize("heard", ["", PLAYBOOK.greeting, GREETING.partition(" recorded")[0]])
def test_who_did_not_hear_the_notice_whole_is_told_again_with_the_disclosure(heard: str) -> None:
    call = recorded(heard)
    said = call.says("yes, go on").say
    assert "AI" in said
    assert NOTICE in said
    assert not call.guide.state.disclosed
    assert call.says("yes, go on").say == ""
    assert call.guide.state.disclosed


def test_the_greeting_alone_discloses_where_nothing_is_recorded() -> None:
    guide = Guide.of(SETTING, PHRASES)
    assert guide.take(1, "yes, go on", PLAYBOOK.greeting, NOW).say == ""


@pytest.mark.parametrize(
    ("language", "words"), [("en", NOTICE), ("es", "Esta llamada se graba."), ("en", "Bluefinch tapes this (always).")]
)
def test_no_cough_stops_the_notice(language: str, words: str) -> None:
    phrases = Phrasebook.shipped(language)
    assert phrases.protecting(words).is_protected(f"Good. {words}")
    assert not phrases.protecting(words).is_protected("Good.")
    assert phrases.protecting("") is phrases
