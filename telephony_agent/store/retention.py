"""What is deleted: what is too old, and all that is known of a person who wants to be forgotten."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Delete, delete, exists, func, or_, select
from sqlalchemy.engine import CursorResult
from sqlalchemy.ext.asyncio import AsyncSession

from telephony_agent.store.campaign_records import LeadState
from telephony_agent.store.campaign_standing import TO_GO_ON
from telephony_agent.store.compliance_log import ComplianceLog
from telephony_agent.store.database import Database, Lock
from telephony_agent.store.numbers import e164
from telephony_agent.store.recordings import Recordings
from telephony_agent.store.tables import (
    AttemptRow,
    CallRow,
    CampaignLeadRow,
    CampaignRow,
    DeliveryRow,
    DoNotCallRow,
    EventRow,
    LeadRow,
    PhraseRow,
    PlaybookRow,
    TurnRow,
)

_BATCH = 500
"""Calls that are named in one statement; databases take only so many parameters."""
_TO_CALL = (LeadState.WAITING.value, LeadState.DIALLING.value)
_AT_HAND = timedelta(days=1)
"""For so long at least a playbook waits for the call or the campaign that it was kept for."""


@dataclass(frozen=True, slots=True)
class RetentionPolicy:
    """For how many days each kind of data is kept; None means for good.

    A call's days count from its end, a lead's from its last change or call. A campaign that is over goes as a call
    does, from its last change on; and so does a playbook that no call and no campaign names any more, from when it was
    last brought, by a server that starts or with a call. Do-not-call entries and the compliance log are kept for good:
    the law asks for them.
    """

    recordings_days: int | None = None
    transcripts_days: int | None = None
    calls_days: int | None = None
    leads_days: int | None = None


@dataclass(frozen=True, slots=True)
class Deleted:
    """How many of each kind were deleted. ``transcripts`` counts turns."""

    recordings: int = 0
    transcripts: int = 0
    calls: int = 0
    leads: int = 0
    log_entries: int = 0
    campaigns: int = 0
    playbooks: int = 0


class Retention:
    """Deletes from one database and one folder of recordings."""

    def __init__(self, database: Database, log: ComplianceLog, recordings: Recordings) -> None:
        self._database = database
        self._log = log
        self._recordings = recordings

    async def apply(self, policy: RetentionPolicy, now: datetime) -> Deleted:
        """Delete what is older than the policy keeps. A live call and an outcome that isn't delivered stay."""
        recordings = calls = turns = leads = campaigns = playbooks = 0
        if policy.recordings_days is not None:
            before = now - timedelta(days=policy.recordings_days)
            recordings = await asyncio.to_thread(self._recordings.delete_before, before)
        async with self._database.write() as session:
            if policy.transcripts_days is not None:
                turns = await _delete_transcripts(session, now - timedelta(days=policy.transcripts_days))
            old_calls: list[str] = []
            if policy.calls_days is not None:
                before = now - timedelta(days=policy.calls_days)
                old_calls = await _old_calls(session, before)
                recordings += await self._delete_recordings(old_calls)
                calls = await _delete_calls(session, old_calls)
                await session.execute(delete(AttemptRow).where(AttemptRow.at < before))
                campaigns = await _delete_campaigns(session, before)
                playbooks = await _delete_playbooks(session, min(before, now - _AT_HAND))
            if policy.leads_days is not None:
                leads = await _delete_leads(session, now, now - timedelta(days=policy.leads_days))
        deleted = Deleted(recordings, turns, calls, leads, campaigns=campaigns, playbooks=playbooks)
        if deleted != Deleted(recordings):
            await self._database.wipe_deleted()
        return deleted

    async def forget(self, number: str, now: datetime) -> Deleted:
        """Delete all that is known of the person with a number, in any spelling; a do-not-call entry stays.

        Recordings go first: if one can't be deleted, nothing else is, and forgetting again finds it.

        Raises:
            NumberError: the text is no number.
            StoreUnavailable: a recording can't be deleted, or the database does not take it.
        """
        spelled = e164(number)
        async with self._database.write() as session:
            await self._database.hold(session, Lock.DIALLING)
            leads = list(await session.scalars(select(LeadRow.id).where(LeadRow.phone == spelled)))
            theirs = or_(CallRow.number == spelled, CallRow.lead_id.in_(leads))
            calls = list(await session.scalars(select(CallRow.id).where(theirs)))
            recordings = await self._delete_recordings(calls)
            turns = await session.scalar(select(func.count()).select_from(TurnRow).where(TurnRow.call_id.in_(calls)))
            await _delete_calls(session, calls)
            await session.execute(delete(AttemptRow).where(_attempts_of(spelled, leads)))
            await session.execute(delete(LeadRow).where(LeadRow.id.in_(leads)))
            await _keep_bare_entry(session, spelled)
            entries = await self._log.erase_in(session, spelled, calls, now)
        await self._database.wipe_deleted()
        return Deleted(recordings, turns or 0, len(calls), len(leads), entries)

    async def _delete_recordings(self, calls: list[str]) -> int:
        return await asyncio.to_thread(lambda: sum(self._recordings.delete(call_id) for call_id in calls))


