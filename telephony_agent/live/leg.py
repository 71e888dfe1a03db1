"""One media stream's shell: wire text in, wire text out, one CallFlow, one timer.

A frame crosses without a queue or a task switch: text -> ``MediaStream`` -> ``FrameClock`` -> detector -> ``CallFlow``
-> actions, which are carried out here. Engine work goes to the lanes and comes back as events. What happens is told to
the call's watch, which logs, counts and traces it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from functools import partial
from typing import assert_never

from telephony_agent.audio import SAMPLE_RATE, decode_mulaw, level_dbov
from telephony_agent.core.beep import BeepDetector
from telephony_agent.core.call_flow import CallFlow
from telephony_agent.core.events import (
    Action,
    AnswererJudged,
    AudioHeard,
    BeepHeard,
    CallBegan,
    CallerLeft,
    CancelReply,
    EndJudged,
    EndReason,
    EngineFailed,
    Event,
    HangUp,
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
    Transcribe,
    Transcribed,
    UseTool,
)
from telephony_agent.core.frame_clock import FrameClock
from telephony_agent.core.media_stream import (
    Connected,
    Dtmf,
    MarkReturned,
    Media,
    MediaStream,
    Started,
    Stopped,
    Unknown,
)
from telephony_agent.engines.base import ReplySession, Transcript
from telephony_agent.live.engine_room import EngineRoom, speak
from telephony_agent.live.lanes import Job
from telephony_agent.live.watch import CallWatch


class Leg:
    """The party whose media stream we serve, from ``start`` to hang-up. Lives on the event loop."""

    def __init__(
        self,
        stream: MediaStream,
        flow: CallFlow,
        room: EngineRoom,
        session: ReplySession,
        *,
        send: Callable[[str], None],
        hang_up: Callable[[EndReason], None],
        watch: CallWatch,
        opening: Opening = Opening.GREETING,
        answered_by: str = "",
        hears_beeps: bool = False,
    ) -> None:
        """Take over a stream that has started.

        Args:
            send: queues one message for the socket.
            hang_up: called once, when nothing more will be sent.
            watch: keeps the call's log, metrics and trace.
            opening: what is said first.
            answered_by: whom the carrier takes for having answered, if it has said so already.
            hears_beeps: whether a beep is listened for where it would tell something.
        """
        self._opening = opening
        self._answered_by = answered_by
        self._hears_beeps = hears_beeps
        self.flow = flow
        self._stream = stream
        self._room = room
        self._session = session
        self._send = send
        self._hang_up = hang_up
        self._watch = watch
        self._log = watch.log
        self._detector = room.engines.new_detector()
        self._clock = FrameClock()
        self._beeps = BeepDetector()
        # By turn for transcripts, by draft for replies.
        self._jobs: dict[tuple[Stage, int], list[Job]] = {}
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._armed_for: float | None = None
        self._busy = False
        self._over = False

    def begin(self) -> None:
        """Speak first."""
        self.tell(CallBegan(time.time(), self._opening))
        if self._answered_by:
            self.tell(AnswererJudged(self._answered_by))

    def receive(self, text: str) -> None:
        """Take one message from the socket.

        Raises:
            RemoteProtocolError: it breaks the protocol; the caller closes the socket.
        """
        event = self._stream.receive(text)
        match event:
            case Media(timestamp_ms, payload):
                for frame in self._clock.push(timestamp_ms, payload):
                    pcm = decode_mulaw(frame.mulaw)
                    speech = not frame.filled and self._detector.is_speech(pcm)
                    self.tell(AudioHeard(frame, speech, level_dbov(pcm)))
                    if self._hears_beeps and self.flow.listens_for_beeps and self._beeps.hear(pcm):
                        self.tell(BeepHeard())
            case MarkReturned(name):
                self.tell(MarkHeard(name))
            case Dtmf(digit):
                self.tell(KeyPressed(digit))
            case Stopped():
                self.tell(CallerLeft(stopped=True))
            case Unknown(name):
                self._log.bind(event=name).debug("Unknown message ignored")
            case Connected() | Started():
                pass  # MediaStream refuses both once it streams
            case _:
                assert_never(event)

    def lose_line(self) -> None:
        """The socket is gone without a ``stop``."""
        self.tell(CallerLeft(stopped=False))

    def tell(self, event: Event) -> None:
        """Give the flow an event and do what it asks for."""
        if self._over:
            return
        try:
            actions = self._decide(event)
            for action in actions:
                self._perform(action)
            self._watch.turns(self.flow.conversation.turns)
            self._arm()
        except Exception:  # the leg's outermost edge: whatever happens, only this call ends
            self._log.exception("A call was ended by a fault of ours")
            self._close(EndReason.FAULT)

    def _decide(self, event: Event) -> list[Action]:
        now = self._loop.time()
        actions: list[Action] = []
        try:
            actions = self.flow.handle(event, now)
        finally:
            # An event that the flow can't stomach is the one that its trace must have.
            self._watch.step(event, now, actions)
        return actions

    def _perform(self, action: Action) -> None:
        match action:
            case SendMedia(payload):
                self._send(self._stream.media(payload))
            case SendMark(name):
                self._send(self._stream.mark(name))
            case SendClear():
                self._send(self._stream.clear())
            case Transcribe():
                self._transcribe(action)
            case Respond():
                self._respond(action)
            case Synthesize():
                self._synthesize(action)
            case UseTool():
                self._room.tools.use(action, self.tell)
            case CancelReply(draft=draft):
                self._cancel(Stage.RESPOND, draft)
                self._cancel(Stage.SYNTHESIZE, draft)
            case HangUp(reason):
                self._close(reason)
            case _:
                assert_never(action)

    # ------------------------------------------------------------------ engine work

    def _transcribe(self, action: Transcribe) -> None:
        def work(job: Job) -> None:
            job.emit(self._room.engines.transcriber.transcribe(decode_mulaw(action.audio), SAMPLE_RATE))

        def understood(transcript: Transcript) -> None:
            self._log.bind(turn=action.turn, rejected=transcript.rejected).info("Utterance transcribed")
            if self._room.busy is not self._busy:
                self._busy = not self._busy
                self.tell(LoadChanged(self._busy))
            self.tell(Transcribed(action.turn, action.attempt, transcript.text))

        self._cancel(Stage.TRANSCRIBE, action.turn)
        job = self._room.transcribing.submit(
            work,
            deadline_s=self._room.deadlines.transcribe_s,
            on_item=understood,
            on_end=partial(self._ended, EngineFailed(action.turn, Stage.TRANSCRIBE, action.attempt)),
        )
        self._keep(Stage.TRANSCRIBE, action.turn, job)

    def _respond(self, action: Respond) -> None:
        session = self._session
        for key in [
            (stage, turn) for stage, turn in self._jobs if turn < action.turn and stage is not Stage.TRANSCRIBE
        ]:
            del self._jobs[key]

        def work(job: Job) -> None:
            if action.judge_end:
                probability = session.ended(action.messages, job.cancelled)
                job.emit(EndJudged(action.turn, action.draft, probability))
            for delta in session.reply(action.messages, job.cancelled, may_call=action.may_call):
                job.emit(ReplyDelta(action.turn, action.draft, delta))
            job.emit(ReplyFinished(action.turn, action.draft))

        job = self._room.responding.submit(
            work,
            deadline_s=self._room.deadlines.respond_s,
            on_item=self.tell,
            on_end=partial(self._ended, EngineFailed(action.turn, Stage.RESPOND, action.draft, action.draft)),
        )
        self._keep(Stage.RESPOND, action.draft, job)

    def _synthesize(self, action: Synthesize) -> None:
        def work(job: Job) -> None:
            audio = speak(self._room.engines.synthesizer, action.text, job.cancelled)
            job.emit(Synthesized(action.turn, action.draft, action.phrase, audio))

        job = self._room.synthesizing.submit(
            work,
            deadline_s=self._room.deadlines.synthesize_s,
            on_item=self.tell,
            on_end=partial(self._ended, EngineFailed(action.turn, Stage.SYNTHESIZE, action.phrase, action.draft)),
        )
        self._keep(Stage.SYNTHESIZE, action.draft, job)

    def _ended(self, failure: EngineFailed, error: Exception | None) -> None:
        if error is None:
            return
        self._log.bind(turn=failure.turn, stage=failure.stage.value, error=str(error), kind=type(error).__name__).error(
            "An engine failed"
        )
        if failure.stage is Stage.RESPOND:
            # The cache of a session that failed is not to be trusted, and its thread may still hold it.
            self._session = self._room.engines.responder.session()
        self.tell(failure)

    def _keep(self, stage: Stage, number: int, job: Job) -> None:
        self._jobs.setdefault((stage, number), []).append(job)

    def _cancel(self, stage: Stage, number: int) -> None:
        for job in self._jobs.pop((stage, number), []):
            job.cancel()

    # ------------------------------------------------------------------ time and the end

    def _arm(self) -> None:
        deadline = None if self._over else self.flow.deadline()
        if deadline == self._armed_for:
            return
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._armed_for = deadline
        if deadline is not None:
            self._timer = self._loop.call_at(deadline, self._tick)

    def _tick(self) -> None:
        self._timer = self._armed_for = None
        self.tell(Tick())

    def _close(self, reason: EndReason) -> None:
        self._over = True
        if self._timer is not None:
            self._timer.cancel()
        for jobs in self._jobs.values():
            for job in jobs:
                job.cancel()
        self._jobs.clear()
        # The lane is the session's only user, so the cache is dropped there, behind the work that was cancelled.
        session = self._session
        self._room.responding.submit(
            lambda _: session.close(), deadline_s=60.0, on_item=lambda _: None, on_end=lambda _: None
        )
        self._watch.stream_ended(reason, lost_ms=self._clock.filled_ms)
        self._hang_up(reason)
