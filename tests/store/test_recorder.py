"""A live call is taken down without being held up, whatever the database does."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from sqlalchemy import Connection, event
from sqlalchemy.engine import Engine

from telephony_agent.store import PhraseRecord, Recorder, RecorderHealth, Store, TurnRecord
from telephony_agent.store.database import FILE_NAME
from telephony_agent.store.recorder import Importance, Sleep

from .conftest import MakeStore
from .postgres import Cluster
from .stage import ANNA, NOW, ON_POSTGRES, ON_SQLITE, at, outbound, outcome

pytestmark = pytest.mark.anyio


class Pause:
    """Stands for the time between two tries: tells the test that one failed, and lasts until the test has seen it."""

    def __init__(self) -> None:
        self.delays_s: list[float] = []
        self._began = asyncio.Event()
        self._over = asyncio.Event()

    async def __call__(self, delay_s: float) -> None:
        """Pause."""
        self.delays_s.append(delay_s)
        self._began.set()
        await self._over.wait()
        self._over.clear()

    async def begins(self) -> None:
        """Wait until a try has failed."""
        await self._began.wait()
        self._began.clear()

    def ends(self) -> None:
        """Let the next try begin."""
        self._over.set()


@asynccontextmanager
async def recording(store: Store, pause: Sleep = asyncio.sleep, *, capacity: int = 100) -> AsyncIterator[Recorder]:
    """Run a recorder."""
    recorder = Recorder(store.calls, capacity=capacity, sleep=pause)
    recorder.start()
    yield recorder
    await recorder.close()


async def test_a_call_is_written_in_its_order(store: Store) -> None:
    async with recording(store) as recorder:
        live = recorder.call("CA1")
        live.begin(outbound())
        live.placed("SID1")
        live.answered(at(2))
        live.event(at(2), "answered")
        live.turn(TurnRecord(1, transcript="hello"))
        live.phrase(PhraseRecord(0, 1, "Hi."))
        live.event(at(3), "mark", name="p0")
        live.opt_out(at(4), "stop")
        live.finish(outcome("do_not_call"))
        assert recorder.health.pending == 9, "nothing was waited for"
        await recorder.flush()
        assert recorder.health == RecorderHealth()
    transcript = await store.history.transcript("SID1")
    assert transcript.call.outcome is not None
    assert transcript.call.opted_out
    assert [event.kind for event in transcript.events] == ["answered", "mark"]
    assert [turn.transcript for turn in transcript.turns] == ["hello"]


async def test_closing_writes_what_waits(store: Store) -> None:
    async with recording(store) as recorder:
        recorder.call("CA1").begin(outbound())
    assert (await store.history.call("CA1")).live
    assert await recorder.close() == 0


async def test_a_newer_state_takes_the_place_of_one_that_waits(store: Store) -> None:
    async with recording(store) as recorder:
        live = recorder.call("CA1")
        live.begin(outbound())
        for words in ("a", "a b", "a b c"):
            live.turn(TurnRecord(1, transcript=words))
        assert recorder.health.pending == 2
    (turn,) = (await store.history.transcript("CA1")).turns
    assert turn.transcript == "a b c"


async def test_records_that_wait_together_are_one_transaction(store: Store) -> None:
    commits: list[Connection] = []

    def committed(connection: Connection) -> None:
        commits.append(connection)

    event.listen(Engine, "commit", committed)
    try:
        async with recording(store) as recorder:
            live = recorder.call("CA1")
            live.begin(outbound())
            for number in range(30):
                live.event(at(number), "mark")
            await recorder.flush()
    finally:
        event.remove(Engine, "commit", committed)
    assert len(commits) == 1
    assert len((await store.history.transcript("CA1")).events) == 30


async def test_turns_and_events_are_written_though_nobody_asks(store: Store) -> None:
    pause = Pause()
    async with recording(store, pause) as recorder:
        live = recorder.call("CA1")
        live.begin(outbound())
        await recorder.flush()
        live.event(NOW, "mark")
        written = asyncio.Event()

        async def tell(**_: object) -> None:
            written.set()

        recorder.put("test", Importance.EVENT, tell)
        await written.wait()
    assert len((await store.history.transcript("CA1")).events) == 1


async def test_what_is_refused_for_good_stops_nothing(store: Store) -> None:
    async with recording(store) as recorder:
        recorder.call("nobody").turn(TurnRecord(1))
        recorder.call("CA1").begin(outbound())
        await recorder.flush()
        assert recorder.health == RecorderHealth(refused=1)
    assert (await store.history.call("CA1")).live


async def test_an_opt_out_is_kept_even_if_its_call_was_refused(store: Store) -> None:
    async with recording(store) as recorder:
        live = recorder.call("CA1")
        live.begin(outbound("another name"))
        live.opt_out(at(1), "stop")
    assert await store.do_not_call.contains(ANNA)


async def test_a_full_queue_turns_away_events_first_and_never_an_outcome(store: Store) -> None:
    async with recording(store, capacity=3) as recorder:
        live = recorder.call("CA1")
        live.begin(outbound())
        for number in range(9):
            live.event(NOW, "mark")
            live.turn(TurnRecord(number))
        live.opt_out(at(1), "stop")
        live.finish(outcome("do_not_call"))
        assert recorder.health.pending == 8
        assert recorder.health.lost == 13
    record = await store.history.call("CA1")
    assert record.opted_out
    assert not record.live


@ON_SQLITE
async def test_a_locked_database_is_waited_for(make_store: MakeStore, tmp_path: Path) -> None:
    locker = sqlite3.connect(tmp_path / FILE_NAME, isolation_level=None)
    pause = Pause()
    async with make_store(busy_ms=1) as store, recording(store, pause) as recorder:
        locker.execute("BEGIN IMMEDIATE")
        live = recorder.call("CA1")
        live.begin(outbound())
        live.finish(outcome())
        for _ in range(5):
            await pause.begins()
            assert "locked" in recorder.health.last_error
            assert not recorder.health.healthy
            pause.ends()
        await pause.begins()
        assert pause.delays_s == [0.1, 0.5, 2.0, 5.0, 5.0, 5.0]
        assert recorder.health.pending == 2
        assert (await store.history.page()).items == (), "readers don't mind"
        locker.execute("ROLLBACK")
        pause.ends()
        await recorder.flush()
        assert recorder.health == RecorderHealth()
    locker.close()


@ON_SQLITE
async def test_a_full_disk_is_waited_for(store: Store) -> None:
    pause = Pause()
    async with recording(store, pause) as recorder:
        live = recorder.call("CA1")
        live.begin(outbound())
        await recorder.flush()
        await limit_pages(store, 1)
        live.turn(TurnRecord(1, transcript="word " * 100_000))
        live.finish(outcome())
        await pause.begins()
        assert "full" in recorder.health.last_error
        await limit_pages(store, 1_000_000)
        pause.ends()
        await recorder.flush()
        assert recorder.health == RecorderHealth()
    assert not (await store.history.call("CA1")).live


async def limit_pages(store: Store, pages: int) -> None:
    """Let a SQLite file grow no further; its connections live as long as the store."""
    async with store.database.read() as session:
        connection = await session.connection()
        await connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")


@ON_POSTGRES
async def test_a_lock_of_postgres_is_waited_for(make_store: MakeStore) -> None:
    pause = Pause()
    async with make_store(busy_ms=10) as store, make_store() as locker, recording(store, pause) as recorder:
        async with locker.database.read() as session:
            await (await session.connection()).exec_driver_sql("LOCK TABLE calls IN EXCLUSIVE MODE")
            recorder.call("CA1").begin(outbound())
            await pause.begins()
            assert "lock timeout" in recorder.health.last_error
        pause.ends()
        await recorder.flush()
        assert recorder.health == RecorderHealth()
    async with make_store() as store:
        assert (await store.history.call("CA1")).live


@ON_SQLITE
async def test_closing_gives_up_on_a_database_that_stays_away(tmp_path: Path, make_store: MakeStore) -> None:
    locker = sqlite3.connect(tmp_path / FILE_NAME, isolation_level=None)
    async with make_store(busy_ms=1) as store:
        pause = Pause()
        recorder = Recorder(store.calls, sleep=pause)
        recorder.start()
        locker.execute("BEGIN IMMEDIATE")
        recorder.call("CA1").begin(outbound())
        await pause.begins()
        assert await recorder.close(timeout_s=0.0) == 1
        locker.execute("ROLLBACK")
    locker.close()


@ON_POSTGRES
async def test_a_postgres_that_restarts_is_waited_for(make_store: MakeStore, cluster: Cluster) -> None:
    async with make_store() as store, recording(store) as recorder:
        live = recorder.call("CA1")
        live.begin(outbound())
        await recorder.flush()
        cluster.run("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'telephony-agent'")
        live.finish(outcome())
        await recorder.flush()
        assert recorder.health.refused == 0
    async with make_store() as store:
        assert not (await store.history.call("CA1")).live
