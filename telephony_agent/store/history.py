"""Reads calls: lists with filters and pages, one call with its transcript, exports."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, or_, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from telephony_agent.store.database import Database
from telephony_agent.store.errors import CursorError, UnknownRecord
from telephony_agent.store.numbers import e164
from telephony_agent.store.paging import MAX_PAGE, decode_cursor, encode_cursor, page_size
from telephony_agent.store.records import CallRecord, Direction, Page, Transcript
from telephony_agent.store.rows import call_fields, call_record, event_record, phrase_record, turn_record
from telephony_agent.store.tables import CallRow, EventRow, PhraseRow, TurnRow


@dataclass(frozen=True, slots=True)
class CallFilter:
    """Which calls are wanted; what is None doesn't matter. ``since`` is included, ``until`` is not."""

    since: datetime | None = None
    until: datetime | None = None
    disposition: str | None = None
    number: str | None = None
    direction: Direction | None = None
    lead_id: int | None = None
    live: bool | None = None


class History:
    """The calls of one database, of every server."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def page(
        self, wanted: CallFilter | None = None, *, cursor: str | None = None, limit: int = 50
    ) -> Page[CallRecord]:
        """Return a page of calls, newest first. Calls that begin meanwhile don't shift the pages.

        Raises:
            CursorError: the cursor is not one of this list's.
            NumberError: the filter's number is none.
        """
        size = page_size(limit)
        query = _selection(wanted or CallFilter()).limit(size + 1)
        if cursor is not None:
            query = query.where(tuple_(CallRow.started_at, CallRow.id) < tuple_(*_position(cursor)))
        async with self._database.read() as session:
            rows = list(await session.scalars(query))
        items = tuple(call_record(row) for row in rows[:size])
        if len(rows) <= size:
            return Page(items, None)
        last = items[-1].call
        return Page(items, encode_cursor(last.started_at.isoformat(), last.call_id))

    async def call(self, name: str) -> CallRecord:
        """Return a call, by our name or the carrier's.

        Raises:
            UnknownRecord: there is no such call.
        """
        async with self._database.read() as session:
            return call_record(await _named(session, name))

    async def transcript(self, name: str) -> Transcript:
        """Return all that was said in a call, by our name or the carrier's.

        Raises:
            UnknownRecord: there is no such call.
        """
        async with self._database.read() as session:
            row = await _named(session, name)
            turns = await session.scalars(select(TurnRow).where(TurnRow.call_id == row.id).order_by(TurnRow.number))
            phrases = await session.scalars(
                select(PhraseRow).where(PhraseRow.call_id == row.id).order_by(PhraseRow.position)
            )
            events = await session.scalars(
                select(EventRow).where(EventRow.call_id == row.id).order_by(EventRow.position)
            )
            return Transcript(
                call_record(row),
                tuple(turn_record(turn) for turn in turns),
                tuple(phrase_record(phrase) for phrase in phrases),
                tuple(event_record(event) for event in events),
            )

    async def export(self, wanted: CallFilter | None = None) -> AsyncIterator[dict[str, Any]]:
        """Yield every wanted call as a flat dict of plain values, newest first, a page in memory at a time."""
        cursor: str | None = None
        while True:
            page = await self.page(wanted, cursor=cursor, limit=MAX_PAGE)
            for record in page.items:
                yield call_fields(record)
            cursor = page.next_cursor
            if cursor is None:
                return


def _selection(wanted: CallFilter) -> Select[CallRow]:
    query = select(CallRow).order_by(CallRow.started_at.desc(), CallRow.id.desc())
    if wanted.since is not None:
        query = query.where(CallRow.started_at >= wanted.since)
    if wanted.until is not None:
        query = query.where(CallRow.started_at < wanted.until)
    if wanted.disposition is not None:
        query = query.where(CallRow.disposition == wanted.disposition)
    if wanted.number is not None:
        query = query.where(CallRow.number == e164(wanted.number))
    if wanted.direction is not None:
        query = query.where(CallRow.direction == wanted.direction)
    if wanted.lead_id is not None:
        query = query.where(CallRow.lead_id == wanted.lead_id)
    if wanted.live is not None:
        query = query.where(CallRow.disposition.is_(None) if wanted.live else CallRow.disposition.is_not(None))
    return query


def _position(cursor: str) -> tuple[datetime, str]:
    started_at, call_id = decode_cursor(cursor, str, str)
    try:
        moment = datetime.fromisoformat(str(started_at))
    except ValueError as error:
        raise CursorError("the cursor is not one that this list's pages give out") from error
    if moment.tzinfo is None:
        raise CursorError("the cursor is not one that this list's pages give out")
    return moment, str(call_id)


async def _named(session: AsyncSession, name: str) -> CallRow:
    row = await session.scalar(select(CallRow).where(or_(CallRow.id == name, CallRow.call_sid == name)).limit(1))
    if row is None:
        raise UnknownRecord(f"there is no call {name}")
    return row
