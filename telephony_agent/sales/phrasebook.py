"""What callers' fixed phrases mean: decided by lists, outside the model, so that no model can miss them."""

from __future__ import annotations

import re
from dataclasses import dataclass

_TAIL_WORDS = 4
"""How many words may follow the leave-taking ("bye and thank you very much")."""


@dataclass(frozen=True, slots=True)
class Phrasebook:
    """The phrases of one language, as regular expressions of whole words; the ``CallPolicy`` of a sales call."""

    goodbye: str = r"good ?bye|bye|see you|talk to you (?:then|soon|later)"
    not_yet: str = r"before (?:you|we|i)|don'?t|wait|one more"
    """Words that take a goodbye back: "before we say goodbye"."""
    backchannel: str = (
        r"m+-?h+m+|mm+|uh-?huh|a?ha|okay|ok|right|yeah|yes|yep|sure|i see|got it|oh|wow|really|great|good|nice|cool|"
        r"alright|fine|interesting|of course|exactly|true|makes sense|go on|i understand"
    )

    def is_goodbye(self, text: str) -> bool:
        """Tell whether the caller takes leave with these words, at their end."""
        matches = list(_words(self.goodbye).finditer(text))
        if not matches or _words(self.not_yet).search(text):
            return False
        return len(text[matches[-1].end() :].split()) <= _TAIL_WORDS

    def is_backchannel(self, text: str) -> bool:
        """Tell whether these words, all of them, only say that the caller listens."""
        rest = _words(self.backchannel).sub(" ", text)
        return bool(text.strip()) and not any(character.isalnum() for character in rest)


def _words(pattern: str) -> re.Pattern[str]:
    return re.compile(rf"\b(?:{pattern})\b", re.IGNORECASE)
