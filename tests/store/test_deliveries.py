"""Outcomes stay on the queue until the owner's webhook has taken them."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from telephony_agent.store import Store, TurnRecord, UnknownRecord
from telephony_agent.store.deliveries import FIRST_DELAY, LEASE, LONGEST_DELAY, retry_delay

from .conftest import MakeStore
from .stage import ANNA, at, ended_call

pytestmark = pytest.mark.anyio


async def test_an_outcome_is_delivered_as_it_was_written(store: Store) -> None:
    await ended_call(store)
    (delivery,) = await store.deliveries.claim(at(61))
    assert delivery.payload["call_id"] == "CA1"
    assert delivery.payload["disposition"] == "meeting_booked"
    assert delivery.payload["duration_s"] == 60
    assert delivery.payload["number"] == ANNA
    assert delivery.payload["slots"] == {"name": "Anna", "timing": "spring"}
    assert delivery.payload["next_step"] == {
        "action": "meeting",
        "at": "2026-03-03T15:00:00+00:00",
        "zone": "America/New_York",
    }
    await store.deliveries.delivered(delivery.id)
    assert await store.deliveries.pending() == 0
    await store.deliveries.delivered(delivery.id)


async def test_one_that_is_claimed_is_nobody_elses_for_a_while(store: Store, make_store: MakeStore) -> None:
    await ended_call(store)
    assert await store.deliveries.claim(at(59)) == (), "not yet due"
    assert len(await store.deliveries.claim(at(60))) == 1
    async with make_store() as other:
        assert await other.deliveries.claim(at(61)) == ()
        assert len(await other.deliveries.claim(at(60) + LEASE)) == 1, "who claimed it died"


async def test_a_failure_is_tried_again_ever_later(store: Store) -> None:
    await ended_call(store)
    (delivery,) = await store.deliveries.claim(at(60))
    due = await store.deliveries.failed(delivery.id, at(61), "500 Internal Server Error")
    assert due == at(61) + FIRST_DELAY
    assert await store.deliveries.next_due() == due
    (again,) = await store.deliveries.claim(due)
    assert (again.attempts, again.last_error) == (1, "500 Internal Server Error")
    assert await store.deliveries.failed(again.id, due, "x" * 9000) == due + 2 * FIRST_DELAY


async def test_a_delivery_that_is_gone_cannot_fail(store: Store) -> None:
    with pytest.raises(UnknownRecord):
        await store.deliveries.failed(7, at(0), "timeout")
    assert await store.deliveries.next_due() is None


async def test_without_a_webhook_nothing_is_queued(make_store: MakeStore) -> None:
    async with make_store(delivers=False) as store:
        await ended_call(store)
        assert await store.deliveries.pending() == 0


def test_the_wait_grows_up_to_its_limit() -> None:
    assert [retry_delay(failures) for failures in (0, 1, 2)] == [timedelta(seconds=s) for s in (30, 60, 120)]
    assert retry_delay(1000) == LONGEST_DELAY


async def test_a_hand_over_is_owed_beside_the_outcome_with_what_was_said(store: Store) -> None:
    await ended_call(store, "CA1")
    known = (await store.history.call("CA1")).outcome
    assert known is not None
    await store.calls.put_turn("CA1", TurnRecord(0, "speech", "a person, please", "One moment.", "One moment."))
    for words in ("A call for you.", "Another call for you."):
        await store.calls.hand_over("CA1", replace(known, summary=words))
    by_event = {delivery.payload["event"]: delivery.payload for delivery in await store.deliveries.claim(at(61))}
    assert by_event.keys() == {"outcome", "handover"}, "the second hand-over takes the place of the first"
    assert by_event["handover"]["summary"] == "Another call for you."
    assert by_event["handover"]["slots"] == by_event["outcome"]["slots"]
    assert by_event["handover"]["transcript"][-1] == {
        "turn": 0,
        "input": "speech",
        "caller": "a person, please",
        "agent": "One moment.",
    }


async def test_of_a_call_that_nobody_knows_no_hand_over_is_owed(store: Store) -> None:
    await ended_call(store, "CA1")
    known = (await store.history.call("CA1")).outcome
    assert known is not None
    with pytest.raises(UnknownRecord):
        await store.calls.hand_over("CA2", known)
