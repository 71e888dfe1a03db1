"""A call's trace: everything it was told, when, and what it asked for, as JSON lines; and back.

Whoever has the trace has the call: ``core.replay`` runs it again without engines, line or audio.

======  ================================================================================================
line    holds
======  ================================================================================================
first   ``trace`` (the format's number), the rules, the announcements, the policy's phrases
others  ``now``, one event, the summary of its actions; frames of the caller's run by run in one line
last    ``end`` (why the call ended) and ``turns``, as the call accounted for them; lost with a server
======  ================================================================================================

No audio is in it. The call reads of the caller's audio only speech flag and level, and of our own only its level curve,
which is kept to the unit, so that ``stand_in`` can make audio that weighs the same. Numbers are written in full, and
``now`` is the shell's clock as it was: times from the call's beginning would round differently, and what a call does
hangs on comparisons of times.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, is_dataclass
from itertools import pairwise
from math import floor
from types import MappingProxyType
from typing import Any

from telephony_agent.audio import FRAME_MS, FRAME_SAMPLES, MULAW_SILENCE, decode_mulaw, rms
from telephony_agent.core.action_summary import Summary, has_note, summarize
from telephony_agent.core.call_flow import CallFlow
from telephony_agent.core.call_terms import Announcement, Announcements, CallPolicy, CallRules
from telephony_agent.core.conversation import Conversation, ToolUse, Turn, TurnInput
from telephony_agent.core.counsel import Counsel
from telephony_agent.core.events import (
    Action,
    AnswererJudged,
    AudioHeard,
    BeepHeard,
    CallBegan,
    CallerLeft,
    EndJudged,
    EndReason,
    EndRequested,
    EngineFailed,
    Event,
    KeyPressed,
    LoadChanged,
    MarkHeard,
    Opening,
    ReplyDelta,
    ReplyFinished,
    Stage,
    Synthesized,
    Tick,
    ToolReturned,
    Transcribed,
)
from telephony_agent.core.frame_clock import Frame
from telephony_agent.core.rule_data import as_data, from_data
from telephony_agent.errors import TelephonyAgentError

FORMAT = 2
MAX_RUN = 50
"""Frames in one line: what a crash may cost, in 20 ms."""

EVENTS: Mapping[str, type[Event]] = MappingProxyType(
    {
        kind.__name__: kind
        for kind in (
            *(
                CallBegan,
                BeepHeard,
                AnswererJudged,
                KeyPressed,
                MarkHeard,
                CallerLeft,
                EndRequested,
                LoadChanged,
                Transcribed,
                EndJudged,
            ),
            *(ReplyDelta, ReplyFinished, ToolReturned, Synthesized, EngineFailed, Tick),
        )
    }
)


class TraceError(TelephonyAgentError):
    """A trace can't be read; the message names the line."""

    code = "trace"


@dataclass(frozen=True, slots=True)
class TraceHeader:
    """What a call was given before it began. ``policy`` is the fields of the policy, where it is a dataclass."""

    rules: CallRules
    announcements: Announcements
    policy: Mapping[str, Any]
    counsel: Mapping[str, Any] = field(default_factory=dict)
    """What the counsel was told before the call; empty where there was none."""


@dataclass(frozen=True, slots=True)
class Step:
    """One event, when it was handled, and what the call asked for."""

    event: Event
    now: float
    actions: tuple[Summary, ...]


@dataclass(frozen=True, slots=True)
class Trace:
    """One recorded call. ``turns`` is None when the end of the call wasn't recorded."""

    header: TraceHeader
    steps: tuple[Step, ...]
    turns: tuple[Turn, ...] | None = None

    @property
    def streams(self) -> tuple[tuple[Step, ...], ...]:
        """The steps of each of the call's streams, one at least: a further ``CallBegan`` begins a further one."""
        began = [i for i, step in enumerate(self.steps) if isinstance(step.event, CallBegan)]
        return tuple(self.steps[start:end] for start, end in pairwise([0, *began[1:], len(self.steps)]))

    @property
    def takes_notes(self) -> bool:
        """Whether the model was given the counsel's notes; one that was never given any would be asked no other way."""
        return any(has_note(action) for step in self.steps for action in step.actions)

    def begin(self, policy: CallPolicy, counsel: Counsel | None = None, rules: CallRules | None = None) -> CallFlow:
        """Return the call as it was before its first event, with other rules if some are given.

        The prompt and the fit of the history to the model's window are the responder's; nothing here needs them.
        """
        conversation = Conversation("", budget=1, count=lambda _: 0, takes_notes=self.takes_notes)
        header = self.header
        return CallFlow(rules or header.rules, header.announcements, conversation, policy, counsel)


