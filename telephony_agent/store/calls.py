"""Writes calls as they go: begun, said, heard, ended; every write may come twice and changes nothing the second time.

A call is live until ``finish`` gives it its disposition. That happens once: who comes second is told so. What a second
finish knows of an opt-out is kept all the same.

Every write is a transaction of its own unless it is told to be part of one (``within``).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from telephony_agent.store.compliance_log import ComplianceLog, Subject
from telephony_agent.store.database import Database, Lock
from telephony_agent.store.do_not_call import DoNotCall
from telephony_agent.store.errors import NumberError, UnknownRecord
from telephony_agent.store.numbers import e164
from telephony_agent.store.records import EventRecord, NewCall, Outcome, PhraseRecord, TurnRecord
from telephony_agent.store.rows import (
    HANDOVER,
    OUTCOME,
    call_record,
    consent_values,
    event_values,
    handover_payload,
    new_call_row,
    outcome_payload,
    phrase_values,
    turn_record,
    turn_values,
    write_outcome,
)
from telephony_agent.store.tables import Base, CallRow, DeliveryRow, EventRow, LeadRow, PhraseRow, TurnRow

DO_NOT_CALL = "do_not_call"
HUNG_UP = "hung_up"
FAILED = "failed"
ANSWERED = "answered"
OPT_OUT_SOURCE = "opt-out in a call"

Retell = Callable[[str], Awaitable[Outcome | None]]
"""Says of a call, by its id, what came of it, as far as that follows from what is written."""


class Calls:
    """The calls of one server in one database.

    Args:
        database: where they are.
        log: the compliance log that opt-outs are written to.
        do_not_call: the list that opt-outs are put on.
        server: whose calls these are.
        inherits: servers that are no more; ``recover`` ends their calls as well, and no other's.
        delivers: whether outcomes are to be delivered to a webhook.
    """

    def __init__(
        self,
        database: Database,
        log: ComplianceLog,
        do_not_call: DoNotCall,
        server: str,
        *,
        delivers: bool,
        inherits: Sequence[str] = (),
    ) -> None:
        self._database = database
        self._log = log
        self._do_not_call = do_not_call
        self._server = server
        self._delivers = delivers
        self._servers = (server, *inherits)

    def transaction(self) -> AbstractAsyncContextManager[AsyncSession]:
        """Open a transaction that several writes can be part of, all or nothing.

        Raises:
            StoreUnavailable: the database is locked, full or out of reach; nothing was written.
        """
        return self._database.write()

    async def begin(self, call: NewCall, *, within: AsyncSession | None = None) -> None:
        """Create a call that rings or is placed without ``reserve_dial``. An unknown lead is left out, not refused."""
        async with self._transaction(within) as session:
            if await session.get(CallRow, call.call_id) is not None:
                return
            if call.lead_id is not None and await session.get(LeadRow, call.lead_id) is None:
                call = replace(call, lead_id=None)
            session.add(new_call_row(replace(call, number=_spelled(call.number)), self._server))
            await session.flush()

    async def placed(self, call_id: str, call_sid: str, *, within: AsyncSession | None = None) -> None:
        """Note the carrier's name for a call."""
        async with self._transaction(within) as session:
            (await _call(session, call_id)).call_sid = call_sid

    async def answered(self, call_id: str, at: datetime, *, within: AsyncSession | None = None) -> None:
        """Note that a call was answered; the first time counts."""
        async with self._transaction(within) as session:
            row = await _call(session, call_id)
            row.answered_at = row.answered_at or at

    async def put_turn(self, call_id: str, turn: TurnRecord, *, within: AsyncSession | None = None) -> None:
        """Write a turn as far as it has come."""
        await self._put(TurnRow, turn_values(call_id, turn), within)

    async def put_phrase(self, call_id: str, phrase: PhraseRecord, *, within: AsyncSession | None = None) -> None:
        """Write a line of the heard ledger."""
        await self._put(PhraseRow, phrase_values(call_id, phrase), within)

    async def put_event(self, call_id: str, event: EventRecord, *, within: AsyncSession | None = None) -> None:
        """Write something that happened in the call."""
        await self._put(EventRow, event_values(call_id, event), within)

    async def opt_out(
        self, call_id: str, at: datetime, words: str, *, number: str = "", within: AsyncSession | None = None
    ) -> None:
        """Write down at once that the other party wants no calls. ``words`` are theirs, for the compliance log.

        With ``number`` (E.164) the opt-out counts even if nothing else is known of the call.

        Raises:
            UnknownRecord: there is no such call, and no number either.
        """
        async with self._transaction(within) as session:
            await self._database.hold(session, Lock.DIALLING)
            row = await session.get(CallRow, call_id, with_for_update=True)
            if row is not None:
                await self._opt_out(session, row, at, words)
            elif not number:
                raise UnknownRecord(f"there is no call {call_id}")
            if number:
                await self._do_not_call.add_in(session, number, at, OPT_OUT_SOURCE, call_id)

    async def finish(self, call_id: str, outcome: Outcome, *, within: AsyncSession | None = None) -> bool:
        """Give a call its outcome, all or nothing: disposition, opt-out, the lead's callback and consent, the delivery.

        Returns False if it had one already; then only an opt-out that wasn't known is added.

        Raises:
            UnknownRecord: there is no such call.
            ValueError: the outcome has no disposition.
        """
        if not outcome.disposition:
            raise ValueError("an outcome needs its disposition")
        async with self._transaction(within) as session:
            await self._database.hold(session, Lock.DIALLING)
            return await self._finish(session, await _call(session, call_id), outcome)

    async def hand_over(self, call_id: str, outcome: Outcome, *, within: AsyncSession | None = None) -> None:
        """Let the webhook be told of a call that a person is to take: what was said, and what is known by now.

        Raises:
            UnknownRecord: there is no such call.
        """
        if not self._delivers:
            return
        async with self._transaction(within) as session:
            row = await _call(session, call_id)
            turns = await session.scalars(select(TurnRow).where(TurnRow.call_id == call_id).order_by(TurnRow.number))
            payload = handover_payload(call_record(row), outcome, [turn_record(turn) for turn in turns])
            owed = select(DeliveryRow).where(DeliveryRow.call_id == call_id, DeliveryRow.kind == HANDOVER)
            delivery = await session.scalar(owed)
            if delivery is None:
                delivery = DeliveryRow(call_id=call_id, kind=HANDOVER, attempts=0, last_error="")
                session.add(delivery)
            delivery.payload, delivery.next_try_at = payload, outcome.ended_at

    async def recover(self, now: datetime, retell: Retell) -> tuple[str, ...]:
        """Give their disposition to the calls that were live when this server died; return which.

        Call it once at the start, before the first call: it takes every live call of this server for dead. ``retell``
        knows more of a call than that it was cut short, or nothing.
        """
        live = select(CallRow.id).where(CallRow.disposition.is_(None), CallRow.server.in_(self._servers))
        async with self._database.read() as session:
            calls = list(await session.scalars(live))
        for call_id in calls:
            retold = await retell(call_id)
            async with self._database.write() as session:
                await self._database.hold(session, Lock.DIALLING)
                row = await _call(session, call_id)
                outcome = await _lost_outcome(session, row, now)
                await self._finish(session, row, _joined(outcome, retold) if retold is not None else outcome)
        return tuple(calls)

    def _transaction(self, within: AsyncSession | None) -> AbstractAsyncContextManager[AsyncSession]:
        return self._database.write() if within is None else nullcontext(within)

    async def _put(self, model: type[Base], values: dict[str, Any], within: AsyncSession | None) -> None:
        async with self._transaction(within) as session:
            try:
                await self._database.upsert(session, model, values)
            except IntegrityError as error:
                raise UnknownRecord(f"there is no call {values['call_id']} to write to") from error

    async def _opt_out(self, session: AsyncSession, row: CallRow, at: datetime, words: str) -> None:
        if row.opted_out:
            return
        row.opted_out = True
        subject = Subject(row.id, row.number or None, {"words": words} if words else None)
        await self._log.append_in(session, "opt_out", {}, at, subject)
        if row.number:
            await self._do_not_call.add_in(session, row.number, at, OPT_OUT_SOURCE, row.id)

    async def _finish(self, session: AsyncSession, row: CallRow, outcome: Outcome) -> bool:
        if outcome.opted_out:
            await self._opt_out(session, row, outcome.ended_at, "")
        if row.disposition is not None:
            return False
        write_outcome(row, outcome)
        if row.lead_id is not None:
            await _tell_lead(session, row.lead_id, outcome)
        if self._delivers:
            payload = outcome_payload(call_record(row))
            session.add(
                DeliveryRow(
                    call_id=row.id,
                    kind=OUTCOME,
                    payload=payload,
                    attempts=0,
                    next_try_at=outcome.ended_at,
                    last_error="",
                )
            )
        return True


