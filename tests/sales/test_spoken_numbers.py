"""Numbers as they are spoken."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telephony_agent.sales.spoken_numbers import digit_runs, digits_in_words, grouped_in_words, numbers
from telephony_agent.sales.words import tokens


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("twelve", [12]),
        ("forty two", [42]),
        ("forty-two", [42]),
        ("two hundred and forty five", [245]),
        ("twelve thousand dollars", [12_000]),
        ("a hundred", [100]),
        ("one hundred twenty thousand five hundred", [120_500]),
        ("two million", [2_000_000]),
        ("$12,000", [12_000]),
        ("12k", [12_000]),
        ("9.99", [9.99]),
        ("three thirty", [3, 30]),
        ("five five five", [5, 5, 5]),
        ("twenty fifteen", [20, 15]),
        ("no numbers here", []),
    ],
)
def test_amounts_are_read(text: str, values: list[float]) -> None:
    assert [number.value for number in numbers(tokens(text))] == values


@pytest.mark.parametrize(
    ("text", "digits"),
    [
        ("five five five, zero one four two", ["5550142"]),
        ("five five five oh one forty two", ["5550142"]),
        ("double two one", ["221"]),
        ("triple five", ["555"]),
        ("double oh seven", ["007"]),
        ("eight hundred five five five", ["800555"]),
        ("5 5 5 0 1 4 2", ["5550142"]),
        ("555-0142", ["5550142"]),
        ("two one two dash five five five", ["212555"]),
        ("one two and people three", ["12", "3"]),
        ("double trouble", []),
        ("", []),
    ],
)
def test_dictated_digits_are_read(text: str, digits: list[str]) -> None:
    assert [run.digits for run in digit_runs(tokens(text))] == digits


def test_a_plus_makes_a_number_international() -> None:
    assert [run.international for run in digit_runs(tokens("plus one two one two"))] == [True]
    assert [run.international for run in digit_runs(tokens("+1 212"))] == [True]


@given(st.text(alphabet="0123456789", min_size=1, max_size=15))
def test_digits_read_out_are_understood_as_themselves(digits: str) -> None:
    assert [run.digits for run in digit_runs(tokens(digits_in_words(digits)))] == [digits]
    assert [run.digits for run in digit_runs(tokens(grouped_in_words(digits)))] == [digits]


@given(st.text())
def test_any_text_can_be_read_for_numbers(text: str) -> None:
    numbers(tokens(text))
    digit_runs(tokens(text))


def test_a_digit_that_is_no_decimal_is_no_number() -> None:
    for text in ("❶", "call ❶ now"):
        assert not digit_runs(tokens(text))
