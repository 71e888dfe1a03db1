"""What the agent asks of a carrier: place a call, end or redirect it, find it again, point numbers at itself.

``Carrier`` is the Protocol; ``twilio_rest`` speaks it to Twilio. All that goes in and out is frozen data of our own, so
nobody above this floor knows Twilio's resources.

**No call is dialled twice.** ``create`` is safe to repeat with the same ``Dial.call_id`` in one process: a call that is
known to be placed is returned again, and one whose placing is unclear is only looked for. Across processes the dialling
claim of the store keeps that promise, and the webhooks settle what stays unclear: their URLs carry our call id.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from telephony_agent.errors import LocalProtocolError

FINAL_STATUSES = frozenset({"completed", "busy", "no-answer", "failed", "canceled"})
"""The statuses of a call that is over."""

RING_TIMEOUT_MAX_S = 600
"""The longest that Twilio lets a call ring."""


class StatusEvent(StrEnum):
    """What a status callback may tell; ``COMPLETED`` stands for every way in which a call can end."""

    INITIATED = "initiated"
    RINGING = "ringing"
    ANSWERED = "answered"
    COMPLETED = "completed"


class MachineDetection(StrEnum):
    """Whether Twilio listens for a machine beside our stream (asynchronously, so nobody hears silence first)."""

    OFF = ""
    START = "Enable"
    """The verdict comes as soon as a machine has begun to speak."""
    END = "DetectMessageEnd"
    """The verdict on a machine comes when its greeting is over: the beep has sounded."""


@dataclass(frozen=True, slots=True)
class Dial:
    """A call to be placed.

    Attributes:
        call_id: our own id of the call, unique for good. Put it into the URLs: Twilio lists no id of ours.
        to_number, from_number: E.164.
        voice_url: asked for TwiML by POST when the call is answered.
        status_url: told of ``status_events`` by POST.
        detection, detection_url: whether a machine is listened for, and where the verdict is posted.
        ring_timeout_s: how long it rings; some flows of Twilio's add up to 5 s.
        time_limit_s: after which Twilio ends the call, whatever happens.
    """

    call_id: str
    to_number: str = field(repr=False)
    from_number: str = field(repr=False)
    voice_url: str
    status_url: str
    status_events: tuple[StatusEvent, ...] = tuple(StatusEvent)
    detection: MachineDetection = MachineDetection.OFF
    detection_url: str = ""
    ring_timeout_s: int = 30
    time_limit_s: int = 1800

    def __post_init__(self) -> None:
        if not (self.call_id and self.to_number and self.from_number and self.voice_url):
            raise LocalProtocolError("a dial needs a call id, both numbers and a voice URL")
        if self.detection and not self.detection_url:
            raise LocalProtocolError("machine detection needs a URL for the verdict, or nobody learns of it")
        if not 1 <= self.ring_timeout_s <= RING_TIMEOUT_MAX_S:
            raise LocalProtocolError(f"a call rings for 1 to {RING_TIMEOUT_MAX_S} s, not {self.ring_timeout_s}")


@dataclass(frozen=True, slots=True)
class PlacedCall:
    """A call as the carrier has it.

    Attributes:
        status: ``queued``, ``ringing``, ``in-progress`` or one of ``FINAL_STATUSES``.
        created_at: in UTC, to the second; None while Twilio has only queued it.
        duration_s: None while it lasts, and if nobody answered.
        answered_by: the verdict of machine detection; empty if there is none.
    """

    sid: str
    status: str
    to_number: str = field(repr=False)
    from_number: str = field(repr=False)
    direction: str
    created_at: datetime | None
    duration_s: int | None
    answered_by: str

    @property
    def is_over(self) -> bool:
        """Tell whether nothing will happen on this call any more."""
        return self.status in FINAL_STATUSES


@dataclass(frozen=True, slots=True)
class VoiceRoute:
    """Where a number's calls go. While ``application_sid`` or ``trunk_sid`` is set, Twilio ignores the URLs."""

    voice_url: str
    voice_method: str = "POST"
    fallback_url: str = ""
    fallback_method: str = "POST"
    status_url: str = ""
    status_method: str = "POST"
    application_sid: str = ""
    trunk_sid: str = ""


@dataclass(frozen=True, slots=True)
class PhoneNumber:
    """A number of the account, in E.164."""

    sid: str
    number: str = field(repr=False)
    friendly_name: str = field(repr=False)
    can_voice: bool
    route: VoiceRoute


@dataclass(frozen=True, slots=True)
class CarrierRecording:
    """A recording that the carrier made and keeps; ``duration_s`` is None while it is being made."""

    sid: str
    call_sid: str
    status: str
    created_at: datetime | None
    duration_s: int | None


class Carrier(Protocol):
    """A carrier's control plane.

    Every method may raise ``CarrierRejected`` (it said no, nothing was done) and ``CarrierUnreachable``, whose
    ``unclear`` says whether it may have been done; reading is never unclear. Waits and retries are bounded.
    """

    async def create(self, dial: Dial) -> PlacedCall:
        """Place a call, at most once for each ``call_id``; repeat it as you like.

        Raises:
            CarrierUnreachable: with ``unclear`` set, the call may be ringing. A repeat then only looks for it.
        """
        ...

    async def hang_up(self, sid: str) -> PlacedCall:
        """End a call, ringing or live; one that is over already is returned as it is."""
        ...

    async def redirect(self, sid: str, *, url: str = "", twiml: str = "") -> PlacedCall:
        """Give a live call other TwiML: a URL to ask, or the document itself. What runs now is abandoned.

        It is never repeated where it may have been done: a second ``<Dial>`` would ring a person twice.

        Raises:
            LocalProtocolError: not exactly one of the two is given, or the document is too long for Twilio.
        """
        ...

    async def fetch(self, sid: str) -> PlacedCall:
        """Ask how a call is."""
        ...

    async def find(self, *, to_number: str, from_number: str, since: datetime) -> list[PlacedCall]:
        """List the calls from one number to another that were created at or after a moment (to the second)."""
        ...

    async def numbers(self) -> list[PhoneNumber]:
        """List the account's numbers."""
        ...

    async def number(self, number: str) -> PhoneNumber | None:
        """Find one of the account's numbers, in E.164."""
        ...

    async def configure_number(self, sid: str, route: VoiceRoute) -> PhoneNumber:
        """Set where a number's calls go; the answer is what the carrier made of it, so compare."""
        ...

    async def recordings(self, call_sid: str) -> list[CarrierRecording]:
        """List a call's recordings at the carrier."""
        ...

    async def delete_recording(self, sid: str) -> None:
        """Delete a recording at the carrier; one that is gone already is fine."""
        ...
