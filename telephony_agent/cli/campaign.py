"""``telephony-agent campaign``: calls many leads one after another; the server does it, this begins and shows it."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text
from typer.core import TyperGroup

from telephony_agent.cli.build import playbook_text
from telephony_agent.client import AgentClient, client_at
from telephony_agent.sales.campaign import ABANDONED_SHARE
from telephony_agent.store import ImportRefused

POLL_S = 1.0
OVER = frozenset({"finished", "stopped", "held", "paused"})
"""States in which nothing goes on by itself."""
_BEGIN = "start"
_COLOURS = {"running": "green", "finished": "green", "paused": "yellow", "held": "red", "stopped": "red"}


class _FileFirst(TyperGroup):
    """Takes what is no command for a file: ``campaign leads.csv`` is ``campaign start leads.csv``."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if args and args[0] not in self.commands and args[0] not in ("--help", "-h"):
            args = [_BEGIN, *args]
        return super().parse_args(ctx, args)


app = typer.Typer(
    cls=_FileFirst,
    no_args_is_help=True,
    help="Call the leads of a CSV file one after another: `campaign leads.csv`. The server does it and must run.",
)
CampaignId = Annotated[int, typer.Argument(metavar="ID", min=1, help="As `campaign list` shows it.")]
Url = Annotated[str, typer.Option("--url", help="Where the agent runs; else where AGENT_HOST and AGENT_PORT say.")]
ApiToken = Annotated[str, typer.Option("--api-token", help="That agent's AGENT_API_TOKEN.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the server's answer as JSON.")]


@app.command(_BEGIN)
def start(
    file: Annotated[Path, typer.Argument(metavar="FILE.csv", help="As for `leads import`; leads may be in the store.")],
    name: Annotated[str, typer.Option("--name", help="What the campaign is called; else as the file.")] = "",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Call nobody; say of each lead why it would not be called now.")
    ] = False,
    pace: Annotated[float, typer.Option("--pace", min=0.001, max=100, help="Calls begun in a second.")] = 1.0,
    at_once: Annotated[
        int,
        typer.Option("--at-once", min=0, max=1000, metavar="N", help="Live calls at most; 0: as the engines can bear."),
    ] = 0,
    retry: Annotated[
        list[str] | None,
        typer.Option(
            "--retry",
            metavar="RESULT:AFTER:TIMES",
            help="When to call again, e.g. busy:15m:3, failed:1h or voicemail:never. Repeat it for more.",
        ),
    ] = None,
    playbook: Annotated[
        Path | None,
        typer.Option("--playbook", metavar="FILE", help="Call by this playbook, not the agent's: a file, or a name."),
    ] = None,
    source: Annotated[str, typer.Option("--source", help="The source of the rows that name none.")] = "",
    follow: Annotated[
        bool, typer.Option("--follow/--no-follow", help="Show how it goes until it is over; Ctrl-C only looks away.")
    ] = True,
    as_json: AsJson = False,
    url: Url = "",
    api_token: ApiToken = "",
) -> None:
    """Begin a campaign; `campaign FILE.csv` is short for it. Exits with 1 if rows were refused or it was held."""
    people = {"csv": _text_of(file), "source": source}
    text = playbook_text(playbook) if playbook is not None else None
    console = Console(stderr=as_json)
    with client_at(url, api_token) as api:
        if dry_run:
            _show_check(api.ask("POST", "/campaigns/check", json=people), console, as_json=as_json)
            return
        options = {"name": name or file.stem, "pace": pace, "at_once": at_once, "retry": retry or [], "playbook": text}
        begun = api.ask("POST", "/campaigns", json={**people, **options})
        _show_refused_rows(begun["refused_rows"])
        last = _followed(api, begun, console) if follow else begun
        _show(last, console, as_json=as_json)
    if begun["refused_rows"] or last["state"] == "held":
        raise typer.Exit(1)


