"""Who calls whom, and the forms that Twilio fills with it."""

from __future__ import annotations

import math
import secrets
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime

from telephony_agent.simulator.signing import Form


def made_up_sid(prefix: str) -> str:
    """Make up a SID: two letters and 32 hexadecimal digits."""
    return prefix + secrets.token_hex(16)


@dataclass(frozen=True, slots=True)
class Parties:
    """Who calls whom, under which account.

    ``direction`` is ``inbound``, ``outbound-api`` or ``outbound-dial``; the last has a ``parent_sid``.
    """

    account_sid: str = field(default_factory=lambda: made_up_sid("AC"))
    call_sid: str = field(default_factory=lambda: made_up_sid("CA"))
    caller: str = "+15005550006"
    called: str = "+15005550006"
    direction: str = "inbound"
    parent_sid: str = ""

    def form(self, status: str) -> Form:
        """Give the fields that every call webhook carries; what is not known of geography is blank, not absent."""
        places = tuple(
            (f"{who}{what}", "US" if what == "Country" else "")
            for who in ("From", "To", "Caller", "Called")
            for what in ("City", "State", "Zip", "Country")
        )
        return (
            ("CallSid", self.call_sid),
            ("AccountSid", self.account_sid),
            ("ApiVersion", "2010-04-01"),
            ("From", self.caller),
            ("To", self.called),
            ("Caller", self.caller),
            ("Called", self.called),
            ("CallStatus", status),
            ("Direction", self.direction),
            *places,
            *((("ParentCallSid", self.parent_sid),) if self.parent_sid else ()),
        )

    def voice_form(self, status: str) -> Form:
        """Give the fields of the voice webhook."""
        trust = "TN-Validation-Passed-A" if self.direction == "inbound" else "No-TN-Validation"
        return (*self.form(status), ("StirVerstat", trust))

    def status_form(
        self, status: str, sequence: int, talked_s: float | None = None, *, sip_response: int = 200
    ) -> Form:
        """Give the fields of a status callback; ``talked_s`` and ``sip_response`` are for the last one."""
        progress = (
            ("Timestamp", format_datetime(datetime.now(UTC))),
            ("CallbackSource", "call-progress-events"),
            ("SequenceNumber", str(sequence)),
        )
        lasted = (
            (
                ("CallDuration", str(round(talked_s))),
                ("Duration", str(math.ceil(talked_s / 60))),
                ("SipResponseCode", str(sip_response)),
            )
            if talked_s is not None
            else ()
        )
        return (*self.form(status), *progress, *lasted)

    def stream_form(self, stream_sid: str, name: str, event: str, error: str = "") -> Form:
        """Give the fields of a stream status callback."""
        form = (
            ("AccountSid", self.account_sid),
            ("CallSid", self.call_sid),
            ("StreamSid", stream_sid),
            ("StreamName", name or stream_sid),
            ("StreamEvent", event),
            ("Timestamp", datetime.now(UTC).isoformat().replace("+00:00", "Z")),
        )
        return (*form, ("StreamError", error)) if error else form
