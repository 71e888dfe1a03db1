"""The suite's outcome: figures beside their goals, what was missed, and where.

Beside them stand the figures of a second run, if one was made: of the silence timer, or of one call at a time.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from rich.console import Console
from rich.markup import escape

from telephony_agent.simulator.stream_record import LATE_MS
from telephony_agent.simulator.suite import tables
from telephony_agent.simulator.suite.goals import GOALS, Goal, beside, judged, missed
from telephony_agent.simulator.suite.run import Played, observations
from telephony_agent.simulator.suite.scenarios import ENDPOINTING, Family
from telephony_agent.simulator.suite.speculation import Speculation
from telephony_agent.simulator.suite.tally import Measure, Observation, Tallies, as_json, ratios, tally

_WANTED: Final = frozenset(
    {
        Measure.ANSWERED,
        Measure.INTERRUPTION,
        Measure.BACKCHANNEL,
        Measure.NOISE,
        Measure.SIDE_TALK,
        Measure.HOLD_MUSIC,
        Measure.SILENT_CALLER,
        Measure.VOICEMAIL,
    }
)
"""Of these it is bad if they don't happen; of all others, if they do."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """One run of the suite: its calls in the order in which they ended, those that were turned away included.

    ``baseline`` is the silence timer's run over the families of endpointing, ``alone`` the same calls one at a time for
    a run of several ``at_once``; both empty if not made. Of a run of some ``families`` only those goals are judged that
    it has events for; of one beside another, its times are held against the other's.
    """

    seed: int
    repeat: int
    ours: tuple[Played, ...]
    baseline: tuple[Played, ...] = ()
    families: frozenset[Family] = frozenset(Family)
    at_once: int = 1
    alone: tuple[Played, ...] = ()

    @property
    def tallies(self) -> Tallies:
        """The figures of the whole set."""
        return tally(observations(self.ours))

    @property
    def goals(self) -> tuple[Goal, ...]:
        """What is judged."""
        goals = beside(GOALS, tally(observations(self.alone))) if self.alone else GOALS
        return goals if self.families == frozenset(Family) else judged(goals, self.tallies)

    @property
    def missed(self) -> tuple[Goal, ...]:
        """The goals that were not reached."""
        return missed(self.goals, self.tallies)

    @property
    def ok(self) -> bool:
        """Whether something was judged, and all of it good."""
        return bool(self.goals) and not self.missed

    @property
    def turned_away(self) -> int:
        """How many calls the agent had no place for."""
        return sum(call.turned_away for call in self.ours)

    @property
    def speculation(self) -> Speculation:
        """What the agent gained by replying early."""
        return Speculation.of(self.ours)

    @property
    def failures(self) -> tuple[Observation, ...]:
        """The single events that should not have been, in the order of the calls."""
        return tuple(one for one in observations(self.ours) if is_failure(one))

    @property
    def late_ms(self) -> int:
        """How late the twin's clock ran at worst."""
        return max((stream.late_ms for call in self.ours for stream in call.result.streams), default=0)

    def as_json(self) -> dict[str, Any]:
        """Give the object that ``--json`` prints."""
        tallies = self.tallies
        return {
            "suite": "turn-taking",
            "ok": self.ok,
            "seed": self.seed,
            "repeat": self.repeat,
            "at_once": self.at_once,
            "calls": len(self.ours) - self.turned_away,
            "turned_away": self.turned_away,
            "duration_s": round(sum(call.result.duration_s for call in self.ours)),
            "measures": as_json(tallies),
            "families": {str(family): self._family_json(family) for family in Family if family in self.families},
            "goals": [_goal_json(goal, tallies) for goal in self.goals],
            "missed": [goal.shortfall(tallies) for goal in self.missed],
            "endpointing": _compared_json(self.ours),
            "silence_only": _compared_json(self.baseline) if self.baseline else None,
            "alone": as_json(tally(observations(self.alone))) if self.alone else None,
            "times_alone": ratios(tallies, tally(observations(self.alone))) if self.alone else None,
            "speculation": self.speculation.as_json(),
            "failures": [
                {"measure": str(one.measure), "call": one.call, "at_ms": one.at_ms, "text": one.text}
                for one in self.failures
            ],
            "cut_short": [call.scenario.name for call in self.ours if call.cut_short],
            "simulator_late_ms": self.late_ms,
        }

    def _family_json(self, family: Family) -> dict[str, Any]:
        figures = as_json(tally(observations(self.ours, frozenset({family}))))
        return {measure: found for measure, found in figures.items() if found["n"]}

    def show(self, console: Console) -> None:
        """Print the figures, the comparison, what failed where, and the goals that were missed."""
        tallies = self.tallies
        console.print(tables.figures(tallies, self.goals))
        if self.baseline:
            console.print(tables.beside_silence(_endpointing(self.ours), _endpointing(self.baseline)))
        if self.alone:
            console.print(tables.beside_alone(self.at_once, tallies, tally(observations(self.alone))))
        if self.speculation.hits.n:
            console.print(str(self.speculation), highlight=False)
        if self.turned_away:
            console.print(f"turned away: {self.turned_away} of {len(self.ours)} calls", highlight=False)
        for one in self.failures:
            where = f"{one.call} at {one.at_ms / 1000:.1f} s"
            console.print(f"[dim]{where}:[/] {one.measure}: {escape(one.text)}", highlight=False, soft_wrap=True)
        for call in self.ours:
            if call.cut_short:
                console.print(f"[dim]{call.scenario.name}:[/] ended early: {escape(call.result.end_reason)}")
        if self.late_ms > LATE_MS:
            console.print(f"[yellow]this machine was busy: the twin's clock ran up to {self.late_ms} ms late[/]")
        for goal in self.missed:
            console.print(f"[red]missed: {escape(goal.shortfall(tallies))}[/]", highlight=False)
        if not self.goals:
            console.print("[yellow]There were too few events to judge a goal: --repeat draws more.[/]")
        elif self.ok:
            console.print("[green]Every goal is reached.[/]")


def is_failure(one: Observation) -> bool:
    """Tell whether an event should not have been; times are judged all together, not one by one."""
    return not one.measure.is_time and bool(one.value) != (one.measure in _WANTED)


def _endpointing(played: Iterable[Played]) -> Tallies:
    return tally(observations(played, ENDPOINTING))


def _compared_json(played: Iterable[Played]) -> dict[str, Any]:
    figures = as_json(_endpointing(played))
    return {str(measure): figures[str(measure)] for measure in tables.COMPARED}


def _goal_json(goal: Goal, tallies: Tallies) -> dict[str, Any]:
    value = goal.figure.of(tallies[goal.measure])
    return {
        "measure": str(goal.measure),
        "figure": str(goal.figure),
        "bound": goal.bound,
        "at_least": goal.at_least,
        "value": value if value is None else round(value, 4),
        "reached": goal.reached(tallies),
        "source": goal.source,
    }
