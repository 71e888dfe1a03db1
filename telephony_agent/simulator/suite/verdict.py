"""The suite's outcome: figures beside their goals and beside the silence timer's, what was missed, and where."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from telephony_agent.simulator.suite.goals import GOALS, Goal, missed
from telephony_agent.simulator.suite.run import Played, observations
from telephony_agent.simulator.suite.scenarios import ENDPOINTING, Family
from telephony_agent.simulator.suite.tally import Measure, Observation, Tallies, Tally, as_json, tally

_LATE_MS: Final = 100
"""If the twin's clock ran later than that, its times are doubtful."""

_WANTED: Final = frozenset(
    {
        Measure.ANSWERED,
        Measure.INTERRUPTION,
        Measure.BACKCHANNEL,
        Measure.NOISE,
        Measure.SIDE_TALK,
        Measure.SILENT_CALLER,
    }
)
"""Of these it is bad if they don't happen; of all others, if they do."""

_COMPARED: Final = (
    Measure.TURN_GAP,
    Measure.AFTER_DECISION,
    Measure.CUT_OFF,
    Measure.PAUSE_TAKEOVER,
    Measure.ANSWERED,
)


@dataclass(frozen=True, slots=True)
class Verdict:
    """One run of the suite, and the silence timer's run over the families of endpointing, if it was made."""

    seed: int
    repeat: int
    ours: tuple[Played, ...]
    baseline: tuple[Played, ...] = ()

    @property
    def tallies(self) -> Tallies:
        """The figures of the whole set."""
        return tally(observations(self.ours))

    @property
    def missed(self) -> tuple[Goal, ...]:
        """The goals that were not reached."""
        return missed(self.tallies)

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
            "ok": not self.missed,
            "seed": self.seed,
            "repeat": self.repeat,
            "calls": len(self.ours),
            "duration_s": round(sum(call.result.duration_s for call in self.ours)),
            "measures": as_json(tallies),
            "families": {str(family): self._family_json(family) for family in Family},
            "goals": [_goal_json(goal, tallies) for goal in GOALS],
            "missed": [goal.shortfall(tallies) for goal in self.missed],
            "endpointing": _compared_json(self.ours),
            "silence_only": _compared_json(self.baseline) if self.baseline else None,
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
        console.print(_table(tallies))
        if self.baseline:
            console.print(_comparison(self.ours, self.baseline))
        for one in self.failures:
            where = f"{one.call} at {one.at_ms / 1000:.1f} s"
            console.print(f"[dim]{where}:[/] {one.measure}: {escape(one.text)}", highlight=False, soft_wrap=True)
        for call in self.ours:
            if call.cut_short:
                console.print(f"[dim]{call.scenario.name}:[/] ended early: {escape(call.result.end_reason)}")
        if self.late_ms > _LATE_MS:
            console.print(f"[yellow]this machine was busy: the twin's clock ran up to {self.late_ms} ms late[/]")
        for goal in self.missed:
            console.print(f"[red]missed: {escape(goal.shortfall(tallies))}[/]", highlight=False)
        if not self.missed:
            console.print("[green]Every goal is reached.[/]")


def is_failure(one: Observation) -> bool:
    """Tell whether an event should not have been; times are judged all together, not one by one."""
    return not one.measure.is_time and bool(one.value) != (one.measure in _WANTED)


def _table(tallies: Tallies) -> Table:
    table = Table(title="turn-taking, at the caller's ear")
    for name in ("measure", "N", "figures", "goal", ""):
        table.add_column(name, justify="right" if name == "N" else "left")
    for measure in Measure:
        found = tallies[measure]
        goals = [goal for goal in GOALS if goal.measure is measure]
        reached = all(goal.reached(tallies) for goal in goals)
        sign = "" if not goals else "[green]reached[/]" if reached else "[red]missed[/]"
        wanted = ", ".join(f"{goal.figure} {goal}" for goal in goals)
        table.add_row(str(measure), str(found.n), _figures(measure, found), wanted, sign)
    return table


def _comparison(ours: Iterable[Played], baseline: Iterable[Played]) -> Table:
    table = Table(title="the same calls about the end of a turn, with a silence timer only")
    for name in ("measure", "N", "words", "N", "silence only"):
        table.add_column(name, justify="right" if name == "N" else "left")
    words, silence = tally(observations(ours, ENDPOINTING)), tally(observations(baseline, ENDPOINTING))
    for measure in _COMPARED:
        left, right = words[measure], silence[measure]
        table.add_row(str(measure), str(left.n), _figures(measure, left), str(right.n), _figures(measure, right))
    return table


def _figures(measure: Measure, found: Tally) -> str:
    if not measure.is_time:
        return f"{found.hits} of {found.n}" + (f" = {found.rate:.1%}" if found.rate is not None else "")
    percentiles = ((percent, found.percentile(percent)) for percent in (50, 95, 99))
    shown = [f"p{percent} {value}" for percent, value in percentiles if value is not None]
    return ", ".join(shown) or ", ".join(map(str, found.values))


def _compared_json(played: Iterable[Played]) -> dict[str, Any]:
    figures = as_json(tally(observations(played, ENDPOINTING)))
    return {str(measure): figures[str(measure)] for measure in _COMPARED}


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
