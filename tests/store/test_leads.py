"""Leads: one a number, listed by pages, imported without losing a row."""

from __future__ import annotations

import csv
import io
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telephony_agent.store import (
    Consent,
    CursorError,
    DuplicateLead,
    ImportRefused,
    LeadDraft,
    LeadFilter,
    NumberError,
    Store,
    UnknownRecord,
)
from telephony_agent.store.lead_csv import read_leads

from .stage import ANNA, BEN, NOW, at, ended_call, lead, outbound, outcome

pytestmark = pytest.mark.anyio
WHOLE = LeadDraft(
    name="Anna Miller",
    phone=ANNA,
    company="Example",
    role="CTO",
    email="anna@example.com",
    zone="America/New_York",
    source="fair",
    language="en",
    consent=Consent("written", "Call me.", NOW),
    budget="12000",
    authority="decides",
    need="fewer calls",
    timing="spring",
    interest="high",
    objections=("price",),
    notes="Prefers mornings.",
    extra={"Region": "North"},
)


async def test_a_lead_comes_back_as_it_was_entered(store: Store) -> None:
    added = await store.leads.add(replace(WHOLE, phone="+1 500 555 0006"), NOW)
    assert added.draft == WHOLE
    assert await store.leads.get(added.id) == added
    assert await store.leads.find("+1 (500) 555-0006") == added


async def test_a_number_belongs_to_one_lead(store: Store) -> None:
    await lead(store)
    with pytest.raises(DuplicateLead, match="…0006"):
        await lead(store, "Somebody else")
    ben = await lead(store, "Ben", BEN)
    with pytest.raises(DuplicateLead):
        await store.leads.update(ben, LeadDraft("Ben", ANNA), NOW)
    assert (await store.leads.get(ben)).draft.phone == BEN


async def test_a_lead_needs_a_number_with_its_country(store: Store) -> None:
    with pytest.raises(NumberError):
        await lead(store, phone="555 0006")


async def test_an_update_keeps_what_calls_brought(store: Store) -> None:
    anna = await lead(store)
    await store.calls.begin(outbound(lead_id=anna))
    await store.calls.finish("CA1", outcome("callback"))
    updated = await store.leads.update(anna, WHOLE, at(99))
    assert (updated.draft, updated.last_outcome, updated.updated_at) == (WHOLE, "callback", at(99))
    assert updated.created_at == NOW


async def test_a_deleted_lead_leaves_its_calls(store: Store) -> None:
    anna = await lead(store)
    await store.calls.begin(outbound(lead_id=anna))
    await store.leads.delete(anna)
    assert (await store.history.call("CA1")).call.lead_id is None
    with pytest.raises(UnknownRecord):
        await store.leads.get(anna)
    with pytest.raises(UnknownRecord):
        await store.leads.delete(anna)


async def test_a_lead_says_whether_it_may_not_be_called(store: Store) -> None:
    anna = await lead(store)
    await store.do_not_call.add(ANNA, NOW, "e-mail")
    assert (await store.leads.get(anna)).do_not_call
    assert [found.id for found in (await store.leads.page(LeadFilter(do_not_call=True))).items] == [anna]
    assert (await store.leads.page(LeadFilter(do_not_call=False))).items == ()


async def test_leads_are_filtered(store: Store) -> None:
    await store.leads.add(WHOLE, NOW)
    ben = await lead(store, "Ben 100%", BEN)
    await store.calls.begin(outbound("CA1", BEN, lead_id=ben))
    await store.calls.finish("CA1", outcome("callback"))

    async def names(**wanted: object) -> list[str]:
        found = await store.leads.page(LeadFilter(**wanted))  # type: ignore[arg-type]
        return [record.draft.name for record in found.items]

    assert await names(text="miller") == ["Anna Miller"]
    assert await names(text="EXAMPLE") == ["Anna Miller"]
    assert await names(text="0%") == ["Ben 100%"], "a percent sign is a percent sign"
    assert await names(source="fair") == ["Anna Miller"]
    assert await names(last_outcome="callback") == ["Ben 100%"]
    assert await names(callback_until=at(86_400)) == ["Ben 100%"]
    assert await names(callback_until=at(86_399)) == []


async def test_pages_hold_every_lead_once(store: Store) -> None:
    ids = [await lead(store, f"Lead {number}", f"+121255501{number:02d}") for number in range(5)]
    found, cursor = [], None
    while True:
        page = await store.leads.page(cursor=cursor, limit=2)
        found += [record.id for record in page.items]
        cursor = page.next_cursor
        if cursor is None:
            break
    assert found == ids


@pytest.mark.parametrize("cursor", ["", "x", "e30", "WyJhIl0", "é"])
async def test_a_cursor_of_nobody_is_refused(store: Store, cursor: str) -> None:
    with pytest.raises(CursorError):
        await store.leads.page(cursor=cursor)
    with pytest.raises(CursorError):
        await store.history.page(cursor=cursor)


