"""``telephony-agent twin``: Twilio's twin as a server of its own, for any agent; docs/twin.md tells how to use it."""

from __future__ import annotations

import asyncio
import secrets
import signal
from typing import Annotated

import typer
from rich.console import Console

from telephony_agent.simulator import (
    Behaviour,
    CallbackFault,
    Callee,
    DialPace,
    Event,
    EventKind,
    Faults,
    Limits,
    RequestKind,
    RestFault,
    RestFaults,
    ScriptError,
    Tunnel,
    TwinAccount,
    TwinSettings,
    load_callee,
    running_twin,
    shipped_directory,
)
from telephony_agent.simulator.parties import made_up_sid

_SHOWN = frozenset(
    {EventKind.RINGS, EventKind.ANSWERED, EventKind.VERB, EventKind.NOTICE, EventKind.ENDED, EventKind.CALLER_SPEAKS}
)


def twin(
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="Where to listen; 0: on a free port.")] = 8090,
    host: Annotated[str, typer.Option("--host", help="Where to listen.")] = "127.0.0.1",
    agent_url: Annotated[
        str, typer.Option("--agent-url", help="Where the agent listens, e.g. http://127.0.0.1:8080.")
    ] = "",
    public_url: Annotated[
        str, typer.Option("--public-url", help="What the agent believes to be its address, e.g. https://agent.example.")
    ] = "",
    agent_number: Annotated[
        list[str] | None,
        typer.Option("--agent-number", metavar="NUMBER", help="A number of the account; repeat it for more."),
    ] = None,
    account_sid: Annotated[
        str, typer.Option("--account-sid", envvar="TWILIO_ACCOUNT_SID", help="Else one is made up.")
    ] = "",
    auth_token: Annotated[
        str, typer.Option("--auth-token", envvar="TWILIO_AUTH_TOKEN", help="Else one is made up.")
    ] = "",
    callee: Annotated[
        list[str] | None,
        typer.Option("--callee", metavar="[NUMBER=]NAME|FILE", help="Who answers that number, or every other one."),
    ] = None,
    fault: Annotated[
        list[str] | None,
        typer.Option("--fault", metavar="KIND:FAULT:SHARE", help="E.g. create-call:timeout-after:0.05."),
    ] = None,
    callbacks: Annotated[
        CallbackFault, typer.Option("--callbacks", help="How status callbacks arrive.")
    ] = CallbackFault.NONE,
    ring_ms: Annotated[
        int, typer.Option("--ring-ms", min=1, help="One ring; shorter ones shorten the ring timeout too.")
    ] = DialPace().ring_ms,
    calls_per_s: Annotated[
        float, typer.Option("--calls-per-second", min=0.01, help="The rate at which calls are dialled.")
    ] = 1.0,
    seed: Annotated[int, typer.Option("--seed", help="Draws faults and jitter: same seed, same bad days.")] = 1,
) -> None:
    """Run a Twilio account on this machine: its REST API, its callbacks, its media streams, and people to call.

    Nothing leaves this machine but what is posted to the URLs that the agent gives. Ends with Ctrl-C.
    """
    if public_url and not agent_url:
        raise typer.BadParameter("needs --agent-url, where that address leads to", param_hint="--public-url")
    by_number, default = _callees(callee or [])
    usual = TwinAccount()
    primary = auth_token.partition(",")[0].strip()
    settings = TwinSettings(
        directory=shipped_directory(by_number, default),
        account=TwinAccount(
            account_sid=account_sid or made_up_sid("AC"),
            auth_token=primary or secrets.token_hex(16),
            numbers=tuple(agent_number or usual.numbers),
        ),
        tunnel=Tunnel(public_url or agent_url, agent_url),
        pace=DialPace(ring_ms=ring_ms),
        behaviour=Behaviour(Faults(callbacks=callbacks)),
        limits=Limits(calls_per_s=calls_per_s),
        rest_faults=RestFaults(shares=_shares(fault or [])),
        seed=seed,
    )
    console = Console()
    try:
        asyncio.run(_serve(settings, host, port, console, show_token=not primary))
    except OSError as error:
        message = f"twin: can't listen on {host}:{port}: {error}; choose another --port, or 0 for a free one"
        Console(stderr=True).print(message, style="red", markup=False, highlight=False, soft_wrap=True)
        raise typer.Exit(1) from error


async def _serve(settings: TwinSettings, host: str, port: int, console: Console, *, show_token: bool) -> None:
    done = asyncio.Event()
    loop = asyncio.get_running_loop()
    for sign in (signal.SIGINT, signal.SIGTERM):
        signal.signal(sign, lambda *_: loop.call_soon_threadsafe(done.set))

    def show(call_sid: str, event: Event) -> None:
        if event.kind in _SHOWN:
            text = f"{call_sid[:10]} {event.at_ms / 1000:8.2f} s  {event.kind.value.replace('_', ' ')}  {event.text}"
            console.print(text.rstrip(), markup=False, highlight=False)

    async with running_twin(settings, host=host, port=port, on_event=show) as twin:
        account = settings.account
        lines = [
            f"Twilio's twin listens on {twin.url}; its calls are shown there",
            f"  account   {account.account_sid}",
            f"  token     {account.auth_token if show_token else 'as given'}",
            f"  numbers   {', '.join(account.numbers)}",
            f"  agent     AGENT_TWILIO_API_URL={twin.url}, or client.api.base_url = {twin.url!r}",
        ]
        console.print("\n".join(lines), markup=False, highlight=False, soft_wrap=True)
        await done.wait()


def _callees(given: list[str]) -> tuple[dict[str, Callee], Callee | None]:
    """Read who answers which number; one without a number answers all others."""
    by_number: dict[str, Callee] = {}
    default = None
    for text in given:
        number, _, name = text.partition("=")
        try:
            if number.startswith("+"):
                by_number[number] = load_callee(name)
            else:
                default = load_callee(text)
        except ScriptError as error:
            raise typer.BadParameter(str(error), param_hint="--callee") from error
    return by_number, default


def _shares(given: list[str]) -> dict[RequestKind, dict[RestFault, float]]:
    """Read which faults strike which requests how often."""
    shares: dict[RequestKind, dict[RestFault, float]] = {}
    for text in given:
        try:
            kind, fault, share = text.split(":")
            chance = float(share)
            if not 0 <= chance <= 1:
                raise ValueError(f"{chance} is no share")
            shares.setdefault(RequestKind(kind), {})[RestFault(fault)] = chance
        except ValueError as error:
            kinds, faults = ", ".join(RequestKind), ", ".join(RestFault)
            fix = (
                f"{text!r} must be KIND:FAULT:SHARE, with a kind of {kinds}, a fault of {faults} and a share of 0 to 1"
            )
            raise typer.BadParameter(fix, param_hint="--fault") from error
    return shares
