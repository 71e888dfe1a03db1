"""An event loop whose time stands still while anybody works, and leaps when all are done waiting.

The real server lives on it: engines in their threads, a database behind its driver. A minute of calls takes as long as
the work in it, and nothing misses a deadline because the machine is slow.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable

from sqlalchemy import event
from sqlalchemy.engine import Engine
from sqlalchemy.pool import ConnectionPoolEntry, Pool

POLL_S = 0.001
_FRESH = "fresh"


class Clock(selectors.DefaultSelector):
    """Waits for files as selectors do, and for a moment by making it the present once nobody is at work."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.works: list[Callable[[], bool]] = []
        """What tells whether something is at work."""

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None or timeout <= 0:
            return super().select(timeout)
        while any(work() for work in self.works):
            if ready := super().select(POLL_S):
                return ready
        # What was at work has handed out its results before it came to rest.
        if ready := super().select(0):
            return ready
        self.now += timeout
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """The loop. Its databases' transactions count as work; tell ``clock.works`` what else does."""

    def __init__(self) -> None:
        self.clock = Clock()
        self._transactions = 0
        self.clock.works.append(lambda: self._transactions > 0)
        event.listen(Engine, "do_connect", self._begins)
        event.listen(Pool, "connect", self._connected)
        event.listen(Pool, "checkout", self._checked_out)
        event.listen(Pool, "checkin", self._ends)
        super().__init__(self.clock)

    def time(self) -> float:
        return self.clock.now

    async def shutdown_default_executor(self, timeout: float | None = None) -> None:  # noqa: ASYNC109
        # Its threads end in real time; a limit in ours would be over at once.
        await super().shutdown_default_executor()

    def close(self) -> None:
        super().close()
        event.remove(Engine, "do_connect", self._begins)
        event.remove(Pool, "connect", self._connected)
        event.remove(Pool, "checkout", self._checked_out)
        event.remove(Pool, "checkin", self._ends)

    def _connected(self, _: object, record: ConnectionPoolEntry) -> None:
        record.info[_FRESH] = True

    def _checked_out(self, _: object, record: ConnectionPoolEntry, *_of_event: object) -> None:
        # A new connection has been at work since before it was one: it is being set up.
        if not record.info.pop(_FRESH, False):
            self._begins()

    def _begins(self, *_of_event: object) -> None:
        self._transactions += 1

    def _ends(self, *_of_event: object) -> None:
        self._transactions -= 1
