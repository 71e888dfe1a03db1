"""The database: found by its URL, brought up to date when it opens, and clear about what is wrong."""

from __future__ import annotations

import asyncio
import sqlite3
import stat
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, MetaData, Table, text
from sqlalchemy.exc import IntegrityError, ProgrammingError

from telephony_agent.errors import SettingError
from telephony_agent.store import Store, StoreError, StoreUnavailable, database
from telephony_agent.store.database import FILE_NAME, Database
from telephony_agent.store.tables import Base

from .conftest import MakeStore
from .postgres import Cluster
from .stage import NOW, ON_POSTGRES, at

pytestmark = pytest.mark.anyio
T = TypeVar("T")
MIGRATIONS = Path(database.__file__).parent / "migrations"
EARLIER = sorted(script.revision for script in ScriptDirectory(str(MIGRATIONS)).walk_revisions() if not script.is_head)
Rows = Mapping[str, list[dict[str, Any]]]


def differences(connection: Connection) -> list[object]:
    return list(compare_metadata(MigrationContext.configure(connection), Base.metadata))


async def test_the_migrations_make_the_tables_that_the_models_describe(store: Store) -> None:
    assert await on(store.database, differences) == []


# From every earlier version to this one, and back


@pytest.fixture(params=["sqlite", "postgres"])
async def bare(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Database]:
    """A database without a table."""
    cluster: Cluster | None = request.getfixturevalue("cluster") if request.param == "postgres" else None
    opened = Database(cluster.url(cluster.fresh()) if cluster is not None else "", tmp_path)
    yield opened
    await opened.close()


async def on(where: Database, work: Callable[[Connection], T]) -> T:
    """Do something in a transaction that writes."""
    async with where.write() as session:
        return await (await session.connection()).run_sync(work)


def migration(revision: str, *, down: bool = False) -> Callable[[Connection], None]:
    """Return what brings a database to a revision, as ``Database.open`` brings one to the newest."""

    def migrate(connection: Connection) -> None:
        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS))
        config.attributes["connection"] = connection
        (command.downgrade if down else command.upgrade)(config, revision)

    return migrate


def tables_of(connection: Connection) -> list[Table]:
    """Return the tables that there are, each after those that it refers to."""
    found = MetaData()
    found.reflect(connection)
    return [table for table in found.sorted_tables if table.name != "alembic_version"]


def fill(connection: Connection) -> None:
    """Put two rows into every table."""
    for table in tables_of(connection):
        connection.execute(table.insert(), [row_of(table, number) for number in (1, 2)])


def row_of(table: Table, number: int) -> dict[str, Any]:
    """Return a row that says where each of its values belongs."""
    return {column.name: value_of(column, number) for column in table.columns}


def value_of(column: sa.Column[Any], number: int) -> Any:
    for key in column.foreign_keys:
        return value_of(key.column, number)
    what = f"{column.name} {number} of {column.table.name}"
    match column.type:
        case sa.JSON():
            return {"is": what}
        case sa.DateTime():
            return at(number)
        case sa.Date():
            return at(number).date()
        case sa.Boolean():
            return number == 1
        case sa.Text():
            return what
        case sa.Integer():
            return number
        case sa.Double() | sa.Float():
            return number / 4
        case _:
            raise AssertionError(f"{what} is {column.type!r}")


def rows_of(connection: Connection) -> Rows:
    """Return every row of every table."""
    return {
        table.name: [dict(row._mapping) for row in connection.execute(table.select().order_by(*table.primary_key))]
        for table in tables_of(connection)
    }


def structure_of(connection: Connection) -> dict[str, Any]:
    """Return all that makes the tables what they are."""
    seen = sa.inspect(connection)

    def told(name: str) -> list[list[str]]:
        columns = [{**column, "type": str(column["type"])} for column in seen.get_columns(name)]
        keys = (seen.get_unique_constraints(name), seen.get_indexes(name), seen.get_foreign_keys(name))
        return [sorted(str(sorted(one.items(), key=str)) for one in part) for part in (columns, *keys)]

    return {name: [*told(name), seen.get_pk_constraint(name)] for name in seen.get_table_names()}


@pytest.mark.parametrize("revision", EARLIER)
async def test_rows_of_every_earlier_version_come_up_to_this_one_and_back_unchanged(
    bare: Database, revision: str
) -> None:
    await on(bare, migration(revision))
    await on(bare, fill)
    rows, structure = await on(bare, rows_of), await on(bare, structure_of)
    await bare.open()
    assert await on(bare, differences) == []
    kept = await on(bare, rows_of)
    assert {name: [{key: row[key] for key in rows[name][0]} for row in kept[name]] for name in rows} == rows
    await on(bare, migration(revision, down=True))
    assert await on(bare, rows_of) == rows
    assert await on(bare, structure_of) == structure


async def test_every_table_goes_with_the_first_version(bare: Database) -> None:
    await bare.open()
    await on(bare, fill)
    await on(bare, migration("base", down=True))
    assert await on(bare, tables_of) == []
    await bare.open()
    assert await on(bare, differences) == []


async def test_what_earlier_versions_owed_are_outcomes_and_calls_of_theirs_name_no_playbook(bare: Database) -> None:
    await on(bare, migration("0002"))
    await on(bare, fill)
    await bare.open()
    rows = await on(bare, rows_of)
    assert [row["kind"] for row in rows["deliveries"]] == ["outcome", "outcome"]
    assert {row["playbook_id"] for name in ("calls", "campaigns") for row in rows[name]} == {""}
    assert rows["playbooks"] == []


async def test_an_earlier_version_owes_outcomes_only_and_one_a_call(bare: Database) -> None:
    await bare.open()
    await on(bare, fill)

    def owe(connection: Connection) -> None:
        connection.execute(text("UPDATE deliveries SET call_id = 'id 1 of calls', kind = 'outcome' WHERE id = 1"))
        connection.execute(text("UPDATE deliveries SET call_id = 'id 1 of calls', kind = 'handover' WHERE id = 2"))

    await on(bare, owe)
    await on(bare, migration("0002", down=True))
    (owed,) = (await on(bare, rows_of))["deliveries"]
    assert owed["id"] == 1
    again = text("INSERT INTO deliveries SELECT 2, call_id, payload, attempts, next_try_at, last_error FROM deliveries")
    with pytest.raises(IntegrityError):
        await on(bare, lambda connection: connection.execute(again))


# Finding it, and opening it


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
