"""What happens in a call, as it happens: for a live view and for tests."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum


class EventKind(StrEnum):
    """The kinds of event; ``text`` and ``value`` of an event mean what stands here."""

    RINGS = "rings"
    ANSWERED = "answered"
    STREAM_STARTED = "stream_started"
    AGENT_SPEAKS = "agent_speaks"
    """``value``: ms since the caller's last loud frame, or since ``start`` for the greeting; ``None`` after a pause."""
    AGENT_SILENT = "agent_silent"
    CALLER_SPEAKS = "caller_speaks"
    """``text``: the line."""
    CALLER_SILENT = "caller_silent"
    """``text``: the line."""
    CLEARED = "cleared"
    """``value``: ms of audio thrown away."""
    VERB = "verb"
    """``text``: a TwiML verb that the carrier obeys."""
    NOTICE = "notice"
    """``text``: a line of the carrier's console."""
    ENDED = "ended"
    """``text``: by whom and why."""


@dataclass(frozen=True, slots=True)
class Event:
    """One event, ``at_ms`` after the call was placed."""

    at_ms: int
    kind: EventKind
    text: str = ""
    value: int | None = None


Listener = Callable[[Event], None]
