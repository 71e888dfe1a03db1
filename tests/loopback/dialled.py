"""An agent that dials through the REST twin: both on real sockets, the callees made of tones, the rings short."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import httpx
from pydantic import SecretStr

from telephony_agent.carrier.carrier import MachineDetection
from telephony_agent.carrier.twilio_rest import Patience, TwilioCarrier
from telephony_agent.engines.scripted import ScriptedResponder, ScriptedSynthesizer, ScriptedTranscriber
from telephony_agent.live.dialler import Dialler, DialTerms
from telephony_agent.live.playbook_shelf import TermsShelf
from telephony_agent.live.sales_desk import SalesDesk
from telephony_agent.live.text_call import TextTerms
from telephony_agent.live.text_desk import TextDesk
from telephony_agent.sales.compliance import DialPolicy
from telephony_agent.sales.lead import Consent, ConsentBasis, Lead
from telephony_agent.sales.phrasebook import Phrasebook
from telephony_agent.settings import TwilioSettings
from telephony_agent.simulator import Behaviour
from telephony_agent.simulator.callee import Callee, Directory
from telephony_agent.simulator.dialling import DialPace
from telephony_agent.simulator.exchange import Exchange
from telephony_agent.simulator.rest_server import running_twin
from telephony_agent.simulator.tunnel import Tunnel
from telephony_agent.simulator.twin_settings import Limits, TwinAccount, TwinSettings
from tests.loopback.agent import API_TOKEN, AUTH_TOKEN, PUBLIC_URL, Agent, Parts, running
from tests.simulator.calls import QUICK
from tests.simulator.twin import CALLEES, callee

OURS = "+15005550006"
NOON = datetime(2026, 11, 24, 17, tzinfo=UTC)
"""Noon in New York."""
NIGHT = datetime(2026, 11, 24, 8, tzinfo=UTC)
CONSENT = Consent(ConsentBasis.WRITTEN, "Yes, call me about the booking system.", NOON.replace(month=6))
ACCOUNT = "AC" + "0" * 32

T = TypeVar("T")


def lead(phone: str, **changes: Any) -> Lead:
    """Return a lead in New York that has consented."""
    given: dict[str, Any] = {"name": "Anna Miller", "zone": "America/New_York", "consent": CONSENT}
    return Lead(phone=phone, **given | changes)


def parts(folder: Path, **changes: Any) -> Parts:
    """Return an agent that remembers its calls, with engines that take no time."""
    given: dict[str, Any] = {
        "transcriber": ScriptedTranscriber(otherwise="hello"),
        "responder": ScriptedResponder(otherwise="It costs ten dollars. Do you want it?"),
        "synthesizer": ScriptedSynthesizer(ms_per_character=10),
        "data_dir": folder,
        "dials": True,
    }
    return Parts(**given | changes)


@dataclass
class World:
    """One agent with its dialler, and the twin that it dials through."""

    agent: Agent
    dialler: Dialler
    exchange: Exchange
    carrier: TwilioCarrier
    now: datetime = NOON

    async def here(self, work: Coroutine[Any, Any, T]) -> T:
        """Run something in the agent's own loop."""
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, self.agent.loop))

    async def account(self, call_id: str) -> dict[str, Any]:
        """Ask the agent's API for a call, once what is remembered of it is written."""
        store = self.agent.site.store
        assert store is not None
        await self.here(store.recorder.flush())
        return await asyncio.to_thread(self.agent.account, call_id)

    async def call_to(self, phone: str, **changes: Any) -> dict[str, Any]:
        """Dial somebody, wait for the end, and return the agent's account of it."""
        answer = await self.here(self.dialler.dial(lead(phone, **changes)))
        assert answer.placed, answer
        await self.here(self.dialler.finished(answer.call_id))
        return await self.account(answer.call_id)

    async def asks(self, method: str, path: str, **given: Any) -> httpx.Response:
        """Ask the agent's API."""
        headers = {"Authorization": f"Bearer {API_TOKEN}"}
        async with httpx.AsyncClient(trust_env=False, headers=headers) as client:
            return await client.request(method, f"{self.agent.url}/api/v1{path}", **given)


def twin_settings(callees: Mapping[str, Callee], agent: Agent, **changes: Any) -> TwinSettings:
    """Return a twin whose rings take milliseconds and whose callees are these."""
    settings = TwinSettings(
        directory=Directory(callee("anybody"), {**CALLEES, **callees}),
        account=TwinAccount(account_sid=ACCOUNT, auth_token=AUTH_TOKEN),
        tunnel=Tunnel(PUBLIC_URL, agent.url),
        pace=DialPace(dial_ms=0, ring_ms=30, webhook_ms=0, detection_ms=100, bridged_ms=20),
        behaviour=Behaviour(pace=QUICK),
        limits=Limits(calls_per_s=1000),
    )
    return replace(settings, **changes)


@asynccontextmanager
async def dialling(
    given: Parts,
    *,
    callees: Mapping[str, Callee] | None = None,
    detection: MachineDetection = MachineDetection.OFF,
    terms: Mapping[str, Any] | None = None,
    patience: Patience | None = None,
    twin: Mapping[str, Any] | None = None,
) -> AsyncIterator[World]:
    """Run an agent and a twin for each other until the block is left."""
    with running(given) as agent:
        async with running_twin(twin_settings(callees or {}, agent, **(twin or {}))) as served:
            account = TwilioSettings(account_sid=ACCOUNT, auth_token=SecretStr(AUTH_TOKEN))
            assert agent.site.store is not None
            assert agent.site.switchboard is not None
            assert agent.site.playbooks is not None
            carrier = TwilioCarrier(account, served.url, patience=patience)
            world = World(agent, None, served.exchange, carrier)  # type: ignore[arg-type]  # it is made next, with its clock
            world.dialler = Dialler(
                carrier,
                agent.site.store,
                agent.site.switchboard,
                replace(DialTerms(DialPolicy(), OURS, detection=detection), **(terms or {})),
                agent.site.url,
                playbooks=TermsShelf(agent.room, agent.terms, agent.site.playbooks, dials=True),
                clock=lambda: world.now,
            )
            agent.site.dialler = world.dialler
            room = agent.room
            terms_of_text = TextTerms(room.engines.responder, room.responding, 5.0, Phrasebook.shipped())
            agent.site.text_desk = TextDesk(SalesDesk(given.playbook), terms_of_text)
            try:
                yield world
            finally:
                await world.here(world.dialler.close())
                await carrier.aclose()


def run(story: Callable[[], Awaitable[None]]) -> None:
    """Run a story; one that hangs fails."""

    async def timed() -> None:
        async with asyncio.timeout(40):
            await story()

    asyncio.run(timed())
