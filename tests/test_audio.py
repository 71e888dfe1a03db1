"""Telephone audio, measured."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from telephony_agent import audio


def tone(hertz: float, rate: int, seconds: float = 1.0, amplitude: float = 0.3) -> bytes:
    t = np.arange(int(rate * seconds)) / rate
    return (np.sin(2 * np.pi * hertz * t) * amplitude * 32767).astype("<i2").tobytes()


def samples(pcm: bytes) -> npt.NDArray[np.float64]:
    return np.frombuffer(pcm, "<i2").astype(np.float64)


def resample(pcm: bytes, rate: int, chunk: int) -> bytes:
    resampler = audio.Resampler(rate, audio.SAMPLE_RATE)
    parts = [resampler.push(pcm[i : i + chunk]) for i in range(0, len(pcm), chunk)]
    return b"".join(parts) + resampler.flush()


@pytest.mark.parametrize("hertz", [4300, 5000, 6000, 9000])
def test_what_the_telephone_can_not_carry_does_not_fold_into_it(hertz: int) -> None:
    out = samples(resample(tone(hertz, 22050), 22050, 4410))[400:-400]  # the tone's own edges are broadband
    assert np.sqrt((out**2).mean()) < 0.3 * 32767 * 10 ** (-60 / 20)


@pytest.mark.parametrize("hertz", [300, 1000, 3400])
def test_what_the_telephone_carries_stays(hertz: int) -> None:
    out = samples(resample(tone(hertz, 22050), 22050, 4410))[800:-800]
    assert np.sqrt((out**2).mean()) == pytest.approx(0.3 * 32767 / np.sqrt(2), rel=0.03)


def test_chunks_join_without_a_seam() -> None:
    pcm = tone(440, 22050)
    difference = samples(resample(pcm, 22050, 882)) - samples(resample(pcm, 22050, len(pcm)))
    assert np.abs(difference).max() <= 2  # rounding, with soxr's dither


def test_a_phrase_leaves_with_its_level_trimmed_and_in_whole_frames() -> None:
    silence = bytes(2 * 22050 // 2)
    out = audio.to_telephone(silence + tone(500, 22050, amplitude=0.02) + silence, 22050)
    pcm = audio.decode_mulaw(out)
    assert len(out) % audio.FRAME_SAMPLES == 0
    assert 1000 <= len(out) / audio.BYTES_PER_MS <= 1100
    assert -26 <= audio.level_dbov(pcm) <= -20


def test_a_loud_peak_is_bent_not_clipped() -> None:
    speech = np.concatenate([samples(tone(300, 22050, amplitude=0.02)), samples(tone(300, 22050, 0.01, 0.9))])
    out = samples(audio.decode_mulaw(audio.to_telephone(speech.astype("<i2").tobytes(), 22050)))
    top = np.abs(out) >= 32000
    assert not (top[:-2] & top[1:-1] & top[2:]).any()


def test_silence_makes_no_phrase() -> None:
    assert audio.to_telephone(bytes(4410), 22050) == b""


def test_levels_are_of_full_scale() -> None:
    assert audio.level_dbov(tone(500, 8000, amplitude=1.0)) == pytest.approx(-3.01, abs=0.05)
    assert audio.level_dbov(bytes(320)) == audio.SILENCE_DBOV


@given(st.binary(max_size=320))
def test_mulaw_survives_the_way_through_pcm(payload: bytes) -> None:
    again = audio.encode_mulaw(audio.decode_mulaw(payload))
    # Mu-law has two zeros; everything else comes back as it was.
    assert [b | 0x80 if b & 0x7F == 0x7F else b for b in again] == [
        b | 0x80 if b & 0x7F == 0x7F else b for b in payload
    ]
