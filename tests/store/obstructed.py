"""A server that can't write: run as a program, it plays calls while the database takes nothing, and says what is left.

``python -m tests.store.obstructed FOLDER lock`` has somebody else hold the database's lock from before the first call
until after the last one; ``... FOLDER disk`` lets no file grow meanwhile, as on a disk that is full.
"""

from __future__ import annotations

import asyncio
import json
import resource
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from loguru import logger

from telephony_agent.store.database import FILE_NAME

from .mortal import Death
from .virtual_time import VirtualLoop
from .whole_server import Lasting, play, serving

PAGE = 4096


@contextmanager
def lock(folder: Path) -> Iterator[None]:
    """Hold the write lock of the database."""
    locker = sqlite3.connect(folder / FILE_NAME, isolation_level=None)
    locker.execute("BEGIN IMMEDIATE")
    yield
    locker.close()


@contextmanager
def disk(folder: Path) -> Iterator[None]:
    """Let nothing be written behind the first page of a file; pipes are none."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (PAGE, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


OBSTACLES = {"lock": lock, "disk": disk}


async def obstructed(lasting: Lasting, obstacle: str) -> None:
    """Print what the callers heard, how the writing went meanwhile, and what is written once nothing is in its way."""
    heard: list[dict[str, object]] = []
    async with serving(lasting, busy_ms=1) as server:
        recorder = server.store.recorder
        with OBSTACLES[obstacle](lasting.folder):
            await play(server, 0, Death(), lambda line: heard.append(json.loads(line)))
            meanwhile = asdict(recorder.health)
            known = len((await server.store.history.page()).items)
        await recorder.flush()
        calls = (await server.store.history.page()).items
        print(
            json.dumps(
                {
                    "heard": heard,
                    "meanwhile": meanwhile,
                    "known meanwhile": known,
                    "afterwards": asdict(recorder.health),
                    "dispositions": {one.call.number: one.outcome and one.outcome.disposition for one in calls},
                    "do not call": [entry.number for entry in (await server.store.do_not_call.page()).items],
                    "deliveries": await server.store.deliveries.pending(),
                }
            )
        )


if __name__ == "__main__":
    logger.remove()
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        runner.run(obstructed(Lasting.of(Path(sys.argv[1])), sys.argv[2]))
