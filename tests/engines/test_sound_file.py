from __future__ import annotations

import io
import struct
import wave

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from telephony_agent.engines.sound_file import Sound, read_sound

SAMPLES = np.array([0, 1, -1, 1000, -1000, 32767, -32768], dtype=np.int16)
RATE_22050 = bytes.fromhex("400dac44000000000000")


def wav(samples: bytes, *, channels: int = 1, bits: int = 16, rate: int = 22_050) -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setnchannels(channels)
        sound.setsampwidth(bits // 8)
        sound.setframerate(rate)
        sound.writeframes(samples)
    return file.getvalue()


def aiff(samples: bytes, *, kind: bytes = b"AIFF", encoding: bytes = b"", bits: int = 16, first: str = "COMM") -> bytes:
    common = struct.pack(">hIh", 1, 0, bits) + RATE_22050 + encoding
    chunks = {
        "COMM": b"COMM" + struct.pack(">I", len(common)) + common,
        "SSND": b"SSND" + struct.pack(">I", len(samples) + 8) + bytes(8) + samples + bytes(len(samples) % 2),
    }
    body = chunks.pop(first) + next(iter(chunks.values()))
    return b"FORM" + struct.pack(">I", len(body) + 4) + kind + body


def test_a_wav_file_gives_its_samples_and_rate() -> None:
    assert read_sound(wav(SAMPLES.tobytes(), rate=8000)) == Sound(SAMPLES.tobytes(), 8000)


def test_two_channels_become_their_mean() -> None:
    stereo = np.array([[100, 300], [-100, -300]], dtype=np.int16)
    assert read_sound(wav(stereo.tobytes(), channels=2)).pcm == np.array([200, -200], dtype=np.int16).tobytes()


def test_eight_and_twenty_four_bits_become_sixteen() -> None:
    assert read_sound(wav(bytes([128, 255, 0]), bits=8)).pcm == np.array([0, 127 << 8, -128 << 8], np.int16).tobytes()
    deep = b"".join(int(sample << 8).to_bytes(3, "little", signed=True) for sample in SAMPLES.tolist())
    assert read_sound(wav(deep, bits=24)).pcm == SAMPLES.tobytes()


@pytest.mark.parametrize("lie", [0xFFFFFFFF, 0])
def test_a_wrong_length_in_the_header_is_not_believed(lie: int) -> None:
    data = bytearray(wav(SAMPLES.tobytes()))
    data[4:8] = lie.to_bytes(4, "little")
    if lie:
        data[40:44] = lie.to_bytes(4, "little")
    assert read_sound(bytes(data)).pcm == SAMPLES.tobytes()


@pytest.mark.parametrize("first", ["COMM", "SSND"])
def test_an_aiff_file_is_read_big_endian(first: str) -> None:
    data = aiff(SAMPLES.astype(">i2").tobytes(), first=first)
    assert read_sound(data) == Sound(SAMPLES.tobytes(), 22_050)


def test_a_little_endian_aifc_file_is_read() -> None:
    data = aiff(SAMPLES.tobytes(), kind=b"AIFC", encoding=b"sowt\0\0")
    assert read_sound(data) == Sound(SAMPLES.tobytes(), 22_050)


def test_a_half_written_file_is_refused_or_short() -> None:
    with pytest.raises(ValueError, match="without samples"):
        read_sound(wav(SAMPLES.tobytes())[:30])
    assert read_sound(wav(SAMPLES.tobytes())[:-3]).pcm == SAMPLES[:-2].tobytes()


@pytest.mark.parametrize("data", [b"", b"ID3", b"RIFF____WAVE", aiff(b"", kind=b"AIFC", encoding=b"ima4\0\0")])
def test_what_is_no_sound_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"without samples|not integer PCM|neither a WAV"):
        read_sound(data)


@given(st.binary(max_size=80), st.sampled_from([b"RIFF\0\0\0\0WAVE", b"FORM\0\0\0\0AIFF", b"FORM\0\0\0\0AIFC", b""]))
def test_any_bytes_are_sound_or_a_value_error(body: bytes, start: bytes) -> None:
    try:
        sound = read_sound(start + body)
    except ValueError:
        return
    assert len(sound.pcm) % 2 == 0
