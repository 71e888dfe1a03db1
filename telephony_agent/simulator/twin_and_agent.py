"""An agent beside its twin: each knows the other's address, so that the agent can dial and the twin can call it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

from telephony_agent.simulator.agent_process import PUBLIC_URL, Credentials, RunningAgent, running_agent
from telephony_agent.simulator.callee import Callee, Directory
from telephony_agent.simulator.events import Event
from telephony_agent.simulator.phone_call import CallListener
from telephony_agent.simulator.rest_server import RunningTwin, running_twin
from telephony_agent.simulator.tunnel import Tunnel
from telephony_agent.simulator.twin_settings import TEST_NUMBER, TwinAccount, TwinSettings


@dataclass(frozen=True, slots=True)
class Pair:
    """A ready agent and its twin.

    Ask the agent (over its API, with ``credentials.api_token``) to dial any number, then take the call from
    ``twin.exchange.next_order()`` and wait until it isn't live; or let ``twin.exchange.ring_in`` call the agent.
    """

    twin: RunningTwin
    agent: RunningAgent
    credentials: Credentials


def _ignore(call_sid: str, event: Event) -> None:
    """Take what happens, and do nothing."""


@asynccontextmanager
async def twin_and_agent(
    callee: Callee,
    *,
    settings: TwinSettings | None = None,
    environment: Mapping[str, str] | None = None,
    on_event: CallListener = _ignore,
) -> AsyncIterator[Pair]:
    """Run both for the length of a ``with`` block.

    Args:
        callee: who answers, whatever number is dialled.
        settings: the twin's, but for its account and its tunnel; whom a number reaches is taken from it, if given.
        environment: further settings of the agent.
        on_event: called with everything that happens in any call.

    Raises:
        AgentStartError: the agent did not get ready.
    """
    credentials = Credentials()
    account = TwinAccount(credentials.account_sid, credentials.auth_token)
    chosen = replace(settings or TwinSettings(Directory(callee)), account=account)
    async with running_twin(chosen, on_event=on_event) as twin:
        named = {"AGENT_TWILIO_API_URL": twin.url, "TWILIO_PHONE_NUMBER": TEST_NUMBER, **(environment or {})}
        async with running_agent(credentials, settings=named) as agent:
            twin.exchange.lead_to(Tunnel(PUBLIC_URL, agent.url))
            yield Pair(twin, agent, credentials)
