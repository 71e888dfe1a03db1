"""What a recorded call knows of its outside: what engines and tools made of what they were asked, and how the line was.

A ``RecordedCall`` reads the steps of all of a call's streams. Each question (a transcript, a reply, a phrase, a tool's
call) is kept with what came of it and after what time; ``core.replay`` answers a retold call's questions from there.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from statistics import median

from telephony_agent.audio import BYTES_PER_MS, FRAME_MS
from telephony_agent.core.action_summary import Summary
from telephony_agent.core.events import (
    AudioHeard,
    EndJudged,
    EngineFailed,
    Event,
    MarkHeard,
    ReplyDelta,
    ReplyFinished,
    Stage,
    Synthesized,
    ToolReturned,
    Transcribed,
)
from telephony_agent.core.trace import Step

USUAL_LAG_S = 0.05
"""How late a mark comes back, where the recording doesn't tell."""


@dataclass(slots=True)
class Utterance:
    """A transcription that was asked for: which audio, by its stream's clock, when, and what came of it."""

    stream: int
    end_ms: int
    length_ms: int
    asked_at: float
    text: str | None = None
    after_s: float | None = None

    def distance_ms(self, end_ms: int, length_ms: int) -> int:
        """How far its edges are from those of another utterance, in sum."""
        return abs(self.end_ms - end_ms) + abs((self.end_ms - self.length_ms) - (end_ms - length_ms))


@dataclass(slots=True)
class Draft:
    """A reply that was asked for, and how it came, piece by piece."""

    question: tuple[str, ...]
    """The words that it answers, and the note that the model got with them, if any."""
    asked_at: float
    judged: tuple[float, float] | None = None
    """When the caller's message was judged to end, and how probable that was."""
    pieces: list[tuple[float, str]] = field(default_factory=list)
    after_s: float | None = None
    failed: bool = False


@dataclass(slots=True)
class Used:
    """A tool that was called, and what it returned; None where it failed."""

    call: tuple[str, str]
    asked_at: float
    result: str | None = None
    after_s: float | None = None


@dataclass(slots=True)
class Spoken:
    """A phrase that was asked for, and its audio; None where it failed."""

    text: str
    asked_at: float
    audio: bytes | None = None
    after_s: float | None = None


