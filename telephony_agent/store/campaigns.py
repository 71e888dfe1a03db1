"""The campaigns: which leads are to be dialled, and how far that has come.

**Nobody is dialled twice and nobody is lost.** A lead is claimed, with the id of its call, before that call is reserved
(``dialling``): who dies in between leaves a claim without a call, which the next start gives back; who dies later
leaves a claim with a call, whose outcome settles it. Every change says from where it comes, so a second one changes
nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Delete, Row, Select, Update, delete, exists, func, select, update
from sqlalchemy.engine import CursorResult
from sqlalchemy.ext.asyncio import AsyncSession

from telephony_agent.store.campaign_records import (
    CampaignLead,
    CampaignRecord,
    CampaignState,
    LeadState,
    NewCampaign,
    Progress,
    Settlement,
    Verdict,
)
from telephony_agent.store.campaign_standing import TO_GO_ON, Standing, standing_of
from telephony_agent.store.database import Database
from telephony_agent.store.errors import UnknownRecord
from telephony_agent.store.paging import decode_cursor, encode_cursor, page_size
from telephony_agent.store.records import Page
from telephony_agent.store.rows import clean, clean_data
from telephony_agent.store.tables import CallRow, CampaignLeadRow, CampaignRow, LeadRow

PERIOD = timedelta(days=30)
"""After so long the counts of abandoned calls begin anew (16 CFR 310.4(b)(4)(i))."""
_ROWS_AT_ONCE = 50
_NAMED_AT_ONCE = 500


class Campaigns:
    """The campaigns of one database; those of ``server`` are its own to run."""

    def __init__(self, database: Database, server: str) -> None:
        self._database = database
        self._server = server

    # ------------------------------------------------------------------ campaigns

    async def create(self, new: NewCampaign, leads: Sequence[int], now: datetime) -> CampaignRecord:
        """Begin a campaign with leads, in their order; one that is named twice is dialled once.

        Raises:
            UnknownRecord: there is no such lead; nothing was begun.
        """
        wanted = list(dict.fromkeys(leads))
        async with self._database.write() as session:
            await _check_leads(session, wanted)
            row = CampaignRow(
                name=clean(new.name),
                server=self._server,
                state=CampaignState.RUNNING.value,
                reason="",
                per_s=new.per_s,
                at_once=new.at_once,
                retries=clean_data(new.retries),
                created_at=now,
                updated_at=now,
                period_from=now,
                answered=0,
                abandoned=0,
                playbook_id=new.playbook_id,
            )
            session.add(row)
            await session.flush()
            # A few at a time: live calls share this event loop.
            for first in range(0, len(wanted), _ROWS_AT_ONCE):
                some = enumerate(wanted[first : first + _ROWS_AT_ONCE], start=first)
                session.add_all(_new_lead_row(row.id, position, lead_id, now) for position, lead_id in some)
                await session.flush()
            return _record(row)

    async def get(self, campaign_id: int) -> CampaignRecord:
        """Return a campaign.

        Raises:
            UnknownRecord: there is none.
        """
        async with self._database.read() as session:
            return _record(await _campaign(session, campaign_id))

    async def page(self, *, cursor: str | None = None, limit: int = 50) -> Page[CampaignRecord]:
        """Return a page of campaigns, newest first.

        Raises:
            CursorError: the cursor is not one of this list's.
        """
        size = page_size(limit)
        query = select(CampaignRow).order_by(CampaignRow.id.desc()).limit(size + 1)
        if cursor is not None:
            query = query.where(CampaignRow.id < decode_cursor(cursor, int)[0])
        async with self._database.read() as session:
            rows = list(await session.scalars(query))
        items = tuple(_record(row) for row in rows[:size])
        return Page(items, encode_cursor(items[-1].id) if len(rows) > size else None)

    async def running(self) -> tuple[CampaignRecord, ...]:
        """Return this server's campaigns that run, oldest first."""
        query = select(CampaignRow).where(
            CampaignRow.state == CampaignState.RUNNING.value, CampaignRow.server == self._server
        )
        async with self._database.read() as session:
            return tuple(_record(row) for row in await session.scalars(query.order_by(CampaignRow.id)))

    async def change(
        self, campaign_id: int, to: CampaignState, *, among: Iterable[CampaignState], now: datetime, reason: str = ""
    ) -> bool:
        """Bring a campaign from one of some states to another; return False, and change nothing, if it is in none.

        Whoever lets it run runs it: it is this server's then.
        """
        states = [state.value for state in among]
        statement = update(CampaignRow).where(CampaignRow.id == campaign_id, CampaignRow.state.in_(states))
        async with self._database.write() as session:
            values = {"server": self._server} if to is CampaignState.RUNNING else {}
            return await _changed(session, statement.values(**values, state=to.value, reason=reason, updated_at=now))

    async def delete(self, campaign_id: int) -> bool:
        """Delete a campaign; its leads and their calls stay. False, and nothing happens, unless it is over.

        It is over once it is finished or stopped, and the last of its calls has ended.
        """
        live = exists().where(
            CampaignLeadRow.campaign_id == campaign_id, CampaignLeadRow.state == LeadState.DIALLING.value
        )
        statement = delete(CampaignRow).where(CampaignRow.id == campaign_id, CampaignRow.state.not_in(TO_GO_ON), ~live)
        async with self._database.write() as session:
            return await _changed(session, statement)

    async def standing(self) -> Standing:
        """Tell how this server's campaigns stand together."""
        async with self._database.read() as session:
            return await standing_of(session, self._server)

    async def progress(self, campaign_id: int) -> Progress:
        """Count the leads of a campaign by where they stand."""
        row = CampaignLeadRow
        of_this = row.campaign_id == campaign_id
        counts = select(row.state, row.disposition, row.line_result, row.reason, func.count()).where(of_this)
        counts = counts.group_by(row.state, row.disposition, row.line_result, row.reason)
        talking = select(func.count()).select_from(row).join(CallRow, CallRow.id == row.call_id)
        talking = talking.where(of_this, row.state == LeadState.DIALLING.value, CallRow.answered_at.is_not(None))
        next_at = select(func.min(row.next_at)).where(of_this, row.state == LeadState.WAITING.value)
        async with self._database.read() as session:
            counted = list(await session.execute(counts))
            talk = await session.scalar(talking) or 0
            due: datetime | None = await session.scalar(next_at)
        return _progress(counted, talk, due)

    # ------------------------------------------------------------------ the leads in them

    async def leads(
        self, campaign_id: int, *, state: LeadState | None = None, cursor: str | None = None, limit: int = 50
    ) -> Page[CampaignLead]:
        """Return a page of a campaign's leads, in its order.

        Raises:
            CursorError: the cursor is not one of this list's.
            UnknownRecord: there is no such campaign.
        """
        size = page_size(limit)
        query = _selection(CampaignLeadRow.campaign_id == campaign_id).limit(size + 1)
        if state is not None:
            query = query.where(CampaignLeadRow.state == state.value)
        if cursor is not None:
            query = query.where(CampaignLeadRow.position > decode_cursor(cursor, int)[0])
        async with self._database.read() as session:
            await _campaign(session, campaign_id)
            found: list[Row[CampaignLeadRow, str, str]] = list(await session.execute(query))
        items = tuple(_lead(row, name, phone) for row, name, phone in found[:size])
        return Page(items, encode_cursor(found[size - 1][0].position) if len(found) > size else None)

    async def waiting(self, campaign_id: int) -> tuple[tuple[int, datetime], ...]:
        """Return who waits in a campaign, and from when each may be dialled, in the campaign's order."""
        row = CampaignLeadRow
        query = select(row.lead_id, row.next_at, row.updated_at).where(
            row.campaign_id == campaign_id, row.state == LeadState.WAITING.value
        )
        async with self._database.read() as session:
            found = await session.execute(query.order_by(row.position))
            return tuple((lead_id, next_at or updated_at) for lead_id, next_at, updated_at in found)

    async def claimed(self, campaign_id: int) -> tuple[tuple[int, str], ...]:
        """Return who is being dialled in a campaign, and the id of the call."""
        row = CampaignLeadRow
        query = select(row.lead_id, row.call_id).where(
            row.campaign_id == campaign_id, row.state == LeadState.DIALLING.value
        )
        async with self._database.read() as session:
            return tuple((lead_id, call_id or "") for lead_id, call_id in await session.execute(query))

    async def with_claims(self) -> tuple[int, ...]:
        """Return this server's campaigns in which somebody is being dialled, whatever state they are in."""
        query = (
            select(CampaignLeadRow.campaign_id)
            .join(CampaignRow, CampaignRow.id == CampaignLeadRow.campaign_id)
            .where(CampaignLeadRow.state == LeadState.DIALLING.value, CampaignRow.server == self._server)
        )
        async with self._database.read() as session:
            return tuple(await session.scalars(query.distinct().order_by(CampaignLeadRow.campaign_id)))

    async def claim(self, campaign_id: int, lead_id: int, call_id: str, now: datetime) -> bool:
        """Take a lead that waits, for a call with this id; False if the campaign doesn't run. Dial only after a True.

        A second time, for the same call, nothing changes and it is True again.
        """
        runs = exists().where(CampaignRow.id == campaign_id, CampaignRow.state == CampaignState.RUNNING.value)
        statement = _entry(campaign_id, lead_id, LeadState.WAITING).where(runs)
        values = {"state": LeadState.DIALLING.value, "call_id": call_id, "next_at": None}
        async with self._database.write() as session:
            if await _changed(session, statement.values(**values, reason="", detail="", updated_at=now)):
                return True
            row = await session.get(CampaignLeadRow, (campaign_id, lead_id))
            return row is not None and (row.state, row.call_id) == (LeadState.DIALLING.value, call_id)

    async def wait(
        self,
        campaign_id: int,
        lead_id: int,
        at: datetime,
        now: datetime,
        *,
        reason: str = "",
        detail: str = "",
        call_id: str | None = None,
    ) -> bool:
        """Let a lead wait until a moment; with ``call_id``, give back the claim for a call that was never made."""
        state = LeadState.WAITING if call_id is None else LeadState.DIALLING
        statement = _entry(campaign_id, lead_id, state, call_id)
        values = {"state": LeadState.WAITING.value, "call_id": None, "next_at": at}
        async with self._database.write() as session:
            return await _changed(session, statement.values(**values, reason=reason, detail=detail, updated_at=now))

    async def refuse(
        self, campaign_id: int, lead_id: int, now: datetime, *, reason: str, detail: str, call_id: str | None = None
    ) -> bool:
        """Dial a lead never; with ``call_id``, it was claimed for a call that was never made."""
        state = LeadState.WAITING if call_id is None else LeadState.DIALLING
        statement = _entry(campaign_id, lead_id, state, call_id)
        values = {"state": LeadState.REFUSED.value, "call_id": None, "next_at": None}
        async with self._database.write() as session:
            return await _changed(
                session, statement.values(**values, reason=reason, detail=clean(detail), updated_at=now)
            )

    async def settle(
        self, campaign_id: int, lead_id: int, call_id: str, verdict: Verdict, now: datetime
    ) -> Settlement | None:
        """Write down what came of a lead's call: it is done, or waits for the next one.

        In the same transaction the campaign's counts go on, and it is held if the verdict says so. A second time, or
        for a lead that was forgotten meanwhile, nothing happens and None is returned.
        """
        async with self._database.write() as session:
            # The campaign first: several calls of one campaign may end at once.
            campaign = await session.get(CampaignRow, campaign_id, with_for_update=True)
            row = await session.get(CampaignLeadRow, (campaign_id, lead_id), with_for_update=True)
            if campaign is None or row is None or (row.state, row.call_id) != (LeadState.DIALLING.value, call_id):
                return None
            row.results = {**row.results, verdict.line_result: row.results.get(verdict.line_result, 0) + 1}
            row.line_result, row.disposition = verdict.line_result, verdict.disposition
            row.next_at = verdict.again_at(row.results[verdict.line_result])
            row.state = (LeadState.DONE if row.next_at is None else LeadState.WAITING).value
            row.reason = "" if row.next_at is None else verdict.line_result
            row.updated_at = now
            return Settlement(row.next_at, _count(campaign, verdict, now))


