"""Runs a recorded call again: to prove that the same events bring the same actions, or to see other rules at work.

``reproduce`` gives the call exactly what it was given, ticks and marks included, and compares every action.

``retell`` gives it other rules. What came from outside (the caller's frames and keys) comes when it came. What
answers our own actions is answered anew, in virtual time: an engine takes as long as it took in the recording, a mark
returns when the line has played what stands before it, ticks come when the call's deadline says so. Where the retold
call asks for something that the recording doesn't hold, the nearest thing that it does hold stands in, and a note says
so. After the recording's end the caller is silent, for ``AFTER_S``. A caller of flesh would have answered differently,
and the echo in the caller's frames is that of what was said then: a retelling shows what *we* would have done.
"""

from __future__ import annotations

import heapq
import json
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count
from statistics import median

from telephony_agent.audio import BYTES_PER_MS, FRAME_MS, MULAW_SILENCE, SILENCE_DBOV
from telephony_agent.core.call_terms import CallPolicy, CallRules
from telephony_agent.core.conversation import Turn
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
    ReplyDelta,
    ReplyFinished,
    Respond,
    SendClear,
    SendMark,
    SendMedia,
    Stage,
    Synthesize,
    Synthesized,
    Tick,
    ToolReturned,
    Transcribe,
    Transcribed,
    UseTool,
)
from telephony_agent.core.frame_clock import Frame
from telephony_agent.core.trace import Step, Summary, Trace, stand_in, summarize

TICK_S = 0.001
"""The least time from one tick to the next, as on a real event loop."""
AFTER_S = 5.0
"""Enough to finish a goodbye, and less than the silence after which we reprompt."""
LATE_S = 1.0
USUAL_LAG_S = 0.05
USUAL_ENGINE_S = 0.1
USUAL_MS_PER_CHARACTER = 60
USUAL_LEVEL = 2000
_FROM_OUTSIDE = (
    *(CallBegan, AudioHeard, BeepHeard, AnswererJudged, KeyPressed, CallerLeft, EndRequested, LoadChanged),
)


@dataclass(frozen=True, slots=True)
class Difference:
    """The first step whose actions are not those that were recorded."""

    index: int
    event: Event
    now: float
    recorded: tuple[Summary, ...]
    replayed: tuple[Summary, ...]


@dataclass(frozen=True, slots=True)
class Retelling:
    """A call as it went this time: ``difference`` is ``reproduce``'s, ``notes`` say what ``retell`` had to invent."""

    turns: tuple[Turn, ...]
    end_reason: EndReason | None
    difference: Difference | None = None
    notes: tuple[str, ...] = ()


def reproduce(trace: Trace, policy: CallPolicy, counsel: Counsel | None = None) -> Retelling:
    """Give the call every recorded event at its recorded time; stop at the first difference."""
    flow = trace.header.begin(policy, counsel)
    now = 0.0
    for index, step in enumerate(trace.steps):
        now = step.now
        actions = summarize(flow.handle(step.event, now))
        if actions != step.actions:
            difference = Difference(index, step.event, now, step.actions, actions)
            return Retelling(tuple(flow.account(now)), flow.end_reason, difference)
    return Retelling(tuple(flow.account(now)), flow.end_reason)


def retell(trace: Trace, rules: CallRules, policy: CallPolicy, counsel: Counsel | None = None) -> Retelling:
    """Run the call in virtual time under other rules."""
    return _Retold(trace, rules, policy, counsel).run()


# The retelling


