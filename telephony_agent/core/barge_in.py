"""Decides whether sound over our own speech is the caller taking the floor.

Carrier legs have no echo canceller: our own voice comes back 10 to 30 dB below what we send, and a click or a breath
is speech to a detector for a frame or two. So while we are heard, speech counts only when it is louder than our echo
can be, and only when it lasts.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from telephony_agent.audio import FRAME_MS


@dataclass(frozen=True, slots=True)
class BargeInRules:
    """What it takes to be let in."""

    sustained_ms: int = 200
    window_ms: int = 320
    min_level_dbov: float = -34.0
    """Our speech leaves at -23 dBov, its echo returns at -33 or less; a caller speaks at about -25."""


class BargeInJudge:
    """Judges one call's frames while we are heard; ``reset`` whenever we start or stop."""

    def __init__(self, rules: BargeInRules) -> None:
        self._rules = rules
        self._loud: deque[bool] = deque(maxlen=rules.window_ms // FRAME_MS)

    def hear(self, *, speech: bool, level_dbov: float) -> bool:
        """Take one frame; return whether the caller has now taken the floor."""
        self._loud.append(speech and level_dbov >= self._rules.min_level_dbov)
        return sum(self._loud) * FRAME_MS >= self._rules.sustained_ms

    def reset(self) -> None:
        """Forget what was heard."""
        self._loud.clear()
