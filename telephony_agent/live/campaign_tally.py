"""What the campaigns of a server came to since it was started: counts that only go up, for whoever watches it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from telephony_agent.store import Verdict


@dataclass(slots=True)
class CampaignTally:
    """The counts of one server. Nothing in them tells whom or which campaign they are of.

    Attributes:
        line_results: calls that have ended, by ``LineResult``.
        dispositions: the same calls, by ``Disposition``.
        abandoned: those of them that somebody answered without hearing us.
        refusals: how often a lead whose turn had come was not dialled, by the stable word of the gate that was shut.
    """

    line_results: Counter[str] = field(default_factory=Counter)
    dispositions: Counter[str] = field(default_factory=Counter)
    abandoned: int = 0
    refusals: Counter[str] = field(default_factory=Counter)

    def settled(self, verdict: Verdict) -> None:
        """Count a call that has ended."""
        self.line_results[verdict.line_result] += 1
        self.dispositions[verdict.disposition] += 1
        self.abandoned += verdict.abandoned

    def refused(self, reason: str) -> None:
        """Count a lead that was not dialled: it waits, or never will be."""
        self.refusals[reason] += 1