@app.command("list")
def list_campaigns(as_json: AsJson = False, url: Url = "", api_token: ApiToken = "") -> None:
    """List the campaigns, newest first."""
    with client_at(url, api_token) as api:
        campaigns = list(_pages(api, "/campaigns", "campaigns"))
    if as_json:
        typer.echo(json.dumps(campaigns))
        return
    table = Table(box=None)
    for heading in ("id", "name", "state", "leads", "over", "waiting", "abandoned"):
        table.add_column(heading, justify="left" if heading in ("name", "state") else "right")
    for one in campaigns:
        counts = (str(_all(one)), str(_over(one)), str(one["progress"]["waiting"]), _abandoned(one))
        table.add_row(str(one["id"]), Text(one["name"]), _state(one), *counts)
    Console().print(table)


@app.command()
def show(
    campaign_id: CampaignId,
    leads: Annotated[bool, typer.Option("--leads", help="Show each lead as well.")] = False,
    follow: Annotated[bool, typer.Option("--follow", help="Go on showing until it is over.")] = False,
    as_json: AsJson = False,
    url: Url = "",
    api_token: ApiToken = "",
) -> None:
    """Show how a campaign stands."""
    console = Console(stderr=as_json)
    with client_at(url, api_token) as api:
        told = api.ask("GET", f"/campaigns/{campaign_id}")
        told = _followed(api, told, console) if follow else told
        if leads:
            told["leads"] = list(_pages(api, f"/campaigns/{campaign_id}/leads", "leads"))
    _show(told, console, as_json=as_json)


@app.command()
def pause(campaign_id: CampaignId, url: Url = "", api_token: ApiToken = "") -> None:
    """Begin no more calls for now; live ones go on."""
    _changed(client_at(url, api_token), campaign_id, "pause")


@app.command()
def resume(campaign_id: CampaignId, url: Url = "", api_token: ApiToken = "") -> None:
    """Go on with a campaign that is paused, or held because calls were abandoned."""
    _changed(client_at(url, api_token), campaign_id, "resume")


@app.command()
def stop(campaign_id: CampaignId, url: Url = "", api_token: ApiToken = "") -> None:
    """Begin no more calls, ever; live ones go on."""
    _changed(client_at(url, api_token), campaign_id, "stop")


@app.command()
def delete(campaign_id: CampaignId, url: Url = "", api_token: ApiToken = "") -> None:
    """Delete a campaign that is over; its leads and their calls stay."""
    with client_at(url, api_token) as api:
        told = api.ask("DELETE", f"/campaigns/{campaign_id}")
    typer.echo(f"Campaign {campaign_id} ({told['name']}) is deleted.")


def _changed(client: AgentClient, campaign_id: int, change: str) -> None:
    with client as api:
        told = api.ask("POST", f"/campaigns/{campaign_id}/{change}")
    typer.echo(f"Campaign {campaign_id} is {told['state']}.")


def _text_of(file: Path) -> str:
    """Read a CSV file as text; what isn't UTF-8 is what a spreadsheet on Windows writes."""
    try:
        data = file.read_bytes()
    except OSError as error:
        raise ImportRefused(f"{file} can't be read: {error.strerror}") from error
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("cp1252", "replace")


def _pages(api: AgentClient, path: str, name: str) -> Iterator[dict[str, Any]]:
    query: dict[str, Any] = {"limit": 100}
    while True:
        page = api.ask("GET", path, params=query)
        yield from page[name]
        if page["next_cursor"] is None:
            return
        query["cursor"] = page["next_cursor"]


# How it is shown


def _followed(api: AgentClient, told: dict[str, Any], console: Console) -> dict[str, Any]:
    """Show a campaign until nothing goes on in it; who looks away ends nothing."""
    with Live(_view(told), console=console, transient=True, refresh_per_second=4) as live:
        try:
            while told["state"] not in OVER or told["progress"]["dialling"] or told["progress"]["talking"]:
                time.sleep(POLL_S)
                told = api.ask("GET", f"/campaigns/{told['id']}")
                live.update(_view(told))
        except KeyboardInterrupt:
            console.print(f"[dim]it goes on; look again with `telephony-agent campaign show {told['id']} --follow`[/]")
    return told


