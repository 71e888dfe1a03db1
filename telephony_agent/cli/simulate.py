"""``telephony-agent simulate``: calls on loopback, from Twilio's twin to the agent, spoken and heard for real."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, NoReturn, TypeVar

import typer
from rich.console import Console

from telephony_agent.cli.turn_taking import Suite, SuiteOrder, families_named, run_suite
from telephony_agent.errors import TelephonyAgentError
from telephony_agent.simulator import (
    CallResult,
    Parties,
    PlacedCall,
    Script,
    ScriptError,
    Speaker,
    load,
    place_call,
    spoken,
)
from telephony_agent.simulator import recording as recordings
from telephony_agent.simulator.account import Account, AccountClient
from telephony_agent.simulator.agent_process import PUBLIC_URL, Credentials, RunningAgent, running_agent
from telephony_agent.simulator.report import LiveView, Report
from telephony_agent.simulator.suite import Target

_POLL_S = 0.7
_Outcome = TypeVar("_Outcome")


@dataclass(frozen=True, slots=True)
class _Target:
    """The agent to call and the secrets that it shares; ``api_token`` may be empty, then it isn't asked.

    ``process`` is the agent's, if it was started for this call.
    """

    url: str
    public_url: str
    account_sid: str
    auth_token: str
    api_token: str
    process: RunningAgent | None = None


def simulate(
    script: Annotated[
        str, typer.Option("--script", metavar="NAME|PATH", help="A caller script that ships, or a YAML file.")
    ] = "quickstart",
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

    Exits with 0 if the call ran to its intended end and the agent spoke in every turn, else with 1; with --suite, with
    0 if every goal is reached (of some families: every goal that they have events for).
    """
    console = Console(stderr=as_json)
    target = _given_target(url, public_url, auth_token, api_token) if url else None
    for path, option in ((record, "--record"), (report, "--report")):
        if path is not None and not path.resolve().parent.is_dir():
            raise typer.BadParameter(f"there is no folder {path.parent}", param_hint=option)
    if suite is not None:
        chosen = families_named(families)
        order = SuiteOrder(seed, repeat, baseline, chosen, at_once, report, _as_suite_target(target))
        verdict = _run(run_suite(order, console))
        _leave(verdict.as_json() if as_json else None, good=verdict.ok)
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


def _as_suite_target(target: _Target | None) -> Target | None:
    if target is None:
        return None
    return Target(target.url, target.public_url, target.account_sid, target.auth_token, target.api_token)


def _given_target(url: str, public_url: str, auth_token: str, api_token: str) -> _Target:
    """Check what a call to a running agent needs.

    Raises:
        typer.BadParameter: a URL that is none, or no token to sign with.
    """
    if not url.startswith(("http://", "https://")):
        raise typer.BadParameter(f"{url!r} must begin with http:// or https://", param_hint="--url")
    public = public_url or url
    if not public.startswith(("http://", "https://")):
        raise typer.BadParameter(f"{public!r} must begin with https://", param_hint="--public-url")
    primary = auth_token.partition(",")[0].strip()
    if not primary:
        fix = "--url needs the agent's auth token to sign with: give --auth-token or set TWILIO_AUTH_TOKEN"
        raise typer.BadParameter(fix, param_hint="--auth-token")
    account_sid = os.environ.get("TWILIO_ACCOUNT_SID") or Credentials().account_sid
    return _Target(url.rstrip("/"), public, account_sid, primary, api_token)


async def _simulate(script: Script, target: _Target | None, record: Path | None, console: Console) -> Report:
    speaker = Speaker() if script.speaks else None  # before the agent is started: it may be missing
    async with _reached(target, console) as agent:
        result, account = await _watched_call(script, agent, speaker, LiveView(console))
        report = Report(result, account, record)
        if agent.process is not None and report.problems():
            console.print(f"the agent's last words:\n{agent.process.last_lines()}", style="dim", markup=False)
    if record is not None:
        recordings.write(record, result.caller, result.agent)
    return report


@asynccontextmanager
async def _reached(target: _Target | None, console: Console) -> AsyncIterator[_Target]:
    """Give the agent that was named, or start one."""
    if target is not None:
        yield target
        return
    secrets = Credentials()
    console.print("[dim]starting the agent ...[/]", highlight=False)
    async with running_agent(secrets) as agent:
        yield _started(agent, secrets)


def _started(agent: RunningAgent, secrets: Credentials) -> _Target:
    return _Target(agent.url, PUBLIC_URL, secrets.account_sid, secrets.auth_token, secrets.api_token, agent)


async def _watched_call(
    script: Script, agent: _Target, speaker: Speaker | None, view: LiveView
) -> tuple[CallResult, Account | None]:
    parties = Parties(account_sid=agent.account_sid)
    call = PlacedCall(script, agent.url, agent.public_url, agent.auth_token, parties)
    if not agent.api_token:
        return await place_call(call, speaker=speaker, on_event=view.follow), None
    async with AccountClient(agent.url, agent.api_token) as client:
        watcher = asyncio.create_task(_watch(client, parties.call_sid, view))
        try:
            result = await place_call(call, speaker=speaker, on_event=view.follow)
        finally:
            watcher.cancel()
            await asyncio.gather(watcher, return_exceptions=True)
        account = await client.fetch(parties.call_sid)
    view.tell(account)
    return result, account


async def _watch(client: AccountClient, call_sid: str, view: LiveView) -> None:
    """Show what the agent understands while the call goes on."""
    while True:
        await asyncio.sleep(_POLL_S)
        view.tell(await client.fetch(call_sid))
