"""The vocabulary of the twin's REST tests: the official client, callees of tones, an agent that a test scripts."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import pytest
from twilio.base.exceptions import TwilioRestException
from twilio.http.http_client import TwilioHttpClient
from twilio.rest import Client

from telephony_agent.simulator import Behaviour
from telephony_agent.simulator.callee import Answer, Callee, Detected, Directory
from telephony_agent.simulator.dialling import DialPace
from telephony_agent.simulator.exchange import Exchange
from telephony_agent.simulator.phone_call import PhoneCall
from telephony_agent.simulator.rest_server import running_twin
from telephony_agent.simulator.script import HangUpStep, HearKeyStep, NoiseStep, Script, Step, WaitStep
from telephony_agent.simulator.tunnel import Tunnel
from telephony_agent.simulator.twin_settings import Limits, TwinAccount, TwinSettings
from tests.simulator.calls import QUICK
from tests.simulator.scripted_agent import CONNECT, PUBLIC, TOKEN, Agent, serving
from tests.simulator.scripted_agent import Script as LegScript

OURS = "+15005550006"
PERSON, BUSY, ABSENT, DECLINES, NOWHERE, MACHINE, MENU, FAX, SHORT = (f"+121255501{n}" for n in range(10, 19))
ALL_EVENTS = ["initiated", "ringing", "answered", "completed"]
BEEP = NoiseStep("beep", 100, -18.0)

_Result = TypeVar("_Result")


def callee(name: str, *steps: Step, **changes: Any) -> Callee:
    script = Script(name, steps, patience_ms=100, give_up_ms=10_000)
    return Callee(name, **{"rings": 1, "script": script, **changes})


CALLEES = {
    PERSON: callee("person"),
    BUSY: callee("busy", answer=Answer.BUSY),
    ABSENT: callee("absent", answer=Answer.NO_ANSWER),
    DECLINES: callee("declines", answer=Answer.REJECTS),
    NOWHERE: callee("nowhere", answer=Answer.FAILS),
    MACHINE: callee("machine", NoiseStep("babble", 200), BEEP, WaitStep(60_000), detected=Detected.MACHINE),
    MENU: callee("menu", HearKeyStep("1", within_ms=1000, attempts=1), HangUpStep(after_reply=False)),
    FAX: callee("fax", NoiseStep("fax", 400), detected=Detected.FAX),
    SHORT: callee("short", NoiseStep("babble", 100), HangUpStep(after_reply=False)),
}
SETTINGS = TwinSettings(
    directory=Directory(callee("anybody"), CALLEES),
    account=TwinAccount(account_sid="AC" + "0" * 32, auth_token=TOKEN),
    pace=DialPace(dial_ms=0, ring_ms=30, webhook_ms=0, detection_ms=50, bridged_ms=20),
    behaviour=Behaviour(pace=QUICK),
    limits=Limits(calls_per_s=1000),
)


@dataclass(frozen=True)
class Story:
    """One twin, one agent, and the official client of the account."""

    agent: Agent
    client: Client
    exchange: Exchange
    url: str

    async def asks(self, question: Callable[[Client], _Result]) -> _Result:
        """Ask with the official client, which blocks."""
        return await asyncio.to_thread(question, self.client)

    async def dials(self, to: str, **order: Any) -> PhoneCall:
        """Place a call to the agent's own voice URL, unless the order says otherwise."""
        if "twiml" not in order:
            order.setdefault("url", f"{PUBLIC}/twilio/voice")
        order.setdefault("status_callback", f"{PUBLIC}/twilio/status")
        order.setdefault("status_callback_event", ALL_EVENTS)
        made = await self.asks(lambda client: client.calls.create(to=to, from_=OURS, **order))
        call = self.exchange.call(str(made.sid))
        assert call is not None
        return call

    async def updates(self, call: PhoneCall, **changes: Any) -> Any:
        return await self.asks(lambda client: client.calls(call.record.sid).update(**changes))

    async def fetches(self, call: PhoneCall) -> Any:
        return await self.asks(lambda client: client.calls(call.record.sid).fetch())

    def reported(self) -> list[str]:
        return [form["CallStatus"] for form in self.forms("status")]

    def forms(self, page: str) -> list[dict[str, str]]:
        return [request.form for request in self.agent.requests if request.path == f"/twilio/{page}"]


async def until(condition: Callable[[], bool]) -> None:
    """Look until something is so that nobody announces; the test's own limit ends a wait for nothing."""
    for _ in itertools.takewhile(lambda _: not condition(), itertools.count()):
        await asyncio.sleep(0.01)


async def over(call: PhoneCall) -> PhoneCall:
    """Wait for the end of a call, with all that it tells the agent."""
    await until(lambda: not call.is_live)
    return call


@asynccontextmanager
async def story(
    script: LegScript, *, voice: str = CONNECT, settings: TwinSettings = SETTINGS, **documents: str
) -> AsyncIterator[Story]:
    """Let a twin and an agent run; the rest is the agent's, as in ``serving``."""
    async with serving(script, voice=voice, places=100, **documents) as agent:
        chosen = replace(settings, tunnel=Tunnel(PUBLIC, agent.url))
        async with running_twin(chosen) as twin:
            client = client_of(twin.url)
            try:
                yield Story(agent, client, twin.exchange, twin.url)
            finally:
                closing(client)


def client_of(url: str, sid: str = SETTINGS.account.account_sid, token: str = TOKEN, timeout_s: float = 10) -> Client:
    client = Client(sid, token, http_client=TwilioHttpClient(timeout=timeout_s))
    client.api.base_url = url
    return client


def closing(client: Client) -> None:
    session = client.http_client.session
    assert session is not None
    session.close()


async def refused(it: Story, question: Callable[[Client], object]) -> tuple[int, int]:
    """Give the HTTP status and Twilio's number of a refusal."""
    with pytest.raises(TwilioRestException) as caught:
        await it.asks(question)
    return caught.value.status, caught.value.code
