"""Says who of some leads would be called, and why the others would not: nothing is dialled, reserved or written."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from telephony_agent.live.sales_desk import zone_of
from telephony_agent.live.stored_lead import lead_of
from telephony_agent.sales.campaign import Again, after_refusal
from telephony_agent.sales.compliance import DialPolicy, may_dial
from telephony_agent.sales.lead import LeadError
from telephony_agent.store import LeadDraft, LeadRecord, Store, local_day


@dataclass(frozen=True, slots=True)
class Prospect:
    """A lead that may be called, with what would happen.

    Attributes:
        lead_id: the store's; None for one that is not in it yet.
        reason: in one stable word; ``allowed`` for who would be called at once.
        detail: the same as a sentence; may be empty.
        waits_until: when they would be called, if not now; None also for those who never would.
    """

    lead_id: int | None
    name: str
    phone: str = field(repr=False)
    reason: str
    detail: str = ""
    waits_until: datetime | None = None


async def prospects(records: Iterable[LeadRecord], store: Store, policy: DialPolicy, now: datetime) -> list[Prospect]:
    """Return what would happen to each lead if a campaign with it began now; an id of 0 is none."""
    return [await _prospect(record, store, policy, now) for record in records]


async def drafted(drafts: Sequence[LeadDraft], store: Store, now: datetime) -> list[LeadRecord]:
    """Return the leads of a file: those that the store knows by their number, the others as they would become."""
    return [await store.leads.find(draft.phone) or LeadRecord(0, draft, now, now) for draft in drafts]


async def _prospect(record: LeadRecord, store: Store, policy: DialPolicy, now: datetime) -> Prospect:
    lead_id, name, phone = record.id or None, record.draft.name, record.draft.phone
    try:
        lead = lead_of(record)
    except LeadError as error:
        return Prospect(lead_id, name, phone, error.code, str(error))
    listed = await store.do_not_call.contains(phone)
    day = local_day(now, lead.zone or zone_of(phone))
    made = await store.dialling.attempts_on(day, phone, lead_id) if day else 0
    decision = may_dial(lead, phone, now, policy, made, {phone} if listed else ())
    reason = decision.reason.value
    follows = None if decision.allowed else after_refusal(reason, lead, now, policy)
    until = follows.at if isinstance(follows, Again) else None
    return Prospect(lead_id, name, phone, reason, decision.detail, until)
