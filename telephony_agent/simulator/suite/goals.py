"""What the suite must show: every goal once, with the figure that it is about and where it comes from."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from telephony_agent.simulator.suite.tally import MIN_EVENTS, Measure, Tallies, Tally


class Figure(StrEnum):
    """Which figure of a measure a goal is about."""

    P50 = "p50"
    P95 = "p95"
    RATE = "rate"
    HITS = "hits"
    MISSES = "misses"
    N = "n"

    def of(self, found: Tally) -> float | None:
        """Read it from a tally; ``None`` if there were too few events."""
        match self:
            case Figure.P50:
                return found.percentile(50)
            case Figure.P95:
                return found.percentile(95)
            case Figure.RATE:
                return found.rate
            case Figure.HITS:
                return found.hits if found.n else None
            case Figure.MISSES:
                return found.n - found.hits if found.n else None
            case Figure.N:
                return found.n


@dataclass(frozen=True, slots=True)
class Goal:
    """A bound on one figure of one measure, itself included."""

    measure: Measure
    figure: Figure
    bound: float
    source: str
    at_least: bool = False

    def reached(self, tallies: Tallies) -> bool:
        """Tell whether it is reached; too few events reach nothing."""
        value = self.figure.of(tallies[self.measure])
        if value is None:
            return False
        return value >= self.bound if self.at_least else value <= self.bound

    def shortfall(self, tallies: Tallies) -> str:
        """Say in words what was measured and what was wanted."""
        found = tallies[self.measure]
        value = self.figure.of(found)
        measured = f"fewer than {MIN_EVENTS} events" if value is None else self.shown(value)
        return f"{self.measure} {self.figure}: {measured} (N {found.n}), wanted {self}"

    def shown(self, value: float) -> str:
        """Write a value of this goal's figure."""
        return f"{value:.1%}" if self.figure is Figure.RATE else f"{value:.0f}"

    def __str__(self) -> str:
        return f"{'>=' if self.at_least else '<='} {self.shown(self.bound)}"


_GAP: Final = "people leave 200 ms; production fleets have a p50 of 1.5 to 1.7 s (Stivers 2009; Hamming)"
_CUT: Final = "best published detector 4.5 % (livekit/eot-bench)"
_TAKE: Final = "1.0 % in pauses, 100 % at ends (Full-Duplex-Bench, GPT-Realtime)"
_OVER: Final = "stops in 620 ms; tolerates 4 to 15 % of asides (tau-voice sample)"
_OWN: Final = "this project's own"
_ALONE: Final = "this project's own, beside one call at a time"

AT_ONCE: Final = 1.5
"""How much longer calls at once may take than one at a time."""

GOALS: Final[tuple[Goal, ...]] = (
    Goal(Measure.ANSWERED, Figure.N, 200, _OWN, at_least=True),
    Goal(Measure.TURN_GAP, Figure.P50, 600, _GAP),
    Goal(Measure.TURN_GAP, Figure.P95, 900, _GAP),
    Goal(Measure.AFTER_DECISION, Figure.P50, 150, _OWN),
    Goal(Measure.CUT_OFF, Figure.RATE, 0.05, _CUT),
    Goal(Measure.PAUSE_TAKEOVER, Figure.RATE, 0.01, _TAKE),
    Goal(Measure.ANSWERED, Figure.RATE, 1.0, _TAKE, at_least=True),
    Goal(Measure.STOP, Figure.P50, 250, _OVER),
    Goal(Measure.STOP, Figure.P95, 400, _OVER),
    Goal(Measure.STALE, Figure.HITS, 0, _OWN),
    Goal(Measure.INTERRUPTION, Figure.RATE, 0.98, _OVER, at_least=True),
    Goal(Measure.BACKCHANNEL, Figure.RATE, 0.95, _OVER, at_least=True),
    Goal(Measure.NOISE, Figure.RATE, 0.95, _OVER, at_least=True),
    Goal(Measure.SIDE_TALK, Figure.RATE, 0.95, _OVER, at_least=True),
    Goal(Measure.HOLD_MUSIC, Figure.RATE, 0.95, _OWN, at_least=True),
    Goal(Measure.SELF_INTERRUPTION, Figure.HITS, 0, _OWN),
    Goal(Measure.SILENT_CALLER, Figure.MISSES, 0, _OWN),
    Goal(Measure.VOICEMAIL, Figure.MISSES, 0, _OWN),
    Goal(Measure.DEAD_AIR, Figure.HITS, 0, _OWN),
    Goal(Measure.HISTORY_DIFFERS, Figure.HITS, 0, _OWN),
)
"""With the pocket models, one call at a time, over one run of the whole suite."""


def judged(goals: Iterable[Goal], tallies: Tallies) -> tuple[Goal, ...]:
    """Leave out what a part of the suite can't tell: goals about too few events, and those about how many there are."""
    return tuple(
        goal for goal in goals if goal.figure is not Figure.N and goal.figure.of(tallies[goal.measure]) is not None
    )


def beside(goals: Iterable[Goal], alone: Tallies) -> tuple[Goal, ...]:
    """Bound times by ``AT_ONCE`` times what one call at a time took instead; leave out those that it can't tell."""
    found = []
    for goal in goals:
        if not goal.measure.is_time:
            found.append(goal)
        elif (took_ms := goal.figure.of(alone[goal.measure])) is not None:
            found.append(replace(goal, bound=took_ms * AT_ONCE, source=_ALONE))
    return tuple(found)


def missed(goals: Iterable[Goal], tallies: Tallies) -> tuple[Goal, ...]:
    """List the goals that were not reached."""
    return tuple(goal for goal in goals if not goal.reached(tallies))
