"""A day of a campaign: Twilio's twin with everybody's telephone, and a real server that is killed and started again."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import httpx

from telephony_agent.simulator import Behaviour
from telephony_agent.simulator.agent_process import PUBLIC_URL, Credentials
from telephony_agent.simulator.call_record import CallRecord
from telephony_agent.simulator.callee import Answer, Callee, Directory
from telephony_agent.simulator.dialling import DialPace
from telephony_agent.simulator.exchange import Exchange
from telephony_agent.simulator.rest_faults import RequestKind, RestFault, RestFaults
from telephony_agent.simulator.rest_server import running_twin
from telephony_agent.simulator.script import HangUpStep, NoiseStep
from telephony_agent.simulator.tunnel import Tunnel
from telephony_agent.simulator.twin_settings import Limits, TwinAccount, TwinSettings
from tests.simulator.calls import QUICK
from tests.simulator.twin import callee

CHECKOUT = Path(__file__).parents[2]
SERVER = ("-m", "scripts.call_bench.server")
"""``serve`` with engines that take no time."""
OURS = "+15005550006"
AREAS = ("212", "310", "415")
READY_WITHIN_S = 60.0
ONCE = ["busy:never", "no_answer:never", "failed:never", "voicemail:never"]
CONSENT = "written,Call me.,2026-01-01T00:00:00+00:00"
HEADING = "name,phone,zone,consent,consent text,consent time"
EVERY = 20
REJECTS, ABSENT, UNREACHABLE, LISTED, NO_CONSENT = 3, 7, 11, 13, 17
"""Of every twenty: who rejects the call, who isn't there, whom no network knows, who is never to be called."""
TIMED_OUT = 9
"""Of every twenty orders to the carrier: the one whose answer never comes, though the call is made."""
ANSWERS = {
    REJECTS: (Answer.REJECTS, "busy"),
    ABSENT: (Answer.NO_ANSWER, "no_answer"),
    UNREACHABLE: (Answer.FAILS, "failed"),
}


def number_of(person: int) -> str:
    """Return a number that is nobody's."""
    return f"+1{AREAS[person // 100]}55501{person % 100:02d}"


def zones() -> tuple[str, str, str]:
    """Return three zones: in two of them it is day now, in the last one night."""
    now = datetime.now(UTC)
    hours = {f"Etc/GMT{offset:+d}": now.astimezone(ZoneInfo(f"Etc/GMT{offset:+d}")).hour for offset in range(-14, 13)}
    first, second, *_ = [zone for zone, hour in hours.items() if 11 <= hour <= 17]
    night = next(zone for zone, hour in hours.items() if hour in (1, 2, 3))
    return first, second, night


def expected(person: int) -> str:
    """Return what must come of somebody: the line's result, or why they are not called."""
    if person % 3 == 2:
        return "outside_hours"
    match person % EVERY:
        case 13:
            return "do_not_call"
        case 17:
            return "no_consent"
        case kind:
            return ANSWERS[kind][1] if kind in ANSWERS else "answered"


def people(count: int) -> str:
    """Return the campaign's file."""
    where = zones()
    rows = [
        f"Person {one},{number_of(one)},{where[one % 3]},{',,' if one % EVERY == NO_CONSENT else CONSENT}"
        for one in range(count)
    ]
    return "\n".join([HEADING, *rows])


def telephones(count: int) -> dict[str, Callee]:
    """Return who is at each number."""
    talker = callee("talker", NoiseStep("babble", 300), HangUpStep(after_reply=False))
    silent = {kind: callee(answer.value, answer=answer) for kind, (answer, _) in ANSWERS.items()}
    return {number_of(one): silent.get(one % EVERY, talker) for one in range(count)}


