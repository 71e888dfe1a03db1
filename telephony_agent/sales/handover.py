"""What a person is whispered before they are joined with a caller: who it is, and what they want."""

from __future__ import annotations

from telephony_agent.sales.guide_state import GuideState
from telephony_agent.sales.lead import Lead
from telephony_agent.sales.moments import Moment
from telephony_agent.sales.values import SlotName

UNKNOWN = "A caller wants to talk to a person."
"""What is whispered of a call that nothing is known of."""
_LONGEST = 300
"""Characters of what they told us: some twenty seconds, which the caller waits."""
_WHO = frozenset({SlotName.NAME, SlotName.COMPANY})
_UNSPOKEN = frozenset({SlotName.EMAIL, SlotName.PHONE})
"""What is better read than heard; the hand-over's webhook has it."""


def whisper(lead: Lead, state: GuideState) -> str:
    """Return what is spoken to the person, by template; what the caller told us is data in it."""
    told = {str(name): value for name, value in state.slots if not isinstance(value, Moment)}
    name = told.get(SlotName.NAME) or (lead.name if lead.name != "unknown" else "")
    company = told.get(SlotName.COMPANY) or lead.company
    who = f"{name} of {company}" if name and company else name or (f"somebody of {company}" if company else "a caller")
    wants = "They asked for a person." if state.transfer_wanted else "They are to be connected with you."
    rest = [f"{slot.replace('_', ' ')}, {value}" for slot, value in told.items() if slot not in _WHO | _UNSPOKEN]
    details = _shortened(f" They told us: {'; '.join(rest)}.") if rest else ""
    return f"A call for you from {who}. {wants}{details}"


def _shortened(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST].rsplit(' ', 1)[0].rstrip(',;.')}, and so on."
