"""Decides, in the one transaction that also counts the attempt, whether a number may be dialled now.

Calling hours, consent and prefixes are ``sales.compliance``'s; what is decided here can change under two processes that
dial at once: do-not-call, the attempts of the day, that a call is dialled once, and nobody who is on the line.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from telephony_agent.store.compliance_log import ComplianceLog, Subject
from telephony_agent.store.database import Database, Lock
from telephony_agent.store.numbers import e164
from telephony_agent.store.records import NewCall
from telephony_agent.store.rows import new_call_row
from telephony_agent.store.tables import AttemptRow, CallRow, DoNotCallRow, LeadRow

CAP_PERIOD = timedelta(hours=24)
LONGEST_CALL = timedelta(hours=4)
"""A call that has lasted longer is one whose server died, and never came back."""

Refusal = Literal[
    "do_not_call",
    "attempts",
    "unknown_zone",
    "unknown_lead",
    "not_the_leads_number",
    "already_dialled",
    "daily_cap",
    "on_the_line",
]


@dataclass(frozen=True, slots=True)
class Reservation:
    """The right to dial, once. ``refusal`` is None if it was given; ``attempt`` counts the day's, this one included."""

    attempt: int
    refusal: Refusal | None = None

    @property
    def granted(self) -> bool:
        """Whether the number may be dialled."""
        return self.refusal is None


class Dialling:
    """What was dialled from one database."""

    def __init__(self, database: Database, log: ComplianceLog, server: str) -> None:
        self._database = database
        self._log = log
        self._server = server

    async def reserve_dial(
        self, call: NewCall, *, zone: str, max_attempts: int, max_dials: int | None = None
    ) -> Reservation:
        """Reserve an outbound call: check, count the attempt, create the call and log it, all or nothing.

        ``call.started_at`` is now. ``zone`` (IANA) is the called party's and says which day it is there. Attempts count
        by number and by lead. ``max_dials`` is how many dials there may be in ``CAP_PERIOD``, to whomever. Once it is
        granted the call exists and must get its outcome, dialled or not.

        Raises:
            NumberError: the number is not E.164.
            StoreUnavailable: nothing was reserved; don't dial.
        """
        call = replace(call, number=e164(call.number))
        async with self._database.write() as session:
            await self._database.hold(session, Lock.DIALLING)
            day = local_day(call.started_at, zone)
            made = await _count(session, day, call.number, call.lead_id) if day else 0
            refusal = await self._refusal(session, call, day, made, max_attempts)
            if refusal is None and max_dials is not None and await _dials_since(session, call) >= max_dials:
                refusal = "daily_cap"
            facts: dict[str, object] = {"attempts": made, "allowed": max_attempts, "direction": call.direction}
            if refusal is None:
                assert day is not None, "a call without a day is refused"
                session.add(new_call_row(call, self._server))
                session.add(_attempt_row(call, day))
            else:
                facts["refusal"] = refusal
            kind = "dial_allowed" if refusal is None else "dial_refused"
            await self._log.append_in(session, kind, facts, call.started_at, Subject(call.call_id, call.number))
            return Reservation(made + (refusal is None), refusal)

    async def attempts_on(self, day: date, number: str, lead_id: int | None = None) -> int:
        """Count the dials of a day, to a number or a lead."""
        async with self._database.read() as session:
            return await _count(session, day, e164(number), lead_id)

    async def voicemails_on(self, day: date, number: str, lead_id: int | None = None) -> int:
        """Count the voicemails that were left on a day, at a number or for a lead."""
        async with self._database.read() as session:
            query = (
                select(func.count())
                .select_from(AttemptRow)
                .join(CallRow, CallRow.id == AttemptRow.call_id)
                .where(CallRow.disposition == "voicemail_left", AttemptRow.day == day, _whose(e164(number), lead_id))
            )
            return await session.scalar(query) or 0

    async def _refusal(
        self, session: AsyncSession, call: NewCall, day: date | None, made: int, max_attempts: int
    ) -> Refusal | None:
        if await session.get(CallRow, call.call_id) is not None:
            return "already_dialled"
        if await session.get(DoNotCallRow, call.number) is not None:
            return "do_not_call"
        if call.lead_id is not None:
            lead = await session.get(LeadRow, call.lead_id)
            if lead is None:
                return "unknown_lead"
            if lead.phone != call.number:
                return "not_the_leads_number"
        if day is None:
            return "unknown_zone"
        if made >= max_attempts:
            return "attempts"
        return "on_the_line" if await _is_on_the_line(session, call) else None


def local_day(now: datetime, zone: str) -> date | None:
    """Return the date in a zone, or None where nobody knows the zone."""
    try:
        return now.astimezone(ZoneInfo(zone)).date()
    except (KeyError, ValueError, OSError):
        return None


async def _is_on_the_line(session: AsyncSession, call: NewCall) -> bool:
    """Tell whether somebody is rung or talked to already, whoever began that."""
    going_on = (CallRow.number == call.number, CallRow.disposition.is_(None), CallRow.channel == "phone")
    query = select(CallRow.id).where(*going_on, CallRow.started_at > call.started_at - LONGEST_CALL).limit(1)
    return await session.scalar(query) is not None


async def _count(session: AsyncSession, day: date, number: str, lead_id: int | None) -> int:
    query = select(func.count()).select_from(AttemptRow).where(AttemptRow.day == day, _whose(number, lead_id))
    return await session.scalar(query) or 0


async def _dials_since(session: AsyncSession, call: NewCall) -> int:
    """Count all dials of the period before a call."""
    query = select(func.count()).select_from(AttemptRow).where(AttemptRow.at > call.started_at - CAP_PERIOD)
    return await session.scalar(query) or 0


def _whose(number: str, lead_id: int | None) -> ColumnElement[bool]:
    """Select a number's attempts, and a lead's if there is one."""
    same_number = AttemptRow.number == number
    return same_number if lead_id is None else or_(same_number, AttemptRow.lead_id == lead_id)


def _attempt_row(call: NewCall, day: date) -> AttemptRow:
    return AttemptRow(call_id=call.call_id, lead_id=call.lead_id, number=call.number, day=day, at=call.started_at)
