"""``kill -9`` of the real server in the middle of its calls: the next one knows what was said and how they ended.

Where a life of the server needs no real engines, it has those of the bench, which are there at once.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from asyncio.subprocess import PIPE, STDOUT
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from telephony_agent.simulator import Parties, PlacedCall, load, place_call
from telephony_agent.simulator.agent_process import PUBLIC_URL, Credentials
from telephony_agent.simulator.events import Event, EventKind

pytestmark = [pytest.mark.torch, pytest.mark.long]

SERVE = ("-m", "telephony_agent", "serve")
SERVE_WITHOUT_MODELS = ("-m", "scripts.call_bench.server")
READY_WITHIN_S = 120.0
ANNA = "+15005550006"
BEN = "+12125550142"
ZOE = "+12125550199"
SECRETS = Credentials()


@dataclass(frozen=True, slots=True)
class Server:
    """A server in a process of its own."""

    process: asyncio.subprocess.Process
    client: httpx.AsyncClient

    def kill(self) -> None:
        """Give it no time for anything."""
        os.kill(self.process.pid, signal.SIGKILL)

    async def asks(self, method: str, path: str, **given: Any) -> Any:
        """Ask its API."""
        answer = await self.client.request(method, f"/api/v1{path}", **given)
        assert answer.is_success, answer.text
        return answer.json()

    async def call(self, number: str) -> dict[str, Any]:
        """Return what it knows of the only call with a number."""
        (call,) = (await self.asks("GET", "/calls", params={"number": number}))["calls"]
        told: dict[str, Any] = await self.asks("GET", f"/calls/{call['call_id']}/transcript")
        return told


@asynccontextmanager
async def life(folder: Path, port: int, command: Sequence[str]) -> AsyncIterator[Server]:
    """Run a server until it is killed, or the block is left."""
    environment = {
        **os.environ,
        "AGENT_MODELS": "pocket",
        "AGENT_DATA_DIR": str(folder),
        "AGENT_DATABASE_URL": "",
        "AGENT_PORT": str(port),
        "AGENT_PUBLIC_URL": PUBLIC_URL,
        "AGENT_API_TOKEN": SECRETS.api_token,
        "TWILIO_AUTH_TOKEN": SECRETS.auth_token,
    }
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, *command), env=environment, stdout=PIPE, stderr=STDOUT
    )
    log = process.stdout
    assert log is not None
    try:
        async with asyncio.timeout(READY_WITHIN_S):
            await read_until(log, "Ready for calls")
        reading_on = asyncio.create_task(log.read())
        headers = {"Authorization": f"Bearer {SECRETS.api_token}"}
        url = f"http://127.0.0.1:{port}"
        async with httpx.AsyncClient(base_url=url, headers=headers, trust_env=False, timeout=30) as client:
            yield Server(process, client)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
    await reading_on


async def read_until(log: asyncio.StreamReader, words: str) -> None:
    """Read a log until words come in it."""
    lines: list[str] = []
    while words not in "".join(lines[-1:]):
        line = await log.readline()
        assert line, "the server ended:\n" + "".join(lines)
        lines.append(line.decode())


async def calls_until(
    server: Server, number: str, fatal: Callable[[Event], bool], last_act: Callable[[], Awaitable[None]] | None = None
) -> int:
    """Call, and kill the server at an event of the call; return how many times it had begun to answer by then.

    ``last_act`` is done between that event and the kill, while the call goes on.
    """
    spoke = 0
    kill: asyncio.Task[None] | None = None

    async def kills() -> None:
        if last_act is not None:
            await last_act()
        server.kill()

    def happens(event: Event) -> None:
        nonlocal spoke, kill
        spoke += event.kind is EventKind.AGENT_SPEAKS and event.value is not None
        if kill is None and fatal(event):
            kill = asyncio.create_task(kills())

    parties = Parties(caller=number)
    placed = PlacedCall(load("quickstart"), str(server.client.base_url), PUBLIC_URL, SECRETS.auth_token, parties)
    await place_call(placed, on_event=happens)
    assert kill is not None
    await kill
    await server.process.wait()
    return spoke


async def opt_out_by_text(server: Server) -> Callable[[], Awaitable[None]]:
    """Begin a call by text; return what opts out in it."""
    lead = {"name": "Zoe", "phone": ZOE}
    call = await server.asks("POST", "/sales/start-call", json={"lead": lead, "channel": "text"})

    async def opts_out() -> None:
        path = f"/sales/calls/{call['call_id']}/turns"
        answer = await server.asks("POST", path, json={"text": "please take me off your list"})
        assert answer["state"]["opted_out"]

    return opts_out


def end_of(told: dict[str, Any]) -> tuple[str, str]:
    """Return the line's result and the disposition of a call."""
    return told["call"]["line_result"], told["call"]["disposition"]


@pytest.fixture
def port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def test_the_next_server_knows_of_every_call_what_was_said_and_how_it_ended(tmp_path: Path, port: int) -> None:
    async def scenario() -> None:
        async with life(tmp_path, port, SERVE_WITHOUT_MODELS) as server:
            await calls_until(server, ANNA, lambda event: event.kind is EventKind.CALLER_SPEAKS)

        async with life(tmp_path, port, SERVE) as server:
            greeted = await server.call(ANNA)
            assert end_of(greeted) == ("answered", "failed"), "the line broke, and it wasn't the caller"
            opts_out = await opt_out_by_text(server)
            spoke = await calls_until(server, BEN, lambda event: event.text == "my name is Sarah Miller", opts_out)

        async with life(tmp_path, port, SERVE_WITHOUT_MODELS) as server:
            talked = await server.call(BEN)
            assert end_of(talked) == ("answered", "failed"), "the line broke, and it wasn't the caller"
            assert spoke >= 2
            heard = [turn["reply_heard"] for turn in talked["turns"] if turn["reply_heard"]]
            assert len(heard) >= spoke - 1, "at most the turn being spoken is lost"
            typed = await server.call(ZOE)
            assert end_of(typed) == ("answered", "do_not_call")
            listed = (await server.asks("GET", "/do-not-call"))["numbers"]
            assert [entry["number"] for entry in listed] == [ZOE]
            assert await server.call(ANNA) == greeted
            server.kill()

        async with life(tmp_path, port, SERVE_WITHOUT_MODELS) as server:
            assert [await server.call(number) for number in (ANNA, BEN, ZOE)] == [greeted, talked, typed]

    asyncio.run(scenario())