async def _call(session: AsyncSession, call_id: str) -> CallRow:
    """Read a call's row and, where the database knows such locks, keep others from it until the transaction ends."""
    row = await session.get(CallRow, call_id, with_for_update=True)
    if row is None:
        raise UnknownRecord(f"there is no call {call_id}")
    return row


async def _tell_lead(session: AsyncSession, lead_id: int, outcome: Outcome) -> None:
    lead = await session.get(LeadRow, lead_id)
    if lead is None:
        return
    step = outcome.next_step
    lead.last_outcome = outcome.disposition
    lead.callback_action = step.action if step else None
    lead.callback_at = step.at if step else None
    lead.callback_zone = step.zone if step else ""
    lead.updated_at = outcome.ended_at
    if outcome.consent is not None:
        for name, value in consent_values(outcome.consent).items():
            setattr(lead, name, value)


async def _lost_outcome(session: AsyncSession, row: CallRow, now: datetime) -> Outcome:
    """Return what is true of a call whose server died: it ended when the last was heard of it."""
    last = await session.scalar(select(func.max(EventRow.at)).where(EventRow.call_id == row.id))
    known = [moment for moment in (row.started_at, row.answered_at, last) if moment is not None]
    cut_short = FAILED if row.answered_at is None else HUNG_UP
    return Outcome(
        disposition=DO_NOT_CALL if row.opted_out else cut_short,
        line_result=ANSWERED if row.answered_at else FAILED,
        ended_at=min(max(known), now),
        summary="The server stopped during the call.",
        opted_out=row.opted_out,
    )


def _joined(lost: Outcome, retold: Outcome) -> Outcome:
    """Return an outcome that was retold, with what only the store knows of the end; an opt-out of either is one."""
    opted_out = lost.opted_out or retold.opted_out
    return replace(
        retold,
        disposition=DO_NOT_CALL if opted_out else retold.disposition,
        ended_at=lost.ended_at,
        summary=f"{retold.summary} {lost.summary}".strip(),
        opted_out=opted_out,
    )


def _spelled(number: str) -> str:
    """Spell a number that rings us as we spell all others; what is none (a withheld one, a client's name) stays."""
    try:
        return e164(number)
    except NumberError:
        return number
