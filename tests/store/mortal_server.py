"""A server that dies: run as a program, it plays a day of calls again and again, each time killed a little later.

``python -m tests.store.mortal_server FOLDER URL POINTS`` forks a child for each life of the server. A child does what
``telephony-agent serve`` does: it opens the store, recovers what the life before left behind, and takes calls, several
at once, with scripted engines on the real switchboard, legs, guides and books. The first one lives, so that it is known
how many steps there are; ``POINTS`` others are killed, evenly over these steps; the last one reports as JSON what it
finds. A step is an event that a leg takes, an action that it asks for, an answer of the API, a transaction's beginning,
a statement or a commit, just before it is made.
"""

from __future__ import annotations

import asyncio
import gc
import json
import sys
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from loguru import logger
from sqlalchemy import select, text

from telephony_agent.store import CallFilter, Store
from telephony_agent.store.rows import call_fields
from telephony_agent.store.tables import Base

from .mortal import Death, in_child
from .virtual_time import VirtualLoop
from .whole_server import CAST, Lasting, Report, number_in, play, serving


async def live(lasting: Lasting, life: int, death: Death, report: Report) -> None:
    """Live one life: recover from the last one, take all calls, report what every party has heard."""
    # A leg logs whatever it takes and asks for, before it does it.
    sink = logger.add(lambda _: death.step(), level="DEBUG", format=lambda _: "")
    death.arm()
    async with serving(lasting) as server:
        await play(server, life, death, report)
    logger.remove(sink)
    report(json.dumps({"steps": death.steps}))


def lives(folder: Path, url: str, points: int) -> Iterator[dict[str, Any]]:
    """Live again and again; yield what is left of each call, and at last what is true of all."""
    logger.remove()
    lasting = Lasting.of(folder, url)
    asyncio.run(visit(lasting))
    # What is never collected is never copied into a child either.
    gc.freeze()

    def one_life(number: int, step: int) -> tuple[bool, list[dict[str, Any]]]:
        async def work(report: Report) -> None:
            await live(lasting, number, Death(step), report)

        lived, lines = in_child(work, loop=VirtualLoop)
        return lived, [json.loads(line) for line in lines]

    lived, (*seen, end) = one_life(0, sys.maxsize)
    assert lived, "nobody ended this life"
    told = [seen]
    for point in range(points):
        step = end["steps"] * point // points
        lived, lines = one_life(point + 1, step)
        assert not lived, f"step {step} never came"
        told.append(lines)

    async def look(report: Report) -> None:
        async for found in findings(lasting, told):
            report(json.dumps(found))

    lived, found = in_child(look)
    assert lived, "nobody ended the last life"
    yield from map(json.loads, found)


async def visit(lasting: Lasting) -> None:
    """Use a store once, so that all that it needs is loaded."""
    async with lasting.store() as store:
        await store.recover(datetime.now(UTC), lasting.retold)
        await store.history.page()


async def findings(lasting: Lasting, told: list[list[dict[str, Any]]]) -> AsyncIterator[dict[str, Any]]:
    """Open the store as the next server does, and yield what is left of every call, then what is true of all."""
    async with lasting.store() as store:
        recovered = await store.recover(datetime.now(UTC), lasting.retold)
        once = await everything(store)
        again = await store.recover(datetime.now(UTC), lasting.retold)
        logged: dict[str, list[str]] = {}
        for row in once["compliance"]:
            logged.setdefault(row["number"], []).append(row["kind"])
        owed = [row["call_id"] for row in once["deliveries"]]
        for life, lines in enumerate(told):
            for number, part in enumerate(CAST):
                party = number_in(life, number)
                call = await call_of(store, party)
                yield {
                    "life": life,
                    "part": part.name,
                    "heard": [line["heard"] for line in lines if line["part"] == number],
                    "do_not_call": await store.do_not_call.contains(party),
                    "log": logged.get(party, []),
                    "deliveries": owed.count(call["call"]["call_id"]) if call else 0,
                    **(call or {"call": None}),
                }
        yield {
            "recovered": len(recovered),
            "recovered again": len(again),
            "unchanged": await everything(store) == once,
            "log intact": (await store.compliance.verify()).intact,
            "faults": await faults(store),
        }


async def call_of(store: Store, number: str) -> dict[str, Any] | None:
    """Say what is left of the only call with a number."""
    page = await store.history.page(CallFilter(number=number))
    if not page.items:
        return None
    (record,) = page.items
    transcript = await store.history.transcript(record.call.call_id)
    turns = [[turn.number, turn.transcript, turn.reply, turn.reply_heard] for turn in transcript.turns]
    return {"call": call_fields(record), "turns": turns}


async def everything(store: Store) -> dict[str, list[dict[str, Any]]]:
    """Read every row of every table."""
    rows: dict[str, list[dict[str, Any]]] = {}
    async with store.database.read() as session:
        for name, table in Base.metadata.tables.items():
            found = await session.execute(select(table).order_by(*table.primary_key))
            rows[name] = [dict(row) for row in found.mappings()]
    return rows


async def faults(store: Store) -> list[str]:
    """Let SQLite look for torn pages, and for rows that hang in the air; PostgreSQL can't have the latter."""
    if not store.database.is_sqlite:
        return []
    async with store.database.read() as session:
        checks = [await session.execute(text(f"PRAGMA {check}")) for check in ("integrity_check", "foreign_key_check")]
        return [str(row) for check in checks for row in check.scalars() if row != "ok"]


if __name__ == "__main__":
    for found in lives(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])):
        print(json.dumps(found))
