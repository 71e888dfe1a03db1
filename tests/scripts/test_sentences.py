"""The grammar of what callers say: repeatable, split for good, wide but not too wide."""

from __future__ import annotations

import random

import pytest

from scripts.pocket_models.lexicon import REAL_WORDS, number_words
from scripts.pocket_models.sentences import INTENTS, TEMPLATES, caller_sentence, fill, is_held_out


def test_the_same_seed_says_the_same() -> None:
    first, second = random.Random(3), random.Random(3)
    assert [caller_sentence(first) for _ in range(200)] == [caller_sentence(second) for _ in range(200)]


def test_no_sentence_is_in_both_splits() -> None:
    rng = random.Random(5)
    trained = {caller_sentence(rng).text for _ in range(5000)}
    held_out = {caller_sentence(rng, split="heldout").text for _ in range(1000)}
    assert not trained & held_out
    assert all(is_held_out(text) for text in held_out)


@pytest.mark.parametrize("intent", INTENTS)
def test_every_intent_has_sentences_in_both_splits(intent: str) -> None:
    rng = random.Random(9)
    for split in ("train", "heldout"):
        sentence = caller_sentence(rng, split=split, intent=intent)
        assert sentence.intent == intent
        assert all(value in sentence.text for value in sentence.slots.values())


def test_there_are_at_least_twenty_intents_with_several_wordings_each() -> None:
    assert len(INTENTS) >= 20
    assert all(len(wordings) >= 4 for wordings in TEMPLATES.values())


def test_every_intent_is_named_by_a_word_though_yaml_would_take_yes_and_no_for_truth_values() -> None:
    assert all(isinstance(intent, str) for intent in INTENTS)
    assert {"yes", "no"} <= set(INTENTS)


def test_every_slot_of_every_wording_can_be_drawn_and_no_bracket_is_left_over() -> None:
    for template in (template for wordings in TEMPLATES.values() for template in wordings):
        text, slots = fill(template, random.Random(0), REAL_WORDS)
        assert text
        assert not set("(|){}") & set(text)
        assert all(slots.values())


def test_the_vocabulary_stays_between_six_and_nine_hundred_words() -> None:
    rng = random.Random(1)
    words = {word for _ in range(15_000) for word in caller_sentence(rng).text.lower().split()}
    assert 600 <= len(words) <= 900


def test_no_punctuation_but_the_apostrophe_and_the_hyphen() -> None:
    rng = random.Random(2)
    letters = {letter for _ in range(5000) for letter in caller_sentence(rng).text if not letter.isalpha()}
    assert letters <= {" ", "'", "-"}


def test_an_unknown_split_is_refused() -> None:
    with pytest.raises(ValueError, match="split must be 'train' or 'heldout', not 'test'"):
        caller_sentence(random.Random(0), split="test")


def test_days_need_no_preposition_after_on() -> None:
    text, _ = fill("are you free on {day}", random.Random(0), {"day": lambda _: "tomorrow"})
    assert text == "are you free tomorrow"


@pytest.mark.parametrize(
    ("value", "words"),
    [(7, "seven"), (13, "thirteen"), (40, "forty"), (99, "ninety nine"), (245, "two hundred forty five")],
)
def test_numbers_are_spelled_as_they_are_spoken(value: int, words: str) -> None:
    assert number_words(value) == words
