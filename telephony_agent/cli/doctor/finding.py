"""What a check is, and what it can find.

A check looks at one thing, changes nothing that matters, and ends within its limit whatever happens. One that fails or
hangs is a finding like any other, so the checks after it go on.
"""

from __future__ import annotations

import asyncio
import threading
import traceback
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")


class Grade(StrEnum):
    """How bad a finding is."""

    OK = "ok"
    WARNING = "warning"
    """Calls may go well all the same, or it could not be looked at."""
    WRONG = "wrong"
    """Calls can't go well."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What was seen, and the exact fix: a command or a setting; empty where there is nothing to mend."""

    grade: Grade
    seen: str
    fix: str = ""


def ok(seen: str) -> Finding:
    """Find nothing to mend."""
    return Finding(Grade.OK, seen)


def warning(seen: str, fix: str) -> Finding:
    """Find something that may spoil calls, or that could not be looked at."""
    return Finding(Grade.WARNING, seen, fix)


def wrong(seen: str, fix: str) -> Finding:
    """Find something that spoils calls."""
    return Finding(Grade.WRONG, seen, fix)


@dataclass(frozen=True, slots=True)
class Check:
    """One thing to look at, under a name, for no longer than ``limit_s``."""

    name: str
    look: Callable[[], Awaitable[Finding]]
    limit_s: float = 15.0

    async def find(self) -> Finding:
        """Look; never raises."""
        try:
            async with asyncio.timeout(self.limit_s):
                return await self.look()
        except TimeoutError:
            return wrong(f"no result within {self.limit_s:g} s", "run it again; if it stays so, restart this machine")
        except Exception as error:  # The outermost edge of one check: the others go on.
            # Not its text, which may hold a password or a number.
            frame = traceback.extract_tb(error.__traceback__)[-1]
            place = f"{Path(frame.filename).name}:{frame.lineno}"
            return wrong(f"the check itself failed: {type(error).__name__} at {place}", "report this as a bug")


async def in_thread(work: Callable[[], T]) -> T:
    """Run what blocks; raises what it raises. If it hangs it is left behind, and does not keep the program alive."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[T] = loop.create_future()

    def settle(result: T | None, error: BaseException | None) -> None:
        if done.done():
            return
        if error is not None:
            done.set_exception(error)
        else:
            done.set_result(result)  # type: ignore[arg-type]

    def run() -> None:
        result: T | None = None
        failure: Exception | None = None
        try:
            result = work()
        except Exception as error:  # Handed on to whoever waits.
            failure = error
        with suppress(RuntimeError):  # The loop is closed: nobody waits any more.
            loop.call_soon_threadsafe(settle, result, failure)

    threading.Thread(target=run, name="doctor", daemon=True).start()
    return await done


def looked_at(work: Callable[[], Finding]) -> Callable[[], Awaitable[Finding]]:
    """Turn a check that blocks into one that can be awaited."""

    async def look() -> Finding:
        return await in_thread(work)

    return look