class _Retold:
    """One run of a call in virtual time."""

    def __init__(self, trace: Trace, rules: CallRules, policy: CallPolicy, counsel: Counsel | None) -> None:
        self._flow = trace.header.begin(policy, counsel, rules)
        self._recording = RecordedCall(trace.streams)
        self._line = _Line(self._recording.lag_s)
        self._order = count()
        self._later: list[tuple[float, int, Event]] = []
        self._returned: set[str] = set()
        self._notes: Counter[str] = Counter()
        self._stream_ms = 0
        self._now = 0.0
        self._ticked_at = 0.0
        for step in trace.steps:
            if isinstance(step.event, _FROM_OUTSIDE):
                self._schedule(step.now, step.event)
        self._ends_at = trace.steps[-1].now if trace.steps else 0.0
        self._silence_from(self._ends_at, trace.steps)

    def run(self) -> Retelling:
        """Run to the end of the call, or of the recording."""
        flow = self._flow
        while flow.end_reason is None and self._later:
            if self._tick_before(self._later[0][0]):
                continue
            at, _, event = heapq.heappop(self._later)
            if not (isinstance(event, MarkHeard) and event.name in self._returned):
                self._tell(event, at)
        if self._now > self._ends_at + LATE_S:
            self._notes["the recording ends before the retold call does"] += 1
        notes = tuple(f"{note} ({times} times)" if times > 1 else note for note, times in self._notes.items())
        return Retelling(tuple(flow.account(self._now)), flow.end_reason, notes=notes)

    def _silence_from(self, ends_at: float, steps: tuple[Step, ...]) -> None:
        """Let the caller be silent after the recording's end, and then leave."""
        heard = [step.event.frame.timestamp_ms for step in steps if isinstance(step.event, AudioHeard)]
        for i in range(1, round(AFTER_S * 1000 / FRAME_MS)):
            frame = Frame((heard[-1] if heard else 0) + i * FRAME_MS, MULAW_SILENCE)
            self._schedule(ends_at + i * FRAME_MS / 1000, AudioHeard(frame, speech=False, level_dbov=SILENCE_DBOV))
        self._schedule(ends_at + AFTER_S, CallerLeft(stopped=True))

    def _tick_before(self, next_at: float) -> bool:
        """Tick, if the call's deadline comes before the next event."""
        deadline = self._flow.deadline()
        if deadline is None:
            return False
        at = max(deadline, self._now, self._ticked_at + TICK_S)
        if at > next_at:
            return False
        self._ticked_at = at
        self._tell(Tick(), at)
        return True

    def _tell(self, event: Event, now: float) -> None:
        self._now = now
        if isinstance(event, AudioHeard):
            self._stream_ms = event.frame.timestamp_ms + FRAME_MS
        elif isinstance(event, MarkHeard):
            self._returned.add(event.name)
        for action in self._flow.handle(event, now):
            self._perform(action)

    def _schedule(self, at: float, event: Event) -> None:
        heapq.heappush(self._later, (at, next(self._order), event))

    def _perform(self, action: Action) -> None:
        match action:
            case SendMedia(payload):
                self._line.play(len(payload), self._now)
            case SendMark(name):
                self._schedule(self._line.pass_mark(name, self._now), MarkHeard(name))
            case SendClear():
                for at, name in self._line.clear(self._now):
                    self._schedule(at, MarkHeard(name))
            case Transcribe():
                self._transcribe(action)
            case Respond():
                self._respond(action)
            case Synthesize():
                self._synthesize(action)
            case UseTool():
                self._use_tool(action)

    def _transcribe(self, action: Transcribe) -> None:
        length_ms = len(action.audio) // BYTES_PER_MS
        failure = EngineFailed(action.turn, Stage.TRANSCRIBE, action.attempt)
        known = self._recording.utterances
        if not known:
            self._notes["a transcript was asked for, and the recording holds none"] += 1
            self._schedule(self._now + USUAL_ENGINE_S, failure)
            return
        nearest = min(known, key=lambda utterance: utterance.distance_ms(self._stream_ms, length_ms))
        if nearest.distance_ms(self._stream_ms, length_ms):
            self._notes["a transcript is that of the nearest recorded utterance"] += 1
        answer = failure if nearest.text is None else Transcribed(action.turn, action.attempt, nearest.text)
        self._schedule(self._now + (nearest.after_s or 0.0), answer)

    def _respond(self, action: Respond) -> None:
        words = action.messages[-1]["content"]
        failure = EngineFailed(action.turn, Stage.RESPOND, action.draft, action.draft)
        known = self._recording.drafts
        if not known:
            self._notes["a reply was asked for, and the recording holds none"] += 1
            self._schedule(self._now + USUAL_ENGINE_S, failure)
            return
        draft = min(known, key=lambda draft: (draft.words != words, abs(draft.asked_at - self._now)))
        if draft.words != words:
            self._notes["a reply is that to the nearest words that were answered"] += 1
        if action.judge_end and draft.judged is not None:
            after_s, probability = draft.judged
            self._schedule(self._now + after_s, EndJudged(action.turn, action.draft, probability))
        for after_s, text in draft.pieces:
            self._schedule(self._now + after_s, ReplyDelta(action.turn, action.draft, text))
        end = failure if draft.failed else ReplyFinished(action.turn, action.draft)
        self._schedule(self._now + (draft.after_s or 0.0), end)

    def _use_tool(self, action: UseTool) -> None:
        call = (action.name, json.dumps(dict(action.arguments), ensure_ascii=False))
        same = [use for use in self._recording.uses if use.call == call]
        answer: Event = EngineFailed(action.turn, Stage.TOOL, action.number, action.draft)
        after_s = USUAL_ENGINE_S
        if same:
            used = min(same, key=lambda use: abs(use.asked_at - self._now))
            after_s = used.after_s or 0.0
            if used.result is not None:
                answer = ToolReturned(action.turn, action.draft, action.number, used.result)
        else:
            self._notes["a tool was called in a way that the recording doesn't hold"] += 1
        self._schedule(self._now + after_s, answer)

    def _synthesize(self, action: Synthesize) -> None:
        known = self._recording.phrases
        same = [phrase for phrase in known if phrase.text == action.text]
        if same:
            spoken = min(same, key=lambda phrase: abs(phrase.asked_at - self._now))
            audio, after_s = spoken.audio, spoken.after_s or 0.0
        else:
            self._notes["a phrase's length was reckoned from its letters"] += 1
            after_s = median(phrase.after_s or 0.0 for phrase in known) if known else USUAL_ENGINE_S
            audio = stand_in([USUAL_LEVEL] * max(1, len(action.text) * USUAL_MS_PER_CHARACTER // FRAME_MS))
        failure = EngineFailed(action.turn, Stage.SYNTHESIZE, action.phrase, action.draft)
        answer = failure if audio is None else Synthesized(action.turn, action.draft, action.phrase, audio)
        self._schedule(self._now + after_s, answer)
