"""What is kept of a call beside the call itself: its log, its share of the metrics, its trace, its recording.

A ``Watch`` is how a server watches its calls; a ``CallWatch`` watches one of them. Nothing here changes a call.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from telephony_agent.core.conversation import Turn
from telephony_agent.core.events import Action, AudioHeard, EndReason, Event, ReplyDelta, SendMedia, Tick
from telephony_agent.live.call_book import CallBook
from telephony_agent.live.call_recording import CallRecording
from telephony_agent.live.trace_file import CallTrace, TraceFolder
from telephony_agent.store import Recorder, Recordings
from telephony_agent.telemetry import Metrics

if TYPE_CHECKING:
    from loguru import Logger


@dataclass(frozen=True, slots=True)
class Watch:
    """How a server watches its calls.

    ``log_words``: whether the log may hold what was said. ``recordings``: where calls are recorded; None: they aren't.
    """

    metrics: Metrics = field(default_factory=Metrics)
    traces: TraceFolder | None = None
    log_words: bool = False
    recorder: Recorder | None = None
    recordings: Recordings | None = None


class CallWatch:
    """Watches one call, from its first event to its end."""

    def __init__(
        self,
        watch: Watch,
        log: Logger,
        trace: CallTrace | None = None,
        book: CallBook | None = None,
        recording: CallRecording | None = None,
    ) -> None:
        """Begin with the call's first stream, and a log that is bound to both."""
        self._book = book
        self._metrics = watch.metrics
        self._log_words = watch.log_words
        self._trace = trace
        self._reported = -1
        self._interrupted = 0
        self.stream_began(log, recording)

    def stream_began(self, log: Logger, recording: CallRecording | None) -> None:
        """Go on with a stream of the call, and a log that is bound to it; each stream has a recording of its own."""
        self.log = log
        self._recording = recording
        self._metrics.calls_live.inc()

    def step(self, event: Event, now: float, actions: Sequence[Action]) -> None:
        """Take note of an event and of what the call asks for, before it is done."""
        if self._trace is not None:
            self._trace.step(event, now, actions)
        if self._recording is not None:
            self._recording.step(event, now, actions)
        if not isinstance(event, AudioHeard | Tick | ReplyDelta):
            self._note("Event", event)
        for action in actions:
            if not isinstance(action, SendMedia):
                self._note("Action", action)

    def turns(self, turns: Sequence[Turn]) -> None:
        """Tell where the time of the newest turn went, once its answer begins."""
        if self._book is not None:
            self._book.turns(turns)
        turn = turns[-1] if turns else None
        if turn is not None and turn.number > self._reported and "turn_gap_ms" in turn.timings:
            self._reported = turn.number
            self.log.bind(turn=turn.number, **turn.timings).info("Turn answered")
            self._metrics.turn_answered(turn.timings)
            self._count_barge_ins(turns)

    def stream_ended(self, reason: EndReason, *, lost_ms: int) -> None:
        """Take note that a stream is over; the call may go on in another."""
        self._metrics.calls_live.dec()
        if self._recording is not None:
            self._recording.close()
            self._recording = None
        self.log.bind(reason=reason.value, lost_ms=lost_ms).info("Stream ended")

    def ended(self, reason: EndReason, turns: Sequence[Turn]) -> None:
        """Take note of the call's end."""
        self._count_barge_ins(turns)
        self._metrics.calls_ended.labels(reason.value).inc()
        if self._trace is not None:
            self._trace.end(reason, turns)
        self.log.bind(reason=reason.value).info("Call ended")

    def _count_barge_ins(self, turns: Sequence[Turn]) -> None:
        interrupted = sum(turn.interrupted for turn in turns)
        self._metrics.barge_ins.inc(interrupted - self._interrupted)
        self._interrupted = interrupted

    def _note(self, kind: str, what: Event | Action) -> None:
        """Log one step of the call; what was said only where that is switched on."""
        bound = self.log.bind(step=type(what).__name__)
        if (turn := getattr(what, "turn", None)) is not None:
            bound = bound.bind(turn=turn)
        (bound.bind(words=repr(what)) if self._log_words else bound).debug(kind)
