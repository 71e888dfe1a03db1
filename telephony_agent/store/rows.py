"""Turns records into rows and rows into records; the one place where what was said is cleaned before it is stored."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any, Literal, cast

from telephony_agent.store.masking import mask_cards
from telephony_agent.store.records import (
    CallRecord,
    Consent,
    Delivery,
    EventRecord,
    LeadDraft,
    LeadRecord,
    NewCall,
    NextStep,
    Outcome,
    PhraseRecord,
    TurnRecord,
)
from telephony_agent.store.tables import CallRow, DeliveryRow, EventRow, LeadRow, PhraseRow, TurnRow

PAYLOAD_VERSION = 1
OUTCOME, HANDOVER = "outcome", "handover"
"""What the owner's webhook is told: how a call ended, and that a person is to take one that goes on."""
_HANDED_OVER = ("call_id", "call_sid", "direction", "channel", "number", "our_number", "lead_id", "started_at")


def clean(text: str) -> str:
    """Make a text fit for every database (no NUL, no half of a surrogate pair) and take card numbers out of it."""
    return mask_cards(text.replace("\0", "").encode("utf-8", "replace").decode("utf-8"))


def clean_data(value: Any) -> Any:
    """Clean every text in a JSON value; what JSON doesn't know becomes text."""
    match value:
        case str():
            return clean(value)
        case bool() | int() | None:
            return value
        case float():
            # NaN and the infinities are no JSON.
            return value if abs(value) < float("inf") else str(value)
        case datetime():
            return value.isoformat()
        case Mapping():
            return {clean(str(key)): clean_data(item) for key, item in value.items()}
        case list() | tuple() | set() | frozenset():
            return [clean_data(item) for item in value]
        case _:
            return clean(str(value))


def lead_values(draft: LeadDraft, phone: str) -> dict[str, Any]:
    """Return the columns that a draft fills."""
    consent = draft.consent
    names = (
        *("name", "company", "role", "email", "zone", "source", "language"),
        *("budget", "authority", "need", "timing", "interest", "notes"),
    )
    return {
        **{name: clean(getattr(draft, name)) for name in names},
        "phone": phone,
        "objections": clean_data(draft.objections),
        "extra": clean_data(draft.extra),
        **consent_values(consent),
    }


def consent_values(consent: Consent | None) -> dict[str, Any]:
    """Return the columns of a consent."""
    return {
        "consent_basis": consent.basis if consent else None,
        "consent_text": clean(consent.text) if consent else "",
        "consent_at": consent.at if consent else None,
    }


def lead_record(row: LeadRow, *, do_not_call: bool) -> LeadRecord:
    """Read a lead."""
    draft = LeadDraft(
        name=row.name,
        phone=row.phone,
        company=row.company,
        role=row.role,
        email=row.email,
        zone=row.zone,
        source=row.source,
        language=row.language,
        consent=_consent(row),
        budget=row.budget,
        authority=row.authority,
        need=row.need,
        timing=row.timing,
        interest=row.interest,
        objections=tuple(row.objections),
        notes=row.notes,
        extra=row.extra,
    )
    callback = _next_step(row.callback_action, row.callback_at, row.callback_zone)
    return LeadRecord(row.id, draft, row.created_at, row.updated_at, row.last_outcome, callback, do_not_call)


def new_call_row(call: NewCall, server: str) -> CallRow:
    """Make the row of a call that begins."""
    return CallRow(
        id=call.call_id,
        call_sid=call.call_sid,
        server=server,
        direction=call.direction,
        channel=call.channel,
        number=call.number,
        our_number=call.our_number,
        lead_id=call.lead_id,
        started_at=call.started_at,
        opted_out=False,
        summary="",
        slots={},
        next_zone="",
        consent_text="",
        playbook_id=call.playbook_id,
    )


def write_outcome(row: CallRow, outcome: Outcome) -> None:
    """Fill a call's row with its outcome."""
    step = outcome.next_step
    row.disposition = outcome.disposition
    row.line_result = outcome.line_result
    row.ended_at = outcome.ended_at
    row.summary = clean(outcome.summary)
    row.slots = clean_data(outcome.slots)
    row.next_action = step.action if step else None
    row.next_at = step.at if step else None
    row.next_zone = step.zone if step else ""
    for name, value in consent_values(outcome.consent).items():
        setattr(row, name, value)


def call_record(row: CallRow) -> CallRecord:
    """Read a call."""
    call = NewCall(
        call_id=row.id,
        direction=cast(Literal["inbound", "outbound"], row.direction),
        started_at=row.started_at,
        channel=cast(Literal["phone", "voice", "text"], row.channel),
        number=row.number,
        our_number=row.our_number,
        lead_id=row.lead_id,
        call_sid=row.call_sid,
        playbook_id=row.playbook_id,
    )
    outcome = None
    if row.disposition is not None:
        outcome = Outcome(
            disposition=row.disposition,
            line_result=row.line_result or "",
            ended_at=row.ended_at or row.started_at,
            summary=row.summary,
            slots=row.slots,
            next_step=_next_step(row.next_action, row.next_at, row.next_zone),
            consent=_consent(row),
            opted_out=row.opted_out,
        )
    return CallRecord(call, row.answered_at, row.opted_out, outcome)