class RecordedCall:
    """What engines, tools and line did in a recorded call."""

    def __init__(self, streams: Sequence[Sequence[Step]]) -> None:
        """Read the steps of the call, stream by stream."""
        self._utterances: dict[tuple[int, int], Utterance] = {}
        self._drafts: dict[int, Draft] = {}
        self._phrases: dict[tuple[int, int], Spoken] = {}
        self._uses: dict[tuple[int, int], Used] = {}
        lags: list[float] = []
        for stream, steps in enumerate(streams):
            lags += self._read(stream, steps)
        self.lag_s = max(0.0, median(lags)) if lags else USUAL_LAG_S
        """How much later a mark came back than the line had played what stands before it."""

    def utterances(self, stream: int) -> list[Utterance]:
        """Return those of a stream that have an outcome; each stream has a clock of its own."""
        return [one for one in self._utterances.values() if one.stream == stream and one.after_s is not None]

    @property
    def drafts(self) -> list[Draft]:
        """Those that came to an end."""
        return [draft for draft in self._drafts.values() if draft.after_s is not None]

    @property
    def uses(self) -> list[Used]:
        """Those with an outcome."""
        return [use for use in self._uses.values() if use.after_s is not None]

    @property
    def phrases(self) -> list[Spoken]:
        """Those with an outcome."""
        return [phrase for phrase in self._phrases.values() if phrase.after_s is not None]

    def _read(self, stream: int, steps: Sequence[Step]) -> list[float]:
        """Read one stream; return how late each of its marks came back."""
        line = Line(lag_s=0.0)
        lags: list[float] = []
        expected: dict[str, float] = {}
        stream_ms = 0
        for step in steps:
            if isinstance(step.event, AudioHeard):
                stream_ms = step.event.frame.timestamp_ms + FRAME_MS
            if isinstance(step.event, MarkHeard) and step.event.name in expected:
                lags.append(step.now - expected.pop(step.event.name))
            with suppress(KeyError):  # an answer to what the recording doesn't hold the question of
                self._take(step.event, step.now)
            for action in step.actions:
                self._note(action, step.now, stream, stream_ms)
                match action:
                    case ("media", int(length)):
                        line.play(length, step.now)
                    case ("mark", str(name)):
                        expected[name] = line.pass_mark(name, step.now)
                    case ("clear",):
                        line.clear(step.now)
                        expected.clear()
        return lags

    def _note(self, action: Summary, now: float, stream: int, stream_ms: int) -> None:
        match action:
            case ("transcribe", int(turn), int(attempt), int(length)):
                self._utterances[turn, attempt] = Utterance(stream, stream_ms, length // BYTES_PER_MS, now)
            case ("respond", int(), int(draft), *question):
                self._drafts[draft] = Draft(tuple(map(str, question)), now)
            case ("synthesize", int(), int(draft), int(phrase), str(text)):
                self._phrases[draft, phrase] = Spoken(text, now)
            case ("use_tool", int(turn), int(), int(number), str(name), str(arguments)):
                self._uses[turn, number] = Used((name, arguments), now)

    def _take(self, event: Event, now: float) -> None:
        match event:
            case Transcribed(turn, attempt, text):
                utterance = self._utterances[turn, attempt]
                utterance.text, utterance.after_s = text, now - utterance.asked_at
            case EndJudged(_, draft, probability):
                self._drafts[draft].judged = now - self._drafts[draft].asked_at, probability
            case ReplyDelta(_, draft, text):
                self._drafts[draft].pieces.append((now - self._drafts[draft].asked_at, text))
            case ReplyFinished(_, draft):
                self._drafts[draft].after_s = now - self._drafts[draft].asked_at
            case Synthesized(_, draft, phrase, audio):
                spoken = self._phrases[draft, phrase]
                spoken.audio, spoken.after_s = audio, now - spoken.asked_at
            case EngineFailed(turn, Stage.TRANSCRIBE, attempt):
                self._utterances[turn, attempt].after_s = now - self._utterances[turn, attempt].asked_at
            case EngineFailed(_, Stage.RESPOND, draft):
                self._drafts[draft].failed = True
                self._drafts[draft].after_s = now - self._drafts[draft].asked_at
            case ToolReturned(turn, _, number, result):
                used = self._uses[turn, number]
                used.result, used.after_s = result, now - used.asked_at
            case EngineFailed(turn, Stage.TOOL, number):
                self._uses[turn, number].after_s = now - self._uses[turn, number].asked_at
            case EngineFailed(_, Stage.SYNTHESIZE, phrase, draft):
                self._phrases[draft, phrase].after_s = now - self._phrases[draft, phrase].asked_at


class Line:
    """The carrier's playout: plays one second a second, returns a mark when it has passed it, all of them on clear."""

    def __init__(self, lag_s: float) -> None:
        self._lag_s = lag_s
        self._ends_at = 0.0
        self._marks: dict[str, float] = {}

    def play(self, length: int, now: float) -> None:
        """Take mu-law bytes."""
        self._ends_at = max(now, self._ends_at) + length / BYTES_PER_MS / 1000

    def pass_mark(self, name: str, now: float) -> float:
        """Take a mark; return when it comes back."""
        self._marks[name] = max(now, self._ends_at) + self._lag_s
        return self._marks[name]

    def clear(self, now: float) -> list[tuple[float, str]]:
        """Forget the audio; return the marks that come back for it, and when."""
        marks = [name for name, at in self._marks.items() if at > now]
        self._marks.clear()
        self._ends_at = now
        return [(now + self._lag_s, name) for name in marks]