async def _delete_transcripts(session: AsyncSession, before: datetime) -> int:
    ended = select(CallRow.id).where(CallRow.disposition.is_not(None), CallRow.ended_at < before)
    await _deleted(session, delete(PhraseRow).where(PhraseRow.call_id.in_(ended)))
    await _deleted(session, delete(EventRow).where(EventRow.call_id.in_(ended)))
    return await _deleted(session, delete(TurnRow).where(TurnRow.call_id.in_(ended)))


async def _old_calls(session: AsyncSession, before: datetime) -> list[str]:
    undelivered = select(DeliveryRow.call_id)
    query = select(CallRow.id).where(
        CallRow.disposition.is_not(None), CallRow.ended_at < before, CallRow.id.not_in(undelivered)
    )
    return list(await session.scalars(query))


async def _delete_calls(session: AsyncSession, calls: list[str]) -> int:
    """Delete calls; turns, ledger, events and deliveries go with them."""
    deleted = 0
    for start in range(0, len(calls), _BATCH):
        some = calls[start : start + _BATCH]
        deleted += await _deleted(session, delete(CallRow).where(CallRow.id.in_(some)))
    return deleted


async def _delete_campaigns(session: AsyncSession, before: datetime) -> int:
    """Delete the campaigns that are over, and in which nothing has happened since; where leads stood in them goes too.

    Calls that were live when one was stopped are settled later, so its leads are asked as well.
    """
    row = CampaignLeadRow
    astir = exists().where(
        row.campaign_id == CampaignRow.id, (row.state == LeadState.DIALLING.value) | (row.updated_at >= before)
    )
    old = delete(CampaignRow).where(CampaignRow.state.not_in(TO_GO_ON), CampaignRow.updated_at < before, ~astir)
    return await _deleted(session, old)


async def _delete_playbooks(session: AsyncSession, before: datetime) -> int:
    """Delete the playbooks that no call and no campaign names, and nobody has brought since."""
    named = select(CallRow.playbook_id).union(select(CampaignRow.playbook_id))
    return await _deleted(
        session, delete(PlaybookRow).where(PlaybookRow.added_at < before, PlaybookRow.id.not_in(named))
    )


async def _delete_leads(session: AsyncSession, now: datetime, before: datetime) -> int:
    """Delete the leads that nothing was heard of since; one who waits for our call, or a campaign's, stays."""
    called_since = select(AttemptRow.lead_id).where(AttemptRow.lead_id.is_not(None), AttemptRow.at >= before)
    expected = LeadRow.callback_at.is_not(None) & (LeadRow.callback_at >= now)
    to_call = select(CampaignLeadRow.lead_id).join(CampaignRow, CampaignRow.id == CampaignLeadRow.campaign_id)
    to_call = to_call.where(CampaignLeadRow.state.in_(_TO_CALL), CampaignRow.state.in_(TO_GO_ON))
    old = delete(LeadRow).where(
        LeadRow.updated_at < before, LeadRow.id.not_in(called_since), LeadRow.id.not_in(to_call), ~expected
    )
    return await _deleted(session, old)


async def _keep_bare_entry(session: AsyncSession, number: str) -> None:
    """Leave of a do-not-call entry only the number and its day: where it was said is not needed to keep it."""
    row = await session.get(DoNotCallRow, number)
    if row is not None:
        row.source = ""


def _attempts_of(number: str, leads: list[int]) -> ColumnElement[bool]:
    return or_(AttemptRow.number == number, AttemptRow.lead_id.in_(leads))


async def _deleted(session: AsyncSession, statement: Delete) -> int:
    result: CursorResult[Any] = await session.execute(statement)  # type: ignore[assignment]
    return result.rowcount
