"""The database: found by its URL, brought up to date when it opens, and clear about what is wrong."""

from __future__ import annotations

import asyncio
import sqlite3
import stat
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, text
from sqlalchemy.exc import ProgrammingError

from telephony_agent.errors import SettingError
from telephony_agent.store import Store, StoreError, StoreUnavailable
from telephony_agent.store.database import FILE_NAME, Database
from telephony_agent.store.tables import Base

from .conftest import MakeStore
from .postgres import Cluster
from .stage import NOW, ON_POSTGRES

pytestmark = pytest.mark.anyio


async def test_the_migrations_make_the_tables_that_the_models_describe(store: Store) -> None:
    def differences(session: Connection) -> list[object]:
        return list(compare_metadata(MigrationContext.configure(session), Base.metadata))

    async with store.database.read() as session:
        assert await (await session.connection()).run_sync(differences) == []


async def test_several_processes_may_open_a_new_database_at_once(tmp_path: Path) -> None:
    stores = [Store(tmp_path / "new") for _ in range(3)]
    await asyncio.gather(*(store.open() for store in stores))
    assert (await stores[0].leads.page()).items == ()
    await asyncio.gather(*(store.close() for store in stores))


async def test_several_processes_may_open_a_new_postgres_at_once(cluster: Cluster, tmp_path: Path) -> None:
    url = cluster.url(cluster.fresh())
    stores = [Store(tmp_path, url) for _ in range(3)]
    await asyncio.gather(*(store.open() for store in stores))
    await asyncio.gather(*(store.close() for store in stores))


async def test_opening_again_keeps_what_is_there(make_store: MakeStore) -> None:
    async with make_store() as store:
        await store.do_not_call.add("+15005550006", NOW, "e-mail")
    async with make_store() as store:
        assert await store.do_not_call.contains("+15005550006")


async def test_a_sqlite_file_is_for_this_user_only_and_in_wal_mode(tmp_path: Path) -> None:
    async with Store(tmp_path / "data"):
        pass
    file = tmp_path / "data" / FILE_NAME
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    connection = sqlite3.connect(file)
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    connection.close()


async def test_another_sqlite_file_may_be_named(tmp_path: Path) -> None:
    async with Store(tmp_path, f"sqlite:///{tmp_path}/sub/mine.db"):
        assert (tmp_path / "sub" / "mine.db").exists()


@pytest.mark.parametrize("url", ["mysql://root@host/calls", "nonsense", "://", "postgresql://u:secret@host:x/y"])
def test_a_url_that_is_not_usable_is_named_by_its_setting(tmp_path: Path, url: str) -> None:
    with pytest.raises(SettingError, match=r"^AGENT_DATABASE_URL is not usable") as wrong:
        Database(url, tmp_path)
    assert "secret" not in str(wrong.value)


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+asyncpg", "postgresql+psycopg"])
async def test_every_way_to_write_postgres_is_understood(tmp_path: Path, scheme: str) -> None:
    database = Database(f"{scheme}://u:p@127.0.0.1:1/x", tmp_path)
    assert not database.is_sqlite
    with pytest.raises(StoreUnavailable):
        await database.open()
    await database.close()


async def test_a_folder_that_cannot_be_made_is_said_to_be(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StoreUnavailable, match="can't be made"):
        await Store(tmp_path / "file" / "data").open()


async def test_a_file_that_is_no_database_is_said_to_be(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_text("no database at all, but long enough to be taken for one " * 20)
    store = Store(tmp_path)
    with pytest.raises(StoreUnavailable, match="not a database"):
        await store.open()
    await store.close()


@ON_POSTGRES
async def test_a_mistake_of_ours_is_not_taken_for_a_passing_fault(store: Store) -> None:
    with pytest.raises(ProgrammingError):
        async with store.database.write() as session:
            await session.execute(text("SELECT no_such_column FROM calls"))


async def test_a_time_without_a_zone_is_refused(store: Store) -> None:
    with pytest.raises(Exception, match="without a zone"):
        await store.do_not_call.add("+15005550006", NOW.replace(tzinfo=None), "e-mail")


def test_every_error_has_a_code_of_its_own() -> None:
    codes = [error.code for error in StoreError.__subclasses__()]
    assert len(set(codes)) == len(codes)
