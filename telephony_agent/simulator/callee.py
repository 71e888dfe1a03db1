"""Who answers a number that the twin dials: what the telephone does, what then speaks, and which number is whose."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from telephony_agent.simulator.script import Script

LAST_DIGITS: Final[Mapping[str, str]] = {
    "01": "busy",
    "02": "no-answer",
    "03": "rejects",
    "04": "unreachable",
    "05": "voicemail",
    "06": "ivr",
    "07": "screening",
    "08": "screening-refuses",
    "09": "fax",
    "10": "silent",
    "11": "quick-hangup",
    "12": "mistaken-human",
}
"""Whom a number reaches by its last two digits, if it was given nobody; all others reach ``human``."""

_MAGIC: Final = "+1500555"
"""Twilio's magic numbers, whose digits mean other things; they all reach ``human``."""


class Answer(StrEnum):
    """What a telephone does when it is rung."""

    ANSWERS = "answers"
    BUSY = "busy"
    NO_ANSWER = "no-answer"
    REJECTS = "rejects"
    FAILS = "fails"


class Detected(StrEnum):
    """What answering machine detection takes an answer for; not always what it is."""

    HUMAN = "human"
    MACHINE = "machine"
    FAX = "fax"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Callee:
    """Whoever is at a number. ``rings`` is how often the telephone rings before it is answered or declined.

    ``presses`` are the keys that they press when ``<Gather>`` asks for some, as a whisper does.
    """

    name: str
    answer: Answer = Answer.ANSWERS
    rings: int = 2
    detected: Detected = Detected.HUMAN
    script: Script = field(default_factory=lambda: Script("nobody", ()))
    presses: str = ""


@dataclass(frozen=True, slots=True)
class Directory:
    """Which number reaches whom: by the number, else by its last two digits, else ``default``."""

    default: Callee
    by_number: Mapping[str, Callee] = field(default_factory=dict)
    by_last_digits: Mapping[str, Callee] = field(default_factory=dict)

    def callee(self, number: str) -> Callee:
        """Find who answers a number."""
        if number in self.by_number:
            return self.by_number[number]
        if number.startswith(_MAGIC):
            return self.default
        return self.by_last_digits.get(number[-2:], self.default)
