"""``telephony-agent replay``: runs a recorded call again, and shows what other rules would have made of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise, zip_longest
from pathlib import Path
from statistics import median
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from telephony_agent.core.conversation import Turn, TurnInput
from telephony_agent.core.events import AudioHeard, Event
from telephony_agent.core.replay import Retelling, reproduce, retell
from telephony_agent.core.rule_data import changed
from telephony_agent.core.trace import Trace, TraceError, read_trace
from telephony_agent.errors import TelephonyAgentError
from telephony_agent.live.sales_desk import guide_of
from telephony_agent.sales.guide import Guide
from telephony_agent.sales.phrasebook import Phrasebook

CUT_OFF_MS = 1500
"""Who speaks again so soon after the end that we decided on was not done."""
SAME_TURN_MS = 500
"""Turns that begin within this of each other are the same turn in both tellings."""
_TIMINGS = ("endpoint_ms", "turn_gap_ms", "transcribe_ms", "first_token_ms", "first_phrase_ms")
_NARROW = 120
"""A terminal with fewer columns shows the first two timings only."""


def replay(
    trace: Annotated[Path, typer.Argument(help="A file of AGENT_TRACE_DIR.", show_default=False)],
    rules: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="RULE=VALUE", help="A rule to change, such as endpointing.hangover_ms=700."),
    ] = None,
) -> None:
    """Run a recorded call again. Exit code 1: under the same rules it went another way."""
    recorded = _read(trace)
    policy = _policy(recorded, trace)

    def counsel() -> Guide | None:
        return _counsel(recorded, trace)

    console = Console()
    new_rules = recorded.header.rules
    for assignment in rules or []:
        new_rules = changed(new_rules, assignment)
    same = reproduce(recorded, policy, counsel())
    _print_proof(console, recorded, same)
    before = recorded.turns or same.turns
    diverged = same.difference is not None or recorded.turns not in (None, same.turns)
    if diverged:
        console.print("This version under the recorded rules, retold:")
        _print_comparison(console, before, retell(recorded, recorded.header.rules, policy, counsel()))
    if rules:
        console.print(f"With {', '.join(rules)}:", highlight=False, markup=False)
        _print_comparison(console, before, retell(recorded, new_rules, policy, counsel()))
    if diverged:
        raise typer.Exit(1)


def _read(path: Path) -> Trace:
    try:
        with path.open(encoding="utf-8") as lines:
            return read_trace(lines)
    except (OSError, UnicodeDecodeError) as error:
        raise TraceError(f"{path}: can't be read: {error}") from error
    except TraceError as error:
        raise TraceError(f"{path}: {error}") from error


def _policy(recorded: Trace, path: Path) -> Phrasebook:
    try:
        return Phrasebook(**recorded.header.policy)
    except TypeError as error:
        raise TraceError(f"{path}: its phrasebook is of another version: {error}") from error


def _counsel(recorded: Trace, path: Path) -> Guide | None:
    """Return the guide that the call had, as it was before the first turn; each telling needs its own."""
    try:
        return guide_of(recorded.header.counsel) if recorded.header.counsel else None
    except (KeyError, TypeError, ValueError, TelephonyAgentError) as error:
        raise TraceError(f"{path}: its sales setting is of another version: {error}") from error


# The proof


def _print_proof(console: Console, trace: Trace, same: Retelling) -> None:
    """Say whether the recorded events brought the recorded actions, and if not, where they first didn't."""
    began_at = trace.steps[0].now if trace.steps else 0.0
    difference = same.difference
    if difference is not None:
        console.print(f"Event {difference.index + 1} of {len(trace.steps)} went another way:", style="bold red")
        console.print(
            f"  at {difference.now - began_at:.3f} s: {_told(difference.event)}", highlight=False, markup=False
        )
        for name, actions in (("recorded", difference.recorded), ("replayed", difference.replayed)):
            console.print(f"  {name}: {' '.join(map(str, actions)) or 'nothing'}", highlight=False, markup=False)
    elif trace.turns not in (None, same.turns):
        console.print("The same actions, but another account of the turns.", style="bold red")
    else:
        seconds = trace.steps[-1].now - began_at if trace.steps else 0.0
        console.print(f"Reproduced: {len(trace.steps)} events in {seconds:.1f} s, every action as recorded.")
    if trace.turns is None:
        console.print("The recording breaks off before the call's end.")


def _told(event: Event) -> str:
    if isinstance(event, AudioHeard):
        what = "speech" if event.speech else "no speech"
        return f"{what} in the frame at {event.frame.timestamp_ms} ms, {event.level_dbov:.1f} dBov"
    return repr(event)


# The comparison


@dataclass(frozen=True, slots=True)
class Pair:
    """A turn in both tellings, or in one of them."""

    recorded: Turn | None
    retold: Turn | None

    @property
    def same(self) -> bool:
        """Whether the same was said and heard; timings aside."""
        before, after = self.recorded, self.retold
        return before is not None and after is not None and _words(before) == _words(after)


