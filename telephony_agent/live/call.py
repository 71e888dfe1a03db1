"""One call as the switchboard knows it: whose, in what state, and all that belongs to it from its ring to its end."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum

from telephony_agent.core.call_flow import CallFlow
from telephony_agent.core.call_terms import Announcements, CallPolicy, CallRules
from telephony_agent.core.events import EndReason, Opening
from telephony_agent.core.media_stream import CallSid
from telephony_agent.engines.base import Message, ReplySession
from telephony_agent.errors import TelephonyAgentError
from telephony_agent.live.call_book import CallBook
from telephony_agent.live.leg import Leg
from telephony_agent.live.sales_desk import SalesDesk
from telephony_agent.live.watch import CallWatch
from telephony_agent.sales import handover
from telephony_agent.sales.guide import Guide
from telephony_agent.sales.guide_state import Setting
from telephony_agent.sales.outcome import Outcome
from telephony_agent.sales.sales_phrases import SalesPhrases


class RequestRefusedError(TelephonyAgentError):
    """A call can't be ended or handed over on request; the message says why, and what to do."""

    code = "request_refused"


class CallState(StrEnum):
    """Where a call is in its life."""

    DIALLED = "dialled"
    EXPECTED = "expected"
    LIVE = "live"
    AWAY = "away"
    ENDED = "ended"


class After(StrEnum):
    """What follows a stream that has ended."""

    GOODBYE = "goodbye"
    PERSON = "person"
    """The caller is connected to a person."""
    AGENT = "agent"
    """The caller comes back to the agent."""
    APOLOGY = "apology"
    """The caller is left in mid-call: an apology, and a person where there is one."""


@dataclass(frozen=True, slots=True)
class CallTerms:
    """What calls by one playbook have in common."""

    said: Announcements
    """The fixed words."""
    policy: CallPolicy
    """What is made of the other party's words."""
    system_prompt: str
    rules: CallRules
    desk: SalesDesk | None = None
    """Gives each call its guide; without one everything is left to the model."""

    @property
    def opening(self) -> list[Message]:
        """What every conversation begins with: what a responder may read before anybody calls."""
        return [
            Message(role="system", content=self.system_prompt),
            Message(role="assistant", content=self.said.greeting.text),
        ]


@dataclass(slots=True)
class Call:
    """One call as the switchboard knows it."""

    call_id: str
    call_sid: CallSid
    """The carrier's name for it; empty until it has one."""
    direction: str
    from_number: str
    to_number: str
    flow: CallFlow
    terms: CallTerms
    session: ReplySession
    token: str
    expires_at: float
    began_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    ended_at: datetime | None = None
    state: CallState = CallState.EXPECTED
    end_reason: EndReason | None = None
    carrier_status: str = ""
    carrier_sequence: int = -1
    leg: Leg | None = None
    away: EndReason | None = None
    """Why its last stream ended, while it waits for another one."""
    opening: Opening = Opening.GREETING
    """What its next stream begins with."""
    taken: bool = False
    """Whether a person has taken it."""
    reconnected: bool = False
    """Whether the line broke before."""
    patience: asyncio.TimerHandle | None = None
    watch: CallWatch | None = None
    setting: Setting | None = None
    guide: Guide | None = None
    outcome: Outcome | None = None
    book: CallBook | None = None
    lead_id: int | None = None
    hears_machines: bool = False
    """Whether a machine is to be known by its words and its beep."""
    answered_by: str = ""
    """Whom the carrier takes for having answered, where it said so before we could speak."""
    over: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when it has ended and its outcome is known."""

    @property
    def outbound(self) -> bool:
        """Whether we ring the other party, not they us."""
        return self.direction == "outbound"

    @property
    def dialled(self) -> bool:
        """Whether it was placed from here: its dialler sees to its end."""
        return self.call_id != self.call_sid

    @property
    def playbook_id(self) -> str:
        """Of the playbook that it is made by; empty without one."""
        return self.terms.desk.playbook_id if self.terms.desk is not None else ""

    @property
    def language(self) -> str:
        """Of the playbook that it is made by."""
        return self.terms.desk.playbook.language if self.terms.desk is not None else "en"

    @property
    def whisper(self) -> str:
        """What a person who is to take it is told first: who it is, and what they want."""
        desk = self.terms.desk
        if desk is None:
            return SalesPhrases.shipped().whisper.unknown
        if self.guide is None or self.setting is None:
            return desk.whisper_words.unknown
        broken_off = self.state is CallState.ENDED
        return handover.whisper(desk.whisper_words, self.setting.lead, self.guide.state, broken_off=broken_off)
