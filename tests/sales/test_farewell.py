"""When a caller takes leave."""

from __future__ import annotations

import pytest

from telephony_agent.sales.farewell import FarewellPolicy


@pytest.mark.parametrize(
    "text", ["goodbye", "okay thank you bye", "Bye bye.", "alright good bye then", "thanks talk to you soon", "bye now"]
)
def test_leave_taking_is_heard(text: str) -> None:
    assert FarewellPolicy().is_goodbye(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "how do I buy it",
        "before I say goodbye how much is it",
        "don't say goodbye yet",
        "my last supplier said goodbye to me and now I need a new one quickly",
    ],
)
def test_other_words_are_not_leave_taking(text: str) -> None:
    assert not FarewellPolicy().is_goodbye(text)
