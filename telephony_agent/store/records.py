"""What goes into the store and comes out of it: frozen records of plain values.

Dispositions, line results and slots are plain strings here: ``sales`` owns their meaning, the store only keeps them.
Every datetime is aware; the store keeps UTC and gives UTC back. Numbers are E.164, as ``numbers.e164`` makes them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Generic, Literal, TypeVar

Direction = Literal["inbound", "outbound"]
Channel = Literal["phone", "voice", "text"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Consent:
    """On what basis a person may be called: what kind, in which words, since when."""

    basis: str
    text: str = ""
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class NextStep:
    """What was agreed on. ``at`` is absolute; ``zone`` (IANA) is how the person thinks of it."""

    action: str
    at: datetime | None = None
    zone: str = ""


@dataclass(frozen=True, slots=True)
class LeadDraft:
    """A person to be called, as somebody enters it. ``extra`` holds the columns of a CSV that we have no field for."""

    name: str
    phone: str
    company: str = ""
    role: str = ""
    email: str = ""
    zone: str = ""
    source: str = ""
    language: str = ""
    consent: Consent | None = None
    budget: str = ""
    authority: str = ""
    need: str = ""
    timing: str = ""
    interest: str = ""
    objections: tuple[str, ...] = ()
    notes: str = ""
    extra: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class LeadRecord:
    """A lead as it is stored. ``do_not_call`` is looked up, never stored here: the list is the one truth."""

    id: int
    draft: LeadDraft
    created_at: datetime
    updated_at: datetime
    last_outcome: str = ""
    next_callback: NextStep | None = None
    do_not_call: bool = False


@dataclass(frozen=True, slots=True)
class NewCall:
    """A call at its beginning: placed, or ringing. ``number`` is the other party's, ``""`` where it is withheld."""

    call_id: str
    direction: Direction
    started_at: datetime
    channel: Channel = "phone"
    number: str = ""
    our_number: str = ""
    lead_id: int | None = None
    call_sid: str | None = None
    playbook_id: str = ""
    """Of the playbook that it is made by; empty where nobody noted it."""


@dataclass(frozen=True, slots=True)
class TurnRecord:
    """One turn, as far as it has come; the same number again replaces it. Times are ms on the stream's clock."""

    number: int
    input: str = "speech"
    transcript: str = ""
    reply: str = ""
    reply_heard: str = ""
    interrupted: bool = False
    started_ms: int = 0
    ended_ms: int = 0
    timings: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PhraseRecord:
    """A line of the heard ledger: a phrase of ours and the words of it that were heard, always its beginning.

    ``position`` counts the call's phrases from 0; the same position again replaces the line.
    """

    position: int
    turn: int
    text: str
    heard: str = ""

    @property
    def unheard(self) -> str:
        """The words that were not heard."""
        return " ".join(self.text.split()[len(self.heard.split()) :])


@dataclass(frozen=True, slots=True)
class EventRecord:
    """Something that happened in a call. ``position`` counts the call's events from 0."""

    position: int
    at: datetime
    kind: str
    data: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a call ended and what came of it."""

    disposition: str
    line_result: str
    ended_at: datetime
    summary: str = ""
    slots: Mapping[str, str] = field(default_factory=dict)
    next_step: NextStep | None = None
    consent: Consent | None = None
    opted_out: bool = False


@dataclass(frozen=True, slots=True)
class CallRecord:
    """A call as it is stored. ``outcome`` is None while it is live."""

    call: NewCall
    answered_at: datetime | None
    opted_out: bool
    outcome: Outcome | None

    @property
    def live(self) -> bool:
        """Whether the call has no disposition yet."""
        return self.outcome is None


@dataclass(frozen=True, slots=True)
class Transcript:
    """All that was said in a call, and what of ours was heard."""

    call: CallRecord
    turns: tuple[TurnRecord, ...]
    ledger: tuple[PhraseRecord, ...]
    events: tuple[EventRecord, ...]


@dataclass(frozen=True, slots=True)
class Delivery:
    """An outcome on its way to the owner's webhook. ``attempts`` counts those that failed."""

    id: int
    call_id: str
    payload: Mapping[str, Any]
    attempts: int
    next_try_at: datetime
    last_error: str = ""


@dataclass(frozen=True, slots=True)
class DoNotCallEntry:
    """A number that is never dialled: since when, and where that was said."""

    number: str
    added_at: datetime
    source: str


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Some of the records; ``next_cursor`` asks for those after them and is None on the last page."""

    items: tuple[T, ...]
    next_cursor: str | None
