"""The voice chat's messages: what is taken, and what is refused with its fix."""

from __future__ import annotations

import json
import struct

import pytest

from telephony_agent.live.voice_chat import HungUp, UnusableMessageError, Utterance, Words, wav_of
from telephony_agent.web.voice_wire import MAX_AUDIO_BYTES, MAX_TEXT_BYTES, VoiceWire

PCM = b"\x01\x00\x02\x00"


def header(sample_rate: int = 16_000, encoding: str = "pcm16") -> str:
    return json.dumps({"type": "audio", "encoding": encoding, "sample_rate": sample_rate})


def test_a_wav_file_is_an_utterance() -> None:
    assert VoiceWire().receive(wav_of(PCM, 22_050)) == Utterance(PCM, 22_050)


def test_raw_sound_is_an_utterance_behind_its_header() -> None:
    wire = VoiceWire()
    assert wire.receive(header(48_000)) is None
    assert wire.receive(PCM) == Utterance(PCM, 48_000)


def test_a_header_announces_one_sound() -> None:
    wire = VoiceWire()
    wire.receive(header())
    wire.receive(PCM)
    with pytest.raises(UnusableMessageError, match="announce raw sound first"):
        wire.receive(PCM)


def test_words_and_the_end_are_taken() -> None:
    assert VoiceWire().receive('{"type":"text","text":" Hello? "}') == Words("Hello?")
    assert VoiceWire().receive('{"type":"end"}') == HungUp()


@pytest.mark.parametrize(
    ("message", "fix"),
    [
        ("hello", "send a WAV file, or JSON"),
        ("[" * 5000, "send a WAV file, or JSON"),
        ('{"type":"video"}', "audio, text or end"),
        ('{"type":"text","text":" "}', "text.text"),
        ('{"type":"text","text":"' + "x" * 1001 + '"}', "at most 1000"),
        ('{"type":"end","now":true}', "end.now"),
        ("x" * (MAX_TEXT_BYTES + 1), f"at most {MAX_TEXT_BYTES}"),
        (header(7999), "greater than or equal to 8000"),
        (header(96_000), "less than or equal to 48000"),
        (header(encoding="opus"), "pcm16"),
        (b"", "announce raw sound first"),
        (b"OggS" + bytes(100), "announce raw sound first"),
        (wav_of(b"", 16_000), "not none"),
        (wav_of(PCM, 4000), "8000 to 48000 Hz"),
        (wav_of(bytes(2 * 8000 * 31), 8000), "at most 30 s"),
        (bytes(MAX_AUDIO_BYTES + 1), "shorter utterances"),
        (b"RIFF" + struct.pack("<I4s4sIHHIIHH", 40, b"WAVE", b"fmt ", 16, 3, 1, 16_000, 64_000, 4, 32), "integer PCM"),
    ],
)
def test_what_cannot_be_used_is_refused_with_its_fix(message: str | bytes, fix: str) -> None:
    with pytest.raises(UnusableMessageError, match=fix):
        VoiceWire().receive(message)


def test_raw_sound_is_a_whole_number_of_samples() -> None:
    wire = VoiceWire()
    wire.receive(header())
    with pytest.raises(UnusableMessageError, match="whole number of samples"):
        wire.receive(b"\x00\x00\x00")
