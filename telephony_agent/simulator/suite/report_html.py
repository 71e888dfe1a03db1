"""The suite as one self-contained HTML file: every call's waveforms, and where the time of every turn went."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from importlib import resources
from string import Template
from typing import Any, Final

import numpy as np

from telephony_agent.simulator.measure import Span
from telephony_agent.simulator.mulaw import Pcm
from telephony_agent.simulator.noises import FULL_SCALE
from telephony_agent.simulator.playout import SAMPLES_PER_MS
from telephony_agent.simulator.stream_record import StreamRecord
from telephony_agent.simulator.suite.run import Played
from telephony_agent.simulator.suite.tally import Observation
from telephony_agent.simulator.suite.verdict import Verdict, is_failure

_MS_PER_PX: Final = 16
_COLUMN_PX: Final = 2
_COLUMN: Final = _COLUMN_PX * _MS_PER_PX * SAMPLES_PER_MS
_CALLER_Y: Final = 40
_AGENT_Y: Final = 105
_HALF: Final = 30
_STAGES_Y: Final = 142
_STAGE_HEIGHT: Final = 9
_HEIGHT: Final = 182
_GAIN: Final = 3.0
"""Speech at a telephone's level fills the height."""


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage of a turn: where it lies on the stream's clock, and in which row it is drawn."""

    name: str
    start_ms: int
    length_ms: int
    row: int = 0


def render(verdict: Verdict) -> str:
    """Make the document."""
    skeleton = (resources.files("telephony_agent.simulator.suite") / "report.html").read_text(encoding="utf-8")
    calls, goals = len(verdict.ours) - verdict.turned_away, len(verdict.goals)
    reached = goals - len(verdict.missed)
    summary = f"{calls} calls, seed {verdict.seed}; {reached} of {goals} goals reached; {verdict.speculation}."
    if verdict.turned_away:
        summary += f" {verdict.turned_away} more were turned away."
    return Template(skeleton).substitute(
        title="Turn-taking",
        summary=escape(summary),
        figures=_goals(verdict),
        calls="\n".join(_call(played) for played in verdict.ours if not played.turned_away),
    )


def stages(turn: Mapping[str, Any], utterances: Sequence[Span]) -> tuple[Stage, ...]:
    """Lay the agent's timings of one turn out on the clock, from the end of the caller's words to the agent's onset.

    A reply that was begun during the silence is a second row: when it was begun isn't known, so it starts with it.
    """
    timings = turn.get("timings") or {}
    if "endpoint_ms" not in timings:
        return ()
    ended_ms = int(turn["ended_ms"])
    decided_ms = ended_ms + timings["endpoint_ms"]
    known_ms = decided_ms + timings.get("transcribe_ms", 0)
    out = [Stage("endpoint", ended_ms, decided_ms - ended_ms), Stage("transcribe", decided_ms, known_ms - decided_ms)]
    token_ms = timings.get("first_token_ms", 0)
    phrase_ms = timings.get("first_phrase_ms", token_ms)
    held = bool(timings.get("speculated"))
    begun_ms, row = (ended_ms, 1) if held else (known_ms, 0)
    out.append(Stage("first-token", begun_ms, token_ms, row))
    out.append(Stage("first-phrase", begun_ms + token_ms, phrase_ms - token_ms, row))
    ready_ms = known_ms if held else begun_ms + phrase_ms
    onset_ms = next((one.start_ms for one in utterances if one.start_ms >= ended_ms), ready_ms)
    out.append(Stage("send", ready_ms, onset_ms - ready_ms))
    return tuple(stage for stage in out if stage.length_ms > 0)


def _goals(verdict: Verdict) -> str:
    tallies = verdict.tallies
    rows = []
    for goal in verdict.goals:
        found = tallies[goal.measure]
        value = goal.figure.of(found)
        kind = "" if goal.reached(tallies) else ' class="missed"'
        shown = "too few events" if value is None else goal.shown(value)
        cells = (f"{goal.measure} {goal.figure}", shown, str(goal), str(found.n), goal.source)
        rows.append(f"<tr{kind}>{''.join(f'<td>{escape(cell)}</td>' for cell in cells)}</tr>")
    head = "".join(f"<th>{name}</th>" for name in ("goal", "measured", "wanted", "N", "source"))
    return f"<table><tr>{head}</tr>{''.join(rows)}</table>"


def _call(played: Played) -> str:
    result = played.result
    said = f"{result.duration_s:.1f} s, ended by the {result.ended_by}: {result.end_reason}"
    failures = [one for one in played.observations if is_failure(one)]
    pictures = "".join(f'<div class="call">{_picture(record, played, failures)}</div>' for record in result.streams)
    listed = "".join(f"<li>{one.at_ms} ms: {one.measure}: {escape(one.text)}</li>" for one in failures)
    return (
        f"<h2>{escape(played.scenario.name)}</h2><p>{escape(said)}</p>{pictures}"
        f'<ul class="bad">{listed}</ul>{_turns(played.account.turns)}'
    )


