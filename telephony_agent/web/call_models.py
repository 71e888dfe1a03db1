"""What the API takes and tells of calls that are or were, and of the numbers that are never called: its models."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from datetime import datetime
from types import MappingProxyType
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from telephony_agent.core.conversation import Turn, TurnInput
from telephony_agent.live.call import Call, CallState
from telephony_agent.sales.outcome import Outcome
from telephony_agent.store import CallRecord, DoNotCallEntry, Page, Transcript, TurnRecord
from telephony_agent.store.rows import call_fields
from telephony_agent.telemetry import mask_number

Reason = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]


class _Asked(BaseModel):
    model_config = ConfigDict(extra="forbid")


class CallQuery(_Asked):
    """Which calls are wanted."""

    since: datetime | None = None
    until: datetime | None = None
    disposition: str | None = None
    number: str | None = None
    direction: Annotated[str, StringConstraints(pattern="^(inbound|outbound)$")] | None = None
    live: bool | None = None
    cursor: str | None = None
    limit: int = 50


class PageQuery(_Asked):
    """Which page is wanted."""

    cursor: str | None = None
    limit: int = 50


class RecordingQuery(_Asked):
    """Which of a call's recordings is wanted; a call that was connected twice has two."""

    part: Annotated[int, Field(ge=1)] = 1


class RemovalQuery(_Asked):
    """Why a number may be called again."""

    reason: Reason


class NewEntry(_Asked):
    """A number that is never to be called."""

    number: str
    reason: Reason = "by hand"


class CallTurn(BaseModel):
    """What was said in a turn, by both, and what of ours was heard. Times are ms on the stream's clock."""

    turn: int
    input: str
    started_ms: int
    ended_ms: int
    transcript: str
    reply: str
    reply_heard: str
    interrupted: bool
    timings: dict[str, int]

    @classmethod
    def of(cls, turn: Turn | TurnRecord) -> Self:
        """Tell a turn, of the call itself or of the store."""
        return cls(
            turn=turn.number,
            input=turn.input,
            started_ms=turn.started_ms,
            ended_ms=turn.ended_ms,
            transcript=turn.transcript,
            reply=turn.reply,
            reply_heard=turn.reply_heard,
            interrupted=turn.interrupted,
            timings=dict(turn.timings),
        )


class CallGreeting(BaseModel):
    """Our first words, and what of them was heard."""

    text: str
    heard: str


class CallNextStep(BaseModel):
    """What was agreed on. ``at`` is absolute, ``zone`` is how the other party thinks of it."""

    kind: str
    at: datetime | None
    zone: str


class CallOutcome(BaseModel):
    """What came of a call. ``disclosed`` is null where it isn't known any more."""

    disposition: str
    line_result: str
    slots: dict[str, str]
    summary: str
    next_step: CallNextStep | None
    opted_out: bool
    disclosed: bool | None

    @classmethod
    def of(cls, outcome: Outcome) -> Self:
        """Tell what the sales side made of a call."""
        step = outcome.next_step
        return cls(
            disposition=outcome.disposition.value,
            line_result=outcome.line_result.value,
            slots=dict(outcome.told),
            summary=outcome.summary,
            next_step=CallNextStep(kind=step.kind.value, at=step.at, zone=step.zone) if step is not None else None,
            opted_out=outcome.opted_out,
            disclosed=outcome.disclosed,
        )

    @classmethod
    def of_record(cls, record: CallRecord) -> Self | None:
        """Tell what the store has of it; None while the call is live."""
        outcome = record.outcome
        if outcome is None:
            return None
        step = outcome.next_step
        return cls(
            disposition=outcome.disposition,
            line_result=outcome.line_result,
            slots=dict(outcome.slots),
            summary=outcome.summary,
            next_step=CallNextStep(kind=step.action, at=step.at, zone=step.zone) if step is not None else None,
            opted_out=record.opted_out,
            disclosed=None,
        )


_STATES: Mapping[CallState, Literal["ringing", "live", "ended"]] = MappingProxyType(
    {
        CallState.DIALLED: "ringing",
        CallState.EXPECTED: "live",
        CallState.LIVE: "live",
        CallState.AWAY: "live",
        CallState.ENDED: "ended",
    }
)


