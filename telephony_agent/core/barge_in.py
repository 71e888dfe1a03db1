"""Decides whether sound over our own speech is the caller's, so that we pause for it.

A click or a breath is speech to a detector for a frame or two, and so is a faint television. So while we are heard,
speech counts only when it is not faint, and only when it lasts. Our own echo is sorted out before (``echo``); whether
the caller wants the floor or only says "mm-hm" is known by the words, afterwards (``call_flow``).
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from telephony_agent.audio import FRAME_MS


@dataclass(frozen=True, slots=True)
class BargeInRules:
    """What it takes to be let in."""

    sustained_ms: int = 120
    window_ms: int = 400
    min_level_dbov: float = -40.0
    """A caller speaks at about -25 dBov."""


class BargeInJudge:
    """Judges one call's frames, in order."""

    def __init__(self, rules: BargeInRules) -> None:
        self._rules = rules
        self._loud: deque[bool] = deque(maxlen=rules.window_ms // FRAME_MS)

    def hear(self, *, speech: bool, level_dbov: float) -> bool:
        """Take one frame; return whether the caller has now taken the floor."""
        self._loud.append(speech and level_dbov >= self._rules.min_level_dbov)
        return sum(self._loud) * FRAME_MS >= self._rules.sustained_ms
