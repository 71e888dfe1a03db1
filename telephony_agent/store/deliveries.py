"""The outcomes that the owner's webhook has not taken yet: kept until it has, tried ever more rarely.

Delivery is at least once: the receiver tells a repetition by ``call_id``. Who tries takes a delivery for a while
(``claim``), so that two processes don't send the same one; if it dies meanwhile, the delivery comes up again.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import delete, func, select

from telephony_agent.store.database import Database
from telephony_agent.store.errors import UnknownRecord
from telephony_agent.store.records import Delivery
from telephony_agent.store.rows import clean, delivery_record
from telephony_agent.store.tables import DeliveryRow

FIRST_DELAY = timedelta(seconds=30)
LONGEST_DELAY = timedelta(hours=6)
LEASE = timedelta(minutes=2)


class Deliveries:
    """The queue in one database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def claim(self, now: datetime, *, limit: int = 20) -> tuple[Delivery, ...]:
        """Take the deliveries that are due, oldest first, for ``LEASE``; then say of each how it went."""
        query = (
            select(DeliveryRow)
            .where(DeliveryRow.next_try_at <= now)
            .order_by(DeliveryRow.next_try_at, DeliveryRow.id)
            .limit(limit)
            .with_for_update(skip_locked=True)
        )
        async with self._database.write() as session:
            rows = list(await session.scalars(query))
            claimed = tuple(delivery_record(row) for row in rows)
            for row in rows:
                row.next_try_at = now + LEASE
        return claimed

    async def delivered(self, delivery_id: int) -> None:
        """Take a delivery off the queue."""
        async with self._database.write() as session:
            await session.execute(delete(DeliveryRow).where(DeliveryRow.id == delivery_id))

    async def failed(self, delivery_id: int, now: datetime, error: str) -> datetime:
        """Note that a delivery failed, and return when it is due again.

        Raises:
            UnknownRecord: it was delivered or forgotten meanwhile.
        """
        async with self._database.write() as session:
            row = await session.get(DeliveryRow, delivery_id)
            if row is None:
                raise UnknownRecord(f"there is no delivery {delivery_id}")
            row.next_try_at = now + retry_delay(row.attempts)
            row.attempts += 1
            row.last_error = clean(error)[:500]
            return row.next_try_at

    async def next_due(self) -> datetime | None:
        """Return when the next delivery is due; None if none is waiting."""
        async with self._database.read() as session:
            due: datetime | None = await session.scalar(select(func.min(DeliveryRow.next_try_at)))
            return due

    async def pending(self) -> int:
        """Count what is not delivered."""
        async with self._database.read() as session:
            return await session.scalar(select(func.count()).select_from(DeliveryRow)) or 0


def retry_delay(failures: int) -> timedelta:
    """Return how long to wait after so many failures before this one: doubled each time, up to ``LONGEST_DELAY``."""
    doublings: int = 2 ** min(failures, 20)
    return min(FIRST_DELAY * doublings, LONGEST_DELAY)
