"""``telephony-agent simulate --suite turn-taking``: the set of calls that scores how a call feels."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from telephony_agent.simulator import Speaker
from telephony_agent.simulator.agent_process import PUBLIC_URL, Credentials, running_agent
from telephony_agent.simulator.suite import (
    ENDPOINTING,
    Family,
    Played,
    Scenario,
    Target,
    Verdict,
    play,
    render,
    scenarios,
)

_SILENCE_ONLY: Final[Mapping[str, str]] = {"AGENT_TURN_END": "silence"}


class Suite(StrEnum):
    """The sets of calls that there are."""

    TURN_TAKING = "turn-taking"


@dataclass(frozen=True, slots=True)
class SuiteOrder:
    """What to run: the set by its seed, against the agent at ``target`` or one that is started for it.

    With ``compare``, a second run to hold it against: of several ``at_once``, the same calls one at a time; else those
    of endpointing with a silence timer, which needs an agent that is started here, since it is a setting of its own.
    """

    seed: int
    repeat: int
    compare: bool
    families: frozenset[Family] = frozenset(Family)
    at_once: int = 1
    report: Path | None = None
    target: Target | None = None


def families_named(names: str) -> frozenset[Family]:
    """Read families from their names, with commas between them; a name's blank may be a hyphen. Nothing means all.

    Raises:
        typer.BadParameter: there is none of that name.
    """
    named = [name.strip().replace("-", " ") for name in names.split(",") if name.strip()]
    for name in named:
        if name not in tuple(Family):
            allowed = ", ".join(family.replace(" ", "-") for family in Family)
            raise typer.BadParameter(f"there is no family {name!r}; there are {allowed}", param_hint="--families")
    return frozenset(map(Family, named)) or frozenset(Family)


async def run_suite(order: SuiteOrder, console: Console) -> Verdict:
    """Place all calls and judge them; print the verdict, and write the report if one was asked for.

    Raises:
        AgentStartError: the agent did not get ready.
        OSError: the report can't be written.
        SpeechError: espeak-ng is missing or fails.
    """
    speaker = Speaker()
    calls = scenarios(order.seed, repeat=order.repeat, families=order.families)
    alone: tuple[Played, ...] = ()
    baseline: tuple[Played, ...] = ()
    async with _reached(order.target, {}, console) as target:
        if order.compare and order.at_once > 1:
            alone = await _played("one at a time", calls, target, speaker, console)
        ours = await _played("calls", calls, target, speaker, console, at_once=order.at_once)
    same = tuple(call for call in calls if call.family in ENDPOINTING)
    if order.compare and order.at_once == 1 and order.target is None and same:
        async with _reached(None, _SILENCE_ONLY, console) as target:
            baseline = await _played("silence only", same, target, speaker, console)
    verdict = Verdict(order.seed, order.repeat, ours, baseline, order.families, order.at_once, alone)
    verdict.show(console)
    if order.report is not None:
        order.report.write_text(render(verdict), encoding="utf-8")
    return verdict


@asynccontextmanager
async def _reached(target: Target | None, settings: Mapping[str, str], console: Console) -> AsyncIterator[Target]:
    """Give the agent that was named, or start one with settings of its own."""
    if target is not None:
        yield target
        return
    secrets = Credentials()
    console.print("[dim]starting the agent ...[/]", highlight=False)
    async with running_agent(secrets, settings=settings) as agent:
        yield Target(agent.url, PUBLIC_URL, secrets.account_sid, secrets.auth_token, secrets.api_token)


async def _played(
    title: str, calls: Sequence[Scenario], target: Target, speaker: Speaker, console: Console, *, at_once: int = 1
) -> tuple[Played, ...]:
    """Play calls with a bar that tells which one ended last."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    played: list[Played] = []
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task(title, total=len(calls))
        async for call in play(calls, target, speaker, at_once=at_once):
            played.append(call)
            if call.turned_away:
                progress.update(task, description=f"{title}: {call.scenario.name} was turned away")
            else:
                progress.update(task, advance=1, description=f"{title}: {call.scenario.name} is over")
    return tuple(played)
