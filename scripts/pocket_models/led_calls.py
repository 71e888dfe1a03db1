"""The conversation guide's share of a generated call: its fixed words, and what they change for the reference agent.

On the phone the guide answers what no model may (``telephony_agent.sales.guide``): read-backs, opt-outs, "are you a
robot?". So the model must go on sensibly from words that it has not chosen, and must not ask again for what the guide
has settled.
"""

from __future__ import annotations

from datetime import UTC, datetime

from scripts.pocket_models.policy import ReferenceAgent
from telephony_agent.sales.guide import Guide
from telephony_agent.sales.guide_state import GuideState, Setting, Then
from telephony_agent.sales.lead import Lead
from telephony_agent.sales.playbook import END_CALL, Playbook
from telephony_agent.sales.sales_phrases import SalesPhrases
from telephony_agent.sales.values import SlotName

NOW = datetime(2026, 11, 24, 16, tzinfo=UTC)
ZONE = "America/New_York"


class Leader:
    """Leads one call, whose greeting was heard."""

    def __init__(self, playbook: Playbook) -> None:
        setting = Setting(playbook, Lead(name="Somebody", phone="+15555550100"), ZONE)
        self._guide = Guide.of(setting, SalesPhrases.shipped("en"))
        self._heard = playbook.greeting

    def take(self, number: int, words: str) -> str:
        """Take the caller's words; return what the guide says to them, or nothing when the model words the reply."""
        advice = self._guide.take(number, words, self._heard, NOW)
        return f"{advice.say} {END_CALL}" if advice.say and advice.then is Then.END else advice.say

    def said(self, words: str) -> None:
        """Note what was heard of our reply."""
        self._heard = words

    def instruct(self, agent: ReferenceAgent, fixed: str) -> None:
        """Let the agent know what the guide has said in its place."""
        agent.interrupted(fixed)
        agent.pending = _pending(self._guide.state, fixed)
        if agent.pending == "day":
            agent.day = agent.time = ""


def _pending(state: GuideState, fixed: str) -> str:
    """Return what the guide's words asked for."""
    match state.reading_back:
        case SlotName.EMAIL:
            return "confirm"
        case SlotName.MEETING | SlotName.CALLBACK | SlotName.PHONE:
            return "agree"
    if "Do you have a minute?" in fixed:
        return "minute"
    if "Anything else" in fixed:
        return "else"
    match state.asking:
        case SlotName.EMAIL:
            return "email"
        case SlotName.MEETING:
            return "day"
        case SlotName.CALLBACK:
            return "callback"
    return "go_on"
