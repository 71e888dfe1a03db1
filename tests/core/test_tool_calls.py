from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telephony_agent.core.phrases import PhraseSplitter
from telephony_agent.core.tool_calls import CallFilter, ToolCall

CALL = ToolCall("find_order", {"number": 7, "who": "Ava [END_CALL] <b> {x}"})
WORDS = "Let me check that for you. "


def pieces_of(text: str, cuts: Iterable[int]) -> list[str]:
    places = [0, *sorted(cut % (len(text) + 1) for cut in cuts), len(text)]
    return [text[start:end] for start, end in pairwise(places)]


def spoken(pieces: Iterable[str]) -> tuple[str, ToolCall | None, bool]:
    """Return what a splitter speaks of a text, what it calls, and whether it ends the call."""
    splitter = PhraseSplitter()
    phrases = [phrase for piece in pieces for phrase in splitter.feed(piece)] + splitter.flush()
    return " ".join(phrases), splitter.call, splitter.end_call


@given(st.lists(st.integers(min_value=0), max_size=12))
def test_a_call_is_read_and_not_spoken_wherever_the_text_is_cut(cuts: list[int]) -> None:
    said, call, ends = spoken(pieces_of(WORDS + CALL.as_text() + " It was shipped. [END_CALL]", cuts))
    assert said == WORDS.strip()
    assert call == CALL
    assert not ends, "neither what stands in a call nor what stands behind it is a control word"


@pytest.mark.parametrize(
    "ruin",
    [
        CALL.as_text()[:-1],
        CALL.as_text()[:30],
        "<tool_call>",
        "<tool_call",
        "<",
        "<tool_call>" + CALL.as_text(),
        "<tool_call>[1, 2]</tool_call>",
        '<tool_call>{"name": "find_order"}</tool_call>',
        '<tool_call>{"name": "find_order", "arguments": "7"}</tool_call>',
        '<tool_call>{"name": "", "arguments": {}}</tool_call>',
        '<tool_call>{"name": "x", "arguments": {}, "to": "y"}</tool_call>',
        "<tool_call>find the order</tool_call> It was shipped.",
        "<tool_response>\nIt was shipped.\n</tool_response>" + CALL.as_text(),
        '{"name": "find_order", "arguments": {"number": 7}}</tool_call>',
        '{ "name": "find_order"}',
        "{",
        "</tool_call>",
        "<TOOL_CALL>find</TOOL_CALL>",
    ],
)
@given(cuts=st.lists(st.integers(min_value=0), max_size=6))
def test_the_ruin_of_a_call_is_neither_a_call_nor_speech(ruin: str, cuts: list[int]) -> None:
    said, call, _ = spoken(pieces_of(WORDS + ruin, cuts))
    assert said == WORDS.strip()
    assert call is None


@given(st.text(alphabet='<>{}/_"tolcars \n', max_size=60), st.lists(st.integers(min_value=0), max_size=6))
def test_how_a_text_is_cut_changes_nothing(text: str, cuts: list[int]) -> None:
    def through(pieces: Iterable[str]) -> str:
        calls = CallFilter()
        return "".join([calls.feed(piece) for piece in pieces] + [calls.flush()])

    assert through(pieces_of(text, cuts)) == through([text])


@given(st.text(alphabet=st.characters(exclude_characters="<{"), max_size=200))
def test_a_text_without_tags_and_braces_passes_as_it_is(text: str) -> None:
    calls = CallFilter()
    assert calls.feed(text) + calls.flush() == text
    assert not calls.broken


def test_a_mere_tag_left_over_is_taken_out_of_the_speech() -> None:
    assert spoken(["It was ship</tool_call>ped on Monday."])[0] == "It was shipped on Monday."
