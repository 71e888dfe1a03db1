"""Takes down live calls without holding them up: writes wait in memory for a database that is slow, locked or full.

Theory of operation
-------------------
A live call hands its records over and goes on at once; nothing of this raises. One task writes them in the order in
which they came, those that wait together in one transaction: to keep the event loop free, turns and events linger for a
moment so that others join them. What the database refuses for now is tried again, ever more slowly, and everything
behind it waits: a call's outcome must not overtake its beginning. A record that it will never take is found by writing
the others of its transaction one by one; it is dropped, counted and logged. A turn that still waits is replaced by its
newer state.

The queue is bounded by what is least missed: events are turned away first, then turns and the ledger. A call's
beginning, opt-out and outcome always find room: there are few of them, and the law asks for them.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Hashable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum
from functools import partial
from itertools import islice
from typing import Any

from loguru import logger

from telephony_agent.store.calls import Calls
from telephony_agent.store.errors import NumberError, StoreUnavailable
from telephony_agent.store.numbers import e164
from telephony_agent.store.records import EventRecord, NewCall, Outcome, PhraseRecord, TurnRecord

DELAYS_S = (0.1, 0.5, 2.0, 5.0)

LINGER_S = 0.1
BATCH = 50
"""Records in one transaction at most: other writers wait that long."""

Sleep = Callable[[float], Awaitable[None]]
Operation = Callable[..., Awaitable[object]]
"""One of ``Calls``'s writes with all but ``within`` filled in."""


class Importance(IntEnum):
    """How much a record would be missed."""

    EVENT = 1
    TURN = 2
    OUTCOME = 3


@dataclass(frozen=True, slots=True)
class RecorderHealth:
    """How the writing goes: records that wait, found no room, were refused for good, and what is wrong now."""

    pending: int = 0
    lost: int = 0
    refused: int = 0
    last_error: str = ""

    @property
    def healthy(self) -> bool:
        """Whether the database takes what it is given."""
        return not self.last_error


@dataclass(slots=True)
class _Write:
    """A record that waits; or, without an operation, somebody who waits for those before it."""

    what: str
    key: Hashable = None
    operation: Operation | None = None
    passed: asyncio.Future[None] | None = None


class Recorder:
    """The one writer of live calls. All methods belong to the event loop that ``start`` was called in.

    Args:
        calls: where the records go.
        capacity: how many records may wait before events are turned away; turns are at twice as many.
        sleep: waits so many seconds between two tries: ``DELAYS_S``, the last one again and again.
    """

    def __init__(self, calls: Calls, *, capacity: int = 10_000, sleep: Sleep = asyncio.sleep) -> None:
        self._calls = calls
        self._room = {Importance.EVENT: capacity, Importance.TURN: 2 * capacity}
        self._sleep = sleep
        self._queue: deque[_Write] = deque()
        self._waiting: dict[Hashable, _Write] = {}
        self._arrived = asyncio.Event()
        self._urgent = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._lost = 0
        self._refused = 0
        self._last_error = ""

    @property
    def health(self) -> RecorderHealth:
        """How the writing goes, for the health page."""
        return RecorderHealth(len(self._queue), self._lost, self._refused, self._last_error)

    def start(self) -> None:
        """Begin to write."""
        self._task = asyncio.create_task(self._work(), name="recorder")

    def call(self, call_id: str) -> CallRecorder:
        """Return the recorder of one call; one for the whole call, since it numbers the call's events."""
        return CallRecorder(self, self._calls, call_id)

    def put(self, what: str, importance: Importance, operation: Operation, key: Hashable = None) -> None:
        """Let something be written in its turn. With a key it takes the place of what waits under the same one."""
        if key is not None and key in self._waiting:
            self._waiting[key].operation = operation
            return
        if len(self._queue) >= self._room.get(importance, len(self._queue) + 1):
            self._lost += 1
            if self._lost == 1:
                logger.bind(pending=len(self._queue), error=self._last_error).error("Records of calls are being lost")
            return
        write = _Write(what, key, operation)
        if key is not None:
            self._waiting[key] = write
        self._enqueue(write, urgent=importance is Importance.OUTCOME)

    async def flush(self) -> None:
        """Wait until everything that was handed over so far is written or refused."""
        passed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._enqueue(_Write("flush", passed=passed), urgent=True)
        await passed

    async def close(self, timeout_s: float = 10.0) -> int:
        """Write what waits, for so long at most, and stop; return how many records are lost by that."""
        task, self._task = self._task, None
        if task is None:
            return 0
        with suppress(TimeoutError):
            await asyncio.wait_for(self.flush(), timeout_s)
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        lost = sum(write.operation is not None for write in self._queue)
        if lost:
            self._lost += lost
            logger.bind(records=lost, error=self._last_error).error("Records of calls were never written")
        return lost

    def _enqueue(self, write: _Write, *, urgent: bool) -> None:
        self._queue.append(write)
        self._arrived.set()
        if urgent:
            self._urgent.set()

    async def _work(self) -> None:
        while True:
            await self._arrived.wait()
            self._arrived.clear()
            with suppress(TimeoutError):
                # Not wait_for: before Python 3.12 it may swallow the cancellation that close() sends.
                async with asyncio.timeout(LINGER_S):
                    await self._urgent.wait()
            self._urgent.clear()
            while self._queue:
                await self._write_some()

    async def _write_some(self) -> None:
        """Write the records that have waited longest."""
        batch = list(islice(self._queue, BATCH))
        for write in batch:
            self._waiting.pop(write.key, None)
        if await self._fault(batch) is not None:
            for write in batch:
                fault = await self._fault([write])
                if fault is not None:
                    self._refused += 1
                    logger.bind(what=write.what, error=str(fault)).error("A record was refused")
        for write in batch:
            self._queue.popleft()
            if write.passed is not None and not write.passed.done():
                write.passed.set_result(None)

    async def _fault(self, batch: Sequence[_Write]) -> Exception | None:
        """Write records in one transaction, however long it takes; return what is wrong if they can't ever be."""
        operations = [write.operation for write in batch if write.operation is not None]
        failures = 0
        while operations:
            try:
                async with self._calls.transaction() as session:
                    for operation in operations:
                        await operation(within=session)
            except StoreUnavailable as error:
                if not self._last_error:
                    logger.bind(what=batch[0].what, error=str(error)).warning("The database takes no records for now")
                self._last_error = str(error)
            except Exception as error:
                # This task's outer edge: a record that can't be written must not stop all others.
                return error
            else:
                if self._last_error:
                    logger.bind(pending=len(self._queue)).info("The database takes records again")
                self._last_error = ""
                break
            await self._sleep(DELAYS_S[min(failures, len(DELAYS_S) - 1)])
            failures += 1
        return None