@dataclass
class Day:
    """The twin, the server's settings, and when it was dead."""

    exchange: Exchange
    port: int
    environment: dict[str, str]
    token: str
    process: asyncio.subprocess.Process | None = None
    dead: list[tuple[datetime, datetime]] = field(default_factory=list)

    async def starts(self) -> None:
        """Start the server, and wait until it takes calls."""
        self.process = await asyncio.create_subprocess_exec(
            *(sys.executable, *SERVER), env=self.environment, cwd=self.environment["AGENT_DATA_DIR"]
        )
        async with asyncio.timeout(READY_WITHIN_S), httpx.AsyncClient(trust_env=False) as client:
            while True:
                assert self.process.returncode is None, "the server ended"
                try:
                    if (await client.get(f"http://127.0.0.1:{self.port}/readyz")).is_success:
                        return
                except httpx.TransportError:
                    pass
                await asyncio.sleep(0.1)

    async def dies_and_comes_back(self) -> None:
        """Kill the server without a warning, and start it again."""
        assert self.process is not None
        died = datetime.now(UTC)
        os.kill(self.process.pid, signal.SIGKILL)
        await self.process.wait()
        await self.starts()
        self.dead.append((died, datetime.now(UTC)))

    async def asks(self, method: str, path: str, **given: Any) -> Any:
        """Ask the server's API."""
        headers = {"Authorization": f"Bearer {self.token}"}
        async with httpx.AsyncClient(trust_env=False, headers=headers, timeout=30) as client:
            answer = await client.request(method, f"http://127.0.0.1:{self.port}/api/v1{path}", **given)
        assert answer.is_success, answer.text
        return answer.json()

    async def leads(self, campaign_id: int) -> list[dict[str, Any]]:
        """Return how every lead of a campaign stands."""
        leads: list[dict[str, Any]] = []
        cursor: str | None = None
        while True:
            query = {"limit": 100} | ({"cursor": cursor} if cursor else {})
            page = await self.asks("GET", f"/campaigns/{campaign_id}/leads", params=query)
            leads += page["leads"]
            cursor = page["next_cursor"]
            if cursor is None:
                return leads

    def calls_to(self, number: str) -> list[CallRecord]:
        """Return the calls that the carrier made to a number."""
        return [record for record in self.exchange.records.values() if record.parties.called == number]

    def cut_short(self, record: CallRecord) -> bool:
        """Tell whether the server died while a call went on, or the carrier was telling of it."""
        over = record.ended or datetime.now(UTC)
        return any(record.created <= back and over >= died for died, back in self.dead)


@asynccontextmanager
async def day(folder: Path, count: int, *, lost: bool = False) -> AsyncIterator[Day]:
    """Let a twin run, and a server whose carrier it is; with ``lost``, every other order that times out is none."""
    secrets, port = Credentials(), _free_port()
    faults = [RestFault.TIMEOUT_AFTER, RestFault.TIMEOUT_BEFORE if lost else RestFault.TIMEOUT_AFTER]
    planned = [faults[one // EVERY % 2] if one % EVERY == TIMED_OUT else None for one in range(count)]
    settings = TwinSettings(
        directory=Directory(callee("nobody", answer=Answer.FAILS), telephones(count)),
        account=TwinAccount(secrets.account_sid, secrets.auth_token, numbers=(OURS,)),
        tunnel=Tunnel(PUBLIC_URL, f"http://127.0.0.1:{port}"),
        pace=DialPace(dial_ms=20, ring_ms=60, webhook_ms=0),
        behaviour=Behaviour(pace=QUICK),
        limits=Limits(calls_per_s=1000),
        rest_faults=RestFaults(planned={RequestKind.CREATE_CALL: planned}, hold_ms=300),
        keep_calls=count,
    )
    async with running_twin(settings) as twin:
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("AGENT_", "TWILIO_"))},
            "PYTHONPATH": str(CHECKOUT),
            "AGENT_DATA_DIR": str(folder),
            "AGENT_PORT": str(port),
            "AGENT_PUBLIC_URL": PUBLIC_URL,
            "AGENT_API_TOKEN": secrets.api_token,
            "AGENT_TWILIO_API_URL": twin.url,
            "AGENT_DAILY_CAP": str(10 * count),
            "AGENT_AMD": "off",
            "AGENT_RING_TIMEOUT_S": "15",
            "AGENT_TURN_END": "words",
            "AGENT_LOG_LEVEL": "ERROR",
            "TWILIO_ACCOUNT_SID": secrets.account_sid,
            "TWILIO_AUTH_TOKEN": secrets.auth_token,
            "TWILIO_PHONE_NUMBER": OURS,
        }
        told = Day(twin.exchange, port, environment, secrets.api_token)
        try:
            await told.starts()
            yield told
        finally:
            if told.process is not None and told.process.returncode is None:
                told.process.kill()
                await told.process.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
