"""What Twilio's REST API knows of one call: who, in which state, and when it came to what."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final

from telephony_agent.simulator.parties import Parties


class CallStatus(StrEnum):
    """The states of a call, in their order; the last five are final."""

    QUEUED = "queued"
    RINGING = "ringing"
    IN_PROGRESS = "in-progress"
    COMPLETED = "completed"
    BUSY = "busy"
    NO_ANSWER = "no-answer"
    FAILED = "failed"
    CANCELED = "canceled"


FINAL: Final = frozenset(
    {CallStatus.COMPLETED, CallStatus.BUSY, CallStatus.NO_ANSWER, CallStatus.FAILED, CallStatus.CANCELED}
)


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(slots=True)
class CallRecord:
    """One call, as it stands now; ``queue_ms`` is how long it waited for its turn to be dialled."""

    parties: Parties
    status: CallStatus = CallStatus.QUEUED
    created: datetime = field(default_factory=_now)
    updated: datetime = field(default_factory=_now)
    started: datetime | None = None
    answered: datetime | None = None
    ended: datetime | None = None
    answered_by: str = ""
    queue_ms: int = 0

    @property
    def sid(self) -> str:
        """The CallSid."""
        return self.parties.call_sid

    @property
    def is_over(self) -> bool:
        """Whether the state is final."""
        return self.status in FINAL

    def begin(self) -> None:
        """Note that the call is being dialled, or comes in."""
        self.started = self.updated = _now()

    def move(self, status: CallStatus) -> None:
        """Go to a state; a final one is kept."""
        if self.is_over:
            return
        self.status = status
        self.updated = _now()
        if status is CallStatus.IN_PROGRESS:
            self.answered = self.updated
        if status in FINAL:
            self.ended = self.updated

    def talked_s(self) -> float:
        """Tell for how long there was a conversation, in seconds."""
        if self.answered is None:
            return 0.0
        return ((self.ended or _now()) - self.answered).total_seconds()
