"""The compliance log is one chain, whoever appends; what was changed in it is found; a person can be erased from it."""

from __future__ import annotations

import asyncio

import pytest
from sqlalchemy import text

from telephony_agent.store import Head, Store, Subject
from telephony_agent.store.compliance_log import GENESIS

from .conftest import MakeStore
from .stage import ANNA, BEN, NOW, at

pytestmark = pytest.mark.anyio


async def written(store: Store) -> None:
    """Write five entries: two about Anna, two about Ben, one about nobody."""
    await store.compliance.append("dial_allowed", {"attempts": 0}, NOW, Subject("CA1", ANNA))
    await store.compliance.append("disclosure_heard", {"words": 9}, at(1), Subject("CA1", details={"said": "Hi Anna"}))
    await store.compliance.append("dial_allowed", {"attempts": 0}, at(2), Subject("CA2", BEN))
    await store.compliance.append("policy_changed", {"hours": [8, 21]}, at(3))
    await store.compliance.append("opt_out", {}, at(4), Subject("CA2", BEN, {"words": "stop"}))


async def tamper(store: Store, statement: str) -> None:
    """Change the database behind the log's back."""
    async with store.database.write() as session:
        await session.execute(text(statement))


async def test_an_untouched_log_is_intact(store: Store) -> None:
    await written(store)
    verification = await store.compliance.verify()
    assert (verification.intact, verification.entries, verification.erased) == (True, 5, 0)
    entries = await store.compliance.entries()
    assert verification.head == Head(5, entries[-1].hash)
    assert [entry.seq for entry in await store.compliance.entries(after=3)] == [4, 5]
    assert entries[1].subject == Subject("CA1", None, {"said": "Hi Anna"})
    assert entries[3].subject is None


async def test_an_empty_log_is_intact(store: Store) -> None:
    verification = await store.compliance.verify()
    assert (verification.intact, verification.head) == (True, Head(0, GENESIS))


@pytest.mark.parametrize(
    ("change", "broken"),
    [
        ("UPDATE compliance SET facts = '{}' WHERE seq = 2", (2, "was changed")),
        ("UPDATE compliance SET kind = 'dial_refused' WHERE seq = 3", (3, "was changed")),
        ("UPDATE compliance SET at = '2026-03-02 10:00:00.000000' WHERE seq = 1", (1, "was changed")),
        ("DELETE FROM compliance WHERE seq = 1", (1, "is missing")),
        ("DELETE FROM compliance WHERE seq = 4", (4, "is missing")),
        ("UPDATE compliance SET previous_hash = hash WHERE seq = 4", (4, "doesn't follow the entry before it")),
        (
            "UPDATE compliance SET number = '+12125550199' WHERE seq = 3",
            (3, "names another person, call or detail than it did"),
        ),
        ("UPDATE compliance SET details = NULL WHERE seq = 5", (5, "names another person, call or detail than it did")),
        ("UPDATE compliance SET number = '+12125550199' WHERE seq = 4", (4, "names a person that it didn't name")),
        (
            "UPDATE compliance SET number = NULL, call_id = NULL, details = NULL, salt = NULL WHERE seq = 5",
            (5, "lost its person, though nobody was forgotten"),
        ),
    ],
)
async def test_the_first_entry_that_does_not_hold_is_named(store: Store, change: str, broken: tuple[int, str]) -> None:
    await written(store)
    await tamper(store, change)
    assert (await store.compliance.verify()).broken == broken


async def test_an_end_that_was_cut_off_shows_against_a_noted_head(store: Store) -> None:
    await written(store)
    noted = (await store.compliance.verify()).head
    await tamper(store, "DELETE FROM compliance WHERE seq = 5")
    assert (await store.compliance.verify()).intact
    assert (await store.compliance.verify(noted)).broken == (5, "is missing: the end of the log was cut off")


async def test_a_log_that_was_written_anew_shows_against_a_noted_head(store: Store) -> None:
    await written(store)
    noted = (await store.compliance.verify()).head
    await tamper(store, "DELETE FROM compliance")
    await written(store)
    assert (await store.compliance.verify(noted)).broken == (5, "is not the entry that was noted")


async def test_forgetting_erases_a_person_and_the_chain_holds(store: Store) -> None:
    await written(store)
    await store.calls.opt_out("CA1", at(5), "stop", number=ANNA)
    deleted = await store.retention.forget(ANNA, at(6))
    verification = await store.compliance.verify()
    assert (verification.intact, verification.erased) == (True, deleted.log_entries)
    entries = await store.compliance.entries()
    assert ANNA not in repr(entries)
    assert entries[4].subject == Subject("CA2", BEN, {"words": "stop"})
    assert entries[-1].kind == "forgotten"


async def test_appends_at_once_keep_one_chain(store: Store, make_store: MakeStore) -> None:
    async with make_store() as other:
        appends = [
            log.append("event", {"n": number}, NOW)
            for number in range(10)
            for log in (store.compliance, other.compliance)
        ]
        assert sorted(await asyncio.gather(*appends)) == list(range(1, 21))
    assert (await store.compliance.verify()).intact


async def test_a_card_number_does_not_reach_the_log(store: Store) -> None:
    details = {"words": "stop, and my card is 4111 1111 1111 1111"}
    await store.compliance.append("opt_out", {}, NOW, Subject("CA1", ANNA, details))
    assert "4111" not in repr(await store.compliance.entries())
    assert (await store.compliance.verify()).intact
