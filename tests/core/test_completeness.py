"""How long to wait after which words."""

from __future__ import annotations

import pytest

from telephony_agent.core.completeness import (
    Completeness,
    Expectation,
    ModelJudge,
    RuleJudge,
    SilenceJudge,
    Waits,
    completeness_of,
    expectation_of,
)

WAITS = Waits(answer_ms=200, complete_ms=300, value_ms=450, unsure_ms=600, incomplete_ms=1400)


@pytest.mark.parametrize(
    "text",
    [
        "how much does it cost",
        "what does your product do",
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
        "can we meet on Tuesday please",
        "we have twelve people here",
        "my name is Sarah Miller",
        "let's do ten thirty then",
        "does it work with Zoom",
        "call me back tomorrow then",
    ],
)
def test_who_has_named_a_value_may_take_it_back(text: str) -> None:
    assert RuleJudge(WAITS).wait_ms(text, Expectation.OPEN) == 450
    assert ModelJudge(WAITS).wait_ms(text, Expectation.OPEN, 0.9) == 450


@pytest.mark.parametrize("text", ["yes", "yes please", "no thank you", "okay", "Sure."])
def test_short_answers_are_answered_soonest(text: str) -> None:
    assert RuleJudge(WAITS).wait_ms(text, Expectation.OPEN) == 200


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
        ("five five five zero one two three", Expectation.DIGITS, 450),
        ("twelve", Expectation.DIGITS, 600),
        ("anna dot miller", Expectation.EMAIL, 1400),
        ("my e-mail is anna", Expectation.OPEN, 1400),
        ("anna dot miller at", Expectation.OPEN, 1400),
        ("anna dot miller at example dot com", Expectation.EMAIL, 300),
        ("no thanks", Expectation.EMAIL, 200),
        ("yes it is", Expectation.YES_NO, 200),
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


@pytest.mark.parametrize(("ended", "wait"), [(0.9, 300), (0.3, 600), (0.02, 1400)])
def test_the_model_decides_where_it_was_asked(ended: float, wait: int) -> None:
    assert ModelJudge(WAITS).wait_ms("the company is called", Expectation.OPEN, ended) == wait


def test_until_the_model_has_spoken_the_rules_do() -> None:
    for text in ("how much does it cost", "I would like um", "twelve people"):
        assert ModelJudge(WAITS).wait_ms(text, Expectation.OPEN) == RuleJudge(WAITS).wait_ms(text, Expectation.OPEN)


def test_after_a_filler_no_model_makes_us_answer() -> None:
    assert ModelJudge(WAITS).wait_ms("we have um", Expectation.OPEN, 0.99) == 1400


@pytest.mark.parametrize("text", ["where are you calling from", "so who are you with", "what is this all about"])
def test_a_question_may_end_in_a_preposition(text: str) -> None:
    assert RuleJudge(WAITS).wait_ms(text, Expectation.OPEN) == 600
    assert ModelJudge(WAITS).wait_ms(text, Expectation.OPEN, 0.9) == 300


@pytest.mark.parametrize("text", ["we would like to talk about", "there are twelve of"])
def test_other_words_do_not(text: str) -> None:
    assert RuleJudge(WAITS).wait_ms(text, Expectation.OPEN) >= 600


def test_the_bounds_lie_between_what_a_model_says_of_both_kinds() -> None:
    judge = ModelJudge.tried([0.9, 0.8, 0.95, 0.7], [0.01, 0.02, 0.05, 0.03], WAITS)
    assert judge is not None
    assert 0.05 < judge.incomplete_to < judge.complete_from < 0.7


def test_one_odd_message_in_ten_is_overlooked() -> None:
    assert ModelJudge.tried([0.9] * 9 + [0.001], [0.01] * 9 + [0.99], WAITS) is not None


def test_a_model_that_can_not_tell_is_no_judge() -> None:
    assert ModelJudge.tried([0.2, 0.1, 0.3], [0.2, 0.3, 0.1], WAITS) is None


def test_a_short_answer_needs_no_model() -> None:
    assert ModelJudge(WAITS).wait_ms("yes please", Expectation.YES_NO, 0.01) == 200


@pytest.mark.parametrize("words", ["can we meet on", "I'm interested in", "we have an office in"])
def test_a_preposition_that_waits_for_its_noun_is_incomplete(words: str) -> None:
    assert completeness_of(words, Expectation.OPEN) is Completeness.INCOMPLETE


@pytest.mark.parametrize("words", ["okay count me in", "yeah go on", "what plan am I on", "please come on in"])
def test_a_particle_that_ends_a_sentence_is_not(words: str) -> None:
    assert completeness_of(words, Expectation.OPEN) is not Completeness.INCOMPLETE
