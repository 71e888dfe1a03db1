"""The typed values that a call collects, and how each is said back to the caller."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from telephony_agent.sales.contacts import email_in_words, phone_in_words
from telephony_agent.sales.moments import Moment


class SlotName(StrEnum):
    """What a call may collect of the caller."""

    NAME = "name"
    COMPANY = "company"
    EMAIL = "email"
    PHONE = "phone"
    """The number to call back at, E.164; never dialled because a caller said it."""
    TEAM_SIZE = "team_size"
    NEED = "need"
    BUDGET = "budget"
    AUTHORITY = "authority"
    TIMING = "timing"
    MEETING = "meeting"
    CALLBACK = "callback"
    MESSAGE = "message"
    """What we are to pass on, in the caller's words."""


class Authority(StrEnum):
    """Who decides."""

    DECIDES = "decides"
    SHARED = "shared"
    ELSEWHERE = "elsewhere"


@dataclass(frozen=True, slots=True)
class Money:
    """An amount; ``per`` is ``month``, ``year`` or nothing."""

    amount: int
    currency: str = "USD"
    per: str = ""

    def __str__(self) -> str:
        rate = f" a {self.per}" if self.per else ""
        return f"{self.amount:,} {self.currency}{rate}"


Value = str | int | Money | Authority | Moment


def slot_named(name: str) -> str:
    """Return the ``SlotName`` of that name; the name itself, if it is a slot of the playbook's own."""
    return next((slot for slot in SlotName if slot == name), name)


def in_words(name: str, value: Value) -> str:
    """Return a value as it is read out to the caller."""
    match value:
        case Moment():
            return value.in_words()
        case str() if name == SlotName.EMAIL:
            return email_in_words(value)
        case str() if name == SlotName.PHONE:
            return phone_in_words(value)
        case _:
            return str(value)
