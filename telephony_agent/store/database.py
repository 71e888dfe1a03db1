"""Owns the connection to the database: SQLite in WAL mode, or PostgreSQL; its migrations; its transactions and locks.

Theory of operation
-------------------
A transaction that writes takes SQLite's write lock at its beginning (``BEGIN IMMEDIATE``), so that what it reads is
still true when it writes. PostgreSQL has no such lock; there ``hold`` takes an advisory one for the few decisions that
two processes must not make at once. Who needs several takes them in the order of ``Lock``, which excludes deadlocks.

Commits reach the disk before they return (``synchronous=FULL``): an opt-out that was confirmed aloud outlives a power
cut. What is deleted is overwritten (``secure_delete``).
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from enum import IntEnum
from pathlib import Path
from types import MappingProxyType
from typing import Any, cast

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, Table, event, func, select, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DataError, DBAPIError, IntegrityError, ProgrammingError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine

from telephony_agent.errors import SettingError
from telephony_agent.store.errors import StoreUnavailable
from telephony_agent.store.tables import Base

FILE_NAME = "telephony_agent.db"
_MIGRATIONS = Path(__file__).parent / "migrations"
_DRIVERS = MappingProxyType(
    {"sqlite": "sqlite+aiosqlite", "postgresql": "postgresql+asyncpg", "postgres": "postgresql+asyncpg"}
)
_LOCK_SPACE = 0x7461
_WRITING = "BEGIN IMMEDIATE"
_PERMANENT = (IntegrityError, DataError, ProgrammingError)


class Lock(IntEnum):
    """What only one transaction may decide at a time, in the order in which locks are taken."""

    MIGRATION = 1
    DIALLING = 2
    COMPLIANCE = 3


class Database:
    """One database. ``open`` before all else; ``read`` and ``write`` are the only ways in.

    Args:
        url: ``sqlite:///file`` or ``postgresql://user@host/name``; empty means SQLite in ``data_dir``.
        data_dir: where the default file lives; made when needed, for this user's eyes only.
        busy_ms: how long to wait for another's lock before a transaction gives up.

    Raises:
        SettingError: the URL is none, or names a database that we don't know.
    """

    def __init__(self, url: str, data_dir: Path, *, busy_ms: int = 5000) -> None:
        self._url = _database_url(url, data_dir)
        self._engine = _sqlite_engine(self._url, busy_ms) if self.is_sqlite else _postgres_engine(self._url, busy_ms)
        self._reading = async_sessionmaker(self._engine, expire_on_commit=False)
        self._writing = async_sessionmaker(self._engine.execution_options(begin=_WRITING), expire_on_commit=False)

    @property
    def is_sqlite(self) -> bool:
        """Whether it is SQLite, where one writer at a time is the rule anyway."""
        return self._url.get_backend_name() == "sqlite"

    async def open(self) -> None:
        """Bring the database up to this version. Several processes may do so at once.

        Raises:
            StoreUnavailable: it can't be reached or written.
        """
        if self.is_sqlite and self._url.database:
            _make_private(Path(self._url.database))
        writing = self._engine.execution_options(begin=_WRITING)
        async with _translated(), writing.connect() as connection, connection.begin():
            await self._hold(connection, Lock.MIGRATION)
            await connection.run_sync(_upgrade)

    async def close(self) -> None:
        """Close every connection."""
        await self._engine.dispose()

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncSession]:
        """Open a transaction that only reads.

        Raises:
            StoreUnavailable: the database is locked or out of reach.
        """
        async with _translated(), self._reading() as session, session.begin():
            yield session

    @asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncSession]:
        """Open a transaction that writes; it commits at the end of the block, and rolls back on an error.

        Raises:
            StoreUnavailable: the database is locked, full or out of reach; nothing was written.
        """
        async with _translated(), self._writing() as session, session.begin():
            yield session

    async def hold(self, session: AsyncSession, lock: Lock) -> None:
        """Keep all other transactions from this decision until this one ends."""
        await self._hold(session, lock)

    async def _hold(self, connection: AsyncSession | AsyncConnection, lock: Lock) -> None:
        if not self.is_sqlite:
            await connection.execute(select(func.pg_advisory_xact_lock(_LOCK_SPACE, lock.value)))

    async def upsert(self, session: AsyncSession, model: type[Base], values: Mapping[str, Any]) -> None:
        """Insert a row, or replace the one with its key: one statement, whoever else writes."""
        table = cast(Table, model.__table__)
        insert = sqlite.insert(table) if self.is_sqlite else postgresql.insert(table)
        insert = insert.values(**values)
        keys = [column.name for column in table.primary_key]
        changed = {name: insert.excluded[name] for name in values if name not in keys}
        await session.execute(insert.on_conflict_do_update(index_elements=keys, set_=changed))

    async def wipe_deleted(self) -> None:
        """Let what was deleted vanish from SQLite's log too. As far as readers allow: a reader keeps its view."""
        if self.is_sqlite:
            outside = self._engine.execution_options(begin="")
            async with _translated(), outside.connect() as connection:
                await connection.execute(text("PRAGMA wal_checkpoint(TRUNCATE)"))


def _database_url(url: str, data_dir: Path) -> URL:
    if not url:
        return URL.create("sqlite+aiosqlite", database=str(data_dir / FILE_NAME))
    try:
        parsed = make_url(url)
        return parsed.set(drivername=_DRIVERS[parsed.drivername.partition("+")[0]])
    except (ArgumentError, KeyError, ValueError) as error:
        # The URL may hold a password, so it isn't shown.
        raise SettingError(
            "AGENT_DATABASE_URL is not usable: allowed are postgresql://user:password@host/name, sqlite:///file, "
            "or nothing for SQLite in AGENT_DATA_DIR"
        ) from error


def _sqlite_engine(url: URL, busy_ms: int) -> AsyncEngine:
    engine = create_async_engine(url)

    @event.listens_for(engine.sync_engine, "connect")
    def _connected(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # We say BEGIN ourselves: the driver's own comes too late for reads.
        cursor = connection.cursor()
        # The first one waits for a lock too, so it comes after the time to wait.
        for pragma in (
            f"busy_timeout={busy_ms}",
            "journal_mode=WAL",
            "synchronous=FULL",
            "foreign_keys=ON",
            "secure_delete=ON",
        ):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine.sync_engine, "begin")
    def _begun(connection: Connection) -> None:
        if statement := connection.get_execution_options().get("begin", "BEGIN"):
            connection.exec_driver_sql(statement)

    return engine


def _postgres_engine(url: URL, busy_ms: int) -> AsyncEngine:
    settings = {"lock_timeout": str(busy_ms), "application_name": "telephony-agent"}
    return create_async_engine(url, pool_pre_ping=True, connect_args={"server_settings": settings})


def _make_private(file: Path) -> None:
    """Create the database's file and folder so that only this user reads them: they hold what people said."""
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(file, os.O_CREAT | os.O_RDWR, 0o600))
    except OSError as error:
        raise StoreUnavailable(f"the database file {file} can't be made: {error.strerror}") from error


def _upgrade(connection: Connection) -> None:
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


@asynccontextmanager
async def _translated() -> AsyncIterator[None]:
    """Turn what may pass by itself into ``StoreUnavailable``; what can only be a mistake stays what it is."""
    try:
        yield
    except _PERMANENT:
        raise
    except DBAPIError as error:
        raise StoreUnavailable(f"the database refused: {error.orig}") from error
    except (PoolTimeout, OSError) as error:
        raise StoreUnavailable(f"the database is out of reach: {error}") from error
