"""Processes that die: run as a program, it forks children off a fresh interpreter and reports as JSON what is left.

``python -m tests.store.mortal kill FOLDER URL``
    A child plays one call and is killed at its first step, the next one at its second, until one outlives the call.
    Then children that recover are killed, ever later; the last one may finish, and says what it finds.
``python -m tests.store.mortal race FOLDER URL``
    Several children try to dial the same number at the same moment.
``python -m tests.store.mortal deliver FOLDER URL``
    A child is killed once a call is concluded, the next one when the webhook has its outcome but we no answer yet.

A step is a transaction's beginning, a statement or a commit, just before it is made; or what lies between records.
The store is made before the children are, and used once, so that they find everything loaded and prepared.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import Callable, Coroutine, Iterator
from contextlib import suppress
from datetime import datetime
from itertools import count
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy import event
from sqlalchemy.engine import Engine

from telephony_agent.live.outcome_sender import OutcomeSender
from telephony_agent.store import NewCall, NextStep, Outcome, PhraseRecord, Recorder, Store, TurnRecord, UnknownRecord
from telephony_agent.store.deliveries import LEASE
from telephony_agent.store.rows import call_fields

from .stage import ANNA, NOW, at

RACERS = 6
RECOVERIES_TO_KILL = range(0, 200, 20)
WARM_UP = 999
REPLIES = ("", "Hello, this is Alex, the AI assistant.", "We open at nine.", "On Sunday, too.", "Yes.", "No.", "Bye.")
TURNS = range(1, len(REPLIES))
OUTCOME = Outcome(
    "do_not_call",
    "answered",
    at(40),
    summary="She wants no calls.",
    slots={"name": "Anna", "company": "Example"},
    next_step=NextStep("none", at(90), "America/New_York"),
    opted_out=True,
)
SOUND = b"\x55" * 160


def number_of(point: int) -> str:
    """Return the number that is dialled at a point: nobody's, and no other point's."""
    return f"+1{201 + point // 100}55501{point % 100:02d}"


class Death:
    """Comes at the step with a number, counted from ``arm`` on; without one, never."""

    def __init__(self, step: int | None = None) -> None:
        self._left = step
        self._armed = False
        self.steps = 0
        """How many there have been."""
        if step is not None:
            for moment in ("before_cursor_execute", "begin", "commit"):
                event.listen(Engine, moment, self.step, named=True)

    def arm(self) -> None:
        """Begin to count."""
        self._armed = True

    def step(self, **_of_event: object) -> None:
        """Count a step, or die at it."""
        if self._armed and self._left is not None:
            if self.steps == self._left:
                os.kill(os.getpid(), signal.SIGKILL)
            self.steps += 1


async def play(store: Store, point: int, death: Death, report: Callable[[str], None]) -> None:
    """Play a call in which she opts out, and report each step once it must be on the disk."""
    call_id = f"CA{point}"
    death.arm()
    death.step()
    call = NewCall(call_id, "outbound", NOW, number=number_of(point))
    await store.dialling.reserve_dial(call, zone="UTC", max_attempts=1)
    report("reserved")
    store.recorder = Recorder(store.calls)  # the store's own belongs to the parent's event loop
    store.recorder.start()
    live = store.recorder.call(call_id)
    recording = store.recordings.open(call_id)

    async def written(step: str) -> None:
        await store.recorder.flush()
        report(step)
        death.step()

    live.placed(f"SID{point}")
    live.answered(at(2))
    await written("answered")
    for number in TURNS:
        live.turn(TurnRecord(number, transcript=f"words {number}"))
        await written(f"turn {number} begun")
        for frame in range(150):
            recording.inbound(number * 3000 + frame * 20, SOUND)
        live.phrase(PhraseRecord(number, number, REPLIES[number]))
        live.turn(TurnRecord(number, transcript=f"words {number}", reply=REPLIES[number], reply_heard=REPLIES[number]))
        live.phrase(PhraseRecord(number, number, REPLIES[number], REPLIES[number]))
        live.event(at(number), "mark", turn=number)
        await written(f"turn {number}")
    live.opt_out(at(30), "take me off your list")
    await written("opted out")
    live.finish(OUTCOME)
    await written("finished")
    live.finish(OUTCOME)
    await written("finished twice")
    recording.close()
    await store.close()


async def inspect(store: Store, point: int, log: dict[str | None, list[str]]) -> dict[str, Any]:
    """Say what is left of a call."""
    call_id, paths = f"CA{point}", store.recordings.paths(f"CA{point}")
    left: dict[str, Any] = {
        "log": log.get(call_id, []),
        "do_not_call": await store.do_not_call.contains(number_of(point)),
        "attempts": await store.dialling.attempts_on(NOW.date(), number_of(point)),
        "sound": [path.stat().st_size for path in paths],
        "headers": [int.from_bytes(path.read_bytes()[40:44], "little") for path in paths],
        "call": None,
    }
    with suppress(UnknownRecord):
        transcript = await store.history.transcript(call_id)
        left["call"] = call_fields(transcript.call)
        left["turns"] = [[turn.number, turn.transcript, turn.reply, turn.reply_heard] for turn in transcript.turns]
        left["ledger"] = [[phrase.position, phrase.text, phrase.heard] for phrase in transcript.ledger]
        left["events"] = [[happened.position, happened.data] for happened in transcript.events]
    return left


def in_child(
    work: Callable[[Callable[[str], None]], Coroutine[Any, Any, None]],
    loop: Callable[[], asyncio.AbstractEventLoop] | None = None,
) -> tuple[bool, list[str]]:
    """Run something in a child, on a loop; return whether it came to its end, and what it reported until then."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        with asyncio.Runner(loop_factory=loop) as runner:
            runner.run(work(lambda text: void(os.write(writing, f"{text}\n".encode()))))
        os._exit(0)
    os.close(writing)
    with open(reading, encoding="utf-8") as reports:
        told = reports.read().splitlines()
    return os.waitpid(child, 0)[1] == 0, told


