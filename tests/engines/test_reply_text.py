from __future__ import annotations

import itertools
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telephony_agent.engines.reply_text import SpokenText, TokenText, common_prefix, goes_in_circles


def spoken(pieces: Sequence[str]) -> str:
    text = SpokenText()
    return "".join(text.push(piece) for piece in pieces) + text.end()


def decode_bytes(tokens: Sequence[int]) -> str:
    return bytes(tokens).decode("utf-8", "replace")


@given(st.text())
def test_characters_come_whole_however_their_bytes_are_spread(text: str) -> None:
    text = text.replace("\N{REPLACEMENT CHARACTER}", "")
    tokens = TokenText(decode_bytes)
    assert "".join(tokens.push(byte) for byte in text.encode()) == text


def test_plain_characters_are_not_held_back() -> None:
    tokens = TokenText(decode_bytes)
    assert [tokens.push(byte) for byte in "né".encode()] == ["n", "", "é"]


def test_bytes_that_never_become_a_character_hold_nothing_up() -> None:
    tokens = TokenText(decode_bytes)
    assert "".join(tokens.push(byte) for byte in b"\xe9\xe9\xe9\xe9ok") == "ok"


@given(st.lists(st.integers(0, 30)))
def test_thinking_is_stripped_wherever_the_pieces_end(cuts: list[int]) -> None:
    whole = "<think>\nhm, a < b\n</think>\n\nHello. <b>no</b> <think>again</think>Bye."
    places = sorted({0, len(whole), *cuts})
    pieces = [whole[start:end] for start, end in itertools.pairwise(places)]
    assert spoken(pieces) == "Hello. <b>no</b> Bye."


def test_a_thought_without_an_end_is_never_spoken() -> None:
    assert spoken(["<think>", "should I", " say it?"]) == ""


def test_text_is_passed_on_at_once_unless_it_may_be_a_tag() -> None:
    text = SpokenText()
    assert [text.push(piece) for piece in ("\n", "Hi", " there <", "th", "ere", " it is")] == [
        "",
        "Hi",
        " there ",
        "",
        "<there",
        " it is",
    ]
    assert text.push(" <thi") == " "
    assert text.end() == "<thi"


def test_control_words_come_through() -> None:
    assert spoken(["Goodbye.", " [END", "_CALL]"]) == "Goodbye. [END_CALL]"


@pytest.mark.parametrize("tokens", [[1] * 16, [9, *[1, 2] * 8], [1, 2, 3, 4] * 4, list(range(24)) * 4])
def test_the_same_thing_over_and_over_is_a_circle(tokens: list[int]) -> None:
    assert goes_in_circles(tokens)


@pytest.mark.parametrize("tokens", [[], [1], [5] * 15, [1, 2, 3, 4, 5] * 3, [*[1] * 16, 2]])
def test_less_is_none(tokens: list[int]) -> None:
    assert not goes_in_circles(tokens)


@given(st.lists(st.integers(0, 3)), st.lists(st.integers(0, 3)))
def test_a_common_prefix_is_common_and_the_longest(one: list[int], other: list[int]) -> None:
    size = common_prefix(one, other)
    assert one[:size] == other[:size]
    assert size == min(len(one), len(other)) or one[size] != other[size]
