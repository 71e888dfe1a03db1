"""Runs a recorded call again: to prove that the same events bring the same actions, or to see other rules at work.

``reproduce`` gives the call exactly what it was given, ticks and marks included, and compares every action.

``retell`` gives it other rules. What came from outside (the caller's frames and keys) comes when it came. What
answers our own actions is answered anew, in virtual time: an engine takes as long as it took in the recording, a mark
returns when the line has played what stands before it, ticks come when the call's deadline says so. Where the retold
call asks for something that the recording doesn't hold, the nearest thing that it does hold stands in, and a note says
so. After a stream's end the caller is silent, for ``AFTER_S``. A caller of flesh would have answered differently,
and the echo in the caller's frames is that of what was said then: a retelling shows what *we* would have done.

A call of several streams goes on in the next one where the retold stream ends for the reason that the recorded one
ended for: the line broke in mid-talk, or the caller is to be connected to a person. The time that lies between two
streams stays as it was. With any other end the call is over, and a note says what is not retold.
"""

from __future__ import annotations

import heapq
import json
from collections import Counter
from dataclasses import dataclass
from itertools import count
from statistics import median
from typing import Protocol

from telephony_agent.audio import BYTES_PER_MS, FRAME_MS, MULAW_SILENCE, SILENCE_DBOV
from telephony_agent.core.action_summary import Summary, question_of, summarize
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
    Opening,
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
from telephony_agent.core.recorded_call import Line, RecordedCall
from telephony_agent.core.trace import Step, Trace, stand_in

TICK_S = 0.001
"""The least time from one tick to the next, as on a real event loop."""
AFTER_S = 5.0
"""Enough to finish a goodbye, and less than the silence after which we reprompt."""
LATE_S = 1.0
USUAL_ENGINE_S = 0.1
USUAL_MS_PER_CHARACTER = 60
USUAL_LEVEL = 2000
_FROM_OUTSIDE = (
    *(CallBegan, AudioHeard, BeepHeard, AnswererJudged, KeyPressed, CallerLeft, EndRequested, LoadChanged),
)


class ReplayedCounsel(Counsel, Protocol):
    """A counsel that can be told what a call's shell tells it between two streams."""

    def nobody_came(self) -> object:
        """Take note that no person took the call."""
        ...


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


def reproduce(trace: Trace, policy: CallPolicy, counsel: ReplayedCounsel | None = None) -> Retelling:
    """Give the call every recorded event at its recorded time; stop at the first difference."""
    flow = trace.begin(policy, counsel)
    now = 0.0
    for index, step in enumerate(trace.steps):
        now = step.now
        _tell_between(step.event, counsel)
        actions = summarize(flow.handle(step.event, now))
        if actions != step.actions:
            difference = Difference(index, step.event, now, step.actions, actions)
            return Retelling(tuple(flow.account(now)), flow.end_reason, difference)
    return Retelling(tuple(flow.account(now)), flow.end_reason)


def retell(trace: Trace, rules: CallRules, policy: CallPolicy, counsel: ReplayedCounsel | None = None) -> Retelling:
    """Run the call in virtual time under other rules."""
    return _Retold(trace, rules, policy, counsel).run()


def _tell_between(event: Event, counsel: ReplayedCounsel | None) -> None:
    """Tell the counsel what the shell told it before an event; no event of its own says so."""
    if counsel is not None and isinstance(event, CallBegan) and event.opening is Opening.UNTAKEN:
        counsel.nobody_came()


# The retelling


