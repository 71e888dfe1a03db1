"""Somebody outside a call wants it to end, or to be handed over to a person."""

from __future__ import annotations

import pytest

from telephony_agent.core.events import EndReason, EndRequested, HangUp, SendClear
from telephony_agent.core.replay import reproduce
from telephony_agent.sales.phrasebook import Phrasebook
from tests.calls.stage import ANNOUNCEMENTS, Call
from tests.calls.traced import TracedCall

LONG = "It costs ten dollars a month for every seat that you have."
TRANSFER = "I'll connect you."


@pytest.mark.parametrize(
    ("reason", "words"), [(EndReason.OPERATOR, ANNOUNCEMENTS.time_up.text), (EndReason.TRANSFER, TRANSFER)]
)
def test_a_request_is_followed_when_its_words_are_heard(reason: EndReason, words: str) -> None:
    call = Call(transfers=True)
    call.caller_listens()
    call.tell(EndRequested(reason))
    assert call.flow.leaving
    assert not call.sent(HangUp)
    call.caller_listens()
    assert call.hung_up == HangUp(reason)
    assert call.heard[-1].endswith(words)


@pytest.mark.parametrize("reason", [EndReason.OPERATOR, EndReason.TRANSFER])
def test_a_request_stops_what_we_were_saying(reason: EndReason) -> None:
    call = Call([LONG], transfers=True)
    call.caller_listens()
    call.caller_says("how much is it")
    call.caller_waits(1.6)
    call.tell(EndRequested(reason))
    assert call.sent(SendClear)
    call.caller_listens()
    assert call.hung_up == HangUp(reason)
    assert call.turns[1].interrupted
    assert LONG not in call.heard[1]


def test_a_request_while_the_caller_speaks_does_not_wait_for_them() -> None:
    call = Call(transfers=True)
    call.caller_listens()
    call.caller_says("I would like to tell you about my day and")
    call.tell(EndRequested(EndReason.TRANSFER))
    call.caller_listens()
    assert call.hung_up == HangUp(EndReason.TRANSFER)


def test_a_caller_who_talks_over_the_last_words_does_not_undo_the_request() -> None:
    call = Call(transfers=True)
    call.caller_listens()
    call.tell(EndRequested(EndReason.TRANSFER))
    call.caller_says("wait, what was that")
    call.caller_listens()
    assert call.hung_up == HangUp(EndReason.TRANSFER)


def test_where_nobody_is_to_connect_to_a_handing_over_ends_with_goodbye() -> None:
    call = Call()
    call.caller_listens()
    call.tell(EndRequested(EndReason.TRANSFER))
    call.caller_listens()
    assert call.heard[-1].endswith(ANNOUNCEMENTS.time_up.text)


@pytest.mark.parametrize("reason", [EndReason.OPERATOR, EndReason.TRANSFER])
def test_a_request_is_replayed_as_it_was(reason: EndReason) -> None:
    call = TracedCall([LONG], transfers=True)
    call.caller_listens()
    call.caller_says("how much is it")
    call.caller_waits(1.6)
    call.tell(EndRequested(reason))
    call.caller_listens()
    again = reproduce(call.trace, Phrasebook.shipped())
    assert again.difference is None
    assert again.end_reason is reason
    assert again.turns == tuple(call.turns)


def test_a_call_is_leaving_from_its_last_words_to_its_end() -> None:
    call = Call(["Goodbye."])
    call.caller_listens()
    assert not call.flow.leaving
    call.caller_says("no thanks bye")
    call.caller_listens()
    assert call.hung_up is not None
    assert call.flow.leaving
