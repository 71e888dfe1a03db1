"""Leads: the persons to be called, and by what right."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from zoneinfo import ZoneInfo

from telephony_agent.errors import TelephonyAgentError
from telephony_agent.sales.disposition import Disposition

_E164 = re.compile(r"\+[1-9]\d{6,14}")
_EMAIL = re.compile(r"[^\s@]+@[^\s@.]+(?:\.[^\s@.]+)+")
_LANGUAGE = re.compile(r"[a-z]{2}")


class LeadError(TelephonyAgentError):
    """A lead's data can't be used; the message names the field, its value and the fix."""

    code = "lead"


class ConsentBasis(StrEnum):
    """By what right somebody is called."""

    WRITTEN = "written"
    """Prior express written consent, which telemarketing with an artificial voice needs (47 CFR 64.1200)."""
    EXPRESS = "express"
    """Prior express consent by word of mouth."""
    INQUIRY = "inquiry"
    """They asked about us."""
    CUSTOMER = "customer"
    """They are a customer."""


@dataclass(frozen=True, slots=True)
class Consent:
    """A consent: on which basis, in which words, and when it was given (aware)."""

    basis: ConsentBasis
    text: str
    given_at: datetime

    def __post_init__(self) -> None:
        if not self.text.strip():
            raise LeadError("consent.text: is empty; write the words that the person agreed to")
        _require_aware("consent.given_at", self.given_at)


@dataclass(frozen=True, slots=True)
class Bant:
    """What is known of budget, authority, need and timing before the call, in free words."""

    budget: str = ""
    authority: str = ""
    need: str = ""
    timing: str = ""


@dataclass(frozen=True, slots=True)
class Lead:
    """A person to be called, or one who calls; then ``phone`` may be empty, where the number is withheld.

    ``zone`` is an IANA zone, empty if unknown; ``attempts`` counts all calls so far; ``next_callback`` is aware.

    Raises:
        LeadError: a field is wrong; the message names the fix.
    """

    name: str
    phone: str
    company: str = ""
    role: str = ""
    email: str = ""
    zone: str = ""
    source: str = ""
    consent: Consent | None = None
    attempts: int = 0
    last_outcome: Disposition | None = None
    next_callback: datetime | None = None
    bant: Bant = field(default_factory=Bant)
    notes: str = ""
    language: str = "en"

    def __post_init__(self) -> None:
        if not self.name.strip():
            raise LeadError("name: is empty; write how the person is called, or 'unknown'")
        if self.phone and not _E164.fullmatch(self.phone):
            raise LeadError(
                f"phone: {self.phone!r} is not in E.164 form; write + and the country code, such as +15005550006"
            )
        if self.email and not _EMAIL.fullmatch(self.email):
            raise LeadError(f"email: {self.email!r} is not an address; write name@host.tld or leave it empty")
        if self.zone and not _is_zone(self.zone):
            raise LeadError(f"zone: {self.zone!r} is not an IANA zone; write for instance America/New_York")
        if self.attempts < 0:
            raise LeadError(f"attempts: {self.attempts} is negative; write how many calls there were, 0 or more")
        if not _LANGUAGE.fullmatch(self.language):
            raise LeadError(f"language: {self.language!r} is no language code; write two small letters, such as en")
        if self.next_callback is not None:
            _require_aware("next_callback", self.next_callback)


def _is_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (KeyError, OSError, ValueError):
        # What isn't there, what is a folder, and what isn't a name at all: each is another error.
        return False
    return True


def _require_aware(name: str, moment: datetime) -> None:
    if moment.tzinfo is None or moment.utcoffset() is None:
        raise LeadError(f"{name}: {moment.isoformat()} has no zone; add its offset, such as +00:00")
