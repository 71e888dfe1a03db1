"""What a call is given before it begins: its fixed words, its policy, its numbers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol, Self, assert_never

from telephony_agent.audio import BYTES_PER_MS
from telephony_agent.core.barge_in import BargeInRules
from telephony_agent.core.completeness import RuleJudge, TurnJudge
from telephony_agent.core.endpointing import EndpointingRules
from telephony_agent.core.events import EndReason, Opening


@dataclass(frozen=True, slots=True)
class Announcement:
    """Fixed words of ours with their audio (mu-law), made before the call, so that no engine can fail them."""

    text: str
    audio: bytes = field(repr=False)

    @property
    def seconds(self) -> float:
        """How long it is heard."""
        return len(self.audio) / (1000 * BYTES_PER_MS)


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
    transfer: Announcement | None = None
    """What is said before the caller is connected to a person; None when there is nobody."""
    introduction: Announcement | None = None
    """Who calls, and why: for a call screening; None where nobody is called."""
    voicemail: Announcement | None = None
    """The message for a mailbox; None when there is none."""
    untaken: Announcement | None = None
    """What a caller is told whose call no person took; None when there is nobody who might have."""
    reconnected: Announcement | None = None
    """What a caller is told who is back after the line broke; None where nobody is called back in."""

    def leave(self, reason: EndReason) -> Announcement:
        """Return what is said when somebody outside the call wants it to end."""
        if reason is EndReason.FAULT:
            return self.fault_goodbye
        return self.transfer if reason is EndReason.TRANSFER and self.transfer is not None else self.time_up

    def opening(self, opening: Opening) -> Announcement | None:
        """Return what is said first when a stream opens; None: nothing, the caller speaks."""
        match opening:
            case Opening.GREETING:
                return self.greeting
            case Opening.RECONNECTED:
                return self.reconnected
            case Opening.ANSWERED:
                return None
            case Opening.UNTAKEN:
                return self.untaken
            case _:
                assert_never(opening)


class CallPolicy(Protocol):
    """What the sales side decides about the caller's words."""

    def is_goodbye(self, text: str) -> bool:
        """Tell whether the caller takes leave with these words."""
        ...

    def asks_to_wait(self, text: str) -> bool:
        """Tell whether the caller asks us to wait: silence is then no reason to speak."""
        ...

    def is_aside(self, text: str) -> bool:
        """Tell whether words said over ours don't want the floor: "mm-hm", or talk to somebody else."""
        ...

    def is_mailbox(self, text: str) -> bool:
        """Tell whether a mailbox says this: a message may be left."""
        ...

    def is_menu(self, text: str) -> bool:
        """Tell whether a menu says this: keys are to be pressed."""
        ...

    def is_screening(self, text: str) -> bool:
        """Tell whether who calls, and why, is asked for somebody whom we wanted to call."""
        ...

    def deaf_to_machines(self) -> Self:
        """Return the same policy, but to which no words are a machine's."""
        ...

    def is_protected(self, text: str) -> bool:
        """Tell whether words of ours must not be stopped by a mere noise: a disclosure, a price, a read-back."""
        ...

    @property
    def person_request(self) -> str:
        """The words of a caller who asks for a person: what the key ``0`` means."""
        ...


@dataclass(frozen=True, slots=True)
class CallRules:
    """The numbers of a call."""

    endpointing: EndpointingRules = field(default_factory=EndpointingRules)
    barge_in: BargeInRules = field(default_factory=BargeInRules)
    judge: TurnJudge = field(default_factory=RuleJudge)
    aside_up_to_ms: int = 4000
    """Speech over our own that lasts longer wants the floor, whatever its words."""
    aside_wait_ms: int = 220
    """The trailing silence after which we go on where an aside had stopped us."""
    aside_unknown_s: float = 0.8
    """After it, we go on if its words are still unknown."""
    merge_ms: int = 900
    """Who goes on within this, before we were heard, had not ended the turn."""
    speculations: int = 2
    """Replies that may be begun for one turn before it is decided to be over."""
    speculate_within_ms: int = 1000
    """Words that have to be waited for longer than this are not answered ahead."""
    speculate_up_to_ms: int = 15_000
    """A longer utterance is not speculated on: who talks for so long goes on."""
    filler_after_s: float = 1.2
    filler_again_s: float = 2.2
    reprompt_after_s: float = 7.0
    hold_s: float = 60.0
    """The silence that a caller has who asked us to wait."""
    max_call_s: float = 1800.0
    max_failures: int = 3
    unheard_ms: int = 600
    """A shorter utterance that can't be understood is let pass without a word."""
