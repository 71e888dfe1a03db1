"""Card numbers are masked however they are said; other numbers stay."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telephony_agent.store.masking import MASK, mask_cards

SPOKEN_CARD = "four one one one one one one one one one one one one one one one"


@pytest.mark.parametrize(
    "said",
    [
        "4111111111111111",
        "4111 1111 1111 1111",
        "4111-1111-1111-1111",
        "4111.1111.1111.1111",
        "4111, 1111, 1111, 1111",
        "378282246310005",
        "3782 822463 10005",
        "4222222222222",
        "6304000000000000000",
        "4111 1111 1111 1111 12/27 123",
        SPOKEN_CARD,
        SPOKEN_CARD.title(),
        "four triple one, um, double one double one, then one one one one, one one one one",
        "forty-one eleven eleven eleven eleven eleven eleven eleven",
        "forty one hundred, twenty two thirty three, forty four fifty five, sixty six seventy seven",
        "four one one one 1111 1111 one one one one",
        "four oh one two eight eight eight eight eight eight eight eight one eight eight one",
        "cuatro uno uno uno uno uno uno uno uno uno uno uno uno uno uno uno",
    ],
)
def test_a_card_number_is_masked(said: str) -> None:
    assert mask_cards(f"My card is {said}, thanks.") == f"My card is {MASK}, thanks."


@pytest.mark.parametrize(
    "said",
    [
        "",
        "call me at +15005550006",
        "call me at 500-555-0006 or at 212 555 0142",
        "five five five, zero one four two",
        "plus four nine one five one two three four five six seven eight nine",
        "the order is 4111 1111 1111 1112",
        "one or two people, maybe three",
        "it costs 12,000 dollars a year",
        "from 9 to 5, on 24 November 2026",
        "one of us, two of them",
        "forty one, no, forty two",
    ],
)
def test_another_number_stays(said: str) -> None:
    assert mask_cards(said) == said


def test_every_card_of_a_text_is_masked() -> None:
    text = f"first 4111111111111111 and second is {SPOKEN_CARD} okay"
    assert mask_cards(text) == f"first {MASK} and second is {MASK} okay"


@given(st.text() | st.from_regex(r"([0-9]{1,6}[ ,.-]?|one |double |twenty |um ){0,20}", fullmatch=True))
def test_masking_twice_changes_nothing_more(text: str) -> None:
    assert mask_cards(mask_cards(text)) == mask_cards(text)


@given(st.text(alphabet=st.characters(exclude_categories=["Nd"], max_codepoint=0x24F)))
def test_a_text_without_numbers_stays(text: str) -> None:
    if re.search(r"(?i)zero|one|two|three|four|five|six|seven|eight|nine|ten|oh", text) is None:
        assert mask_cards(text) == text


@given(st.integers(10**11, 10**18 - 1), st.sampled_from(["", " ", "-"]))
def test_every_number_that_passes_luhn_is_masked(base: int, separator: str) -> None:
    digits = str(base)
    total = sum(sum(divmod(int(digit) * (2 - place % 2), 10)) for place, digit in enumerate(reversed(digits)))
    card = digits + str(-total % 10)
    written = separator.join(card[start : start + 4] for start in range(0, len(card), 4))
    assert mask_cards(f"it is {written}") == f"it is {MASK}"
