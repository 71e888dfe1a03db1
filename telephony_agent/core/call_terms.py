"""What a call is given before it begins: its fixed words, its policy, its numbers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from telephony_agent.core.barge_in import BargeInRules
from telephony_agent.core.completeness import RuleJudge, TurnJudge
from telephony_agent.core.endpointing import EndpointingRules


@dataclass(frozen=True, slots=True)
class Announcement:
    """Fixed words of ours with their audio (mu-law), made before the call, so that no engine can fail them."""

    text: str
    audio: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Announcements:
    """The fixed words that every call needs."""

    greeting: Announcement
    not_understood: Announcement
    apology: Announcement
    reprompts: tuple[Announcement, ...]
    fillers: tuple[Announcement, ...]
    silence_goodbye: Announcement
    time_up: Announcement
    fault_goodbye: Announcement


class CallPolicy(Protocol):
    """What the sales side decides about the caller's words."""

    def is_goodbye(self, text: str) -> bool:
        """Tell whether the caller takes leave with these words."""
        ...

    def is_backchannel(self, text: str) -> bool:
        """Tell whether these words only say that the caller listens."""
        ...


@dataclass(frozen=True, slots=True)
class CallRules:
    """The numbers of a call."""

    endpointing: EndpointingRules = field(default_factory=EndpointingRules)
    barge_in: BargeInRules = field(default_factory=BargeInRules)
    judge: TurnJudge = field(default_factory=RuleJudge)
    aside_up_to_ms: int = 1200
    """Speech over our own that lasts longer wants the floor, whatever its words."""
    aside_wait_ms: int = 220
    """The trailing silence after which we go on where an aside had stopped us."""
    speculations: int = 2
    """Replies that may be begun for one turn before it is decided to be over."""
    speculate_up_to_ms: int = 15_000
    """A longer utterance is not speculated on: who talks for so long goes on."""
    filler_after_s: float = 1.2
    filler_again_s: float = 2.2
    reprompt_after_s: float = 7.0
    max_call_s: float = 1800.0
    max_failures: int = 3
    unheard_ms: int = 600
    """A shorter utterance that can't be understood is let pass without a word."""
