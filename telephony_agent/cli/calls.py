"""``telephony-agent calls``: the history of calls, as a table or as a file for other programs."""

from __future__ import annotations

import csv
import json
import re
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Column, Table

from telephony_agent.cli.with_store import with_store
from telephony_agent.sales.disposition import Disposition, LineResult, hubspot_outcome
from telephony_agent.sales.values import SlotName
from telephony_agent.settings import Settings
from telephony_agent.store import CallFilter, CallRecord, Store

_NUMBER = re.compile(r"\+\d+")


class Export(StrEnum):
    """The formats of an export."""

    CSV = "csv"
    JSONL = "jsonl"


def moment(text: str) -> datetime:
    """Read a moment on the command line; one without a zone is in UTC.

    Raises:
        typer.BadParameter: it is none.
    """
    try:
        read = datetime.fromisoformat(text)
    except ValueError as error:
        raise typer.BadParameter(f"{text!r} is no moment; write 2026-03-01 or 2026-03-01T09:00+01:00") from error
    return read if read.tzinfo is not None else read.replace(tzinfo=UTC)


def calls(
    export: Annotated[
        Export | None, typer.Option("--export", help="Write all of them to standard output in this format.")
    ] = None,
    since: Annotated[
        datetime | None, typer.Option("--since", parser=moment, metavar="TIME", help="Only those from then on.")
    ] = None,
    until: Annotated[
        datetime | None, typer.Option("--until", parser=moment, metavar="TIME", help="Only those before then.")
    ] = None,
    disposition: Annotated[Disposition | None, typer.Option("--disposition", help="Only those that ended so.")] = None,
    number: Annotated[str | None, typer.Option("--number", help="Only those with this number.")] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=500, help="The most calls in the table.")] = 20,
) -> None:
    """Show the latest calls, newest first, or export them."""
    wanted = CallFilter(since, until, disposition.value if disposition else None, number)
    match export:
        case None:
            _show(with_store(Settings(), lambda store: _latest(store, wanted, limit)))
        case Export.CSV:
            with_store(Settings(), lambda store: _write_csv(store, wanted))
        case Export.JSONL:
            with_store(Settings(), lambda store: _write_jsonl(store, wanted))


async def _latest(store: Store, wanted: CallFilter, limit: int) -> tuple[CallRecord, ...]:
    return (await store.history.page(wanted, limit=limit)).items


def _show(records: tuple[CallRecord, ...]) -> None:
    table = Table("began", "", "with", "ended as", Column("summary", overflow="fold"))
    for record in records:
        call, outcome = record.call, record.outcome
        began = call.started_at.astimezone().strftime("%Y-%m-%d %H:%M")
        ended = outcome.disposition if outcome else "(live)"
        # Text of others' never is markup.
        cells = (began, call.direction, call.number, ended, outcome.summary if outcome else "")
        table.add_row(*(cell.replace("[", r"\[") for cell in cells))
    Console().print(table)


async def _write_jsonl(store: Store, wanted: CallFilter) -> None:
    async for row in store.history.export(wanted):
        sys.stdout.write(json.dumps(_mapped(row), ensure_ascii=False) + "\n")


async def _write_csv(store: Store, wanted: CallFilter) -> None:
    """Write a table with a column for each slot that every call has, filled or not, and then for each other one."""
    slots = {f"slot_{name}": None for name in SlotName}
    async for row in store.history.export(wanted):
        slots |= {name: None for name in row if name.startswith("slot_")}
    writer: csv.DictWriter[str] | None = None
    async for row in store.history.export(wanted):
        mapped = _mapped(row)
        if writer is None:
            fields = [name for name in mapped if not name.startswith("slot_")]
            writer = csv.DictWriter(sys.stdout, [*fields, *slots], restval="", extrasaction="ignore")
            writer.writeheader()
        writer.writerow({name: _cell(value) for name, value in mapped.items()})


def _mapped(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return an exported call with what a CRM calls its outcome."""
    return {**row, "hubspot_outcome": _hubspot(row["disposition"], row["line_result"])}


def _hubspot(disposition: str, line_result: str) -> str:
    try:
        return hubspot_outcome(Disposition(disposition), LineResult(line_result))
    except ValueError:
        # It is live, so it has none.
        return ""


def _cell(value: object) -> object:
    """Return a value as a spreadsheet may read it: what a caller said must never be a formula."""
    if isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t", "\r")) and not _NUMBER.fullmatch(value):
        return f"'{value}"
    return value
