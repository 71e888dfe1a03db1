"""Telephone numbers have one spelling, or are refused."""

from __future__ import annotations

import pytest

from telephony_agent.store import NumberError, e164


@pytest.mark.parametrize(
    "text", ["+15005550006", "+1 (500) 555-0006", "0015005550006", " +1.500.555.0006 ", "+1/500/5550006"]
)
def test_every_spelling_of_a_number_is_one(text: str) -> None:
    assert e164(text) == "+15005550006"


@pytest.mark.parametrize(
    "text",
    ["", "  ", "5550006", "+0" + "155500006", "+1500555000612345", "+1500CALLNOW", "+" + "١٥٠٠٥٥٥٠٠٠٦", "anonymous"],
)
def test_what_is_no_number_is_refused(text: str) -> None:
    with pytest.raises(NumberError, match="write \\+ and the country code"):
        e164(text)


def test_a_refusal_shows_only_the_end_of_what_was_given() -> None:
    with pytest.raises(NumberError) as refusal:
        e164("800 555 0199")
    assert "800" not in str(refusal.value)
