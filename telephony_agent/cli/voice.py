"""``telephony-agent voice``: talk with a running agent through microphone and speaker, as a telephone would."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from telephony_agent.cli.called_agent import CalledAgent, given_agent, watched_call
from telephony_agent.cli.typed_keys import typed_keys
from telephony_agent.settings import Settings
from telephony_agent.simulator import CallResult, EndedBy, Script
from telephony_agent.simulator import recording as recordings
from telephony_agent.simulator.caller import Talker
from telephony_agent.simulator.handset import Handset, Person, read_recording, recorded_caller, recorded_script
from telephony_agent.simulator.microphone import opened
from telephony_agent.simulator.report import LiveView

_HANG_UP = "q"


def voice(
    wav: Annotated[
        Path | None,
        typer.Option("--wav", metavar="FILE", help="Play this after the greeting, in place of the microphone."),
    ] = None,
    record: Annotated[
        Path | None, typer.Option("--record", metavar="FILE", help="Record the call as WAV: you left, agent right.")
    ] = None,
    url: Annotated[
        str, typer.Option("--url", help="Where the agent runs; else where AGENT_HOST and AGENT_PORT say.")
    ] = "",
    public_url: Annotated[str, typer.Option("--public-url", help="That agent's AGENT_PUBLIC_URL.")] = "",
    auth_token: Annotated[str, typer.Option("--auth-token", help="That agent's TWILIO_AUTH_TOKEN.")] = "",
    api_token: Annotated[
        str, typer.Option("--api-token", help="That agent's AGENT_API_TOKEN, for the transcripts.")
    ] = "",
) -> None:
    """Call a running agent through microphone and speaker, over the same wire as Twilio. Use headphones.

    What isn't given is taken from the settings (.env). Type 0-9, * and # to press keys, q or Ctrl-C to hang up. Exits
    with 0 if the call ended well: by you or by the agent.
    """
    console = Console()
    agent = _agent(url, public_url, auth_token, api_token)
    if record is not None and not record.resolve().parent.is_dir():
        raise typer.BadParameter(f"there is no folder {record.parent}", param_hint="--record")
    if wav is not None:
        pcm = read_recording(wav)
        script = recorded_script(wav, pcm)
        result = asyncio.run(_talk(script, recorded_caller(script, pcm), agent, console))
    else:
        with opened() as device:
            result = asyncio.run(_talk(Script("microphone", ()), Person(device), agent, console))
    if record is not None:
        recordings.write(record, result.caller, result.agent)
    if not _ended_well(result):
        console.print(f"voice: {result.gave_up or result.end_reason}", style="red", markup=False, highlight=False)
        raise typer.Exit(1)


def _agent(url: str, public_url: str, auth_token: str, api_token: str) -> CalledAgent:
    """Return the agent to call: what was given, the rest from the settings of this machine's."""
    settings = Settings()
    server = settings.server
    # An agent that checks no signatures takes any.
    own = settings.twilio.auth_tokens or (("unsigned",) if server.allow_unsigned else ())
    return given_agent(
        url or f"http://{server.host}:{server.port}",
        public_url or server.public_url,
        auth_token or ",".join(own),
        api_token or server.api_token.get_secret_value(),
    )


async def _talk(script: Script, talker: Talker, agent: CalledAgent, console: Console) -> CallResult:
    handset = Handset(talker)

    def press(keys: str) -> None:
        if _HANG_UP in keys:
            handset.hang_up()
        handset.type_keys(keys)

    if not agent.api_token:
        console.print("[dim]no transcripts: they need the agent's AGENT_API_TOKEN[/]")
    with typed_keys(sys.stdin, press) as typing, _interrupted(handset.hang_up):
        if typing:
            console.print("[dim]keys: 0-9 * #; q hangs up[/]", highlight=False)
        result, _ = await watched_call(script, agent, LiveView(console), caller=handset)
    return result


@contextmanager
def _interrupted(hang_up: Callable[[], None]) -> Iterator[None]:
    """Let Ctrl-C hang up, as people do, instead of tearing the line."""
    before = signal.signal(signal.SIGINT, lambda *_: hang_up())
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _ended_well(result: CallResult) -> bool:
    by_a_side = result.ended_by in (EndedBy.AGENT, EndedBy.CALLER)
    return by_a_side and not result.gave_up and not result.turned_away and bool(result.streams)