def _count(campaign: CampaignRow, verdict: Verdict, now: datetime) -> bool:
    """Go on with a campaign's counts, in a new period if the last one is over; return whether it is held for them."""
    if now - campaign.period_from >= PERIOD:
        campaign.period_from, campaign.answered, campaign.abandoned = now, 0, 0
    campaign.answered += verdict.answered
    campaign.abandoned += verdict.abandoned
    reason = verdict.hold(campaign.answered, campaign.abandoned) if verdict.abandoned else ""
    if reason and campaign.state == CampaignState.RUNNING.value:
        campaign.state, campaign.reason, campaign.updated_at = CampaignState.HELD.value, reason, now
    return bool(reason)


def _new_lead_row(campaign_id: int, position: int, lead_id: int, now: datetime) -> CampaignLeadRow:
    return CampaignLeadRow(
        campaign_id=campaign_id,
        lead_id=lead_id,
        position=position,
        state=LeadState.WAITING.value,
        next_at=now,
        results={},
        reason="",
        detail="",
        updated_at=now,
    )


async def _check_leads(session: AsyncSession, wanted: Sequence[int]) -> None:
    known: set[int] = set()
    for first in range(0, len(wanted), _NAMED_AT_ONCE):
        some = wanted[first : first + _NAMED_AT_ONCE]
        known.update(await session.scalars(select(LeadRow.id).where(LeadRow.id.in_(some))))
    if unknown := [lead_id for lead_id in wanted if lead_id not in known]:
        raise UnknownRecord(f"there is no lead {unknown[0]}")


