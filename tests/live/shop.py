"""Functions as a user would write them: tools of the tests."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_release = threading.Event()


@contextmanager
def closed() -> Iterator[None]:
    """Let ``wait`` hang until the block is left."""
    _release.clear()
    try:
        yield
    finally:
        _release.set()


def find_order(number: int) -> dict[str, object]:
    """Look up an order by its number."""
    if number < 0:
        raise LookupError(f"no order {number} of Anna Miller")
    return {"order": number, "state": "sent", "thread": threading.current_thread().name}


async def find_customer(name: str) -> str:
    """Look up a customer by name."""
    if not name:
        raise LookupError("no name")
    return f"{name} has two orders"


def wait() -> None:
    """Wait for ever."""
    _release.wait()


async def wait_async() -> None:
    """Wait for ever, too."""
    await asyncio.Event().wait()


def find_nothing(number) -> None:  # type: ignore[no-untyped-def]
    """Look up nothing."""


def end_call() -> None:
    """End the call in a way of our own."""


NUMBER = 7
