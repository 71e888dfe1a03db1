"""The history: filters, pages, transcripts, exports."""

from __future__ import annotations

import csv
import io

import pytest

from telephony_agent.store import CallFilter, NewCall, Store, UnknownRecord

from .stage import ANNA, BEN, NOW, at, ended_call, lead, outbound

pytestmark = pytest.mark.anyio


async def found(store: Store, **wanted: object) -> list[str]:
    page = await store.history.page(CallFilter(**wanted))  # type: ignore[arg-type]
    return [record.call.call_id for record in page.items]


async def test_calls_are_listed_newest_first(store: Store) -> None:
    for number in range(3):
        await ended_call(store, f"CA{number}", after_s=number)
    assert await found(store) == ["CA2", "CA1", "CA0"]


async def test_calls_are_filtered(store: Store) -> None:
    anna = await lead(store)
    await ended_call(store, "old", after_s=-3600)
    await ended_call(store, "bens", BEN)
    await store.calls.begin(NewCall("theirs", "inbound", at(10), number=ANNA))
    await store.calls.begin(outbound("leads", lead_id=anna, after_s=20))
    assert await found(store, since=NOW, until=at(10)) == ["bens"]
    assert await found(store, disposition="meeting_booked") == ["bens", "old"]
    assert await found(store, number="+1 500 555 0006") == ["leads", "theirs", "old"]
    assert await found(store, direction="inbound") == ["theirs"]
    assert await found(store, lead_id=anna) == ["leads"]
    assert await found(store, live=True) == ["leads", "theirs"]
    assert await found(store, live=False, number=ANNA) == ["old"]


async def test_pages_hold_every_call_once_though_others_begin(store: Store) -> None:
    for number in range(7):
        await store.calls.begin(outbound(f"CA{number}", after_s=number // 3))
    seen, cursor = [], None
    while True:
        page = await store.history.page(cursor=cursor, limit=2)
        seen += [record.call.call_id for record in page.items]
        await store.calls.begin(outbound(f"new{len(seen)}", after_s=99))
        cursor = page.next_cursor
        if cursor is None:
            break
    assert seen == [f"CA{number}" for number in reversed(range(7))]


async def test_a_call_that_is_unknown_is_said_to_be(store: Store) -> None:
    with pytest.raises(UnknownRecord):
        await store.history.transcript("CA9")


async def test_an_export_is_flat(store: Store) -> None:
    await ended_call(store)
    await store.calls.begin(outbound("CA2", after_s=-9))
    rows = [row async for row in store.history.export()]
    assert [(row["call_id"], row["disposition"], row["duration_s"]) for row in rows] == [
        ("CA1", "meeting_booked", 60),
        ("CA2", "", 0),
    ]
    assert rows[0]["slot_timing"] == "spring"
    out = io.StringIO()
    writer = csv.DictWriter(out, list(rows[0]))
    writer.writerows(rows)
    assert "America/New_York" in out.getvalue()
