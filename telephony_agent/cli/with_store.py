"""Gives a command the store that the settings name, for as long as the command needs it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from telephony_agent.cli.build import build_store
from telephony_agent.settings import Settings
from telephony_agent.store import Store
from telephony_agent.telemetry import set_up_logging

T = TypeVar("T")


def with_store(settings: Settings, work: Callable[[Store], Awaitable[T]]) -> T:
    """Open the store, do something with it, close it; a server may be running on the same one.

    Raises:
        SettingError: the database's URL is not usable.
        StoreUnavailable: the database can't be reached or written.
    """
    set_up_logging("WARNING", as_json=False)

    async def run() -> T:
        async with build_store(settings) as store:
            return await work(store)

    return asyncio.run(run())
