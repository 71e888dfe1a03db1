"""The check of the database: it opens, can be written, and was made by this version or an older one."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect, text
from sqlalchemy.engine import make_url

from telephony_agent.cli.doctor.finding import Finding, ok, warning, wrong
from telephony_agent.errors import SettingError
from telephony_agent.settings import StoreSettings
from telephony_agent.store.database import FILE_NAME, Database
from telephony_agent.store.errors import StoreUnavailable

_BUSY_MS = 2000
_VERSIONS = "alembic_version"


async def database(settings: StoreSettings) -> Finding:
    """Take the database's write lock and read its version; nothing is made, brought up to date or written."""
    url = settings.database_url.get_secret_value()
    try:
        opened = Database(url, settings.data_dir, busy_ms=_BUSY_MS)
    except SettingError as error:
        return wrong(str(error), "AGENT_DATABASE_URL=")
    try:
        file = _file(settings.data_dir, url) if opened.is_sqlite else None
        # Opening would make it, and where that fails the data folder's check says why.
        if file is not None and not file.exists():
            return ok(f"none yet: `telephony-agent serve` makes {file}")
        return await _examined(opened, str(file or "PostgreSQL"))
    except StoreUnavailable as error:
        return wrong(str(error), _fix(str(error), str(file) if file is not None else ""))
    finally:
        await opened.close()


async def _examined(opened: Database, name: str) -> Finding:
    async with opened.write() as session:
        connection = await session.connection()
        version = ""
        if await connection.run_sync(_has_version):
            version = str(await session.scalar(text(f"SELECT version_num FROM {_VERSIONS}")) or "")  # noqa: S608
        journal = str(await session.scalar(text("PRAGMA journal_mode"))) if opened.is_sqlite else "wal"
    scripts = ScriptDirectory(str(resources.files("telephony_agent.store") / "migrations"))
    if version and version not in {script.revision for script in scripts.walk_revisions()}:
        fix = "install the version of telephony-agent that made it, or set AGENT_DATA_DIR to another folder"
        return wrong(f"{name} was made by a newer version (its tables are at {version})", fix)
    if journal != "wal":
        fix = "keep AGENT_DATA_DIR on a local disk, not on a network share"
        return warning(f"{name} is not in WAL mode ({journal}): one reader stops all writers", fix)
    if version != scripts.get_current_head():
        return ok(f"{name}, at {version or 'nothing'}: `telephony-agent serve` brings it up to date")
    return ok(f"{name}, up to date")


def _has_version(connection: Connection) -> bool:
    return inspect(connection).has_table(_VERSIONS)


def _file(data_dir: Path, url: str) -> Path | None:
    name = make_url(url).database if url else str(data_dir / FILE_NAME)
    return Path(name) if name and name != ":memory:" else None


def _fix(reason: str, file: str) -> str:
    if not file:
        return "start PostgreSQL, or correct AGENT_DATABASE_URL"
    if "locked" in reason:
        return f"stop the program that holds it: `fuser {file}` names it"
    return f"move {file} away (a new one is made), or put a backup in its place"
