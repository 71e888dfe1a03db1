"""``telephony-agent doctor``: runs the examination and shows what it found."""

from __future__ import annotations

import asyncio
import json
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from telephony_agent.cli.doctor.examination import Examination, examine, new_patient
from telephony_agent.cli.doctor.finding import Finding, Grade
from telephony_agent.telemetry import set_up_logging

_STYLES = {Grade.OK: "green", Grade.WARNING: "yellow", Grade.WRONG: "bold red"}


def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead of a table.")] = False,
    quick: Annotated[
        bool, typer.Option("--quick", help="Leave out what loads the models: the measurement and the call.")
    ] = False,
) -> None:
    """Look for whatever stands between this machine and a ringing phone, and name each fix.

    Changes nothing, but makes the data folder if there is none. A call is simulated, on the agent that runs here or on
    one that is started for it. Exits with 1 if something is wrong; warnings are no faults.
    """
    set_up_logging("ERROR", as_json=False)
    patient = new_patient()
    console = Console(stderr=as_json)
    with console.status("looking ...") as status:
        work = examine(patient, quick=quick, announce=lambda name: status.update(f"looking at: {name}"))
        found = asyncio.run(work)
    if as_json:
        results = [result.as_json() for result in found.results]
        typer.echo(json.dumps({"ok": found.healthy, "checks": results}, ensure_ascii=False))
    else:
        _show(found, console)
    raise typer.Exit(0 if found.healthy else 1)


def _show(found: Examination, console: Console) -> None:
    table = Table("check", Column("", no_wrap=True), Column("what was seen, and the fix", overflow="fold"))
    for result in found.results:
        grade = result.finding.grade
        table.add_row(result.name, Text(grade.value, _STYLES[grade]), _told(result.finding))
    console.print(table)
    counts = {grade: sum(result.finding.grade is grade for result in found.results) for grade in Grade}
    console.print(", ".join(f"{count} {grade.value}" for grade, count in counts.items()), highlight=False)


def _told(finding: Finding) -> Text:
    told = Text(finding.seen)
    if finding.fix:
        told.append(f"\n→ {finding.fix}", _STYLES[finding.grade])
    return told
