"""How long to wait after which words."""

from __future__ import annotations

import pytest

from telephony_agent.core.completeness import Expectation, RuleJudge, SilenceJudge, Waits, expectation_of

WAITS = Waits(complete_ms=300, unsure_ms=600, incomplete_ms=1400)


@pytest.mark.parametrize(
    "text",
    [
        "yes",
        "yes please",
        "how much does it cost",
        "what does your product do",
        "can we meet on thursday at ten thirty",
        "I am not interested thank you",
        "my name is laura bennett",
        "um how much is the team plan",
        "take me off your list please",
    ],
)
def test_complete_words_are_answered_soon(text: str) -> None:
    assert RuleJudge(WAITS).wait_ms(text, Expectation.OPEN) == 300


@pytest.mark.parametrize(
    "text",
    [
        "I would like um",
        "well",
        "and the",
        "we use it for",
        "my name is",
        "because",
        "I want to",
        "uh",
        "I think maybe",
    ],
)
def test_words_that_ask_for_more_are_waited_for(text: str) -> None:
    wait = RuleJudge(WAITS).wait_ms(text, Expectation.OPEN)
    assert wait >= 600
    if text != "my name is":
        assert wait == 1400


@pytest.mark.parametrize(
    ("text", "expects", "wait"),
    [
        ("five five five", Expectation.DIGITS, 1400),
        ("five five five zero one two three", Expectation.DIGITS, 300),
        ("twelve", Expectation.DIGITS, 600),
        ("anna dot miller", Expectation.EMAIL, 1400),
        ("anna dot miller at", Expectation.OPEN, 1400),
        ("anna dot miller at example dot com", Expectation.EMAIL, 300),
        ("no thanks", Expectation.EMAIL, 300),
        ("yes it is", Expectation.YES_NO, 300),
        ("yes it is", Expectation.OPEN, 600),
        ("laura bennett", Expectation.NAME, 300),
        ("laura", Expectation.NAME, 600),
        ("", Expectation.OPEN, 600),
    ],
)
def test_what_was_asked_for_counts(text: str, expects: Expectation, wait: int) -> None:
    assert RuleJudge(WAITS).wait_ms(text, expects) == wait


@pytest.mark.parametrize(
    ("ours", "expects"),
    [
        ("It costs ten dollars. Do you want it?", Expectation.YES_NO),
        ("What is your name?", Expectation.NAME),
        ("Could you tell me your email?", Expectation.EMAIL),
        ("Which number can we call?", Expectation.DIGITS),
        ("How many people work with you?", Expectation.OPEN),
        ("I see. That is good.", Expectation.OPEN),
        ("", Expectation.OPEN),
    ],
)
def test_our_question_tells_what_to_expect(ours: str, expects: Expectation) -> None:
    assert expectation_of(ours) is expects


def test_the_baseline_waits_the_same_for_everybody() -> None:
    assert SilenceJudge(700).wait_ms("yes", Expectation.YES_NO) == SilenceJudge(700).wait_ms("um", Expectation.OPEN)
