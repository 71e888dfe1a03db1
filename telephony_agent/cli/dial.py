"""``telephony-agent dial``: lets the agent that runs call somebody, and shows the call as it goes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from telephony_agent.cli.build import playbook_text
from telephony_agent.client import AgentClient, CallReport, DialRefused, client_at

_FIXES = {
    "do_not_call": "they asked not to be called; `telephony-agent do-not-call list` shows who",
    "no_consent": "store the lead with its consent (`telephony-agent leads import`), or give --consent",
    "outside_hours": "call them between AGENT_CALL_OPENS and AGENT_CALL_CLOSES of their clock",
    "unknown_zone": "give --zone, such as America/New_York",
    "country": "add the country to AGENT_COUNTRIES, if you may call there",
    "too_many_attempts": "try again tomorrow; AGENT_ATTEMPTS_PER_DAY is the limit",
    "attempts": "try again tomorrow; AGENT_ATTEMPTS_PER_DAY is the limit",
    "on_the_line": "try again when that call is over",
    "daily_cap": "try again tomorrow; AGENT_DAILY_CAP is the limit",
    "no_place": "try again when a call has ended; AGENT_MAX_CALLS and the engines' speed set how many there may be",
}
"""What to do about a refusal, where its own words don't say it."""


def dial(
    number: Annotated[str, typer.Argument(metavar="[NUMBER]", help="In E.164 form, such as +15005550006.")] = "",
    lead: Annotated[
        int | None, typer.Option("--lead", metavar="ID", help="Call this stored lead instead of a number.")
    ] = None,
    name: Annotated[str, typer.Option("--name", help="Who is called.")] = "",
    consent: Annotated[
        str,
        typer.Option("--consent", metavar="TEXT", help="The words in which they agreed in writing, if not stored."),
    ] = "",
    zone: Annotated[
        str, typer.Option("--zone", metavar="ZONE", help="Their time zone, where the number doesn't tell it.")
    ] = "",
    playbook: Annotated[
        Path | None,
        typer.Option("--playbook", metavar="FILE", help="Call by this playbook, not the agent's: a file, or a name."),
    ] = None,
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Show the call until it is over.")] = True,
    url: Annotated[
        str, typer.Option("--url", help="Where the agent runs; else where AGENT_HOST and AGENT_PORT say.")
    ] = "",
    api_token: Annotated[str, typer.Option("--api-token", help="That agent's AGENT_API_TOKEN.")] = "",
) -> None:
    """Let the running agent call somebody. The law is checked first: hours, consent, country, do-not-call, attempts.

    Exits with 0 if it rang and, unless --no-wait, a person or a mailbox was reached; else with 1.
    """
    if bool(number) == (lead is not None):
        raise typer.BadParameter("give a number, or --lead, one of the two", param_hint="NUMBER")
    console = Console()
    text = playbook_text(playbook) if playbook is not None else ""
    with client_at(url, api_token) as client:
        try:
            call_id = client.dial(number, lead_id=lead, name=name, consent=consent, zone=zone, playbook=text)
        except DialRefused as refused:
            console.print(f"[red]not called[/] ({escape(refused.reason)}): {escape(str(refused))}", soft_wrap=True)
            if refused.reason in _FIXES:
                console.print(f"  {_FIXES[refused.reason]}", markup=False, highlight=False, soft_wrap=True)
            raise typer.Exit(1) from refused
        console.print(f"[dim]{call_id}[/]", highlight=False)
        if wait and not show(client, call_id, console).reached:
            raise typer.Exit(1)


def show(client: AgentClient, call_id: str, console: Console) -> CallReport:
    """Show a call until it is over: its state, what is said as it is heard, and what came of it.

    Raises:
        AgentError: the agent can't be reached any more.
    """
    shown: list[tuple[str, str]] = []
    with console.status("rings ...") as status:
        for report in client.follow(call_id):
            if report.state == "live":
                status.update("talks ...")
            # The last turn may still grow, so it is shown with the one after it.
            finished = report.said if report.over else report.said[:-1]
            for said in finished[len(shown) :]:
                shown.append((said.theirs, said.ours))
                _print_turn(console, said.theirs, said.ours)
    console.print(
        f"[bold]{report.disposition.replace('_', ' ')}[/] (line: {report.line_result.replace('_', ' ')})\n"
        f"{escape(report.summary)}",
        highlight=False,
        soft_wrap=True,
    )
    return report


def _print_turn(console: Console, theirs: str, ours: str) -> None:
    for who, style, words in (("they", "cyan", theirs), ("agent", "green", ours)):
        if words:
            console.print(f"{who:<6}[{style}]{escape(words)}[/]", highlight=False, soft_wrap=True)
