"""The commands around what is remembered: forget a person, the do-not-call list, leads, the compliance log."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from telephony_agent.cli.with_store import with_store
from telephony_agent.settings import Settings
from telephony_agent.store import (
    CallFilter,
    Deleted,
    DoNotCallEntry,
    Head,
    ImportRefused,
    Store,
    StoreUnavailable,
    e164,
)

do_not_call_app = typer.Typer(no_args_is_help=True, help="Show and change the numbers that are never called.")
leads_app = typer.Typer(no_args_is_help=True, help="Work on the people to be called.")
compliance_app = typer.Typer(no_args_is_help=True, help="Work on the compliance log.")

Number = Annotated[str, typer.Argument(metavar="NUMBER", help="In E.164 form, such as +15005550006.")]


def forget(
    number: Number, yes: Annotated[bool, typer.Option("--yes", help="Don't ask whether it is meant.")] = False
) -> None:
    """Delete all that is known of the person with a number; a do-not-call entry stays."""
    spelled = e164(number)
    if not yes:
        typer.confirm(f"Delete the lead, calls, transcripts and recordings of {spelled} for good?", abort=True)
    settings = Settings()
    traces, deleted = with_store(settings, lambda store: _forget(store, spelled, settings.log.trace_dir))
    typer.echo(
        f"Deleted: {deleted.leads} leads, {deleted.calls} calls, {deleted.transcripts} turns of transcripts, "
        f"{deleted.recordings} recordings, {traces} traces, and the person in "
        f"{deleted.log_entries} entries of the compliance log."
    )


async def _forget(store: Store, number: str, trace_dir: Path | None) -> tuple[int, Deleted]:
    traces = 0
    if trace_dir is not None:
        # First: once the calls are forgotten, nobody knows which traces were theirs.
        lead = await store.leads.find(number)
        for wanted in (CallFilter(number=number), CallFilter(lead_id=lead.id) if lead else None):
            if wanted is not None:
                async for row in store.history.export(wanted):
                    traces += _delete_traces(trace_dir, row["call_id"])
    return traces, await store.retention.forget(number, datetime.now(UTC))


def _delete_traces(folder: Path, call_id: str) -> int:
    """Delete a call's traces: the first is called like the call, more of it have a number (``live.trace_file``)."""
    name = re.sub(r"[^A-Za-z0-9]", "_", call_id)
    paths = [*folder.glob(f"{name}.jsonl"), *folder.glob(f"{name}-*.jsonl")]
    for path in paths:
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise StoreUnavailable(f"the trace {path.name} can't be deleted: {error.strerror}") from error
    return len(paths)


@do_not_call_app.command("list")
def list_do_not_call() -> None:
    """Show every number, since when it is on the list and who said so."""
    for entry in with_store(Settings(), _entries):
        typer.echo(f"{entry.number}\t{entry.added_at:%Y-%m-%d}\t{entry.source}")


async def _entries(store: Store) -> list[DoNotCallEntry]:
    entries: list[DoNotCallEntry] = []
    cursor: str | None = None
    while True:
        page = await store.do_not_call.page(cursor=cursor, limit=500)
        entries += page.items
        cursor = page.next_cursor
        if cursor is None:
            return entries


@do_not_call_app.command("add")
def add_do_not_call(
    number: Number, reason: Annotated[str, typer.Option("--reason", help="Who said so.")] = "by hand"
) -> None:
    """Never call a number again."""
    added = with_store(Settings(), lambda store: store.do_not_call.add(number, datetime.now(UTC), reason))
    typer.echo("It is on the list." if added else "It was on the list.")


@do_not_call_app.command("remove")
def remove_do_not_call(
    number: Number, reason: Annotated[str, typer.Option("--reason", help="Why; the compliance log keeps it.")]
) -> None:
    """Take a number off the list."""
    removed = with_store(Settings(), lambda store: store.do_not_call.remove(number, datetime.now(UTC), reason))
    typer.echo("It is off the list." if removed else "It was not on the list.")
    if not removed:
        raise typer.Exit(1)


@leads_app.command("import")
def import_leads(
    file: Annotated[Path, typer.Argument(metavar="FILE.csv", help="With a column for name and one for phone.")],
    source: Annotated[str, typer.Option("--source", help="The source of the rows that name none.")] = "",
) -> None:
    """Add every row of a CSV file that can be a lead; say of every other one why not, and exit with 1."""
    try:
        data = file.read_bytes()
    except OSError as error:
        raise ImportRefused(f"{file} can't be read: {error.strerror}") from error
    report = with_store(Settings(), lambda store: store.leads.import_csv(data, datetime.now(UTC), source=source))
    for row in report.refused:
        typer.echo(f"line {row.line}: {row.reason}", err=True)
    typer.echo(f"{len(report.added)} leads were added, {len(report.refused)} rows refused.")
    if report.refused:
        raise typer.Exit(1)


def head(text: str) -> Head:
    """Read a noted head, as ``verify`` prints it: ``12:9f…``.

    Raises:
        typer.BadParameter: it is none.
    """
    if (read := re.fullmatch(r"(\d+):([0-9a-f]{64})", text)) is None:
        raise typer.BadParameter("write it as `compliance verify` prints it: a number, a colon and 64 digits of a hash")
    return Head(int(read[1]), read[2])


@compliance_app.command("verify")
def verify(
    noted: Annotated[
        Head | None,
        typer.Option("--head", parser=head, metavar="SEQ:HASH", help="A head that was noted earlier must still hold."),
    ] = None,
) -> None:
    """Check that no entry of the compliance log was changed or taken out; exit with 1 if one was."""
    found = with_store(Settings(), lambda store: store.compliance.verify(noted))
    typer.echo(f"{found.entries} entries; the person of {found.erased} was forgotten")
    if found.broken is not None:
        seq, fault = found.broken
        typer.echo(f"entry {seq} {fault}", err=True)
        raise typer.Exit(1)
    typer.echo(
        f"All hold. Note the head elsewhere, since no log shows that its end was cut off:\n{_written(found.head)}"
    )


def _written(noted: Head) -> str:
    return f"{noted.seq}:{noted.hash}"
