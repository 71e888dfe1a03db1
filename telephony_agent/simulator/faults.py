"""What can be made to go wrong on Twilio's side, and how long things take there: knobs, all harmless by default."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class SignatureFault(StrEnum):
    """How a request is signed."""

    NONE = "none"
    """As Twilio signs it."""
    WRONG = "wrong"
    """With another account's token."""
    MISSING = "missing"
    """Without the header."""
    HTTPS = "https"
    """A media stream over its URL rebuilt with ``https``: never valid."""


class CallbackFault(StrEnum):
    """How status callbacks arrive."""

    NONE = "none"
    REVERSED = "reversed"
    """All after the call, the last first."""
    DOUBLED = "doubled"
    """Each twice."""
    SHUFFLED = "shuffled"
    """Each late by its own time, and one in four twice, drawn from the call's seed: now and then in the wrong order."""


@dataclass(frozen=True, slots=True)
class Faults:
    """Failures to inject into one call.

    ``lose_media_every``, ``double_media_every`` and ``swap_media_every`` strike each n-th frame of the caller's (0:
    never); a lost frame leaves a hole in the timestamps and none in the counters, a swapped one comes after the next.
    ``stall_media_every`` holds the last ten of each n frames back, to come all at once. ``lose_mark`` names the n-th
    echo that never comes, counted from 1.
    """

    webhook_signature: SignatureFault = SignatureFault.NONE
    stream_signature: SignatureFault = SignatureFault.NONE
    callbacks: CallbackFault = CallbackFault.NONE
    double_webhook: bool = False
    late_start_ms: int = 0
    never_start: bool = False
    reset_after_ms: int | None = None
    lose_media_every: int = 0
    double_media_every: int = 0
    swap_media_every: int = 0
    stall_media_every: int = 0
    lose_mark: int = 0
    slow_reader_ms: int = 0


@dataclass(frozen=True, slots=True)
class Pace:
    """How long the carrier takes, by what captures of real calls show; tests make it shorter.

    ``echo_ms`` is from a mark's playout to its echo, ``dialled_ms`` how long a ``<Dial>`` lasts; both are not known
    and default to what is simplest.
    """

    upgrade_ms: int = 30
    first_timestamp_ms: int = 155
    stop_ms: int = 50
    reconnect_ms: int = 730
    say_ms_per_word: int = 350
    pause_ms_per_s: int = 1000
    echo_ms: int = 0
    dialled_ms: int = 1000
    webhook_timeout_s: float = 15.0


@dataclass(frozen=True, slots=True)
class Dialled:
    """How a ``<Dial>`` ends: its DialCallStatus, and the second leg's length and SID (none: one is made up)."""

    status: str = "no-answer"
    duration_s: int = 0
    call_sid: str = ""


@dataclass(frozen=True, slots=True)
class Behaviour:
    """All knobs of the carrier together."""

    faults: Faults = field(default_factory=Faults)
    pace: Pace = field(default_factory=Pace)
    dialled: Dialled = field(default_factory=Dialled)