class CallRecorder:
    """Takes down one live call. Every method returns at once and never raises."""

    def __init__(self, recorder: Recorder, calls: Calls, call_id: str) -> None:
        self._recorder = recorder
        self._calls = calls
        self._call_id = call_id
        self._events = 0
        self._number = ""

    def begin(self, call: NewCall) -> None:
        """Take down that the call exists."""
        with suppress(NumberError):
            self._number = e164(call.number)
        self._put("begin", Importance.OUTCOME, partial(self._calls.begin, call))

    def placed(self, call_sid: str) -> None:
        """Take down the carrier's name for it."""
        self._put("placed", Importance.OUTCOME, partial(self._calls.placed, self._call_id, call_sid))

    def answered(self, at: datetime) -> None:
        """Take down that it was answered."""
        self._put("answered", Importance.OUTCOME, partial(self._calls.answered, self._call_id, at))

    def turn(self, turn: TurnRecord) -> None:
        """Take down a turn as far as it has come."""
        key = (self._call_id, "turn", turn.number)
        self._put("turn", Importance.TURN, partial(self._calls.put_turn, self._call_id, turn), key)

    def phrase(self, phrase: PhraseRecord) -> None:
        """Take down a line of the heard ledger."""
        key = (self._call_id, "phrase", phrase.position)
        self._put("phrase", Importance.TURN, partial(self._calls.put_phrase, self._call_id, phrase), key)

    def event(self, at: datetime, kind: str, **data: Any) -> None:
        """Take down something that happened."""
        event = EventRecord(self._events, at, kind, data)
        self._events += 1
        self._put("event", Importance.EVENT, partial(self._calls.put_event, self._call_id, event))

    def opt_out(self, at: datetime, words: str) -> None:
        """Take down that the other party wants no calls."""
        operation = partial(self._calls.opt_out, self._call_id, at, words, number=self._number)
        self._put("opt-out", Importance.OUTCOME, operation)

    def hand_over(self, outcome: Outcome) -> None:
        """Take down that a person is to take the call, and what is known of it by now."""
        self._put("handover", Importance.OUTCOME, partial(self._calls.hand_over, self._call_id, outcome))

    def finish(self, outcome: Outcome) -> None:
        """Take down how it ended."""
        self._put("finish", Importance.OUTCOME, partial(self._calls.finish, self._call_id, outcome))

    def _put(self, what: str, importance: Importance, operation: Operation, key: Hashable = None) -> None:
        self._recorder.put(what, importance, operation, key)
