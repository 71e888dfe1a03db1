"""The words that are spoken as they stand: the language's own, or a playbook's instead of them, names filled in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict

from telephony_agent.sales.playbook import Playbook
from telephony_agent.sales.sales_phrases import SalesPhrases


def fixed_words(phrases: SalesPhrases, playbook: Playbook) -> Mapping[str, str]:
    """Return the fixed words by their names; only ``{value}`` is still to be filled in."""
    own = {
        "disclosure": playbook.disclosure,
        "recording_notice": playbook.recording_notice,
        **playbook.closing.model_dump(),
    }
    words = asdict(phrases.say) | {name: text for name, text in own.items() if text is not None}
    return {name: _named(text, playbook) for name, text in words.items()}


def _named(text: str, playbook: Playbook) -> str:
    return text.replace("{persona}", playbook.persona).replace("{company}", playbook.company)
