"""The leads: people to be called, one a number."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Row, Select, func, or_, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from telephony_agent.store.database import Database
from telephony_agent.store.errors import DuplicateLead, UnknownRecord
from telephony_agent.store.lead_csv import ImportReport, RefusedRow, read_leads
from telephony_agent.store.numbers import e164
from telephony_agent.store.paging import decode_cursor, encode_cursor, page_size
from telephony_agent.store.records import LeadDraft, LeadRecord, Page
from telephony_agent.store.rows import lead_record, lead_values
from telephony_agent.store.tables import DoNotCallRow, LeadRow

_ROWS_AT_ONCE = 50


@dataclass(frozen=True, slots=True)
class LeadFilter:
    """Which leads are wanted; what is None doesn't matter. ``text`` is looked for in name, company, e-mail, number."""

    text: str | None = None
    source: str | None = None
    last_outcome: str | None = None
    do_not_call: bool | None = None
    callback_until: datetime | None = None


class Leads:
    """The leads of one database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, draft: LeadDraft, now: datetime) -> LeadRecord:
        """Add a lead.

        Raises:
            NumberError: the phone is not E.164.
            DuplicateLead: another lead has the number.
        """
        async with self._database.write() as session:
            row = _new_row(draft, e164(draft.phone), now)
            session.add(row)
            await _flush(session, row.phone)
            return await _record(session, row)

    async def get(self, lead_id: int) -> LeadRecord:
        """Return a lead.

        Raises:
            UnknownRecord: there is none.
        """
        async with self._database.read() as session:
            return await _record(session, await _row(session, lead_id))

    async def find(self, number: str) -> LeadRecord | None:
        """Return the lead with a number, in any spelling."""
        async with self._database.read() as session:
            row = await session.scalar(select(LeadRow).where(LeadRow.phone == e164(number)))
            return await _record(session, row) if row else None

    async def update(self, lead_id: int, draft: LeadDraft, now: datetime) -> LeadRecord:
        """Replace what somebody entered; outcome and callback stay.

        Raises:
            UnknownRecord, NumberError, DuplicateLead
        """
        async with self._database.write() as session:
            row = await _row(session, lead_id)
            for name, value in lead_values(draft, e164(draft.phone)).items():
                setattr(row, name, value)
            row.updated_at = now
            await _flush(session, row.phone)
            return await _record(session, row)

    async def delete(self, lead_id: int) -> None:
        """Delete a lead; its calls and the count of its attempts stay.

        Raises:
            UnknownRecord: there is none.
        """
        async with self._database.write() as session:
            await session.delete(await _row(session, lead_id))

    async def page(
        self, wanted: LeadFilter | None = None, *, cursor: str | None = None, limit: int = 50
    ) -> Page[LeadRecord]:
        """Return a page of leads, in the order in which they were added.

        Raises:
            CursorError: the cursor is not one of this list's.
        """
        size = page_size(limit)
        query = _selection(wanted or LeadFilter()).limit(size + 1)
        if cursor is not None:
            (after,) = decode_cursor(cursor, int)
            query = query.where(LeadRow.id > after)
        async with self._database.read() as session:
            found: list[Row[LeadRow, bool]] = list(await session.execute(query))
        items = tuple(lead_record(row, do_not_call=refused) for row, refused in found[:size])
        return Page(items, encode_cursor(items[-1].id) if len(found) > size else None)

    async def enlist(self, drafts: Sequence[LeadDraft], now: datetime) -> tuple[int, ...]:
        """Return the lead of each draft's number; who is none yet is added, who is one stays as he is.

        Raises:
            NumberError: a phone is not E.164; those before it were added.
        """
        leads: list[int] = []
        for first in range(0, len(drafts), _ROWS_AT_ONCE):
            # A transaction each: live calls write too.
            async with self._database.write() as session:
                some = [(e164(draft.phone), draft) for draft in drafts[first : first + _ROWS_AT_ONCE]]
                query = select(LeadRow).where(LeadRow.phone.in_([phone for phone, _ in some]))
                rows = {row.phone: row for row in await session.scalars(query)}
                for phone, draft in some:
                    if phone not in rows:
                        rows[phone] = _new_row(draft, phone, now)
                        session.add(rows[phone])
                await session.flush()
                leads += [rows[phone].id for phone, _ in some]
        return tuple(leads)

    async def import_csv(self, data: bytes, now: datetime, *, source: str = "") -> ImportReport:
        """Add every lead of a CSV file that can be one, and say of every other row why not.

        ``source`` is for the rows that name none. A number that is a lead's already is refused: what is known of it
        isn't overwritten.

        Raises:
            ImportRefused: the file as a whole can't be read; nothing was added.
        """
        drafts, refused = await asyncio.to_thread(read_leads, data, source)
        async with self._database.write() as session:
            known = {phone: lead_id for lead_id, phone in await session.execute(select(LeadRow.id, LeadRow.phone))}
            rows = []
            for row, draft in drafts:
                if draft.phone in known:
                    refused.append(RefusedRow(row.line, row.values, f"lead {known[draft.phone]} has this number"))
                else:
                    rows.append(_new_row(draft, draft.phone, now))
            # A few at a time: live calls share this event loop.
            for first in range(0, len(rows), _ROWS_AT_ONCE):
                session.add_all(rows[first : first + _ROWS_AT_ONCE])
                await session.flush()
            return ImportReport(tuple(row.id for row in rows), tuple(sorted(refused, key=lambda row: row.line)))


def _new_row(draft: LeadDraft, phone: str, now: datetime) -> LeadRow:
    return LeadRow(**lead_values(draft, phone), last_outcome="", callback_zone="", created_at=now, updated_at=now)


async def _row(session: AsyncSession, lead_id: int) -> LeadRow:
    row = await session.get(LeadRow, lead_id)
    if row is None:
        raise UnknownRecord(f"there is no lead {lead_id}")
    return row


async def _record(session: AsyncSession, row: LeadRow) -> LeadRecord:
    refused = await session.get(DoNotCallRow, row.phone) is not None
    return lead_record(row, do_not_call=refused)


async def _flush(session: AsyncSession, phone: str) -> None:
    try:
        await session.flush()
    except IntegrityError as error:
        raise DuplicateLead(f"another lead has the number …{phone[-4:]}") from error


def _selection(wanted: LeadFilter) -> Select[LeadRow, bool]:
    refused = DoNotCallRow.number.is_not(None)
    query = select(LeadRow, refused).outerjoin(DoNotCallRow, DoNotCallRow.number == LeadRow.phone).order_by(LeadRow.id)
    if wanted.text:
        query = query.where(_contains(wanted.text))
    if wanted.source is not None:
        query = query.where(LeadRow.source == wanted.source)
    if wanted.last_outcome is not None:
        query = query.where(LeadRow.last_outcome == wanted.last_outcome)
    if wanted.do_not_call is not None:
        query = query.where(refused if wanted.do_not_call else ~refused)
    if wanted.callback_until is not None:
        query = query.where(LeadRow.callback_at <= wanted.callback_until)
    return query


def _contains(text: str) -> ColumnElement[bool]:
    columns = (LeadRow.name, LeadRow.company, LeadRow.email, LeadRow.phone)
    return or_(*(func.lower(column).contains(text.lower(), autoescape=True) for column in columns))
