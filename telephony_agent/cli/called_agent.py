"""The agent that the commands of the twin call: where it is, the secrets that it shares, a call shown as it goes."""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass

import typer

from telephony_agent.simulator import CallResult, Parties, PlacedCall, Script, Speaker, place_call
from telephony_agent.simulator.account import Account, AccountClient
from telephony_agent.simulator.agent_process import Credentials, RunningAgent
from telephony_agent.simulator.caller import Talker
from telephony_agent.simulator.report import LiveView

_POLL_S = 0.7


@dataclass(frozen=True, slots=True)
class CalledAgent:
    """The agent to call and the secrets that it shares; ``api_token`` may be empty, then it isn't asked.

    ``process`` is the agent's, if it was started for this call.
    """

    url: str
    public_url: str
    account_sid: str
    auth_token: str
    api_token: str
    process: RunningAgent | None = None


def given_agent(url: str, public_url: str, auth_token: str, api_token: str) -> CalledAgent:
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
        fix = "a call to a running agent is signed with its auth token: give --auth-token or set TWILIO_AUTH_TOKEN"
        raise typer.BadParameter(fix, param_hint="--auth-token")
    account_sid = os.environ.get("TWILIO_ACCOUNT_SID") or Credentials().account_sid
    return CalledAgent(url.rstrip("/"), public, account_sid, primary, api_token)


async def watched_call(
    script: Script,
    agent: CalledAgent,
    view: LiveView,
    *,
    speaker: Speaker | None = None,
    caller: Talker | None = None,
) -> tuple[CallResult, Account | None]:
    """Hold a call and show it as it goes; return it with the agent's own account, if that may be asked for.

    Raises:
        SpeechError: the script speaks, and espeak-ng is missing or fails.
    """
    parties = Parties(account_sid=agent.account_sid)
    call = PlacedCall(script, agent.url, agent.public_url, agent.auth_token, parties)
    if not agent.api_token:
        return await place_call(call, speaker=speaker, caller=caller, on_event=view.follow), None
    async with AccountClient(agent.url, agent.api_token) as client:
        watcher = asyncio.create_task(_watch(client, parties.call_sid, view))
        try:
            result = await place_call(call, speaker=speaker, caller=caller, on_event=view.follow)
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
