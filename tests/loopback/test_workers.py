"""Several workers behind one port: whichever a request reaches, its call goes on; one that dies takes only its own."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from xml.etree import ElementTree as ET

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosedError, InvalidStatus
from websockets.typing import Subprotocol

from telephony_agent.simulator import Behaviour
from telephony_agent.simulator.callee import Directory
from telephony_agent.simulator.dialling import DialPace
from telephony_agent.simulator.rest_server import running_twin
from telephony_agent.simulator.script import HangUpStep, NoiseStep
from telephony_agent.simulator.signing import sign
from telephony_agent.simulator.tunnel import Tunnel
from telephony_agent.simulator.twin_settings import Limits, TwinAccount, TwinSettings
from telephony_agent.store import NewCall, Store
from telephony_agent.web.siblings import former_workers
from tests.loopback.agent import API_TOKEN, AUTH_TOKEN, PUBLIC_URL
from tests.loopback.campaign_day import zones
from tests.loopback.client import Client, call_sid, wait_for
from tests.simulator.calls import QUICK
from tests.simulator.twin import callee
from tests.store.postgres import Cluster, NoPostgres, running_cluster

pytestmark = pytest.mark.long

CALLS = 20
PLAYBOOK = """
persona: Ava
company: Bluefinch
product: Bluefinch Booking
pitch: Your customers book online.
meeting: a demo
greeting: An AI of Bluefinch.
goodbye: Bye.
reconnected: Where were we?
question: How many people work with you?
plans: [{name: starter, price: nineteen dollars a month}]
"""
NO_TLS = httpx.create_ssl_context()
"""Made once: it would take every client of ours a tenth of a second."""
ACCOUNT = "AC" + "0" * 32
BEARER = {"Authorization": f"Bearer {API_TOKEN}"}


@dataclass(frozen=True, slots=True)
class House:
    """Two workers and their parent; every request is a connection of its own, so it reaches either."""

    url: str
    process: subprocess.Popen[bytes]
    log: Path
    twin_port: int
    """Where it takes Twilio's API to be."""

    def logged(self, message: str) -> list[dict[str, Any]]:
        """Return what was logged with a message."""
        lines = [line for line in self.log.read_text().splitlines() if line.startswith("{")]
        return [told for line in lines if (told := json.loads(line))["message"] == message]

    def pid_of(self, worker: int) -> int:
        pids: list[int] = [told["pid"] for told in self.logged("A worker was started") if told["worker"] == worker]
        return pids[-1]

    def is_ready(self, worker: int) -> bool:
        try:
            return httpx.get(f"{self.url}/readyz?worker={worker}", trust_env=False).is_success
        except httpx.TransportError:
            return False

    async def asks(self, method: str, path: str, **given: Any) -> httpx.Response:
        """Ask the API."""
        async with httpx.AsyncClient(verify=NO_TLS, trust_env=False, headers=BEARER, timeout=10) as client:
            return await client.request(method, f"{self.url}/api/v1{path}", **given)

    async def hears_from_twilio(self, path: str, **form: str) -> ET.Element:
        """Send a signed webhook; return the document that answers it."""
        headers = {"X-Twilio-Signature": sign(f"{PUBLIC_URL}{path}", tuple(form.items()), AUTH_TOKEN)}
        async with httpx.AsyncClient(verify=NO_TLS, trust_env=False, headers=headers, timeout=10) as client:
            answer = await client.post(f"{self.url}{path}", data=form)
        assert answer.is_success, answer.text
        return ET.fromstring(answer.text or "<Response/>")

    async def rings(self, sid: str) -> ET.Element:
        """Ring; return the stream that the caller is connected to."""
        document = await self.hears_from_twilio("/twilio/voice", CallSid=sid, From="+15005550006", To="+15005550006")
        stream = document.find("Connect/Stream")
        assert stream is not None, ET.tostring(document)
        return stream

    @asynccontextmanager
    async def stream(self, sid: str, asked_for: ET.Element) -> AsyncIterator[Client]:
        """Open the stream that a document asks for."""
        url = str(asked_for.get("url"))
        headers = {"X-Twilio-Signature": sign(url, (), AUTH_TOKEN)}
        here = self.url.replace("http", "ws", 1) + urlsplit(url).path
        async with connect(here, additional_headers=headers, compression=None, proxy=None) as opened:
            client = Client(opened, sid)
            await client.start({str(p.get("name")): str(p.get("value")) for p in asked_for.iter("Parameter")})
            yield client


