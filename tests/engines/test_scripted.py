from __future__ import annotations

import threading

import numpy as np
import pytest

from telephony_agent.engines.base import Message, Responder, Synthesizer, Transcriber, VoiceDetector
from telephony_agent.engines.scripted import (
    Hold,
    LevelVoiceDetector,
    ScriptedResponder,
    ScriptedSynthesizer,
    ScriptedTranscriber,
)
from telephony_agent.errors import ResponseError, SynthesisError, TranscriptionError

MESSAGES: list[Message] = [{"role": "user", "content": "hello"}]


def never() -> bool:
    return False


def test_each_scripted_engine_is_an_engine() -> None:
    engines: tuple[VoiceDetector, Transcriber, Responder, Synthesizer] = (
        LevelVoiceDetector(),
        ScriptedTranscriber(),
        ScriptedResponder(),
        ScriptedSynthesizer(),
    )
    for engine in engines[1:]:
        engine.warm()  # type: ignore[union-attr]


def test_the_transcriber_understands_its_texts_in_order_then_the_default() -> None:
    transcriber = ScriptedTranscriber(["hello", TranscriptionError("broken")], otherwise="what?")
    assert transcriber.transcribe(b"\1\0", 8000).text == "hello"
    with pytest.raises(TranscriptionError, match="broken"):
        transcriber.transcribe(b"", 8000)
    assert transcriber.transcribe(b"", 8000).text == "what?"
    assert transcriber.utterances[0] == b"\1\0"


def test_the_responder_yields_its_reply_word_by_word() -> None:
    responder = ScriptedResponder(["Good morning to you."])
    session = responder.session()
    session.prefill(MESSAGES, never)
    assert list(session.reply(MESSAGES, never)) == ["Good", " morning", " to", " you."]
    assert list(session.reply(MESSAGES, never)) == ["I", " see."]
    assert responder.prompts == [MESSAGES, MESSAGES]
    session.close()
    assert (session.prefilled, session.closed) == (MESSAGES, True)


def test_the_responder_can_answer_by_what_it_is_asked() -> None:
    responder = ScriptedResponder(lambda messages: f"You said {messages[-1]['content']}.")
    assert "".join(responder.session().reply(MESSAGES, never)) == "You said hello."


def test_the_responder_stops_when_cancelled() -> None:
    words: list[str] = []
    reply = ScriptedResponder(["one two three four"]).session().reply(MESSAGES, lambda: len(words) == 2)
    words.extend(reply)
    assert words == ["one", " two"]


def test_the_responder_can_fail() -> None:
    with pytest.raises(ResponseError):
        list(ScriptedResponder([ResponseError("broken")]).session().reply(MESSAGES, never))


def test_the_synthesizer_speaks_a_tone_as_long_as_the_text() -> None:
    synthesizer = ScriptedSynthesizer(["", SynthesisError("broken")], sample_rate=22_050, ms_per_character=100)
    pcm = np.frombuffer(b"".join(synthesizer.synthesize("ten chars.", never)), "<i2")
    assert len(pcm) == 22_050
    assert 4_000 < np.abs(pcm).max() < 6_000
    with pytest.raises(SynthesisError):
        list(synthesizer.synthesize("next", never))
    assert synthesizer.spoken == ["ten chars.", "next"]


def test_the_synthesizer_stops_when_cancelled() -> None:
    blocks: list[bytes] = []
    blocks.extend(ScriptedSynthesizer().synthesize("a long enough phrase", lambda: len(blocks) == 2))
    assert len(blocks) == 2


def test_a_hold_blocks_until_it_is_released() -> None:
    hold = Hold(then="at last")
    transcriber = ScriptedTranscriber([hold])
    texts: list[str] = []
    thread = threading.Thread(target=lambda: texts.append(transcriber.transcribe(b"", 8000).text))
    thread.start()
    assert hold.entered.wait(10)
    assert texts == []
    hold.release.set()
    thread.join(10)
    assert texts == ["at last"]


def test_the_level_detector_judges_by_level_alone() -> None:
    detector = LevelVoiceDetector(-45.0)
    assert detector.is_speech(np.full(160, 1000, "<i2").tobytes())
    assert not detector.is_speech(np.full(160, 10, "<i2").tobytes())
