"""The engine room: what a rehearsal measures, and when engines are busy."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable

import pytest

from telephony_agent.core.events import Stage
from telephony_agent.engines.base import Message, Transcript
from telephony_agent.engines.scripted import (
    LevelVoiceDetector,
    ScriptedResponder,
    ScriptedSynthesizer,
    ScriptedTranscriber,
)
from telephony_agent.errors import TranscriptionError
from telephony_agent.live import engine_room
from telephony_agent.live.engine_room import REHEARSED_LINE, REHEARSED_TOKENS, Deadlines, EngineRoom, Engines
from telephony_agent.live.lanes import Job
from tests.live.test_lanes import Outcome

OPENING = [Message(role="system", content="You are Ava."), Message(role="assistant", content="Hello.")]


def engines(
    transcriber: ScriptedTranscriber | None = None,
    responder: ScriptedResponder | None = None,
    synthesizer: ScriptedSynthesizer | None = None,
) -> Engines:
    return Engines(
        transcriber or ScriptedTranscriber(),
        responder or ScriptedResponder(),
        synthesizer or ScriptedSynthesizer(ms_per_character=45),
        LevelVoiceDetector,
    )


def test_a_rehearsal_times_what_a_turn_does() -> None:
    transcriber, responder = ScriptedTranscriber(delay_s=0.1), ScriptedResponder(otherwise="I see you.", delay_s=0.01)
    rehearsal = engines(transcriber, responder).rehearse(OPENING)
    assert rehearsal.transcribe_s >= 0.1
    # Three words were said; what thirty take is told by their pace.
    assert rehearsal.reply_s >= 0.01 * REHEARSED_TOKENS
    assert rehearsal.phrase_s > 0.0
    assert 1.5 <= len(transcriber.utterances[0]) / 2 / 8000 <= 2.5
    assert responder.prompts[0] == [*OPENING, {"role": "user", "content": REHEARSED_LINE}]


def test_of_a_rehearsal_the_best_take_counts() -> None:
    class Disturbed(ScriptedTranscriber):
        """Works while something else holds the machine, once."""

        def transcribe(self, pcm: bytes, sample_rate: int) -> Transcript:
            calm = ScriptedTranscriber(delay_s=0.3) if not self.utterances else ScriptedTranscriber()
            self.utterances.append(pcm)
            return calm.transcribe(pcm, sample_rate)

    assert engines(Disturbed()).rehearse(OPENING).transcribe_s < 0.3


def test_slow_engines_are_not_rehearsed_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_room, "REHEARSED_FOR_S", 0.0)
    responder = ScriptedResponder()
    engines(responder=responder).rehearse(OPENING)
    assert len(responder.prompts) == 1


def test_a_long_reply_is_rehearsed_for_thirty_words_only() -> None:
    responder = ScriptedResponder(otherwise="word " * 1000, delay_s=0.001)
    assert engines(responder=responder).rehearse(OPENING).reply_s < 0.5


def test_a_responder_without_words_is_rehearsed_too() -> None:
    assert engines(responder=ScriptedResponder(otherwise="")).rehearse(OPENING).reply_s >= 0.0


def test_an_engine_that_fails_in_the_rehearsal_is_heard_of() -> None:
    with pytest.raises(TranscriptionError):
        engines(ScriptedTranscriber([TranscriptionError("no ears")])).rehearse(OPENING)


def in_room(scenario: Callable[[EngineRoom], Awaitable[None]], engines: Engines) -> None:
    """Run a scenario in a fresh room, then close it."""
    room = EngineRoom(engines, Deadlines())

    async def run() -> None:
        await scenario(room)

    try:
        asyncio.run(run())
    finally:
        room.close()


def test_what_lanes_do_teaches_the_capacity() -> None:
    async def scenario(room: EngineRoom) -> None:
        def work(job: Job) -> None:
            for word in room.engines.responder.session().reply(OPENING, job.cancelled):
                job.emit(word)

        now = asyncio.get_running_loop().time
        assert room.capacity.with_calls(2, now()).alone_s == 0.0
        reply = Outcome()
        reply.submit(room.responding, work)
        assert await reply.ended is None
        forecast = room.capacity.with_calls(2, now())
        assert forecast.alone_s > 0.0
        assert forecast.waits_s[Stage.RESPOND] > 0.0

    in_room(scenario, engines(responder=ScriptedResponder(delay_s=0.01)))


def test_a_rehearsal_decides_on_the_very_first_calls() -> None:
    async def scenario(room: EngineRoom) -> None:
        now = asyncio.get_running_loop().time()
        assert room.capacity.with_calls(2, now).fits
        await asyncio.to_thread(room.rehearse, OPENING)
        assert room.capacity.with_calls(1, now).fits
        assert not room.capacity.with_calls(2, now).fits

    in_room(scenario, engines(responder=ScriptedResponder(delay_s=0.1)))


@pytest.mark.parametrize(("lane", "busy"), [(Stage.TRANSCRIBE, True), (Stage.RESPOND, True), (Stage.SYNTHESIZE, False)])
def test_a_room_is_busy_while_a_transcription_or_a_reply_waits(lane: Stage, busy: bool) -> None:
    async def scenario(room: EngineRoom) -> None:
        lanes = {
            Stage.TRANSCRIBE: room.transcribing,
            Stage.RESPOND: room.responding,
            Stage.SYNTHESIZE: room.synthesizing,
        }
        release = threading.Event()
        first, second = Outcome(), Outcome()
        first.submit(lanes[lane], lambda job: release.wait(5) and None)
        assert not room.busy
        second.submit(lanes[lane], lambda job: None)
        assert room.busy is busy
        release.set()
        await second.ended
        assert not room.busy

    in_room(scenario, engines())