def header_of(
    rules: CallRules,
    announcements: Announcements,
    policy: CallPolicy,
    counsel: Mapping[str, Any] = MappingProxyType({}),
) -> TraceHeader:
    """Return the header of the calls that are begun with these terms."""
    phrases: Any = policy
    told = is_dataclass(phrases) and not isinstance(phrases, type)
    return TraceHeader(rules, announcements, asdict(phrases) if told else {}, counsel)


# Audio


def level_curve(audio: bytes) -> list[int]:
    """Return the RMS of each frame of mu-law."""
    return [rms(decode_mulaw(audio[i : i + FRAME_SAMPLES])) for i in range(0, len(audio), FRAME_SAMPLES)]


def stand_in(curve: Iterable[int]) -> bytes:
    """Return mu-law frames of exactly these levels: the sum of squares is paid out in samples, the largest first."""
    coins = sorted(
        ((int.from_bytes(decode_mulaw(bytes([code])), "little", signed=True), code) for code in range(128, 256)),
        reverse=True,
    )
    return b"".join(_frame_of(level, coins) for level in curve)


def _frame_of(level: int, coins: Sequence[tuple[int, int]]) -> bytes:
    # RMS is rounded down, so half a unit more is the middle of what counts as this level.
    sum_of_squares = FRAME_SAMPLES * (level + 0.5) ** 2
    samples = bytearray()
    for value, code in coins:
        if 0 < value**2 <= sum_of_squares:
            count = min(floor(sum_of_squares / value**2), FRAME_SAMPLES - len(samples))
            samples += bytes([code]) * count
            sum_of_squares -= count * value**2
    return bytes(samples).ljust(FRAME_SAMPLES, MULAW_SILENCE[:1])


# Writing


class TraceEncoder:
    """Turns one call's steps into lines, in order. Frames in a row that ask for nothing share a line."""

    def __init__(self) -> None:
        self._run: list[Step] = []

    def header(self, header: TraceHeader) -> str:
        """Return the first line.

        Raises:
            RuleError: the rules can't be told as data.
        """
        announcements: dict[str, Any] = {}
        for each in fields(Announcements):
            words = getattr(header.announcements, each.name)
            if isinstance(words, tuple):
                announcements[each.name] = [_announcement(one) for one in words]
            elif words is not None:
                announcements[each.name] = _announcement(words)
        return _line(
            {
                "trace": FORMAT,
                "rules": as_data(header.rules),
                "announcements": announcements,
                "policy": dict(header.policy),
                "counsel": dict(header.counsel),
            }
        )

    def step(self, event: Event, now: float, actions: Iterable[Action]) -> list[str]:
        """Take one step; return the lines that are complete, which may be none."""
        step = Step(event, now, summarize(actions))
        lines: list[str] = []
        if not isinstance(event, AudioHeard):
            lines += self._flush()
            lines.append(_line({"now": now, "event": type(event).__name__} | _event_data(event) | _asked(step)))
            return lines
        if self._run and not _follows(self._run[-1].event, event):
            lines += self._flush()
        self._run.append(step)
        if step.actions or len(self._run) >= MAX_RUN:
            lines += self._flush()
        return lines

    def end(self, reason: EndReason, turns: Sequence[Turn]) -> list[str]:
        """Return the last lines."""
        return [*self._flush(), _line({"end": reason.value, "turns": [asdict(turn) for turn in turns]})]

    def _flush(self) -> list[str]:
        run, self._run = self._run, []
        if not run:
            return []
        heard = [step.event for step in run if isinstance(step.event, AudioHeard)]
        data = {
            "heard": heard[0].frame.timestamp_ms,
            "flags": "".join(str(event.speech + 2 * event.frame.filled) for event in heard),
            "level": [event.level_dbov for event in heard],
            "now": [step.now for step in run],
        }
        return [_line(data | _asked(run[-1]))]


