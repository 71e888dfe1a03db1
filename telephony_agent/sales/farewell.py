"""Tells whether a caller takes leave: decided by rule, outside the model, so that no call is left open."""

from __future__ import annotations

import re

_GOODBYE = re.compile(r"\b(?:good ?bye|bye|bye ?bye|see you|talk to you (?:then|soon|later))\b", re.IGNORECASE)
_NOT_YET = re.compile(r"\b(?:before (?:you|we|i)|don'?t|wait|one more)\b", re.IGNORECASE)
_TAIL_WORDS = 4
"""How many words may follow the leave-taking ("bye and thank you very much")."""


class FarewellPolicy:
    """The ``CallPolicy`` of a sales call."""

    def is_goodbye(self, text: str) -> bool:
        """Tell whether the caller takes leave with these words, at their end."""
        matches = list(_GOODBYE.finditer(text))
        if not matches or _NOT_YET.search(text):
            return False
        return len(text[matches[-1].end() :].split()) <= _TAIL_WORDS