@contextmanager
def house(folder: Path, database_url: str = "") -> Iterator[House]:
    """Run two workers until the block is left."""
    twin_port = free_port()
    environment = {
        **os.environ,
        "AGENT_MODELS": "pocket",
        "AGENT_DATA_DIR": str(folder),
        "AGENT_DATABASE_URL": database_url,
        "AGENT_OUTCOME_WEBHOOK": "off",
        "AGENT_PORT": str(free_port()),
        "AGENT_PUBLIC_URL": PUBLIC_URL,
        "AGENT_API_TOKEN": API_TOKEN,
        "AGENT_DRAIN_S": "0",
        "AGENT_LOG_JSON": "true",
        "AGENT_PLAYBOOK": str(folder / "playbook.yaml"),
        "AGENT_TWILIO_API_URL": f"http://127.0.0.1:{twin_port}",
        "TWILIO_ACCOUNT_SID": ACCOUNT,
        "TWILIO_AUTH_TOKEN": AUTH_TOKEN,
        "TWILIO_PHONE_NUMBER": "+15005550006",
    }
    (folder / "playbook.yaml").write_text(PLAYBOOK)
    log = folder / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.loopback.many_workers", "2"], env=environment, stdout=output, stderr=output
        )
    running = House(f"http://127.0.0.1:{environment['AGENT_PORT']}", process, log, twin_port)
    try:
        wait_for(lambda: process.poll() is not None or len(running.logged("Ready for calls")) == 2, 60)
        assert process.poll() is None, log.read_text()
        yield running
    finally:
        process.terminate()
        process.wait(30)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """PostgreSQL, where there is one."""
    with ExitStack() as stack:
        try:
            yield stack.enter_context(running_cluster())
        except NoPostgres as reason:
            if os.environ.get("AGENT_TEST_POSTGRES") == "required":
                raise
            pytest.skip(str(reason))


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def shared(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """One house for several tests, on each database."""
    url = ""
    if request.param == "postgres":
        cluster: Cluster = request.getfixturevalue("cluster")
        url = cluster.url(cluster.fresh())
    with house(tmp_path_factory.mktemp("house"), url) as running:
        yield running
    assert running.process.returncode == 0


async def whole_call(at: House, sid: str) -> str:
    """Call, talk, hang up, as Twilio would: seven requests at the least. Return the path of the stream."""
    await at.rings(sid)
    # Twilio asked again: wherever that arrives, it is the same call.
    asked_for = await at.rings(sid)
    async with at.stream(sid, asked_for) as client:
        await client.hears()
        assert (await at.asks("GET", f"/calls/{sid}")).json()["state"] == "live"
        await client.says()
        await client.hears()
        await client.stop()
        assert (await client.closed())[0] == 1000
    after = await at.hears_from_twilio("/twilio/stream-ended", CallSid=sid)
    assert [verb.tag for verb in after] == ["Hangup"]
    await at.hears_from_twilio("/twilio/status", CallSid=sid, CallStatus="completed", SequenceNumber="3")
    account = (await at.asks("GET", f"/calls/{sid}")).json()
    assert account["state"] == "ended"
    assert account["carrier_status"] == "completed"
    assert account["turns"][0]["reply_heard"]
    return urlsplit(str(asked_for.get("url"))).path


async def concluded(at: House) -> set[str]:
    """Return the ids of the remembered calls that have their outcome."""
    page = (await at.asks("GET", "/calls", params={"limit": "100"})).json()["calls"]
    return {call["call_id"] for call in page if call["disposition"]}


async def talks_on(at: House, client: Client) -> None:
    """Go on with a call whose owner lives. Its line may have gone through the worker that died: then call back in."""
    try:
        await client.says()
        await client.hears()
        await client.stop()
        await client.closed()
    except ConnectionClosedError:
        back = await at.hears_from_twilio("/twilio/stream-ended", CallSid=client.call_sid)
        stream = back.find("Connect/Stream")
        assert stream is not None, ET.tostring(back)
        async with at.stream(client.call_sid, stream) as again:
            await again.hears()
            await again.stop()
            await again.closed()


async def voice_chat(at: House) -> None:
    """Talk by voice without a phone, as far as the greeting."""
    lead = {"name": "Anna Miller", "phone": "+15005550006"}
    started = await at.asks("POST", "/sales/start-call", json={"lead": lead, "channel": "voice"})
    assert started.status_code == 201, started.text
    url = f"{at.url.replace('http', 'ws', 1)}/api/v1/sales/ws/voice-chat/{started.json()['call_id']}"
    async with connect(url, subprotocols=[Subprotocol("bearer"), Subprotocol(API_TOKEN)], proxy=None) as opened:
        assert opened.subprotocol == "bearer"
        assert await opened.recv()
    refused = connect(url, additional_headers={"Authorization": "Bearer wrong"}, proxy=None)
    with pytest.raises(InvalidStatus, match="401"):
        await refused.__aenter__()


async def text_call(at: House) -> None:
    """Talk by text: each turn is a request of its own."""
    lead = {"name": "Anna Miller", "phone": "+15005550006"}
    started = await at.asks("POST", "/sales/start-call", json={"lead": lead, "channel": "text"})
    assert started.status_code == 201, started.text
    call_id = started.json()["call_id"]
    for _ in range(4):
        turn = await at.asks("POST", f"/sales/calls/{call_id}/turns", json={"text": "how does it work"})
        assert turn.status_code == 200, turn.text
    streamed = await at.asks(
        "POST", f"/sales/calls/{call_id}/turns", json={"text": "goodbye"}, headers={"Accept": "text/event-stream"}
    )
    assert "event: turn" in streamed.text
    assert (await at.asks("POST", f"/calls/{call_id}/end")).status_code in (202, 409)


def test_calls_whose_requests_are_spread_over_the_workers_all_come_through(shared: House) -> None:
    async def scenario(at: House) -> None:
        async with asyncio.TaskGroup() as calls:
            told = [calls.create_task(whole_call(at, call_sid(number))) for number in range(CALLS)]
            for _ in range(3):
                calls.create_task(text_call(at))
                calls.create_task(voice_chat(at))
        assert {task.result() for task in told} == {"/twilio/media/0", "/twilio/media/1"}
        # What is remembered is written behind the calls.
        async with asyncio.timeout(10):
            while not {call_sid(number) for number in range(CALLS)} <= await concluded(at):
                pass

    asyncio.run(scenario(shared))


def test_a_worker_that_is_killed_takes_its_own_calls_and_they_are_concluded(shared: House) -> None:
    lost, kept, fresh = call_sid(901), call_sid(902), call_sid(903)

    async def scenario(at: House) -> None:
        first, second = await at.rings(lost), await at.rings(kept)
        assert first.get("url") != second.get("url"), "the next call goes to the worker with fewer"
        victim = int(str(first.get("url"))[-1])
        async with at.stream(lost, first) as cut, at.stream(kept, second) as client:
            await cut.hears()
            await client.hears()
            os.kill(at.pid_of(victim), signal.SIGKILL)
            await cut.socket.wait_closed()
            # Nobody knows the call now: the caller is told so, and the line isn't dead.
            after = await at.hears_from_twilio("/twilio/stream-ended", CallSid=lost)
            assert [verb.tag for verb in after][-1] == "Hangup"
            await talks_on(at, client)
            await whole_call(at, fresh)
        await asyncio.to_thread(wait_for, lambda: at.is_ready(victim), 30)
        account = (await at.asks("GET", f"/calls/{lost}")).json()
        assert account["call"]["disposition"] == "failed" if "call" in account else account["outcome"]
        survivor = (await at.asks("GET", f"/calls/{kept}")).json()
        assert survivor["outcome"]["disposition"] != "failed"

    asyncio.run(scenario(shared))


def test_calls_that_are_placed_come_through_whichever_worker_hears_of_them(shared: House) -> None:
    async def scenario(at: House) -> None:
        twin = TwinSettings(
            directory=Directory(callee("talker", NoiseStep("babble", 300), HangUpStep()), {}),
            account=TwinAccount(account_sid=ACCOUNT, auth_token=AUTH_TOKEN),
            tunnel=Tunnel(PUBLIC_URL, at.url),
            pace=DialPace(dial_ms=0, ring_ms=30, webhook_ms=0, detection_ms=100, bridged_ms=20),
            behaviour=Behaviour(pace=QUICK),
            limits=Limits(calls_per_s=1000),
        )
        async with running_twin(twin, port=at.twin_port), asyncio.TaskGroup() as calls:
            for number in range(8):
                calls.create_task(placed_call(at, f"+1212555{100 + number:04}"))

    asyncio.run(scenario(shared))


async def placed_call(at: House, number: str) -> None:
    """Have somebody rung, and wait for the end."""
    lead = {
        "name": "Anna Miller",
        "phone": number,
        "zone": zones()[0],
        "consent": {"basis": "written", "text": "Call me.", "given_at": "2026-01-01T00:00:00+00:00"},
    }
    placed = await at.asks("POST", "/sales/start-call", json={"lead": lead, "channel": "phone"})
    assert placed.status_code == 202, placed.text
    path = f"/calls/{placed.json()['call_id']}"
    async with asyncio.timeout(30):
        account = (await at.asks("GET", path)).json()
        while account["state"] != "ended":
            account = (await at.asks("GET", path)).json()
    assert account["outcome"]["line_result"] == "answered"
    assert account["end_reason"] == "caller"


def test_told_to_stop_the_workers_let_their_calls_take_leave(tmp_path: Path) -> None:
    async def scenario(at: House) -> None:
        async with at.stream(call_sid(1), await at.rings(call_sid(1))) as client:
            await client.hears()
            at.process.terminate()
            await client.hears()
            assert (await client.closed())[0] == 1000
        await asyncio.to_thread(at.process.wait, 20)

    with house(tmp_path) as running:
        asyncio.run(scenario(running))
    assert running.process.returncode == 0
    assert running.logged("A worker died; another one takes its place") == []


def test_what_is_done_once_a_server_is_asked_of_the_first_worker(shared: House) -> None:
    async def scenario(at: House) -> None:
        for _ in range(8):
            assert (await at.asks("GET", "/campaigns")).status_code == 200
            async with httpx.AsyncClient(verify=NO_TLS, trust_env=False, headers=BEARER) as client:
                assert (await client.get(f"{at.url}/metrics?worker=1")).is_success
                assert (await client.get(f"{at.url}/siblings/ask?call=x")).status_code == 404

    asyncio.run(scenario(shared))


def test_the_first_worker_concludes_the_calls_of_workers_that_are_no_more_and_no_others(tmp_path: Path) -> None:
    async def scenario() -> None:
        for name in ("main", "main-1", "main-3"):
            async with Store(tmp_path, server=name) as store:
                await store.calls.begin(NewCall(f"call of {name}", "inbound", datetime.now(UTC)))
        async with Store(tmp_path, inherits=former_workers(2), has_siblings=True) as store:
            assert set(await store.recover(datetime.now(UTC))) == {"call of main", "call of main-3"}

    asyncio.run(scenario())