def _turns(turns: Sequence[Mapping[str, Any]]) -> str:
    head = "".join(f"<th>{name}</th>" for name in ("turn", "input", "understood", "heard of the reply", "ms"))
    rows = []
    for turn in turns:
        times = ", ".join(f"{name.removesuffix('_ms')} {ms}" for name, ms in (turn.get("timings") or {}).items())
        heard = f"{turn.get('reply_heard') or ''}{' (interrupted)' if turn.get('interrupted') else ''}"
        cells = (str(turn.get("turn")), str(turn.get("input")), str(turn.get("transcript") or ""), heard, times)
        rows.append(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in cells)}</tr>")
    return f"<details><summary>turns</summary><table><tr>{head}</tr>{''.join(rows)}</table></details>"


def _picture(record: StreamRecord, played: Played, failures: Iterable[Observation]) -> str:
    length_ms = len(record.words) // SAMPLES_PER_MS
    measures = record.measures
    parts = [
        *(f'<path class="tick" d="M{ms // _MS_PER_PX} 0v{_HEIGHT}"/>' for ms in range(0, length_ms, 1000)),
        *(f'<text x="{ms // _MS_PER_PX + 2}" y="9">{ms // 1000} s</text>' for ms in range(0, length_ms, 5000)),
    ]
    for turn, times in zip(record.turns, measures.turns, strict=True):
        gap = "" if times.gap_ms is None else f" ({times.gap_ms} ms until the answer)"
        parts.append(_box("line", times.said, _CALLER_Y, f"{turn.text}{gap}"))
    parts += [_box("utterance", one, _AGENT_Y, f"{one.start_ms} to {one.end_ms} ms") for one in measures.utterances]
    parts += [_wave("caller", record.caller, _CALLER_Y), _wave("agent", record.agent, _AGENT_Y)]
    echoed = (mark.echoed_ms for mark in record.marks)
    parts += [_upright("mark", ms, _AGENT_Y + 18, 14) for ms in echoed if ms is not None]
    parts += [_upright("clear", clear.at // SAMPLES_PER_MS, 10, _STAGES_Y - 12) for clear in record.clears]
    parts += [_triangle(one) for one in failures]
    for told in played.account.turns:
        parts += [_bar(stage) for stage in stages(told, measures.utterances)]
    width = length_ms // _MS_PER_PX + 1
    return f'<svg width="{width}" height="{_HEIGHT}" role="img">{"".join(parts)}</svg>'


def _wave(kind: str, pcm: Pcm, middle: int) -> str:
    """Draw a track as upright strokes, one for each column that isn't silent."""
    return f'<path class="{kind}" d="{"".join(_strokes(pcm, middle))}"/>'


def _strokes(pcm: Pcm, middle: int) -> Iterator[str]:
    columns = pcm[: len(pcm) // _COLUMN * _COLUMN].reshape(-1, _COLUMN).astype(np.int32)
    heights = np.minimum(_HALF, np.round(np.abs(columns).max(axis=1) / FULL_SCALE * _GAIN * _HALF)).astype(int)
    for column in np.flatnonzero(heights).tolist():
        height = int(heights[column])
        yield f"M{column * _COLUMN_PX} {middle - height}v{2 * height}"


def _box(kind: str, span: Span, middle: int, title: str) -> str:
    x, width = span.start_ms // _MS_PER_PX, max(1, (span.end_ms - span.start_ms) // _MS_PER_PX)
    place = f'x="{x}" y="{middle - _HALF}" width="{width}" height="{2 * _HALF}"'
    return f'<rect class="{kind}" {place}><title>{escape(title)}</title></rect>'


def _upright(kind: str, ms: int, top: int, height: int) -> str:
    return f'<path class="{kind}" d="M{ms // _MS_PER_PX} {top}v{height}"><title>{kind} at {ms} ms</title></path>'


def _triangle(one: Observation) -> str:
    x = one.at_ms // _MS_PER_PX
    title = f"{one.measure}: {one.text}"
    return f'<path class="failure" d="M{x - 5} 10h10l-5 9z"><title>{escape(title)}</title></path>'


def _bar(stage: Stage) -> str:
    x, width = stage.start_ms // _MS_PER_PX, max(1, stage.length_ms // _MS_PER_PX)
    y = _STAGES_Y + stage.row * (_STAGE_HEIGHT + 3)
    title = f"{stage.name}: {stage.length_ms} ms"
    place = f'x="{x}" y="{y}" width="{width}" height="{_STAGE_HEIGHT}"'
    return f'<rect class="{stage.name}" {place}><title>{escape(title)}</title></rect>'
