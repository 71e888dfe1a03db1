"""How often a reply that was begun before its turn was over could be used, and what that saved, by the agent's word."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from telephony_agent.simulator.suite.run import Played
from telephony_agent.simulator.suite.tally import MIN_EVENTS, Tally


@dataclass(frozen=True, slots=True)
class Speculation:
    """One value for every turn that the agent replied to (``hits``: 1 or 0), and for every hit, in ms (``saved_ms``).

    An agent that doesn't tell what it saved has hits without times.
    """

    hits: Tally
    saved_ms: Tally

    @classmethod
    def of(cls, calls: Iterable[Played]) -> Speculation:
        """Read it from the accounts of many calls."""
        timings = [turn.get("timings") or {} for call in calls for turn in call.account.turns]
        told = [times for times in timings if "speculated" in times]
        hits = [times for times in told if times["speculated"]]
        return cls(
            Tally(tuple(int(bool(times["speculated"])) for times in told)),
            Tally(tuple(int(times["saved_ms"]) for times in hits if "saved_ms" in times)),
        )

    def as_json(self) -> dict[str, Any]:
        """Give the figures: rate and median are null for too few events."""
        rate = self.hits.rate
        return {
            "n": self.hits.n,
            "hits": self.hits.hits,
            "rate": None if rate is None else round(rate, 4),
            "saved_p50_ms": self.saved_ms.percentile(50),
            "saved_total_ms": sum(self.saved_ms.values),
        }

    def __str__(self) -> str:
        hits, saved = self.hits, self.saved_ms
        share = f"{hits.hits} of {hits.n}" + (f" = {hits.rate:.1%}" if hits.rate is not None else "")
        middle = saved.percentile(50)
        median = f"fewer than {MIN_EVENTS} events for a median" if middle is None else f"{middle} ms at the median"
        return f"replies begun before the turn was over: {share}; saved: {median}, {sum(saved.values)} ms in all"
