"""A PostgreSQL cluster of the tests' own: in a temporary folder, reached by a socket there, gone afterwards."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

LINUX_PACKAGE_BINARIES = "/usr/lib/postgresql"


class NoPostgres(Exception):
    """Why there is no PostgreSQL to test with."""


class Cluster:
    """A running cluster."""

    def __init__(self, binaries: Path, folder: Path) -> None:
        self._psql = str(binaries / "psql")
        self._folder = str(folder)
        self._names = (f"test_{number}" for number in count(1))

    def fresh(self) -> str:
        """Make an empty database and return its name."""
        name = next(self._names)
        self.run(f"CREATE DATABASE {name}")
        return name

    def empty(self, database: str, tables: Iterable[str]) -> None:
        """Empty a database's tables: to make another one for each test would cost a gigabyte of disk."""
        self.run(f"TRUNCATE {', '.join(tables)} RESTART IDENTITY", database)

    def url(self, database: str) -> str:
        """Return where a database is, as a user would write it."""
        return f"postgresql://postgres@/{database}?host={self._folder}"

    def run(self, statement: str, database: str = "postgres") -> None:
        """Run a statement."""
        command = [self._psql, "-qX", "-v", "ON_ERROR_STOP=1", "-h", self._folder, "-U", "postgres", "-d", database]
        subprocess.run([*command, "-c", statement], check=True, capture_output=True, text=True)


@contextmanager
def running_cluster() -> Iterator[Cluster]:
    """Run a cluster for as long as the block lasts. Raises ``NoPostgres`` where there can be none."""
    binaries = _binaries()
    user = _user()
    folder = Path(tempfile.mkdtemp(prefix="telephony-agent-postgres-"))
    control = [*user, str(binaries / "pg_ctl"), "-D", str(folder / "data"), "-s", "-w"]
    try:
        if user:
            shutil.chown(folder, user[2])
        _run([*user, str(binaries / "initdb"), "-D", str(folder / "data"), "-A", "trust", "-U", "postgres", "-N"])
        options = f"-k {folder} -c listen_addresses= -c fsync=off -c max_connections=40"
        _run([*control, "-o", options, "-l", str(folder / "log"), "start"])
        try:
            yield Cluster(binaries, folder)
        finally:
            _run([*control, "-m", "immediate", "stop"])
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _binaries() -> Path:
    """Find PostgreSQL's programs; Debian keeps the server's away from the path, a version a folder."""
    folders = sorted(Path(LINUX_PACKAGE_BINARIES).glob("*/bin"), key=lambda path: float(path.parent.name))
    on_path = shutil.which("initdb")
    candidates = [*reversed(folders), *([Path(on_path).resolve().parent] if on_path else [])]
    for folder in candidates:
        if all((folder / program).exists() for program in ("initdb", "pg_ctl", "psql")):
            return folder
    raise NoPostgres("no initdb: PostgreSQL is not installed (on Debian: apt-get install postgresql)")


def _user() -> list[str]:
    """Return what starts a program as somebody whom PostgreSQL accepts: root it refuses."""
    if os.geteuid() != 0:
        return []
    for name in ("postgres", "nobody"):
        command = ["runuser", "-u", name, "--"]
        if (
            shutil.which("runuser")
            and subprocess.run([*command, "true"], check=False, capture_output=True).returncode == 0
        ):
            return command
    raise NoPostgres("PostgreSQL refuses to run as root, and there is no user postgres or nobody to run it as")


def _run(command: list[str]) -> None:
    done = subprocess.run(command, check=False, capture_output=True, text=True, cwd="/")
    if done.returncode != 0:
        raise NoPostgres(f"{Path(command[-1]).name}: {done.stderr.strip()[-500:]}")