async def test_a_csv_becomes_leads_and_refused_rows_and_nothing_is_lost(store: Store) -> None:
    await lead(store, "Ben", BEN)
    data = (
        "\ufeffFull Name;Phone Number;E-Mail;Time zone;Objections;Consent;Consent time;Region\n"
        "Anna Miller;+1 500 555 0006;anna@example.com;America/New_York;price; no time;written\n"
        "Anna Miller;+1 500 555 0006;anna@example.com;America/New_York;price;written;2026-03-01T09:00:00+00:00;North\n"
        ";;;;;;;\n"
        "Ben again;+12125550142;;;;;;\n"
        "No phone;;;;;;;\n"
        "Local;555 0100;;;;;;\n"
        "Anna twice;+15005550006;;;;;;\n"
        "When;+12125550101;;;;written;yesterday;\n"
        "Basis;+12125550102;;;;;2026-03-01T09:00:00+00:00;\n"
        "Zone;+12125550103;;;;written;2026-03-01T09:00:00;\n"
        "Long;+12125550104;;;;;;;;x\n"
        '"Two\nlines";+12125550105;;;;;;\n'
    ).encode()
    report = await store.leads.import_csv(data, NOW, source="fair")
    assert {row.line: row.reason for row in report.refused} == {
        2: "its consent time 'written' is not ISO 8601, like 2026-03-01T09:00:00+00:00",
        5: "lead 1 has this number",
        6: "it has no phone",
        7: "…0100 is no telephone number in E.164: write + and the country code, like +15005550006",
        8: "line 3 has this number",
        9: "its consent time 'yesterday' is not ISO 8601, like 2026-03-01T09:00:00+00:00",
        10: "it has a consent without its basis",
        11: "its consent time '2026-03-01T09:00:00' has no zone: write it like 2026-03-01T09:00:00+00:00",
        12: "it has 10 cells, the heading has 8",
    }
    assert report.refused[1].values == ("Ben again", BEN, "", "", "", "", "", "")
    anna, two = [await store.leads.get(lead_id) for lead_id in report.added]
    assert anna.draft.consent == Consent("written", "", datetime(2026, 3, 1, 9, tzinfo=UTC))
    assert (anna.draft.source, anna.draft.extra) == ("fair", {"Region": "North"})
    assert two.draft.name == "Two\nlines"


async def test_a_csv_is_read_as_spreadsheets_write_it(store: Store) -> None:
    comma = "name,phone,region,region,\nJosé,+15005550006,North,West,x\n".encode("cp1252")
    (anna,) = (await store.leads.import_csv(comma, NOW)).added
    draft = (await store.leads.get(anna)).draft
    assert draft.name == "José"
    assert draft.extra == {"region": "North", "region (column 4)": "West", " (column 5)": "x"}
    tab = b"phone\tname\r\n+12125550142\tBen\r\n"
    assert len((await store.leads.import_csv(tab, NOW)).added) == 1


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "the file is empty"),
        (b"\n\n", "the file is empty"),
        (b"name,email\nAnna,a@example.com\n", "no column for phone"),
        (b"name,phone,mobile\nAnna,1,2\n", "two columns are phone"),
        (b'name,phone\n"Anna"x,+15005550006\n', "line 2 is no CSV"),
        (b"PK\x03\x04\0\0name,phone", "the file is no text"),
    ],
)
async def test_a_file_that_cannot_be_read_is_refused_whole(store: Store, data: bytes, why: str) -> None:
    with pytest.raises(ImportRefused, match=why):
        await store.leads.import_csv(data, NOW)
    assert (await store.leads.page()).items == ()


CELLS = st.sampled_from(["", "Anna", ANNA, BEN, "555 0006", "written", "2026-03-01", '"', "a;b", "x\ny", "\0", "é"])
HEADINGS = st.permutations(["name", "phone", "email", "consent", "consent at", "Region", ""])


@given(HEADINGS, st.lists(st.lists(CELLS, max_size=9), max_size=8), st.sampled_from(",;\t"))
def test_every_row_of_any_table_is_accounted_for(headings: list[str], rows: list[list[str]], separator: str) -> None:
    out = io.StringIO()
    csv.writer(out, delimiter=separator).writerows([headings, *rows])
    if "\0" in out.getvalue():
        with pytest.raises(ImportRefused):
            read_leads(out.getvalue().encode(), "")
        return
    drafts, refused = read_leads(out.getvalue().encode(), "")
    told = [row.values for row, _ in drafts] + [row.values for row in refused]
    assert sorted(told) == sorted(tuple(row) for row in rows if any(cell.strip() for cell in row))


@given(st.binary() | st.binary().map(lambda data: b"name,phone\n" + data))
def test_any_file_is_read_or_refused(data: bytes) -> None:
    with suppress(ImportRefused):
        read_leads(data, "")


async def test_a_lead_with_an_ended_call_is_unchanged_by_it(store: Store) -> None:
    anna = await lead(store)
    await ended_call(store)
    assert (await store.leads.get(anna)).last_outcome == "", "that call was not this lead's"