def _show(told: dict[str, Any], console: Console, *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(told))
        return
    console.print(_view(told))
    if "leads" in told:
        console.print(_leads(told["leads"]))


def _view(told: dict[str, Any]) -> Group:
    """Return how a campaign stands: a line, a bar, a table."""
    total, over, progress = _all(told), _over(told), told["progress"]
    heading = Text.assemble(f"campaign {told['id']} ", (told["name"], "bold"), "  ", _state(told))
    heading.append(f"  {over} of {total} leads")
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    table.add_row("waiting", str(progress["waiting"]), _when(progress["next_at"]))
    table.add_row("dialling", str(progress["dialling"]))
    table.add_row("talking", str(progress["talking"]))
    for disposition, count in sorted(progress["done"].items()):
        table.add_row(f"done: {_words(disposition)}", str(count))
    for reason, count in sorted(progress["refused"].items()):
        table.add_row(f"refused: {_words(reason)}", str(count))
    table.add_row("abandoned", _abandoned(told), f"of answered calls; at most {ABANDONED_SHARE:.0%}")
    bar = Table.grid()
    bar.add_row(ProgressBar(total or 1, over, width=60))
    parts: list[Text | Table] = [heading, bar, table]
    if told["reason"]:
        parts.append(Text(told["reason"], style="red"))
    return Group(*parts)


def _leads(leads: Sequence[dict[str, Any]]) -> Table:
    table = Table(box=None)
    for heading in ("lead", "name", "state", "calls", "line result", "disposition", "next or why not"):
        table.add_column(heading)
    for one in leads:
        why = one["detail"] or _words(one["reason"])
        waits = f"{_when(one['next_at'])} {why}".strip() if one["next_at"] else why
        results = (_words(one["line_result"] or ""), _words(one["disposition"] or ""))
        table.add_row(str(one["lead_id"]), Text(one["name"]), one["state"], str(one["attempts"]), *results, Text(waits))
    return table


def _show_check(told: dict[str, Any], console: Console, *, as_json: bool) -> None:
    """Show whom a campaign would call now, and of all others why not."""
    if as_json:
        typer.echo(json.dumps(told))
        return
    _show_refused_rows(told["refused_rows"])
    not_now = [one for one in told["prospects"] if one["reason"] != "allowed"]
    table = Table(box=None)
    for heading in ("name", "number", "why not now", "called"):
        table.add_column(heading)
    for one in not_now:
        why = one["detail"] or _words(one["reason"])
        called = _when(one["waits_until"]) if one["waits_until"] else "never"
        table.add_row(Text(one["name"]), f"…{one['phone'][-4:]}", Text(why), called)
    if not_now:
        console.print(table)
    waits = sum(one["waits_until"] is not None for one in not_now)
    at_once = len(told["prospects"]) - len(not_now)
    console.print(f"{at_once} would be called now, {waits} later, {len(not_now) - waits} never. Nothing was done.")


def _show_refused_rows(rows: Sequence[dict[str, Any]]) -> None:
    for row in rows:
        typer.echo(f"line {row['line']}: {row['reason']}", err=True)


def _all(told: dict[str, Any]) -> int:
    progress = told["progress"]
    return _over(told) + int(progress["waiting"] + progress["dialling"] + progress["talking"])


def _over(told: dict[str, Any]) -> int:
    counts: list[int] = [*told["progress"]["done"].values(), *told["progress"]["refused"].values()]
    return sum(counts)


def _abandoned(told: dict[str, Any]) -> str:
    if not told["answered"]:
        return "0"
    return f"{told['abandoned']} of {told['answered']} ({told['abandoned'] / told['answered']:.1%})"


def _state(told: dict[str, Any]) -> Text:
    return Text(told["state"], style=_COLOURS[told["state"]])


def _when(moment: str | None) -> str:
    """Return a moment as a person reads it, in this machine's zone."""
    return f"{datetime.fromisoformat(moment).astimezone():%a %H:%M:%S}" if moment else ""


def _words(name: str) -> str:
    return name.replace("_", " ")
