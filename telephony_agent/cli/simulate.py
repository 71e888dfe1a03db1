"""``telephony-agent simulate``: calls on loopback, from Twilio's twin to the agent, spoken and heard for real."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any, NoReturn, TypeVar

import typer
from rich.console import Console

from telephony_agent.cli.called_agent import CalledAgent, given_agent, watched_call
from telephony_agent.cli.called_callee import called_by_agent
from telephony_agent.cli.turn_taking import Suite, SuiteOrder, families_named, run_suite
from telephony_agent.client import CallReport
from telephony_agent.errors import TelephonyAgentError
from telephony_agent.simulator import (
    Callee,
    Script,
    ScriptError,
    Speaker,
    load,
    load_callee,
    spoken,
)
from telephony_agent.simulator import recording as recordings
from telephony_agent.simulator.agent_process import PUBLIC_URL, Credentials, running_agent
from telephony_agent.simulator.report import LiveView, Report
from telephony_agent.simulator.suite import Target

_Outcome = TypeVar("_Outcome")


def simulate(
    script: Annotated[
        str, typer.Option("--script", metavar="NAME|PATH", help="A caller script that ships, or a YAML file.")
    ] = "quickstart",
    callee: Annotated[
        str,
        typer.Option("--callee", metavar="NAME|PATH", help="Let the agent call somebody who ships, or a YAML file."),
    ] = "",
    say: Annotated[
        list[str] | None,
        typer.Option("--say", metavar="TEXT", help="Say this instead of a script; repeat it for more."),
    ] = None,
    url: Annotated[
        str,
        typer.Option("--url", help="Call an agent that runs here, e.g. http://127.0.0.1:8080; else one is started."),
    ] = "",
    public_url: Annotated[
        str, typer.Option("--public-url", envvar="AGENT_PUBLIC_URL", help="That agent's AGENT_PUBLIC_URL.")
    ] = "",
    auth_token: Annotated[
        str, typer.Option("--auth-token", envvar="TWILIO_AUTH_TOKEN", help="That agent's TWILIO_AUTH_TOKEN.")
    ] = "",
    api_token: Annotated[
        str,
        typer.Option("--api-token", envvar="AGENT_API_TOKEN", help="That agent's AGENT_API_TOKEN, for transcripts."),
    ] = "",
    record: Annotated[
        Path | None, typer.Option("--record", metavar="WAV", help="Record the call: caller left, agent right.")
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object on stdout; the rest on stderr.")
    ] = False,
    suite: Annotated[
        Suite | None,
        typer.Option("--suite", help="Instead of one call, a set that scores how calls feel: half an hour."),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="Draws the suite's calls: same seed, same calls.")] = 1,
    repeat: Annotated[
        int, typer.Option("--repeat", min=1, help="How often each kind of the suite's calls is drawn.")
    ] = 1,
    report: Annotated[
        Path | None, typer.Option("--report", metavar="HTML", help="Write the suite's calls as pictures to look at.")
    ] = None,
    baseline: Annotated[
        bool,
        typer.Option(
            "--baseline/--no-baseline",
            help="Play the suite a second time to compare: with a silence timer, or with --at-once one at a time.",
        ),
    ] = True,
    families: Annotated[
        str,
        typer.Option("--families", metavar="NAME,...", help="Only these families of the suite, e.g. ends,side-talk."),
    ] = "",
    at_once: Annotated[
        int, typer.Option("--at-once", min=1, metavar="N", help="Hold so many of the suite's calls side by side.")
    ] = 1,
) -> None:
    """Hold a call with the agent on this machine: no account, no telephone, real speech both ways.

    With --callee the agent calls: a human, a busy line, nobody, a voicemail, a menu, a screening, a fax and others.
    Exits with 0 if the call ran to its intended end and the agent spoke in every turn, else with 1; with --suite, with
    0 if every goal is reached (of some families: every goal that they have events for).
    """
    console = Console(stderr=as_json)
    target = given_agent(url, public_url, auth_token, api_token) if url else None
    for path, option in ((record, "--record"), (report, "--report")):
        if path is not None and not path.resolve().parent.is_dir():
            raise typer.BadParameter(f"there is no folder {path.parent}", param_hint=option)
    if suite is not None:
        chosen = families_named(families)
        order = SuiteOrder(seed, repeat, baseline, chosen, at_once, report, _as_suite_target(target))
        verdict = _run(run_suite(order, console))
        _leave(verdict.as_json() if as_json else None, good=verdict.ok)
    if callee:
        _leave_called(_run(called_by_agent(_callee(callee), console)), as_json=as_json)
    try:
        caller = spoken(tuple(say)) if say else load(script)
    except ScriptError as error:
        raise typer.BadParameter(str(error), param_hint="--script") from error
    outcome = _run(_simulate(caller, target, record, console))
    outcome.show(console)
    _leave(outcome.as_json() if as_json else None, good=not outcome.problems())


def _run(work: Coroutine[Any, Any, _Outcome]) -> _Outcome:
    """Run to the end; what the user can mend is one line and exit code 1."""
    try:
        return asyncio.run(work)
    except (TelephonyAgentError, OSError) as error:
        Console(stderr=True).print(f"simulate: {error}", style="red", markup=False, highlight=False)
        raise typer.Exit(1) from error


def _leave(found: dict[str, Any] | None, *, good: bool) -> NoReturn:
    if found is not None:
        typer.echo(json.dumps(found))
    raise typer.Exit(0 if good else 1)


def _callee(name: str) -> Callee:
    try:
        return load_callee(name)
    except ScriptError as error:
        raise typer.BadParameter(str(error), param_hint="--callee") from error


def _leave_called(outcome: CallReport, *, as_json: bool) -> NoReturn:
    found = {"line_result": outcome.line_result, "disposition": outcome.disposition, "summary": outcome.summary}
    _leave(found if as_json else None, good=outcome.over)


def _as_suite_target(target: CalledAgent | None) -> Target | None:
    if target is None:
        return None
    return Target(target.url, target.public_url, target.account_sid, target.auth_token, target.api_token)


async def _simulate(script: Script, target: CalledAgent | None, record: Path | None, console: Console) -> Report:
    speaker = Speaker() if script.speaks else None  # before the agent is started: it may be missing
    async with _reached(target, console) as agent:
        result, account = await watched_call(script, agent, LiveView(console), speaker=speaker)
        report = Report(result, account, record)
        if agent.process is not None and report.problems():
            console.print(f"the agent's last words:\n{agent.process.last_lines()}", style="dim", markup=False)
    if record is not None:
        recordings.write(record, result.caller, result.agent)
    return report


@asynccontextmanager
async def _reached(target: CalledAgent | None, console: Console) -> AsyncIterator[CalledAgent]:
    """Give the agent that was named, or start one."""
    if target is not None:
        yield target
        return
    secrets = Credentials()
    console.print("[dim]starting the agent ...[/]", highlight=False)
    async with running_agent(secrets) as agent:
        yield CalledAgent(agent.url, PUBLIC_URL, secrets.account_sid, secrets.auth_token, secrets.api_token, agent)