def paired(recorded: Sequence[Turn], retold: Sequence[Turn]) -> list[Pair]:
    """Lay two tellings of one call side by side: stream by stream, by what opened a turn and when the caller spoke."""
    streams = zip_longest(_by_stream(recorded), _by_stream(retold), fillvalue=())
    return [pair for before, after in streams for pair in _paired(before, after)]


def _by_stream(turns: Sequence[Turn]) -> list[Sequence[Turn]]:
    """Part the turns of a call by its streams: each has a clock of its own."""
    returns = [i for i, turn in enumerate(turns) if turn.input is TurnInput.RETURN]
    return [turns[start:end] for start, end in pairwise([0, *returns, len(turns)])]


def _paired(recorded: Sequence[Turn], retold: Sequence[Turn]) -> list[Pair]:
    """Lay two tellings of one stream side by side."""
    pairs: list[Pair] = []
    left, right = list(recorded), list(retold)
    while left and right:
        before, after = left[0], right[0]
        apart_ms = before.started_ms - after.started_ms
        spoken = before.started_ms > 0 and after.started_ms > 0
        if before.input is after.input and (not spoken or abs(apart_ms) <= SAME_TURN_MS):
            pairs.append(Pair(left.pop(0), right.pop(0)))
        elif (spoken and apart_ms < 0) or (not spoken and before.started_ms <= after.started_ms):
            pairs.append(Pair(left.pop(0), None))
        else:
            pairs.append(Pair(None, right.pop(0)))
    return [*pairs, *(Pair(turn, None) for turn in left), *(Pair(None, turn) for turn in right)]


def cut_offs(turns: Sequence[Turn]) -> int:
    """Count the turns that were taken to be over though the caller went on within ``CUT_OFF_MS``."""
    spoken = [[turn for turn in stream if turn.input is TurnInput.SPEECH] for stream in _by_stream(turns)]
    return sum(after.started_ms - turn.ended_ms < CUT_OFF_MS for stream in spoken for turn, after in pairwise(stream))


def _print_comparison(console: Console, before: Sequence[Turn], retelling: Retelling) -> None:
    after = retelling.turns
    timings = _TIMINGS if console.width >= _NARROW else _TIMINGS[:2]
    table = Table("turn", "the caller", "heard of us", *(f"{name.removesuffix('_ms')}, ms" for name in timings))
    for pair in paired(before, after):
        table.add_row(*_row(pair, timings), style="dim" if pair.same else "")
    console.print(table)
    summary = Table("", "recorded", "retold")
    for (name, recorded), retold in zip(_measures(before).items(), _measures(after).values(), strict=True):
        summary.add_row(name, recorded, retold)
    console.print(summary)
    if retelling.end_reason is not None:
        console.print(f"Ended by: {retelling.end_reason.value}", highlight=False)
    for note in retelling.notes:
        console.print(f"Note: {note}", style="yellow", highlight=False)


def _row(pair: Pair, timings: Sequence[str]) -> list[Text]:
    before, after = pair.recorded, pair.retold
    shown = after or before
    assert shown is not None
    mark = "-" if after is None else "+" if before is None else ""
    columns: list[Callable[[Turn], str | int | None]] = [
        lambda turn: turn.transcript,
        lambda turn: turn.reply_heard,
        *(partial(_timing, name) for name in timings),
    ]
    return [
        Text(f"{mark}{shown.number} {shown.input.value}{' (cut)' if shown.interrupted else ''}"),
        *(_change(*(None if turn is None else column(turn) for turn in (before, after))) for column in columns),
    ]


def _timing(name: str, turn: Turn) -> int | None:
    return turn.timings.get(name)


def _change(before: str | int | None, after: str | int | None) -> Text:
    """Show a value of both tellings, once where they agree."""
    old, new = ("" if value is None else str(value) for value in (before, after))
    if old == new:
        return Text(new)
    return Text.assemble((old, "red"), " → " if old and new else "", (new, "green"))


def _words(turn: Turn) -> tuple[str, str, bool]:
    return turn.transcript, turn.reply_heard, turn.interrupted


def _measures(turns: Sequence[Turn]) -> dict[str, str]:
    """Return the measures of one telling, each with the count that it rests on."""
    return {
        "turns": str(len(turns)),
        f"caller went on within {CUT_OFF_MS} ms": str(cut_offs(turns)),
        "replies cut short": str(sum(turn.interrupted for turn in turns)),
        "replies begun before the end": str(sum(turn.timings.get("speculated", 0) for turn in turns)),
        "endpoint ms, median (of)": _middle("endpoint_ms", turns),
        "turn gap ms, median (of)": _middle("turn_gap_ms", turns),
    }


def _middle(name: str, turns: Sequence[Turn]) -> str:
    values = [turn.timings[name] for turn in turns if name in turn.timings]
    return f"{median(values):.0f} ({len(values)})" if values else "none"
