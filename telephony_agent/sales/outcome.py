"""The record of a call: what is written, exported and sent when it is over."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType

from telephony_agent.sales.disposition import (
    CallEnd,
    Disposition,
    Findings,
    LineResult,
    disposition_of,
    hubspot_outcome,
)
from telephony_agent.sales.guide_state import GuideState
from telephony_agent.sales.lead import Consent, Lead
from telephony_agent.sales.moments import Moment
from telephony_agent.sales.values import SlotName, Value

_NEXT_STEPS = {Disposition.MEETING_BOOKED: SlotName.MEETING, Disposition.CALLBACK: SlotName.CALLBACK}


@dataclass(frozen=True, slots=True)
class NextStep:
    """What was agreed: its kind, its absolute time (None if no day was named), and the zone in which it was told."""

    kind: SlotName
    at: datetime | None
    zone: str
    words: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """All that remains of a call beside its transcript and recording."""

    disposition: Disposition
    line_result: LineResult
    slots: Mapping[str, Value]
    summary: str
    next_step: NextStep | None
    consent: Consent | None
    opted_out: bool
    disclosed: bool
    """Whether the caller heard who and what was calling."""
    to_send: tuple[str, ...] = ()
    """The topics of which information is to be sent to the caller's confirmed address."""

    @property
    def told(self) -> Mapping[str, str]:
        """What the caller told us, by slot, in words; and of what they are to be sent information."""
        sent = {"information": "; ".join(self.to_send)} if self.to_send else {}
        return sent | {
            str(name): value.in_words() if isinstance(value, Moment) else str(value)
            for name, value in self.slots.items()
        }

    @property
    def hubspot(self) -> str:
        """Return HubSpot's label for the outcome."""
        return hubspot_outcome(self.disposition, self.line_result)


def conclude(
    lead: Lead,
    state: GuideState,
    findings: Findings,
    line: LineResult,
    end: CallEnd | None,
) -> Outcome:
    """Write the record of a call.

    Args:
        lead: who was called.
        state: the guide's state at the end.
        findings: what the guide found.
        line: the carrier's result.
        end: why the talk ended; None if there was none.
    """
    disposition = disposition_of(findings, line, end)
    step = _next_step(disposition, state)
    return Outcome(
        disposition=disposition,
        line_result=line,
        slots=MappingProxyType(dict(state.slots)),
        summary=_summary(lead, state, disposition, step),
        next_step=step,
        consent=lead.consent,
        opted_out=state.opted_out,
        disclosed=state.disclosed,
        to_send=state.to_send,
    )


def _next_step(disposition: Disposition, state: GuideState) -> NextStep | None:
    kind = _NEXT_STEPS.get(disposition)
    if kind is None:
        return None
    # Who books no meeting for certain is called back at the time that they named for it.
    moment = state.slots.moment(kind) or state.slots.moment(SlotName.MEETING)
    if moment is None and disposition is Disposition.MEETING_BOOKED:
        # What was arranged before the call still stands: no other step was agreed on.
        return None
    if moment is None:
        return NextStep(kind, None, "", "at a time that was not named")
    return NextStep(kind, moment.starts, moment.zone, moment.in_words())


def _summary(lead: Lead, state: GuideState, disposition: Disposition, step: NextStep | None) -> str:
    """Tell the call in a few sentences, by template."""
    who = f"{lead.name} of {lead.company}" if lead.company else lead.name
    parts = [f"{who}: {disposition.replace('_', ' ')}{f', {step.words}' if step else ''}."]
    told = [f"{name.replace('_', ' ')} {value}" for name, value in state.slots if not isinstance(value, Moment)]
    if told:
        parts.append(f"Told us: {'; '.join(told)}.")
    if state.objections:
        parts.append(f"Objections: {', '.join(sorted(item.replace('_', ' ') for item in state.objections))}.")
    if state.refusals:
        parts.append(f"Refused {state.refusals} time{'s' if state.refusals > 1 else ''}.")
    if state.transfer_wanted:
        parts.append("Asked for a person.")
    return " ".join(parts)
