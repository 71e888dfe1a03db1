"""The engines and the lanes that they run in: one set for all calls, loaded and warmed once."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice

from loguru import logger

from telephony_agent.audio import SAMPLE_RATE, decode_mulaw, to_telephone
from telephony_agent.core.events import Stage
from telephony_agent.engines.base import Message, Responder, Synthesizer, Transcriber, VoiceDetector
from telephony_agent.live.capacity import Capacity, JobTimes, Rehearsal
from telephony_agent.live.lanes import Lane
from telephony_agent.live.tool_room import ToolRoom
from telephony_agent.telemetry import Metrics

REHEARSED_LINE = "Could you tell me how much that is a month?"
"""What a caller says in the rehearsal: about two seconds."""
REHEARSED_TOKENS = 30
REHEARSED_TAKES = 5
REHEARSED_FOR_S = 2.0
"""After so long no further take begins."""


@dataclass(frozen=True, slots=True)
class Deadlines:
    """How long a job may take, in seconds, waiting included."""

    transcribe_s: float = 6.0
    respond_s: float = 20.0
    synthesize_s: float = 5.0


@dataclass(frozen=True, slots=True)
class Engines:
    """What ears, mind and voice a server has."""

    transcriber: Transcriber
    responder: Responder
    synthesizer: Synthesizer
    new_detector: Callable[[], VoiceDetector]

    def warm(self) -> None:
        """Run each engine once. Blocks for seconds; raises what the engines raise."""
        self.synthesizer.warm()
        self.responder.warm()
        self.transcriber.warm()
        self.transcriber.transcribe(bytes(2 * SAMPLE_RATE), SAMPLE_RATE)
        self.new_detector().is_speech(bytes(320))

    def rehearse(self, opening: Sequence[Message]) -> Rehearsal:
        """Measure a turn of a call that begins with ``opening``. Blocks for seconds; raises what the engines raise.

        What is timed is what calls do: a line is spoken, understood, and answered from a cache that holds the opening.
        That opening stays read for the calls to come. Of several takes the shortest times count: the longer ones tell
        of what else the machine did.
        """
        until = time.perf_counter() + REHEARSED_FOR_S
        takes = [self._rehearse_turn(opening)]
        while len(takes) < REHEARSED_TAKES and time.perf_counter() < until:
            takes.append(self._rehearse_turn(opening))
        return Rehearsal(
            transcribe_s=min(take.transcribe_s for take in takes),
            reply_s=min(take.reply_s for take in takes),
            phrase_s=min(take.phrase_s for take in takes),
        )

    def _rehearse_turn(self, opening: Sequence[Message]) -> Rehearsal:
        began_at = time.perf_counter()
        line = speak(self.synthesizer, REHEARSED_LINE)
        spoken_at = time.perf_counter()
        self.transcriber.transcribe(decode_mulaw(line), SAMPLE_RATE)
        return Rehearsal(
            transcribe_s=time.perf_counter() - spoken_at,
            reply_s=self._rehearse_reply(opening),
            phrase_s=spoken_at - began_at,
        )

    def _rehearse_reply(self, opening: Sequence[Message]) -> float:
        """Return what a reply of ``REHEARSED_TOKENS`` takes, at the pace of one that may be shorter."""
        session = self.responder.session()
        session.prefill(opening, lambda: False)
        began_at = time.perf_counter()
        deltas = session.reply([*opening, Message(role="user", content=REHEARSED_LINE)], lambda: False)
        came_at = [time.perf_counter() for _ in islice(deltas, REHEARSED_TOKENS)] or [time.perf_counter()]
        session.close()
        pace_s = (came_at[-1] - came_at[0]) / max(1, len(came_at) - 1)
        return came_at[0] - began_at + pace_s * (REHEARSED_TOKENS - 1)


class EngineRoom:
    """Engines, each in its lane."""

    def __init__(
        self,
        engines: Engines,
        deadlines: Deadlines,
        *,
        transcriber_workers: int = 1,
        metrics: Metrics | None = None,
        tools: ToolRoom | None = None,
    ) -> None:
        self.tools = tools or ToolRoom()
        self.engines = engines
        self.deadlines = deadlines
        # Of responders one thread: a ReplySession is used by one thread at a time, and a CPU decodes one reply fastest
        # alone.
        threads = {Stage.TRANSCRIBE: transcriber_workers, Stage.RESPOND: 1, Stage.SYNTHESIZE: 1}
        self.capacity = Capacity(threads)
        self.on_unhealthy: Callable[[], None] = lambda: None
        """Called when engines have hung so often that calls can't go on."""
        self.transcribing, self.responding, self.synthesizing = (
            Lane(stage, workers=workers, metrics=metrics, measured=partial(self._learn, stage), given_up=self._give_up)
            for stage, workers in threads.items()
        )

    @property
    def busy(self) -> bool:
        """Whether somebody waits for a transcription or a reply that has not begun yet."""
        return self.transcribing.waiting > 0 or self.responding.waiting > 0

    @property
    def healthy(self) -> bool:
        """Whether new calls may be taken."""
        return all(lane.healthy for lane in self._lanes)

    def rehearse(self, opening: Sequence[Message]) -> None:
        """Learn what a turn takes, before there are calls. Blocks for seconds; raises what the engines raise."""
        rehearsal = self.engines.rehearse(opening)
        self.capacity.rehearsed(rehearsal)
        times = {f"{lane.name}_ms": round(1000 * rehearsal.of(Stage(lane.name))) for lane in self._lanes}
        logger.bind(**times).info("The engines were measured")

    def close(self) -> None:
        """Stop the lanes and what the engines started."""
        for lane in self._lanes:
            lane.close()
        self.tools.close()
        self.engines.synthesizer.close()
        for lane in self._lanes:
            lane.join(1.0)

    def _give_up(self) -> None:
        self.on_unhealthy()

    def _learn(self, stage: Stage, times: JobTimes) -> None:
        self.capacity.worked(stage, times, asyncio.get_running_loop().time())

    @property
    def _lanes(self) -> tuple[Lane, Lane, Lane]:
        return self.transcribing, self.responding, self.synthesizing


def speak(synthesizer: Synthesizer, text: str, cancelled: Callable[[], bool] = lambda: False) -> bytes:
    """Synthesise a phrase for the line: mu-law, whole frames, trimmed and levelled. Blocks.

    Raises:
        SynthesisError: the engine failed.
    """
    pcm = b"".join(synthesizer.synthesize(text, cancelled))
    return to_telephone(pcm, synthesizer.sample_rate) if pcm else b""
