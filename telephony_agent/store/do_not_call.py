"""The numbers that are never dialled. They are added by anybody's word, and taken off only on purpose."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from telephony_agent.store.compliance_log import ComplianceLog, Subject
from telephony_agent.store.database import Database, Lock
from telephony_agent.store.numbers import e164
from telephony_agent.store.paging import decode_cursor, encode_cursor, page_size
from telephony_agent.store.records import DoNotCallEntry, Page
from telephony_agent.store.rows import clean
from telephony_agent.store.tables import DoNotCallRow


class DoNotCall:
    """The list in one database. Every method takes a number in any spelling and may raise ``NumberError``."""

    def __init__(self, database: Database, log: ComplianceLog) -> None:
        self._database = database
        self._log = log

    async def add(self, number: str, at: datetime, source: str) -> bool:
        """Put a number on the list; False if it was there, in which case the older entry stays."""
        async with self._database.write() as session:
            return await self.add_in(session, e164(number), at, source)

    async def add_in(
        self, session: AsyncSession, number: str, at: datetime, source: str, call_id: str | None = None
    ) -> bool:
        """Put a number (E.164) on the list as part of a transaction."""
        # No dial may be decided on while this one is not yet visible.
        await self._database.hold(session, Lock.DIALLING)
        if await session.get(DoNotCallRow, number) is not None:
            return False
        session.add(DoNotCallRow(number=number, added_at=at, source=clean(source)))
        await self._log.append_in(session, "do_not_call_added", {}, at, Subject(call_id, number, {"source": source}))
        return True

    async def remove(self, number: str, at: datetime, reason: str) -> bool:
        """Take a number off the list, for a reason that the compliance log keeps; False if it wasn't there."""
        spelled = e164(number)
        async with self._database.write() as session:
            await self._database.hold(session, Lock.DIALLING)
            row = await session.get(DoNotCallRow, spelled)
            if row is None:
                return False
            await session.delete(row)
            subject = Subject(number=spelled, details={"reason": reason})
            await self._log.append_in(session, "do_not_call_removed", {}, at, subject)
            return True

    async def contains(self, number: str) -> bool:
        """Say whether a number must not be dialled."""
        spelled = e164(number)
        async with self._database.read() as session:
            return await session.get(DoNotCallRow, spelled) is not None

    async def page(self, *, cursor: str | None = None, limit: int = 50) -> Page[DoNotCallEntry]:
        """Return a page of the list, by number."""
        size = page_size(limit)
        query = select(DoNotCallRow).order_by(DoNotCallRow.number).limit(size + 1)
        if cursor is not None:
            (after,) = decode_cursor(cursor, str)
            query = query.where(DoNotCallRow.number > after)
        async with self._database.read() as session:
            rows = list(await session.scalars(query))
        items = tuple(DoNotCallEntry(row.number, row.added_at, row.source) for row in rows[:size])
        return Page(items, encode_cursor(items[-1].number) if len(rows) > size else None)