def _follows(last: Event, event: AudioHeard) -> bool:
    return isinstance(last, AudioHeard) and event.frame.timestamp_ms == last.frame.timestamp_ms + FRAME_MS


def _event_data(event: Event) -> dict[str, Any]:
    values = {field.name: getattr(event, field.name) for field in fields(event)}
    if isinstance(event, Synthesized):
        values["audio"] = level_curve(event.audio)
    return values


def _asked(step: Step) -> dict[str, Any]:
    return {"actions": step.actions} if step.actions else {}


def _announcement(announcement: Announcement) -> dict[str, Any]:
    return {"text": announcement.text, "audio": level_curve(announcement.audio)}


def _line(data: dict[str, Any]) -> str:
    return json.dumps(data, ensure_ascii=False, separators=(",", ":")) + "\n"


# Reading


def read_trace(lines: Iterable[str]) -> Trace:
    """Read a trace. A last line that was cut short is passed over: the server was.

    Raises:
        TraceError: a line isn't what it should be.
        RuleError: the rules name something that this version doesn't know.
    """
    read = list(enumerate(lines, 1))
    records: list[tuple[int, dict[str, Any]]] = []
    for number, line in read:
        try:
            records.append((number, json.loads(line)))
        except ValueError as error:
            if number == len(read) > 1:
                break
            raise TraceError(f"line {number}: not JSON") from error
    if not records or not isinstance(records[0][1], dict) or records[0][1].get("trace") != FORMAT:
        raise TraceError(f"line 1: not the header of a trace of format {FORMAT}")
    steps: list[Step] = []
    turns: tuple[Turn, ...] | None = None
    header = _read_header(records[0][1])
    for number, record in records[1:]:
        try:
            if "end" in record:
                turns = tuple(_turn(data) for data in record["turns"])
            else:
                steps += _steps(record)
        except (KeyError, TypeError, ValueError) as error:
            raise TraceError(f"line {number}: not a step of a call: {error!r}") from error
    return Trace(header, tuple(steps), turns)


def _read_header(record: dict[str, Any]) -> TraceHeader:
    def words(data: dict[str, Any]) -> Announcement:
        return Announcement(data["text"], stand_in(data["audio"]))

    try:
        announcements: dict[str, Any] = {
            name: tuple(words(each) for each in data) if isinstance(data, list) else words(data)
            for name, data in record["announcements"].items()
        }
        return TraceHeader(
            from_data(record["rules"]), Announcements(**announcements), record["policy"], record["counsel"]
        )
    except (AttributeError, KeyError, TypeError) as error:
        raise TraceError(f"line 1: not a header: {error!r}") from error


def _steps(record: dict[str, Any]) -> Iterator[Step]:
    actions = tuple(tuple(summary) for summary in record.pop("actions", ()))
    if "heard" in record:
        run = list(zip(record["now"], record["flags"], record["level"], strict=True))
        for i, (now, flag, level) in enumerate(run):
            frame = Frame(record["heard"] + i * FRAME_MS, MULAW_SILENCE, filled=int(flag) >= 2)
            event = AudioHeard(frame, speech=bool(int(flag) & 1), level_dbov=level)
            yield Step(event, now, actions if i == len(run) - 1 else ())
    else:
        now = record.pop("now")
        yield Step(_event(EVENTS[record.pop("event")], record), now, actions)


def _event(kind: type[Event], data: dict[str, Any]) -> Event:
    if kind is Synthesized:
        data["audio"] = stand_in(data["audio"])
    elif kind is EngineFailed:
        data["stage"] = Stage(data["stage"])
    elif kind is EndRequested:
        data["reason"] = EndReason(data["reason"])
    elif kind is CallBegan and "opening" in data:
        data["opening"] = Opening(data["opening"])
    return kind(**data)


def _turn(data: dict[str, Any]) -> Turn:
    tools = [ToolUse(**use) for use in data.get("tools", ())]
    return Turn(**(data | {"input": TurnInput(data["input"]), "tools": tools}))
