from __future__ import annotations

import numpy as np
import pytest

from telephony_agent.engines.silero_voice import SileroModel, SileroVoiceDetector, _Upsampler

from .sounds import Samples, at_level, frames, speech, with_noise

pytestmark = pytest.mark.torch


@pytest.fixture(scope="module")
def model() -> SileroModel:
    return SileroModel()


def share_of_speech(detector: SileroVoiceDetector, samples: Samples) -> float:
    flags = [detector.is_speech(frame) for frame in frames(samples)]
    return sum(flags) / len(flags)


def white(seconds: float) -> Samples:
    return np.random.default_rng(1).standard_normal(int(8000 * seconds))


def music(seconds: float) -> Samples:
    time = np.arange(int(8000 * seconds)) / 8000
    notes = np.array([262, 330, 392, 523])[(time * 4).astype(int) % 4]
    return np.sin(2 * np.pi * notes * time) + 0.5 * np.sin(4 * np.pi * notes * time)


@pytest.mark.parametrize("voice", ["en-us", "en-gb+f3", "en-us+m3"])
def test_speech_is_speech(model: SileroModel, voice: str) -> None:
    said = at_level(speech("Hello there, could you tell me what it costs per month?", voice), -22.0)
    assert share_of_speech(SileroVoiceDetector(model), said) > 0.8


def test_speech_in_loud_noise_is_speech(model: SileroModel) -> None:
    said = at_level(speech("Hello there, could you tell me what it costs per month?"), -22.0)
    assert share_of_speech(SileroVoiceDetector(model), with_noise(said, -27.0)) > 0.7


@pytest.mark.parametrize("level_dbov", [-50.0, -35.0, -22.0])
def test_noise_and_music_are_no_speech_at_any_level(model: SileroModel, level_dbov: float) -> None:
    assert share_of_speech(SileroVoiceDetector(model), at_level(white(4.0), level_dbov)) < 0.02
    assert share_of_speech(SileroVoiceDetector(model), at_level(music(4.0), level_dbov)) < 0.1


@pytest.mark.parametrize("before", [np.zeros(8000 * 20), at_level(music(20.0), -30.0)])
def test_speech_after_a_long_wait_is_heard(model: SileroModel, before: Samples) -> None:
    detector = SileroVoiceDetector(model)
    share_of_speech(detector, before)
    assert share_of_speech(detector, at_level(speech("Yes hello, I am back now. Go on please."), -22.0)) > 0.7


def test_two_calls_on_one_model_do_not_hear_each_other(model: SileroModel) -> None:
    talking, silent = SileroVoiceDetector(model), SileroVoiceDetector(model)
    said = list(frames(at_level(speech("Hello there, who is this please?"), -22.0)))
    heard = [(talking.is_speech(frame), silent.is_speech(bytes(320))) for frame in said]
    assert sum(flag for flag, _ in heard) > 0.7 * len(said)
    assert not any(flag for _, flag in heard)


def test_upsampling_keeps_the_tone_and_adds_no_image() -> None:
    time = np.arange(8000) / 8000
    tone = np.sin(2 * np.pi * 1000 * time).astype(np.float32)
    upsampler = _Upsampler()
    doubled = np.concatenate([upsampler.push(block) for block in tone.reshape(-1, 160)])
    assert len(doubled) == 16_000
    spectrum = np.abs(np.fft.rfft(doubled * np.hanning(16_000)))
    assert int(spectrum.argmax()) == 1000
    assert spectrum[4500:].max() < 0.01 * spectrum.max()
