"""Voice without a phone: utterances come in whole, phrases go out as sound, over whatever line carries them.

Theory of operation
-------------------
Two tasks serve a line. One listens: each utterance goes into the inbox, and stops what we are saying. The other
converses: it greets, then takes what is in the inbox, understands it, and delivers the answer phrase by phrase. Words
that come while earlier ones are still being understood are in the same turn, as on the phone.

What is *delivered* is heard: the client plays it, and there is no mark to tell how far. An answer that ends the call is
delivered whole. When a phrase can't be spoken its text is delivered.
"""

from __future__ import annotations

import asyncio
import io
import wave
from collections.abc import AsyncIterable, AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any, Protocol

from loguru import logger

from telephony_agent.audio import Resampler
from telephony_agent.core.events import EndReason
from telephony_agent.engines.base import Transcript
from telephony_agent.live.engine_room import EngineRoom
from telephony_agent.live.lanes import Job, Lane
from telephony_agent.live.spoken_call import LineTakenError, SpokenCall
from telephony_agent.live.text_call import Answer, TextCallError

MAX_WAITING = 4
"""Utterances that may wait to be understood."""
_TAKEN_OVER = "another line took this call over"


class LineLostError(TextCallError):
    """The line is gone: closed, broken, or deaf."""

    code = "line_lost"


class UnusableMessageError(TextCallError):
    """The client sent something that can't be used; ``str()`` names the fix."""

    code = "unusable_message"


# What the client sends


@dataclass(frozen=True, slots=True)
class Utterance:
    """Something said: ``pcm`` is little-endian int16 mono at ``sample_rate`` Hz."""

    pcm: bytes
    sample_rate: int


@dataclass(frozen=True, slots=True)
class Words:
    """Something typed."""

    text: str


@dataclass(frozen=True, slots=True)
class HungUp:
    """The client is done with the call."""


Said = Utterance | Words | HungUp


# What we send


@dataclass(frozen=True, slots=True)
class UserText:
    """What was understood of an utterance; empty when nothing was."""

    text: str


@dataclass(frozen=True, slots=True)
class Speech:
    """A phrase of ours as a WAV file."""

    text: str
    sample_rate: int
    wav: bytes


@dataclass(frozen=True, slots=True)
class AgentText:
    """A phrase of ours that can't be spoken."""

    text: str


@dataclass(frozen=True, slots=True)
class TurnDone:
    """Our side of a turn is delivered, or was stopped; the call tells its state."""


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that the client sent can't be used, and what to do instead."""

    message: str


@dataclass(frozen=True, slots=True)
class CallEnded:
    """Nothing more will come."""


Told = UserText | Speech | AgentText | TurnDone | Problem | CallEnded


class Line(Protocol):
    """What carries a voice chat."""

    async def receive(self) -> Said:
        """Wait for what the client says.

        Raises:
            UnusableMessageError: it can't be used; the line goes on.
            LineLostError: the line is gone.
        """
        ...

    async def send(self, told: Told) -> None:
        """Send something; calls may overlap and what they send may not.

        Raises:
            LineLostError: the line is gone.
        """
        ...


@dataclass(frozen=True, slots=True)
class VoiceTerms:
    """What all voice chats of a server share."""

    room: EngineRoom
    hears_hz: int = 0
    """What utterances are brought to before they are transcribed; 0: nothing, the transcriber sees to it."""
    idle_s: float = 120.0
    """The silence after which a call is over."""
    reconnect_s: float = 60.0
    """How long a call waits for a line that was lost."""


