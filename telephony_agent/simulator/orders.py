"""What a live call may be told to do, and how it ends: TwiML to go on with, or its end and who brought it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class EndedBy(StrEnum):
    """Who ended a call; ``error`` when something broke on the way, ``rejected`` when it was never answered."""

    AGENT = "agent"
    CALLER = "caller"
    ERROR = "error"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True)
class End:
    """How a call ended."""

    by: EndedBy
    reason: str


@dataclass(frozen=True, slots=True)
class Document:
    """TwiML to obey: at a URL, or given as ``text``. ``fallback_url`` is asked where ``url`` fails."""

    url: str = ""
    method: str = "POST"
    text: str = ""
    fallback_url: str = ""
    fallback_method: str = "POST"


Order = End | Document
"""What breaks a call off: its end, or other TwiML to go on with."""


class Ordered(Exception):
    """An order has come; the interpreter holds it."""
