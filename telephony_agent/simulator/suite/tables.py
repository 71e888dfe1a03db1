"""The suite's figures as tables for a terminal."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from rich.table import Table

from telephony_agent.simulator.suite.goals import Goal
from telephony_agent.simulator.suite.tally import PERCENTILES, Measure, Tallies, Tally, ratios

COMPARED: Final = (
    Measure.TURN_GAP,
    Measure.AFTER_DECISION,
    Measure.CUT_OFF,
    Measure.PAUSE_TAKEOVER,
    Measure.ANSWERED,
)
"""What a silence timer can be held against."""


def figures(tallies: Tallies, goals: Iterable[Goal]) -> Table:
    """Show the measures beside their goals; those with neither events nor goals are left out."""
    table = _table("turn-taking, at the caller's ear", "measure", "N", "figures", "goal", "")
    goals = tuple(goals)
    for measure in Measure:
        found = tallies[measure]
        own = [goal for goal in goals if goal.measure is measure]
        if not own and not found.n:
            continue
        reached = all(goal.reached(tallies) for goal in own)
        sign = "" if not own else "[green]reached[/]" if reached else "[red]missed[/]"
        wanted = ", ".join(f"{goal.figure} {goal}" for goal in own)
        table.add_row(str(measure), str(found.n), _figures(measure, found), wanted, sign)
    return table


def beside_silence(words: Tallies, silence: Tallies) -> Table:
    """Show ours beside those of a silence timer."""
    title = "the same calls about the end of a turn, with a silence timer only"
    table = _table(title, "measure", "N", "words", "N", "silence only")
    for measure in COMPARED:
        table.add_row(str(measure), *_cells(measure, words[measure]), *_cells(measure, silence[measure]))
    return table


def beside_alone(at_once: int, tallies: Tallies, alone: Tallies) -> Table:
    """Show those of calls at once beside the same calls one at a time, and how much longer the times are."""
    table = _table(
        f"{at_once} calls at once", "measure", "N", "one at a time", "N", f"{at_once} at once", "times alone"
    )
    found = ratios(tallies, alone)
    for measure in Measure:
        if tallies[measure].n or alone[measure].n:
            times = ", ".join(f"{name} {ratio:.2f}" for name, ratio in found.get(measure, {}).items())
            table.add_row(str(measure), *_cells(measure, alone[measure]), *_cells(measure, tallies[measure]), times)
    return table


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title)
    for name in columns:
        table.add_column(name, justify="right" if name == "N" else "left", no_wrap=name == "measure")
    return table


def _cells(measure: Measure, found: Tally) -> tuple[str, str]:
    return str(found.n), _figures(measure, found)


def _figures(measure: Measure, found: Tally) -> str:
    if not measure.is_time:
        return f"{found.hits} of {found.n}" + (f" = {found.rate:.1%}" if found.rate is not None else "")
    percentiles = ((percent, found.percentile(percent)) for percent in PERCENTILES)
    shown = [f"p{percent} {value}" for percent, value in percentiles if value is not None]
    return ", ".join(shown) or ", ".join(map(str, found.values))
