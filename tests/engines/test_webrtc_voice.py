from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest

from telephony_agent.engines.webrtc_voice import NoiseFloor, WebrtcVoiceDetector

from .sounds import at_level, frames, speech, with_noise

Noise = Callable[[float], npt.NDArray[np.float64]]


def share_of_speech(detector: WebrtcVoiceDetector, samples: npt.NDArray[np.float64]) -> float:
    flags = [detector.is_speech(frame) for frame in frames(samples)]
    return sum(flags) / len(flags)


def white(seconds: float) -> npt.NDArray[np.float64]:
    return np.random.default_rng(1).standard_normal(int(8000 * seconds))


def hum(seconds: float) -> npt.NDArray[np.float64]:
    time = np.arange(int(8000 * seconds)) / 8000
    return sum(np.sin(2 * np.pi * hertz * time) / hertz for hertz in (50, 150, 250, 350))


def dial_tone(seconds: float) -> npt.NDArray[np.float64]:
    time = np.arange(int(8000 * seconds)) / 8000
    return np.sin(2 * np.pi * 350 * time) + np.sin(2 * np.pi * 440 * time)


def test_silence_is_no_speech() -> None:
    assert share_of_speech(WebrtcVoiceDetector(), np.zeros(8000 * 5)) == 0.0


def test_clear_speech_is_speech_from_the_first_word() -> None:
    detector = WebrtcVoiceDetector()
    assert share_of_speech(detector, at_level(speech("Hello there, who is this please?"), -22.0)) > 0.7


def test_speech_without_end_does_not_lift_the_floor_above_itself() -> None:
    detector = WebrtcVoiceDetector()
    text = "I would like to know what it costs and how long the contract runs and who pays for the setup. " * 4
    samples = at_level(speech(text), -22.0)
    assert share_of_speech(detector, samples[-8000 * 10 :]) > 0.7


def test_quiet_speech_on_a_quiet_line_is_speech() -> None:
    assert share_of_speech(WebrtcVoiceDetector(), at_level(speech("Yes, go ahead please."), -35.0)) > 0.5


@pytest.mark.parametrize("noise", [white, hum, dial_tone])
@pytest.mark.parametrize("level_dbov", [-50.0, -35.0, -25.0])
def test_steady_noise_becomes_the_floor_at_any_level(noise: Noise, level_dbov: float) -> None:
    detector = WebrtcVoiceDetector()
    share_of_speech(detector, at_level(noise(3.0), level_dbov))
    assert share_of_speech(detector, at_level(noise(5.0), level_dbov)) < 0.02


def test_speech_over_noise_is_still_heard() -> None:
    detector = WebrtcVoiceDetector()
    said = at_level(speech("Could you tell me what it costs per month?"), -22.0)
    share_of_speech(detector, at_level(white(3.0), -42.0))
    assert share_of_speech(detector, with_noise(said, -42.0)) > 0.6


def test_the_floor_follows_noise_up_within_three_seconds_and_down_at_once() -> None:
    floor = NoiseFloor()
    for _ in range(150):
        floor.update(-40.0)
    assert floor.dbov == -40.0
    floor.update(-60.0)
    assert floor.dbov == -60.0


def test_the_floor_starts_low_and_never_reaches_speech() -> None:
    floor = NoiseFloor()
    assert floor.dbov == -55.0
    for _ in range(1000):
        floor.update(-10.0)
    assert floor.dbov == -33.0
