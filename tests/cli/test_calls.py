"""``telephony-agent calls``: the table, and the exports that other programs read."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from telephony_agent.sales.values import SlotName
from telephony_agent.store import NewCall, Outcome, Store
from tests.cli.remembered import ANNA, BEN, NOW, call, in_store, memory_in, run, told


@pytest.fixture(autouse=True)
def memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with memory_in(tmp_path, monkeypatch):
        in_store(three_calls)
        yield


async def three_calls(store: Store) -> None:
    await call(store, "CA1")
    await call(store, "CA2", BEN, day=1, summary="=HYPERLINK([bold]) wants Zoë")
    await store.calls.begin(NewCall("CA3", "outbound", NOW + timedelta(days=2), number=BEN))


def rows(*arguments: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(told("calls", "--export", "csv", *arguments))))


def test_the_table_has_the_newest_call_first_and_takes_no_markup_from_callers() -> None:
    lines = told("calls").splitlines()
    shown = [line for line in lines if ANNA in line or BEN in line]
    assert ["(live)" in line for line in shown] == [True, False, False]
    assert "=HYPERLINK([bold])" in shown[1]
    assert sum(ANNA in line or BEN in line for line in told("calls", "--limit", "1").splitlines()) == 1


def test_every_line_of_a_jsonl_export_is_a_call() -> None:
    live, ben, anna = map(json.loads, told("calls", "--export", "jsonl").splitlines())
    assert (live["call_id"], live["disposition"], live["hubspot_outcome"]) == ("CA3", "", "")
    assert ben["summary"] == "=HYPERLINK([bold]) wants Zoë"
    assert (anna["hubspot_outcome"], anna["slot_name"], anna["duration_s"]) == ("Connected", "Anna", 60)


def test_a_csv_export_has_a_column_for_every_slot_and_holds_no_formula() -> None:
    live, ben, anna = rows()
    assert {f"slot_{name.value}" for name in SlotName} <= set(live)
    assert (anna["number"], anna["slot_name"], anna["slot_email"]) == (ANNA, "Anna", "")
    assert ben["summary"].startswith("'=HYPERLINK")


def test_a_csv_export_has_a_column_for_a_slot_of_a_playbooks_own_too() -> None:
    async def surveyed(store: Store) -> None:
        outcome = Outcome("qualified", "answered", NOW, "Fine.", {"attending": "yes"}, None)
        await store.calls.begin(NewCall("CA4", "inbound", NOW, number=ANNA))
        await store.calls.finish("CA4", outcome)

    in_store(surveyed)
    assert sorted(row["slot_attending"] for row in rows()) == ["", "", "", "yes"]


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        (["--since", "2026-03-03"], ["CA3", "CA2"]),
        (["--since", "2026-03-03T16:00+01:00", "--until", "2026-03-04"], ["CA2"]),
        (["--since", "2026-03-03T16:00:01+01:00"], ["CA3"]),
        (["--number", "+1 (500) 555-0006"], ["CA1"]),
        (["--disposition", "meeting_booked"], ["CA2", "CA1"]),
        (["--disposition", "callback"], []),
    ],
)
def test_filters_choose_the_calls(arguments: list[str], found: list[str]) -> None:
    assert [row["call_id"] for row in rows(*arguments)] == found


def test_a_moment_that_is_none_is_refused_with_the_way_to_write_it() -> None:
    refused = run("calls", "--since", "yesterday")
    assert refused.exit_code == 2
    assert "2026-03-01" in refused.output


def test_calls_that_are_shown_are_not_concluded() -> None:
    async def live(store: Store) -> bool:
        return (await store.history.call("CA3")).live

    told("calls")
    assert in_store(live)
