"""A small vocabulary in which a conversation with the guide is told."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from importlib import resources

from telephony_agent.sales.disposition import CallEnd, Disposition, LineResult, disposition_of
from telephony_agent.sales.guide import Guide
from telephony_agent.sales.guide_state import Advice, Setting
from telephony_agent.sales.lead import Lead
from telephony_agent.sales.playbook import Playbook
from telephony_agent.sales.sales_phrases import SalesPhrases
from telephony_agent.sales.slots import SlotState
from telephony_agent.sales.words import with_notice

NOW = datetime(2026, 11, 24, 15, 0, tzinfo=UTC)
"""A Tuesday, ten in the morning in New York."""
PHRASES = SalesPhrases.shipped()
PLAYBOOK = Playbook.parse(
    resources.files("telephony_agent.sales").joinpath("default_playbook.yaml").read_text(encoding="utf-8")
)
SETTING = Setting(PLAYBOOK, Lead("Anna Miller", "+12125550199"), "America/New_York")


@dataclass(slots=True)
class Talk:
    """One call: the caller says something, the guide advises, the caller hears our words."""

    guide: Guide
    heard: str = ""
    turn: int = 0
    advice: Advice = field(default_factory=Advice)

    def says(self, words: str, *, after: str = "") -> Advice:
        """Let the caller speak, after hearing what the model said (or the guide's fixed words)."""
        self.turn += 1
        self.advice = self.guide.take(self.turn, words, after or self.heard, NOW)
        self.heard = self.advice.say
        return self.advice

    def value(self, slot: str) -> str:
        """Return a slot's value in words."""
        return self.guide.state.slots.read_back(slot)

    def state(self, slot: str) -> SlotState:
        """Return a slot's state."""
        return self.guide.state.slots[slot].state

    def ends(self, end: CallEnd = CallEnd.GOODBYE) -> Disposition:
        """Return the disposition after the call's end."""
        return disposition_of(self.guide.findings, LineResult.ANSWERED, end)


def talk(
    *, greeted: bool = True, recorded: bool = False, can_transfer: bool = False, playbook: Playbook = PLAYBOOK
) -> Talk:
    """Begin a call; its greeting was heard in full, or not at all."""
    phrases = SalesPhrases.shipped(playbook.language)
    guide = Guide.of(replace(SETTING, playbook=playbook, recorded=recorded, can_transfer=can_transfer), phrases)
    greeting = with_notice(playbook.greeting, phrases.say.recording_notice if recorded else "")
    guide.take(0, "", greeting if greeted else "", NOW)
    return Talk(guide, greeting if greeted else "")