class VoiceChat:
    """Serves one line of a spoken call. Lives on the event loop."""

    def __init__(self, call: SpokenCall, terms: VoiceTerms, line: Line) -> None:
        self._call = call
        self._terms = terms
        self._room = terms.room
        self._line = line
        self._log = logger.bind(call_id=call.call_id, channel="voice")
        self._inbox: asyncio.Queue[Utterance | Words | None] = asyncio.Queue()
        self._delivering = False
        self._stopped = False
        self._result: asyncio.Future[tuple[Any, Exception | None]] | None = None
        """What an engine is at: one thing at a time."""

    async def serve(self) -> None:
        """Converse until the call ends or the line is lost.

        Raises:
            LineTakenError: another line took the call over.
            CallOverError: the call has ended.
        """
        async with self._call.line() as taken_over:
            self._log.info("A voice chat has begun")
            try:
                async with asyncio.TaskGroup() as group:
                    helpers = [self._listen(), self._await_the_end(), _await_another(taken_over)]
                    tasks = [group.create_task(helper) for helper in helpers]
                    await self._converse()
                    for task in tasks:
                        task.cancel()
            except* LineLostError as lost:
                self._log.bind(reason=str(lost.exceptions[0])).info("The line of a voice chat was lost")
        if taken_over.is_set() and not self._call.over:
            raise LineTakenError(_TAKEN_OVER)

    # ------------------------------------------------------------------ listening

    async def _listen(self) -> None:
        while True:
            try:
                said = await self._line.receive()
            except UnusableMessageError as error:
                await self._line.send(Problem(str(error)))
                continue
            if isinstance(said, HungUp):
                self._call.end(EndReason.CALLER)
            elif self._inbox.qsize() >= MAX_WAITING:
                await self._line.send(Problem(f"{MAX_WAITING} utterances wait to be understood; wait for user_text"))
            else:
                self._stop()
                self._inbox.put_nowait(said)

    async def _await_the_end(self) -> None:
        """Wake who waits for an utterance once the call is over, whoever ended it."""
        await self._call.wait_ended()
        self._inbox.put_nowait(None)

    def _stop(self) -> None:
        """Let the caller's words stop ours, unless those take leave."""
        if not self._delivering or self._call.parting is not None:
            return
        self._stopped = True
        self._call.interrupt()
        if self._result is not None and not self._result.done():
            self._result.set_result((None, None))

    # ------------------------------------------------------------------ conversing

    async def _converse(self) -> None:
        if self._call.ungreeted:
            await self._deliver(_one(self._call.greeting))
        await self._line.send(TurnDone())
        while not self._call.over:
            answer = await self._answer()
            if answer is not None:
                await self._deliver(answer)
                await self._line.send(TurnDone())
        await self._line.send(CallEnded())

    async def _answer(self) -> Answer | None:
        """Understand what is in the inbox, which is one turn, and let it be answered; None when the call is over."""
        words: list[str] = []
        failure: Exception | None = None
        while True:
            said = await self._inbox.get()
            if said is None:
                return None
            text, error = await self._understand(said)
            failure = error or failure
            words += [text] if text else []
            await self._line.send(UserText(text))
            if self._call.over:
                return None
            if self._inbox.empty():
                break
        return self._call.take(" ".join(words)) if words else self._call.mishear(failure)

    async def _understand(self, said: Utterance | Words) -> tuple[str, Exception | None]:
        """Return the words, and what the engine failed at."""
        if isinstance(said, Words):
            return said.text, None
        transcriber, hears_hz = self._room.engines.transcriber, self._terms.hears_hz

        def work(job: Job) -> None:
            pcm, sample_rate = said.pcm, said.sample_rate
            if hears_hz and sample_rate != hears_hz:
                resampler = Resampler(sample_rate, hears_hz)
                pcm, sample_rate = resampler.push(pcm) + resampler.flush(), hears_hz
            job.emit(transcriber.transcribe(pcm, sample_rate))

        result, error = await self._work(self._room.transcribing, work, self._room.deadlines.transcribe_s)
        if not isinstance(result, Transcript):
            return "", error
        self._log.bind(rejected=result.rejected).info("Utterance transcribed")
        return result.text, None

    async def _deliver(self, phrases: AsyncIterable[str]) -> None:
        """Send phrases as they come, until the caller stops us."""
        self._delivering, self._stopped = True, False
        async for phrase in phrases:
            if self._silenced():
                continue
            told = await self._spoken(phrase)
            if self._silenced():
                continue
            await self._line.send(told)
            self._call.delivered(phrase)
        self._delivering = False
        if self._call.parting is not None:
            self._call.end(self._call.parting)

    def _silenced(self) -> bool:
        return self._stopped or self._call.over

    async def _spoken(self, phrase: str) -> Speech | AgentText:
        synthesizer = self._room.engines.synthesizer

        def work(job: Job) -> None:
            job.emit(b"".join(synthesizer.synthesize(phrase, job.cancelled)))

        pcm, _ = await self._work(self._room.synthesizing, work, self._room.deadlines.synthesize_s)
        rate = synthesizer.sample_rate
        return Speech(phrase, rate, wav_of(pcm, rate)) if pcm else AgentText(phrase)

    async def _work(self, lane: Lane, work: Callable[[Job], None], deadline_s: float) -> tuple[Any, Exception | None]:
        """Return the one thing that a job hands out, or None and what it failed at; both None when it was stopped."""
        result = self._result = asyncio.get_running_loop().create_future()

        def settle(item: Any, error: Exception | None) -> None:
            if not result.done():
                result.set_result((item, error))

        job = lane.submit(
            work,
            deadline_s=deadline_s,
            on_item=lambda item: settle(item, None),
            on_end=lambda error: settle(None, error),
        )
        try:
            item, error = await result
        finally:
            job.cancel()
        if error is not None:
            self._log.bind(lane=lane.name, error=str(error), kind=type(error).__name__).error("An engine failed")
        return item, error


def wav_of(pcm: bytes, sample_rate: int) -> bytes:
    """Return mono PCM16 as a WAV file."""
    file = io.BytesIO()
    with wave.open(file, "wb") as target:
        target.setnchannels(1)
        target.setsampwidth(2)
        target.setframerate(sample_rate)
        target.writeframes(pcm)
    return file.getvalue()


async def _await_another(taken_over: asyncio.Event) -> None:
    await taken_over.wait()
    raise LineLostError(_TAKEN_OVER)


async def _one(phrase: str) -> AsyncIterator[str]:
    yield phrase
