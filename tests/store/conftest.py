"""A store on each database: every test that asks for ``store`` runs on SQLite, and on PostgreSQL where there is one."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from telephony_agent.store import Store
from telephony_agent.store.database import FILE_NAME, Database
from telephony_agent.store.tables import Base

from .postgres import Cluster, NoPostgres, running_cluster

MakeStore = Callable[..., Store]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """The tests' own PostgreSQL. ``AGENT_TEST_POSTGRES=required`` makes a failure of its absence."""
    with ExitStack() as stack:
        try:
            running = stack.enter_context(running_cluster())
        except NoPostgres as reason:
            if os.environ.get("AGENT_TEST_POSTGRES") == "required":
                raise
            pytest.skip(str(reason))
        yield running


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated file; a copy is faster than the migrations."""
    folder = tmp_path_factory.mktemp("template")
    asyncio.run(_migrate(Database("", folder)))
    return folder / FILE_NAME


@pytest.fixture(scope="session")
def postgres_database(cluster: Cluster) -> str:
    """A migrated database that the tests use in turn."""
    name = cluster.fresh()
    asyncio.run(_migrate(Database(cluster.url(name), Path())))
    return name


async def _migrate(database: Database) -> None:
    await database.open()
    await database.close()


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where a migrated database without a record is; ``""`` means SQLite in ``tmp_path``."""
    if request.param == "sqlite":
        shutil.copy(request.getfixturevalue("sqlite_template"), tmp_path / FILE_NAME)
        return ""
    cluster: Cluster = request.getfixturevalue("cluster")
    database: str = request.getfixturevalue("postgres_database")
    cluster.empty(database, Base.metadata.tables)
    return cluster.url(database)


@pytest.fixture
def make_store(url: str, tmp_path: Path) -> MakeStore:
    """Make a store on the test's database; it isn't open yet."""

    def make(**arguments: object) -> Store:
        return Store(tmp_path, url, **{"delivers": True, **arguments})  # type: ignore[arg-type]

    return make


@pytest.fixture
async def store(make_store: MakeStore) -> AsyncIterator[Store]:
    """An open store."""
    async with make_store() as opened:
        yield opened
