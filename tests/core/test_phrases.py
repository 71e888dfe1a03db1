"""From token deltas to speakable phrases."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telephony_agent.core.phrases import PhraseSplitter, speakable


def split(text: str, step: int = 3) -> tuple[list[str], bool]:
    splitter = PhraseSplitter()
    phrases = [p for i in range(0, len(text), step) for p in splitter.feed(text[i : i + step])]
    return phrases + splitter.flush(), splitter.end_call


def test_the_first_phrase_is_short() -> None:
    phrases, _ = split(
        "Sure, the starter plan, which most people take, costs nineteen dollars a month. Do you want it?"
    )
    assert phrases[0] == "Sure, the starter plan,"
    assert phrases[1:] == ["which most people take, costs nineteen dollars a month.", "Do you want it?"]


def test_a_sentence_is_handed_out_before_the_next_one_is_known() -> None:
    splitter = PhraseSplitter()
    assert splitter.feed("That is a good question. ") == ["That is a good question."]


@pytest.mark.parametrize("text", ["It costs 9.50 dollars today.", "Ask Dr. Smith about it.", "At 10 a.m. on Friday."])
def test_dots_inside_a_sentence_do_not_end_it(text: str) -> None:
    assert split(text)[0] == [text]


def test_the_control_word_is_never_spoken_and_ends_the_call() -> None:
    phrases, end_call = split("Thank you, goodbye. [END_CALL]", step=1)
    assert " ".join(phrases) == "Thank you, goodbye."
    assert end_call


@pytest.mark.parametrize("step", [1, 7, 100])
def test_the_control_word_counts_only_at_the_replys_end(step: int) -> None:
    assert split("Goodbye. [END_CALL] By the way, which day suits you?", step=step)[1] is False
    assert split("Goodbye. [END_CALL] [smiles] ...", step=step)[1] is True
    assert split("One moment. [END_CALL] Thank you, goodbye. [END_CALL]", step=step)[1] is True


def test_an_unfinished_control_word_is_not_spoken() -> None:
    assert split("Goodbye. [END_CA")[0] == ["Goodbye."]


def test_markdown_emoji_and_stage_directions_are_not_spoken() -> None:
    assert speakable("**Sure** 😀 `now`") == "Sure now"
    assert split("[smiles] Of course I can do that for you.")[0] == ["Of course I can do that for you."]
    assert speakable("...") == ""


def test_a_text_without_any_mark_is_cut_at_a_space() -> None:
    phrases, _ = split("word " * 200)
    assert all(len(phrase) <= 200 for phrase in phrases)
    assert "".join(" ".join(phrases).split()) == "word" * 200


@given(st.text(alphabet="abc ,.!?[]1", max_size=300), st.integers(1, 40))
def test_no_chunking_loses_a_word(text: str, step: int) -> None:
    whole = "".join(" ".join(split(text, step=1000)[0]).split())
    assert "".join(" ".join(split(text, step=step)[0]).split()) == whole