async def _campaign(session: AsyncSession, campaign_id: int) -> CampaignRow:
    row = await session.get(CampaignRow, campaign_id)
    if row is None:
        raise UnknownRecord(f"there is no campaign {campaign_id}")
    return row


def _entry(campaign_id: int, lead_id: int, state: LeadState, call_id: str | None = None) -> Update:
    """Select a lead of a campaign for a change, as long as it stands where it is thought to."""
    row = CampaignLeadRow
    statement = update(row).where(row.campaign_id == campaign_id, row.lead_id == lead_id, row.state == state.value)
    return statement if call_id is None else statement.where(row.call_id == call_id)


async def _changed(session: AsyncSession, statement: Update | Delete) -> bool:
    result: CursorResult[Any] = await session.execute(statement)  # type: ignore[assignment]
    return result.rowcount > 0


def _selection(wanted: ColumnElement[bool]) -> Select[CampaignLeadRow, str, str]:
    query = select(CampaignLeadRow, LeadRow.name, LeadRow.phone).join(LeadRow, LeadRow.id == CampaignLeadRow.lead_id)
    return query.where(wanted).order_by(CampaignLeadRow.position)


def _record(row: CampaignRow) -> CampaignRecord:
    return CampaignRecord(
        id=row.id,
        new=NewCampaign(row.name, row.per_s, row.at_once, row.retries, row.playbook_id),
        state=CampaignState(row.state),
        reason=row.reason,
        created_at=row.created_at,
        updated_at=row.updated_at,
        period_from=row.period_from,
        answered=row.answered,
        abandoned=row.abandoned,
    )


def _lead(row: CampaignLeadRow, name: str, phone: str) -> CampaignLead:
    return CampaignLead(
        lead_id=row.lead_id,
        name=name,
        phone=phone,
        state=LeadState(row.state),
        call_id=row.call_id,
        next_at=row.next_at,
        results=row.results,
        line_result=row.line_result,
        disposition=row.disposition,
        reason=row.reason,
        detail=row.detail,
    )


def _progress(
    counted: Iterable[Row[str, str | None, str | None, str, int]], talking: int, next_at: datetime | None
) -> Progress:
    states = dict.fromkeys(LeadState, 0)
    done: dict[str, int] = {}
    refused: dict[str, int] = {}
    line_results: dict[str, int] = {}
    for state, disposition, line_result, reason, count in counted:
        states[LeadState(state)] += count
        if state == LeadState.DONE and disposition is not None and line_result is not None:
            done[disposition] = done.get(disposition, 0) + count
            line_results[line_result] = line_results.get(line_result, 0) + count
        elif state == LeadState.REFUSED:
            refused[reason] = refused.get(reason, 0) + count
    dialling = states[LeadState.DIALLING] - talking
    return Progress(states[LeadState.WAITING], dialling, talking, done, refused, line_results, next_at)
