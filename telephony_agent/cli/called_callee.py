"""A call of the agent's to somebody of the twin's, both on this machine: placed over REST, shown as it goes."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import httpx
from rich.console import Console

from telephony_agent.client import AgentClient, CallReport
from telephony_agent.simulator import Callee, Event
from telephony_agent.simulator.account import AccountClient
from telephony_agent.simulator.report import LiveView
from telephony_agent.simulator.twin_and_agent import Pair, twin_and_agent

NUMBER = "+12125550155"
_CONSENT = "Yes, you may call me about this trial."
_POLL_S = 0.7


async def called_by_agent(callee: Callee, console: Console) -> CallReport:
    """Start an agent and its twin, let the one call the other, and return what came of it.

    The lead has consented, it is noon where they live, and nothing is kept of it.

    Raises:
        AgentStartError: the agent did not get ready.
        AgentError: it refused to call.
    """
    view = LiveView(console)

    def follow(call_sid: str, event: Event) -> None:
        view.follow(event)

    console.print("[dim]starting the agent and its twin ...[/]", highlight=False)
    async with twin_and_agent(callee, on_event=follow) as pair:
        lead_id = await _store_lead(pair)
        # A client that waits in a thread leaves this loop, in which the twin runs, alone.
        client = AgentClient(pair.agent.url, pair.credentials.api_token)
        call_id = await asyncio.to_thread(client.dial, lead_id=lead_id)
        watcher = asyncio.create_task(_watch(pair, call_id, view))
        try:
            report = await asyncio.to_thread(lambda: list(client.follow(call_id))[-1])
        finally:
            watcher.cancel()
            with suppress(asyncio.CancelledError):
                await watcher
            client.close()
    console.print(
        f"[bold]{report.disposition.replace('_', ' ')}[/] (line: {report.line_result.replace('_', ' ')})",
        highlight=False,
    )
    return report


async def _store_lead(pair: Pair) -> int:
    now = datetime.now(UTC)
    lead = {
        "name": "Anna Miller",
        "phone": NUMBER,
        "zone": _noon_zone(now),
        "consent": {"basis": "written", "text": _CONSENT, "at": (now - timedelta(days=1)).isoformat()},
    }
    headers = {"Authorization": f"Bearer {pair.credentials.api_token}"}
    async with httpx.AsyncClient(trust_env=False, headers=headers) as client:
        answer = await client.post(f"{pair.agent.url}/api/v1/leads", json=lead)
        return int(answer.raise_for_status().json()["id"])


def _noon_zone(now: datetime) -> str:
    """Return a zone in which it is about noon: a trial keeps the calling hours at any hour."""
    ahead = 12 - now.hour
    return f"Etc/GMT{-ahead:+d}"


async def _watch(pair: Pair, call_id: str, view: LiveView) -> None:
    async with AccountClient(pair.agent.url, pair.credentials.api_token) as client:
        while True:
            await asyncio.sleep(_POLL_S)
            view.tell(await client.fetch(call_id))
