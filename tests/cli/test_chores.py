"""What a server does beside its calls."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from telephony_agent.cli.build import build_store
from telephony_agent.cli.chores import Chores
from telephony_agent.settings import Settings
from telephony_agent.store import NewCall, Outcome, Store
from tests.cli.remembered import memory_in

pytestmark = pytest.mark.anyio
LONG_AGO = datetime(2020, 3, 2, 15, 0, tzinfo=UTC)
PATIENCE_S = 30.0


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def ended_call(store: Store) -> None:
    await store.calls.begin(NewCall("CA1", "inbound", LONG_AGO))
    await store.calls.finish("CA1", Outcome("hung_up", "answered", LONG_AGO))


async def test_a_server_tells_outcomes_and_deletes_what_is_too_old(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bodies: asyncio.Queue[bytes] = asyncio.Queue()

    async def hook(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        (length,) = (line.split(b":")[1] for line in head.lower().split(b"\r\n") if line.startswith(b"content-length"))
        bodies.put_nowait(await reader.readexactly(int(length)))
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        writer.close()

    with memory_in(tmp_path, monkeypatch):
        monkeypatch.setenv("NO_PROXY", "*")
        async with await asyncio.start_server(hook, "127.0.0.1", 0) as server:
            settings = Settings(
                AGENT_OUTCOME_WEBHOOK=f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/hook",
                AGENT_OUTCOME_SECRET="a secret of the tests",
                AGENT_KEEP_CALLS_DAYS="30",
            )
            async with build_store(settings) as store, asyncio.timeout(PATIENCE_S):
                await ended_call(store)
                chores = Chores(store, settings.outcome, settings.store)
                chores.start()
                assert json.loads(await bodies.get())["call_id"] == "CA1"
                while await store.deliveries.pending():
                    pass
                await chores.close()
                # An outcome that wasn't delivered is not deleted: only the next start finds nothing that keeps it.
                chores = Chores(store, settings.outcome, settings.store)
                chores.start()
                while (await store.history.page()).items:
                    pass
                await chores.close()


async def test_a_server_without_such_settings_does_nothing_beside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with memory_in(tmp_path, monkeypatch):
        settings = Settings()
        async with build_store(settings) as store:
            await ended_call(store)
            before = asyncio.all_tasks()
            chores = Chores(store, settings.outcome, settings.store)
            chores.start()
            assert asyncio.all_tasks() == before
            await chores.close()
            assert await store.deliveries.pending() == 0
            assert len((await store.history.page()).items) == 1
