"""``telephony-agent simulate --suite turn-taking``: the set of calls that scores how a call feels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from telephony_agent.simulator import Speaker
from telephony_agent.simulator.agent_process import PUBLIC_URL, Credentials, running_agent
from telephony_agent.simulator.suite import ENDPOINTING, Played, Scenario, Target, Verdict, play, render, scenarios

_SILENCE_ONLY: Final[Mapping[str, str]] = {"AGENT_TURN_END": "silence"}


class Suite(StrEnum):
    """The sets of calls that there are."""

    TURN_TAKING = "turn-taking"


@dataclass(frozen=True, slots=True)
class SuiteOrder:
    """What to run: the set by its seed, against the agent at ``target`` or one that is started for it.

    The silence timer is compared only with an agent that is started here, since it needs a setting of its own.
    """

    seed: int
    repeat: int
    baseline: bool
    report: Path | None = None
    target: Target | None = None


async def run_suite(order: SuiteOrder, console: Console) -> Verdict:
    """Place all calls and judge them; print the verdict, and write the report if one was asked for.

    Raises:
        AgentStartError: the agent did not get ready.
        OSError: the report can't be written.
        SpeechError: espeak-ng is missing or fails.
    """
    speaker = Speaker()
    calls = scenarios(order.seed, repeat=order.repeat)
    baseline: tuple[Played, ...] = ()
    if order.target is not None:
        ours = await _played("calls", calls, order.target, speaker, console)
    else:
        ours = await _started("calls", calls, {}, speaker, console)
        if order.baseline:
            same = tuple(call for call in calls if call.family in ENDPOINTING)
            baseline = await _started("silence only", same, _SILENCE_ONLY, speaker, console)
    verdict = Verdict(order.seed, order.repeat, ours, baseline)
    verdict.show(console)
    if order.report is not None:
        order.report.write_text(render(verdict), encoding="utf-8")
    return verdict


async def _started(
    title: str, calls: Sequence[Scenario], settings: Mapping[str, str], speaker: Speaker, console: Console
) -> tuple[Played, ...]:
    secrets = Credentials()
    console.print("[dim]starting the agent ...[/]", highlight=False)
    async with running_agent(secrets, settings=settings) as agent:
        target = Target(agent.url, PUBLIC_URL, secrets.account_sid, secrets.auth_token, secrets.api_token)
        return await _played(title, calls, target, speaker, console)


async def _played(
    title: str, calls: Sequence[Scenario], target: Target, speaker: Speaker, console: Console
) -> tuple[Played, ...]:
    """Play calls with a bar that tells which one is on."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    played: list[Played] = []
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task(title, total=len(calls))
        names = (*(call.name for call in calls[1:]), "")
        progress.update(task, description=f"{title}: {calls[0].name}")
        async for call in play(calls, target, speaker):
            played.append(call)
            progress.update(task, advance=1, description=f"{title}: {names[len(played) - 1]}")
    return tuple(played)