class _Retold:
    """One run of a call in virtual time."""

    def __init__(self, trace: Trace, rules: CallRules, policy: CallPolicy, counsel: ReplayedCounsel | None) -> None:
        self._flow = trace.begin(policy, counsel, rules)
        self._counsel = counsel
        self._streams = trace.streams
        self._recorded = RecordedCall(self._streams)
        self._order = count()
        self._returned: set[str] = set()
        self._notes: Counter[str] = Counter()
        self._now = 0.0
        self._ticked_at = 0.0
        self._late_s = 0.0
        """How much later than in the recording the stream began."""
        self._listen_anew(0)

    def run(self) -> Retelling:
        """Run to the end of the call, or of the recording."""
        for number, steps in enumerate(self._streams):
            if number and not self._goes_on(steps[0].event):
                self._notes["the retold call is over where the recorded one went on in another stream"] += 1
                break
            self._listen_anew(number)
            self._run_stream(steps)
        notes = tuple(f"{note} ({times} times)" if times > 1 else note for note, times in self._notes.items())
        return Retelling(tuple(self._flow.account(self._now)), self._flow.end_reason, notes=notes)

    def _goes_on(self, began: Event) -> bool:
        """Tell whether the call, whose stream has ended, goes on with this one."""
        match began:
            case CallBegan(opening=Opening.RECONNECTED):
                return self._flow.broken_off
            case CallBegan(opening=Opening.UNTAKEN):
                return self._flow.end_reason is EndReason.TRANSFER
        return False

    def _listen_anew(self, stream: int) -> None:
        """Begin with a stream: nothing that was on its way in one before it arrives any more."""
        self._stream = stream
        self._stream_ms = 0
        self._line = Line(self._recorded.lag_s)
        self._later: list[tuple[float, int, Event]] = []

    def _run_stream(self, steps: tuple[Step, ...]) -> None:
        """Run to the end of the stream, or of what is recorded of it."""
        for step in steps:
            if isinstance(step.event, _FROM_OUTSIDE):
                self._schedule(step.now + self._late_s, step.event)
        ends_at = (steps[-1].now if steps else 0.0) + self._late_s
        self._silence_from(ends_at, steps)
        while self._later:
            if not self._tick_before(self._later[0][0]):
                at, _, event = heapq.heappop(self._later)
                if not (isinstance(event, MarkHeard) and event.name in self._returned):
                    self._tell(event, at)
            if self._flow.end_reason is not None:
                break
        if self._now > ends_at + LATE_S:
            self._notes["the recording ends before the retold stream does"] += 1
        self._late_s += self._now - ends_at

    def _silence_from(self, ends_at: float, steps: tuple[Step, ...]) -> None:
        """Let the caller be silent after the end of what is recorded of a stream, and then leave."""
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
        _tell_between(event, self._counsel)
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

    def _apart_s(self, asked_at: float) -> float:
        """How far from now something was asked for in the recording."""
        return abs(asked_at + self._late_s - self._now)

    def _transcribe(self, action: Transcribe) -> None:
        length_ms = len(action.audio) // BYTES_PER_MS
        failure = EngineFailed(action.turn, Stage.TRANSCRIBE, action.attempt)
        known = self._recorded.utterances(self._stream)
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
        question = question_of(action.messages)
        failure = EngineFailed(action.turn, Stage.RESPOND, action.draft, action.draft)
        known = self._recorded.drafts
        if not known:
            self._notes["a reply was asked for, and the recording holds none"] += 1
            self._schedule(self._now + USUAL_ENGINE_S, failure)
            return
        draft = min(
            known,
            key=lambda draft: (
                draft.question[0] != question[0],
                draft.question != question,
                self._apart_s(draft.asked_at),
            ),
        )
        if draft.question[0] != question[0]:
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
        same = [use for use in self._recorded.uses if use.call == call]
        answer: Event = EngineFailed(action.turn, Stage.TOOL, action.number, action.draft)
        after_s = USUAL_ENGINE_S
        if same:
            used = min(same, key=lambda use: self._apart_s(use.asked_at))
            after_s = used.after_s or 0.0
            if used.result is not None:
                answer = ToolReturned(action.turn, action.draft, action.number, used.result)
        else:
            self._notes["a tool was called in a way that the recording doesn't hold"] += 1
        self._schedule(self._now + after_s, answer)

    def _synthesize(self, action: Synthesize) -> None:
        known = self._recorded.phrases
        same = [phrase for phrase in known if phrase.text == action.text]
        if same:
            spoken = min(same, key=lambda phrase: self._apart_s(phrase.asked_at))
            audio, after_s = spoken.audio, spoken.after_s or 0.0
        else:
            self._notes["a phrase's length was reckoned from its letters"] += 1
            after_s = median(phrase.after_s or 0.0 for phrase in known) if known else USUAL_ENGINE_S
            audio = stand_in([USUAL_LEVEL] * max(1, len(action.text) * USUAL_MS_PER_CHARACTER // FRAME_MS))
        failure = EngineFailed(action.turn, Stage.SYNTHESIZE, action.phrase, action.draft)
        answer = failure if audio is None else Synthesized(action.turn, action.draft, action.phrase, audio)
        self._schedule(self._now + after_s, answer)
