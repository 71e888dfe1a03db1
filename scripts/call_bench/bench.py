"""The two phases of the bench: calls in a row, and many at once."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import httpx
from prometheus_client.parser import text_string_to_metric_families

from scripts.call_bench.callers import HANGS_UP_ON_THE_GREETING, TALKS, TALKS_ONCE, one_call
from scripts.call_bench.figures import CENSUS, LATE, Census, Phase
from telephony_agent.simulator.agent_process import Credentials, running_agent
from telephony_agent.simulator.call import CallResult
from telephony_agent.simulator.caller import Cue

SERVER = (str(Path(__file__).with_name("server.py")),)
EVERY_NTH_TALKS = 5
"""Of the calls in a row these have a turn; the others are hung up in the middle of the greeting."""
LAG_SAMPLE_S = 0.05
REST_SAMPLE_S, REST_SAMPLES = 1.0, 15


@dataclass(frozen=True, slots=True)
class Load:
    """What the server is put to."""

    in_a_row: int
    at_once: int
    for_s: float


LONG, SHORT = Load(1000, 25, 600.0), Load(60, 8, 10.0)


@dataclass(frozen=True, slots=True)
class Server:
    """The server under load."""

    url: str
    credentials: Credentials
    client: httpx.AsyncClient

    async def called(self, cues: Sequence[Cue], seed: int) -> CallResult:
        """Call it."""
        return await one_call(self.url, self.credentials.auth_token, cues, seed, self.client)

    async def census(self) -> Census:
        """Ask it for its figures."""
        headers = {"Authorization": f"Bearer {self.credentials.api_token}"}
        answer = (await self.client.get(f"{self.url}/metrics", headers=headers)).raise_for_status()
        samples = [sample for family in text_string_to_metric_families(answer.text) for sample in family.samples]
        told = {sample.name: sample.value for sample in samples}
        figures = {name: int(told[metric]) for name, metric in CENSUS.items()}
        late = {float(s.labels["le"]): int(s.value) for s in samples if s.name == LATE}
        return Census(**figures | {"memory_kib": figures["memory_kib"] // 1024}, late=late)


async def in_a_row(server: Server, load: Load) -> Phase:
    """Hold short calls, one after the other."""
    phase = Phase(f"{load.in_a_row} in a row")
    async with watched(phase, server, 1.0):
        for number in range(load.in_a_row):
            cues = HANGS_UP_ON_THE_GREETING if number % EVERY_NTH_TALKS else TALKS_ONCE
            phase.note(await server.called(cues, number))
    return phase


async def at_once(server: Server, load: Load) -> Phase:
    """Keep so many calls going; each that ends makes room for the next, until the time is over."""
    phase = Phase(f"{load.at_once} at once for {load.for_s:.0f} s")
    ends_at = time.monotonic() + load.for_s
    numbers = count(1)

    async def calls(place: int) -> None:
        # Nobody's phone rings at the same moment as everybody else's.
        await asyncio.sleep(place * 0.2)
        while time.monotonic() < ends_at:
            phase.note(await server.called(TALKS, next(numbers)))

    async with watched(phase, server, 1.0), asyncio.TaskGroup() as places:
        for place in range(load.at_once):
            places.create_task(calls(place))
    return phase


async def bench(load: Load) -> list[Phase]:
    """Run both phases on one server."""
    credentials = Credentials()
    settings = {"AGENT_TURN_END": "words", "AGENT_MAX_CALLS": "0"}
    async with (
        running_agent(credentials, settings=settings, command=SERVER) as agent,
        httpx.AsyncClient(trust_env=False, timeout=30) as client,
    ):
        server = Server(agent.url, credentials, client)
        # What is made at the first call is no leak.
        for seed, cues in enumerate((TALKS_ONCE, HANGS_UP_ON_THE_GREETING)):
            await server.called(cues, seed)
        return [await in_a_row(server, load), await at_once(server, load)]


@asynccontextmanager
async def watched(phase: Phase, server: Server, every_s: float) -> AsyncIterator[None]:
    """Sample the server and this process's own lag while the block runs."""

    async def ask() -> None:
        while True:
            phase.censuses.append(await server.census())
            await asyncio.sleep(every_s)

    async def lag() -> None:
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + LAG_SAMPLE_S
            await asyncio.sleep(LAG_SAMPLE_S)
            phase.lags_ms.append((loop.time() - due) * 1000)

    phase.before = await at_rest(server)
    began = time.monotonic()
    watchers = [asyncio.create_task(ask()), asyncio.create_task(lag())]
    try:
        yield
    finally:
        for watcher in watchers:
            watcher.cancel()
            with suppress(asyncio.CancelledError):
                await watcher
    phase.lasted_s = time.monotonic() - began
    phase.after = await at_rest(server)


async def at_rest(server: Server) -> Census:
    """Wait until the server lets go of nothing more; return what it has then."""
    census = await server.census()
    for _ in range(REST_SAMPLES):
        await asyncio.sleep(REST_SAMPLE_S)
        before, census = census, await server.census()
        if (before.tasks, before.threads, before.descriptors) == (census.tasks, census.threads, census.descriptors):
            break
    return census