def call_fields(record: CallRecord) -> dict[str, Any]:
    """Return a call as a flat dict of plain values: times in ISO 8601, slots as ``slot_*``. One shape for exports."""
    call, outcome = record.call, record.outcome
    step = outcome.next_step if outcome else None
    return {
        "call_id": call.call_id,
        "call_sid": call.call_sid or "",
        "direction": call.direction,
        "channel": call.channel,
        "number": call.number,
        "our_number": call.our_number,
        "lead_id": call.lead_id,
        "playbook_id": call.playbook_id,
        "started_at": call.started_at.isoformat(),
        "answered_at": record.answered_at.isoformat() if record.answered_at else "",
        "ended_at": outcome.ended_at.isoformat() if outcome else "",
        "duration_s": _duration_s(record),
        "line_result": outcome.line_result if outcome else "",
        "disposition": outcome.disposition if outcome else "",
        "opted_out": record.opted_out,
        "summary": outcome.summary if outcome else "",
        "next_step": step.action if step else "",
        "next_step_at": step.at.isoformat() if step and step.at else "",
        "next_step_zone": step.zone if step else "",
        **{f"slot_{name}": value for name, value in (outcome.slots.items() if outcome else ())},
    }


def outcome_payload(record: CallRecord) -> dict[str, Any]:
    """Return what the owner's webhook is told of a call that ended."""
    fields = call_fields(record)
    outcome = record.outcome
    assert outcome is not None, "a live call has no outcome"
    consent = outcome.consent
    flat = {name: value for name, value in fields.items() if not name.startswith(("slot_", "next_step"))}
    step = {"action": fields["next_step"], "at": fields["next_step_at"], "zone": fields["next_step_zone"]}
    return {
        "version": PAYLOAD_VERSION,
        "event": OUTCOME,
        **flat,
        "slots": dict(outcome.slots),
        "next_step": step if outcome.next_step else None,
        "consent": clean_data({"basis": consent.basis, "text": consent.text, "at": consent.at}) if consent else None,
    }


def handover_payload(record: CallRecord, outcome: Outcome, turns: Iterable[TurnRecord]) -> dict[str, Any]:
    """Return what the owner's webhook is told of a call that a person is to take; ``outcome`` is that of the moment."""
    fields = call_fields(record)
    return {
        "version": PAYLOAD_VERSION,
        "event": HANDOVER,
        **{name: fields[name] for name in _HANDED_OVER},
        "at": outcome.ended_at.isoformat(),
        "summary": clean(outcome.summary),
        "slots": clean_data(outcome.slots),
        "transcript": [
            {"turn": turn.number, "input": turn.input, "caller": turn.transcript, "agent": turn.reply_heard}
            for turn in turns
        ],
    }


def turn_values(call_id: str, turn: TurnRecord) -> dict[str, Any]:
    """Return the columns of a turn."""
    return {"call_id": call_id, **clean_data(asdict(turn))}


def turn_record(row: TurnRow) -> TurnRecord:
    """Read a turn."""
    return TurnRecord(
        *(row.number, row.input, row.transcript, row.reply, row.reply_heard, row.interrupted),
        *(row.started_ms, row.ended_ms, row.timings),
    )


def phrase_values(call_id: str, phrase: PhraseRecord) -> dict[str, Any]:
    """Return the columns of a line of the heard ledger."""
    return {"call_id": call_id, **clean_data(asdict(phrase))}


def phrase_record(row: PhraseRow) -> PhraseRecord:
    """Read a line of the heard ledger."""
    return PhraseRecord(row.position, row.turn, row.text, row.heard)


def event_values(call_id: str, event: EventRecord) -> dict[str, Any]:
    """Return the columns of an event."""
    return {
        "call_id": call_id,
        "position": event.position,
        "at": event.at,
        "kind": event.kind,
        "data": clean_data(event.data),
    }


def event_record(row: EventRow) -> EventRecord:
    """Read an event."""
    return EventRecord(row.position, row.at, row.kind, row.data)


def delivery_record(row: DeliveryRow) -> Delivery:
    """Read a delivery."""
    return Delivery(row.id, row.call_id, row.payload, row.attempts, row.next_try_at, row.last_error)


def _consent(row: LeadRow | CallRow) -> Consent | None:
    if row.consent_basis is None:
        return None
    return Consent(row.consent_basis, row.consent_text, row.consent_at)


def _next_step(action: str | None, at: datetime | None, zone: str) -> NextStep | None:
    return None if action is None else NextStep(action, at, zone)


def _duration_s(record: CallRecord) -> int:
    """Return how long a call was answered, in whole seconds; 0 while it is live."""
    if record.outcome is None or record.answered_at is None:
        return 0
    return max(0, int((record.outcome.ended_at - record.answered_at).total_seconds()))
