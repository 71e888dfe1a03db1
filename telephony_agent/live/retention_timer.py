"""Deletes what is too old, while the server runs."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from datetime import UTC, datetime

from loguru import logger

from telephony_agent.store import Deleted, Retention, RetentionPolicy, StoreUnavailable

EVERY_S = 3600.0


async def keep_retention(
    retention: Retention,
    policy: RetentionPolicy,
    *,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> None:
    """Apply a policy at once and then every hour, for ever; cancel it to stop.

    A database or a folder that doesn't let us is tried again an hour later: what is too old is so then as well.
    """
    while True:
        try:
            deleted = await retention.apply(policy, clock())
        except (StoreUnavailable, OSError) as error:
            logger.bind(error=str(error)).warning("What is too old can't be deleted for now")
        else:
            if deleted != Deleted():
                logger.bind(**asdict(deleted)).info("What is too old was deleted")
        await sleep(EVERY_S)
