"""What callers' fixed phrases mean."""

from __future__ import annotations

import pytest

from telephony_agent.sales.phrasebook import Phrasebook


@pytest.mark.parametrize(
    "text", ["goodbye", "okay thank you bye", "Bye bye.", "alright good bye then", "thanks talk to you soon", "bye now"]
)
def test_leave_taking_is_heard(text: str) -> None:
    assert Phrasebook.shipped().is_goodbye(text)


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
    assert not Phrasebook.shipped().is_goodbye(text)


@pytest.mark.parametrize("text", ["mm-hm", "uh-huh", "okay", "Yeah, right.", "I see", "oh wow", "okay yes got it"])
def test_backchannels_are_told_from_words(text: str) -> None:
    assert Phrasebook.shipped().is_backchannel(text)


@pytest.mark.parametrize("text", ["", "okay stop", "yes but how much is it", "wait", "who is this", "right now"])
def test_words_that_want_the_floor_are_no_backchannel(text: str) -> None:
    assert not Phrasebook.shipped().is_backchannel(text)
