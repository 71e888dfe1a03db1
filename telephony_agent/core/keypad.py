"""Keys as input: when what was pressed is complete, and what it means as an answer.

===========================  ====================================================  =======================
what our words asked for     complete                                              means
===========================  ====================================================  =======================
yes or no                    with ``1`` or ``2``                                   yes, no
digits, a number             at ``#``, or ``DIGITS_PAUSE_S`` after the last key    the digits
anything                     with a lone ``0``                                     a person is wanted
anything                     at ``#``, or ``PAUSE_S`` after the last key           the digits
===========================  ====================================================  =======================

``*`` forgets what was pressed so far.
"""

from __future__ import annotations

from telephony_agent.core.completeness import Expectation

PAUSE_S = 1.5
DIGITS_PAUSE_S = 3.0
OPERATOR = "0"
_YES_NO = {"1": "yes", "2": "no"}


class Keypad:
    """Collects one call's keys, one input after the other."""

    def __init__(self) -> None:
        self._keys = ""
        self._expects = Expectation.OPEN
        self.deadline: float | None = None

    @property
    def pressed(self) -> bool:
        """Whether keys are being collected."""
        return self.deadline is not None

    def press(self, digit: str, expects: Expectation, now: float) -> None:
        """Take one key, pressed while our words asked for that."""
        self._expects = expects
        if digit == "*":
            self._keys = ""
        elif digit != "#":
            self._keys += digit
        pause_s = DIGITS_PAUSE_S if expects is Expectation.DIGITS else PAUSE_S
        self.deadline = now if digit == "#" or self._answers() else now + pause_s

    def take(self, now: float) -> str:
        """Return the keys once they are complete, else nothing."""
        if self.deadline is None or now < self.deadline:
            return ""
        keys, self._keys, self.deadline = self._keys, "", None
        return keys

    def words(self, keys: str) -> str:
        """Return what keys mean as an answer to what was asked when they were pressed."""
        if self._expects is Expectation.YES_NO and keys in _YES_NO:
            return _YES_NO[keys]
        return " ".join(keys)

    def _answers(self) -> bool:
        """Whether the only key is an answer by itself."""
        if self._expects is Expectation.YES_NO and self._keys in _YES_NO:
            return True
        return self._keys == OPERATOR and self._expects is not Expectation.DIGITS
