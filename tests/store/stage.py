"""The persons and moments that the store's tests share."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from telephony_agent.store import LeadDraft, NewCall, NextStep, Outcome, Store

ON_SQLITE = pytest.mark.parametrize("url", ["sqlite"], indirect=True)
ON_POSTGRES = pytest.mark.parametrize("url", ["postgres"], indirect=True)
NOW = datetime(2026, 3, 2, 15, 0, tzinfo=UTC)
ANNA = "+15005550006"
BEN = "+12125550142"


def at(seconds: float) -> datetime:
    """Return a moment so many seconds after ``NOW``."""
    return NOW + timedelta(seconds=seconds)


def outbound(call_id: str = "CA1", number: str = ANNA, *, lead_id: int | None = None, after_s: float = 0) -> NewCall:
    """Return a call of ours to somebody."""
    return NewCall(call_id, "outbound", at(after_s), number=number, lead_id=lead_id)


def outcome(disposition: str = "meeting_booked", *, after_s: float = 60, opted_out: bool = False) -> Outcome:
    """Return an outcome with everything in it."""
    return Outcome(
        disposition,
        "answered",
        at(after_s),
        summary="Anna wants a meeting.",
        slots={"name": "Anna", "timing": "spring"},
        next_step=NextStep("meeting", at(86_400), "America/New_York"),
        opted_out=opted_out,
    )


async def lead(store: Store, name: str = "Anna Miller", phone: str = ANNA) -> int:
    """Add a lead and return its number."""
    return (await store.leads.add(LeadDraft(name, phone), NOW)).id


async def ended_call(store: Store, call_id: str = "CA1", number: str = ANNA, *, after_s: float = 0) -> None:
    """Make a call that took a minute and has its outcome."""
    await store.calls.begin(outbound(call_id, number, after_s=after_s))
    await store.calls.answered(call_id, at(after_s))
    await store.calls.finish(call_id, outcome(after_s=after_s + 60))
