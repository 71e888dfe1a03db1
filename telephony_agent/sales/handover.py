"""What a person is whispered before they are joined with a caller: who it is, and what they want, in their language."""

from __future__ import annotations

import re

from telephony_agent.sales.guide_state import GuideState
from telephony_agent.sales.lead import Lead
from telephony_agent.sales.moments import Moment
from telephony_agent.sales.sales_phrases import WhisperWords
from telephony_agent.sales.values import SlotName

_LONGEST = 300
"""Characters of what they told us: some twenty seconds, which the caller waits."""
_WHO = frozenset({SlotName.NAME, SlotName.COMPANY})
_UNSPOKEN = frozenset({SlotName.EMAIL, SlotName.PHONE})
"""What is better read than heard; the hand-over's webhook has it."""


def whisper(words: WhisperWords, lead: Lead, state: GuideState, *, broken_off: bool = False) -> str:
    """Return what is spoken to the person, by template; what the caller told us is data in it.

    ``broken_off``: the talk ended by a fault of ours, or of the line.
    """
    told = {str(name): value for name, value in state.slots if not isinstance(value, Moment)}
    name = told.get(SlotName.NAME) or (lead.name if lead.name != "unknown" else "")
    who = _who(words, str(name), str(told.get(SlotName.COMPANY) or lead.company))
    why = words.broken_off if broken_off else words.asked if state.transfer_wanted else words.connected
    rest = [
        f"{words.labels.get(slot, slot.replace('_', ' '))}, {value}"
        for slot, value in told.items()
        if slot not in _WHO | _UNSPOKEN
    ]
    parts = [words.call.replace("{who}", who), why]
    if rest:
        parts.append(_shortened(words.told.replace("{told}", "; ".join(rest)), words.cut))
    return " ".join(parts)


def _who(words: WhisperWords, name: str, company: str) -> str:
    if name and company:
        return _filled(words.name_and_company, name=name, company=company)
    return name or (_filled(words.company, company=company) if company else words.nobody)


def _filled(template: str, **values: str) -> str:
    """Fill in values, in which a brace means nothing."""
    return re.sub(r"\{(\w+)\}", lambda match: values[match[1]], template)


def _shortened(text: str, ending: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST].rsplit(' ', 1)[0].rstrip(',;.')}{ending}"