def void(_: object) -> None:
    """Drop a result."""


def kill(folder: Path, url: str) -> Iterator[dict[str, Any]]:
    """Kill a call at every step of it, then recoveries; yield what the last one found of each call."""
    store = Store(folder, url, delivers=True)
    asyncio.run(play(store, WARM_UP, Death(), void))
    acknowledged: list[list[str]] = []
    for point in count():

        async def one_call(report: Callable[[str], None], point: int = point) -> None:
            await play(store, point, Death(point), report)

        lived, told = in_child(one_call)
        acknowledged.append(told)
        if lived:
            break

    for step in RECOVERIES_TO_KILL:

        async def recovery(_: Callable[[str], None], step: int = step) -> None:
            death = Death(step)
            death.arm()
            await store.recover(at(600))

        in_child(recovery)

    async def look(report: Callable[[str], None]) -> None:
        await store.recover(at(600))
        deliveries = [delivery.call_id for delivery in await store.deliveries.claim(at(9000), limit=10_000)]
        intact = (await store.compliance.verify()).intact
        log: dict[str | None, list[str]] = {}
        for entry in await store.compliance.entries(limit=100_000):
            log.setdefault(entry.subject.call_id if entry.subject else None, []).append(entry.kind)
        for point, told in enumerate(acknowledged):
            left = await inspect(store, point, log)
            owed = deliveries.count(f"CA{point}")
            report(json.dumps({**left, "told": told, "deliveries": owed, "log_intact": intact}))
        await store.close()

    lived, lines = in_child(look)
    assert lived
    yield from map(json.loads, lines)


def race(folder: Path, url: str) -> Iterator[dict[str, Any]]:
    """Let children dial the same number at the same moment; yield what each one was told."""
    waiting, go = os.pipe()
    answers, answering = os.pipe()
    children = []
    for racer in range(RACERS):
        child = os.fork()
        if child == 0:
            os.close(go)

            async def dial(racer: int = racer) -> None:
                store = Store(folder, url)
                call = NewCall(f"CA{racer}", "outbound", NOW, number=ANNA)
                os.read(waiting, 1)  # until the parent closes its end
                reservation = await store.dialling.reserve_dial(call, zone="America/New_York", max_attempts=1)
                os.write(answering, json.dumps({"refusal": reservation.refusal}).encode() + b"\n")
                await store.close()

            asyncio.run(dial())
            os._exit(0)
        children.append(child)
    os.close(go)
    os.close(answering)
    with open(answers, encoding="utf-8") as lines:
        yield from map(json.loads, lines.read().splitlines())
    for child in children:
        assert os.waitpid(child, 0)[1] == 0


def deliver(folder: Path, url: str) -> Iterator[dict[str, Any]]:
    """Die between a call's outcome and its delivery, then in the middle of that; yield what the webhook was told."""

    async def concludes(_: Callable[[str], None]) -> None:
        async with Store(folder, url, delivers=True) as store:
            await store.calls.begin(NewCall("CA1", "inbound", NOW, number=ANNA))
            await store.calls.finish("CA1", OUTCOME)
            os.kill(os.getpid(), signal.SIGKILL)

    lived, _ = in_child(concludes)
    assert not lived
    due = OUTCOME.ended_at
    for now, fatal in ((due, True), (due, False), (due + LEASE, False), (due + 2 * LEASE, False)):

        async def delivers(report: Callable[[str], None], now: datetime = now, fatal: bool = fatal) -> None:
            def take(request: httpx.Request) -> httpx.Response:
                report(request.content.decode())
                if fatal:
                    os.kill(os.getpid(), signal.SIGKILL)
                return httpx.Response(204)

            async with (
                Store(folder, url, delivers=True) as store,
                httpx.AsyncClient(transport=httpx.MockTransport(take)) as client,
            ):
                hook = "https://crm.example/hook"
                await OutcomeSender(store.deliveries, hook, "a secret", client, clock=lambda: now).deliver_due()

        lived, told = in_child(delivers)
        assert lived is not fatal
        yield {"after_s": (now - due).total_seconds(), "told": [json.loads(body) for body in told]}


if __name__ == "__main__":
    trials = {"kill": kill, "race": race, "deliver": deliver}
    for found in trials[sys.argv[1]](Path(sys.argv[2]), sys.argv[3]):
        print(json.dumps(found))