class CallAnswer(BaseModel):
    """All about a call. ``ended_by``, ``end_reason`` and ``carrier_status`` are null where nobody remembers them."""

    model_config = ConfigDict(populate_by_name=True)

    call_id: str
    call_sid: str | None
    channel: str
    direction: str
    from_: Annotated[str, Field(alias="from")]
    to: str
    state: Literal["ringing", "live", "ended"]
    began_at: datetime
    ended_at: datetime | None
    ended_by: str | None = None
    end_reason: str | None = None
    carrier_status: str | None = None
    greeting: CallGreeting | None
    turns: tuple[CallTurn, ...]
    outcome: CallOutcome | None

    @classmethod
    def of(cls, call: Call, now: float) -> Self:
        """Tell a call of the switchboard's."""
        reason = call.end_reason
        return cls(
            call_id=call.call_id,
            call_sid=call.call_sid or None,
            channel="phone",
            direction=call.direction,
            from_=mask_number(call.from_number),
            to=mask_number(call.to_number),
            state=_STATES[call.state],
            began_at=call.began_at,
            ended_at=call.ended_at,
            ended_by=reason.ended_by if reason else None,
            end_reason=reason.value if reason else None,
            carrier_status=call.carrier_status or None,
            outcome=CallOutcome.of(call.outcome) if call.outcome is not None else None,
            **_told(call.flow.account(now)),
        )

    @classmethod
    def of_transcript(cls, told: Transcript) -> Self:
        """Tell a call of the store's."""
        record, call = told.call, told.call.call
        outbound = call.direction == "outbound"
        return cls(
            call_id=call.call_id,
            call_sid=call.call_sid,
            channel=call.channel,
            direction=call.direction,
            from_=mask_number(call.our_number if outbound else call.number),
            to=mask_number(call.number if outbound else call.our_number),
            state="live" if record.live else "ended",
            began_at=call.started_at,
            ended_at=record.outcome.ended_at if record.outcome else None,
            outcome=CallOutcome.of_record(record),
            **_told(told.turns),
        )


def _told(turns: Iterable[Turn | TurnRecord]) -> dict[str, Any]:
    """Return the greeting and the other turns; before it there is what somebody said whom we called."""
    told = list(turns)
    greeting = next((turn for turn in told if turn.input == TurnInput.GREETING), None)
    return {
        "greeting": CallGreeting(text=greeting.reply, heard=greeting.reply_heard) if greeting is not None else None,
        "turns": tuple(CallTurn.of(turn) for turn in told if turn is not greeting),
    }


class CallRow(BaseModel):
    """A call in a list, flat; what is unknown is empty. Each value that was given is a ``slot_*`` of its own."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, str]

    call_id: str
    call_sid: str
    direction: str
    channel: str
    number: str
    our_number: str
    lead_id: int | None
    playbook_id: str
    started_at: str
    answered_at: str
    ended_at: str
    duration_s: int
    line_result: str
    disposition: str
    opted_out: bool
    summary: str
    next_step: str
    next_step_at: str
    next_step_zone: str

    @classmethod
    def of(cls, record: CallRecord) -> Self:
        """Tell a call of the store's."""
        return cls(**call_fields(record))


class CallPage(BaseModel):
    """Some of the calls; ``next_cursor`` asks for those after them and is null on the last page."""

    calls: tuple[CallRow, ...]
    next_cursor: str | None

    @classmethod
    def of(cls, page: Page[CallRecord]) -> Self:
        """Tell a page."""
        return cls(calls=tuple(map(CallRow.of, page.items)), next_cursor=page.next_cursor)


class TranscriptTurn(BaseModel):
    """A turn as it was written down. Of ``reply``, what lies behind ``reply_heard`` was not heard."""

    number: int
    input: str
    transcript: str
    reply: str
    reply_heard: str
    interrupted: bool
    started_ms: int
    ended_ms: int
    timings: dict[str, int]


class TranscriptAnswer(BaseModel):
    """All that was said in a call."""

    call: CallRow
    turns: tuple[TranscriptTurn, ...]

    @classmethod
    def of(cls, told: Transcript) -> Self:
        """Tell what the store has of it."""
        return cls(call=CallRow.of(told.call), turns=tuple(TranscriptTurn(**asdict(turn)) for turn in told.turns))


class RequestedAnswer(BaseModel):
    """A request to a live call that it will now follow: ``end`` or ``transfer``."""

    call_id: str
    requested: Literal["end", "transfer"]


class DoNotCallAnswer(BaseModel):
    """A number that is never called: since when, and where that was said."""

    number: str
    added_at: datetime
    source: str


class DoNotCallPage(BaseModel):
    """Some of the numbers; ``next_cursor`` asks for those after them and is null on the last page."""

    numbers: tuple[DoNotCallAnswer, ...]
    next_cursor: str | None

    @classmethod
    def of(cls, page: Page[DoNotCallEntry]) -> Self:
        """Tell a page."""
        return cls(numbers=tuple(DoNotCallAnswer(**asdict(one)) for one in page.items), next_cursor=page.next_cursor)


class AddedAnswer(BaseModel):
    """Whether a number is new on the list."""

    added: bool
