"""A dial is decided on and counted in one transaction; do-not-call is part of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime

import pytest

from telephony_agent.store import CursorError, NewCall, NumberError, Reservation, Store, local_day

from .conftest import MakeStore
from .stage import ANNA, BEN, NOW, at, lead, outbound, outcome

pytestmark = pytest.mark.anyio
ZONE = "America/New_York"


async def reserve(store: Store, call: NewCall, *, zone: str = ZONE, max_attempts: int = 2) -> Reservation:
    return await store.dialling.reserve_dial(call, zone=zone, max_attempts=max_attempts)


async def test_a_reserved_call_exists_and_is_counted(store: Store) -> None:
    anna = await lead(store)
    reservation = await reserve(store, outbound(lead_id=anna))
    assert (reservation.granted, reservation.attempt) == (True, 1)
    assert (await store.history.call("CA1")).live
    assert await store.dialling.attempts_on(date(2026, 3, 2), ANNA, anna) == 1


async def test_attempts_of_a_day_are_limited(store: Store) -> None:
    answers = []
    for number in range(3):
        answers.append(await reserve(store, outbound(f"CA{number}")))
        if answers[-1].granted:
            await store.calls.finish(f"CA{number}", outcome("hung_up"))
    assert [answer.refusal for answer in answers] == [None, None, "attempts"]
    tomorrow = replace(outbound("CA9"), started_at=at(86_400))
    assert (await reserve(store, tomorrow)).granted


async def test_the_day_is_the_called_partys(store: Store) -> None:
    late = datetime(2026, 3, 3, 3, 0, tzinfo=UTC)
    assert (await reserve(store, replace(outbound(), started_at=late), max_attempts=1)).granted
    assert await store.dialling.attempts_on(date(2026, 3, 2), ANNA) == 1
    assert (await reserve(store, replace(outbound("CA2"), started_at=late), max_attempts=1)).refusal == "attempts"


async def test_a_lead_with_a_new_number_keeps_its_count(store: Store) -> None:
    anna = await lead(store)
    await reserve(store, outbound(lead_id=anna), max_attempts=1)
    draft = (await store.leads.get(anna)).draft
    await store.leads.update(anna, replace(draft, phone=BEN), NOW)
    assert (await reserve(store, outbound("CA2", BEN, lead_id=anna), max_attempts=1)).refusal == "attempts"
    assert (await reserve(store, outbound("CA3", "+12125550199"), max_attempts=1)).granted


async def test_a_number_on_the_list_is_never_dialled(store: Store) -> None:
    await store.do_not_call.add("+1 500 555 0006", NOW, "e-mail")
    assert (await reserve(store, outbound())).refusal == "do_not_call"
    assert await store.dialling.attempts_on(date(2026, 3, 2), ANNA) == 0


async def test_every_doubt_is_a_no(store: Store) -> None:
    anna = await lead(store)
    assert (await reserve(store, outbound(), zone="Mars/Olympus")).refusal == "unknown_zone"
    assert (await reserve(store, outbound(), zone="")).refusal == "unknown_zone"
    assert (await reserve(store, outbound(), zone="../../etc/passwd")).refusal == "unknown_zone"
    assert (await reserve(store, outbound(lead_id=anna + 1))).refusal == "unknown_lead"
    assert (await reserve(store, outbound(number=BEN, lead_id=anna))).refusal == "not_the_leads_number"
    with pytest.raises(NumberError):
        await reserve(store, outbound(number="911"))


async def test_nobody_is_rung_who_is_on_the_line_already(store: Store) -> None:
    assert (await reserve(store, outbound())).granted
    assert (await reserve(store, outbound("CA2"))).refusal == "on_the_line"
    assert (await reserve(store, outbound("CA3", BEN))).granted
    await store.calls.finish("CA1", outcome("hung_up"))
    assert (await reserve(store, outbound("CA2"))).granted


async def test_a_call_that_nobody_ever_concluded_stands_in_nobodys_way_for_ever(store: Store) -> None:
    assert (await reserve(store, outbound())).granted
    assert (await reserve(store, outbound("CA2", after_s=4 * 3600 - 1))).refusal == "on_the_line"
    assert (await reserve(store, outbound("CA3", after_s=4 * 3600))).granted


async def test_a_call_is_dialled_once(store: Store) -> None:
    assert (await reserve(store, outbound())).granted
    assert (await reserve(store, outbound())).refusal == "already_dialled"


async def test_the_log_says_what_was_allowed_and_refused_and_names_nobody_in_the_facts(store: Store) -> None:
    await reserve(store, outbound(), max_attempts=1)
    await reserve(store, outbound("CA2"), max_attempts=1)
    allowed, refused = await store.compliance.entries()
    assert (allowed.kind, refused.kind) == ("dial_allowed", "dial_refused")
    assert refused.facts == {"attempts": 1, "allowed": 1, "direction": "outbound", "refusal": "attempts"}
    assert refused.subject is not None
    assert refused.subject.number == ANNA


async def test_voicemails_of_a_day_are_counted(store: Store) -> None:
    await reserve(store, outbound())
    await store.calls.finish("CA1", outcome("voicemail_left"))
    await reserve(store, outbound("CA2"))
    await store.calls.finish("CA2", outcome("hung_up"))
    assert await store.dialling.voicemails_on(local_day(NOW, ZONE) or date.min, ANNA) == 1


async def test_two_stores_that_decide_at_once_agree(store: Store, make_store: MakeStore) -> None:
    async with make_store() as other:
        await store.do_not_call.add(ANNA, NOW, "e-mail")
        assert (await reserve(other, outbound())).refusal == "do_not_call"


async def test_a_number_comes_off_the_list_only_on_purpose(store: Store) -> None:
    assert await store.do_not_call.add(ANNA, NOW, "e-mail")
    assert not await store.do_not_call.add("+1 500 555 0006", at(9), "again")
    (entry,) = (await store.do_not_call.page()).items
    assert (entry.number, entry.added_at, entry.source) == (ANNA, NOW, "e-mail")
    assert await store.do_not_call.remove(ANNA, at(10), "she asked for a call")
    assert not await store.do_not_call.remove(ANNA, at(10), "she asked for a call")
    assert not await store.do_not_call.contains(ANNA)
    _, removed = await store.compliance.entries()
    assert removed.kind == "do_not_call_removed"
    assert removed.subject is not None
    assert removed.subject.details == {"reason": "she asked for a call"}


async def test_the_list_has_pages(store: Store) -> None:
    for number in (BEN, ANNA):
        await store.do_not_call.add(number, NOW, "e-mail")
    first = await store.do_not_call.page(limit=1)
    second = await store.do_not_call.page(limit=1, cursor=first.next_cursor)
    assert [entry.number for entry in (*first.items, *second.items)] == [BEN, ANNA]
    assert second.next_cursor is None
    with pytest.raises(CursorError):
        await store.do_not_call.page(cursor="nonsense")
