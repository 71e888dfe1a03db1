"""A telephone in somebody's hand: sound both ways, keys, the hook, and a recording in place of a voice."""

from __future__ import annotations

import wave
from pathlib import Path

import numpy as np
import pytest

from telephony_agent.simulator import Behaviour, EndedBy, PlacedCall, Script, place_call
from telephony_agent.simulator.caller import FRAME, FRAME_MS, CallerFrame
from telephony_agent.simulator.handset import (
    KEY_FRAMES,
    Handset,
    Person,
    RecordingError,
    read_recording,
    recorded_caller,
    recorded_script,
)
from telephony_agent.simulator.mulaw import Pcm
from tests.simulator.calls import QUICK, run
from tests.simulator.scripted_agent import PUBLIC, TOKEN, Leg, serving

SILENCE = np.zeros(FRAME, np.int16)


def tone(ms: int, hz: int = 8000, amplitude: int = 4000) -> Pcm:
    time = np.arange(ms * hz // 1000) / hz
    return (amplitude * np.sin(2 * np.pi * 440 * time)).astype(np.int16)


VOICE = tone(FRAME_MS)


class Mouth:
    """A sound device that says one thing over and over, and keeps what it heard."""

    def __init__(self) -> None:
        self.heard: list[Pcm] = []

    def exchange(self, agent: Pcm) -> Pcm:
        self.heard.append(agent)
        return VOICE


def live(handset: Handset, ms: int, agent: Pcm = SILENCE) -> list[CallerFrame]:
    return [handset.hear(agent) for _ in range(ms // FRAME_MS)]


def write_wav(path: Path, pcm: bytes, *, hz: int = 8000, width: int = 2, channels: int = 1) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(width)
        file.setframerate(hz)
        file.writeframes(pcm)
    return path


def test_a_person_is_heard_and_hears() -> None:
    mouth = Mouth()
    handset = Handset(Person(mouth))
    (frame,) = live(handset, 20, VOICE)
    assert (frame.words == VOICE).all()
    assert (mouth.heard[0] == VOICE).all()
    assert (frame.key, frame.hangs_up, handset.frames, handset.turns) == ("", False, 1, ())


def test_keys_are_pressed_one_after_the_other_and_only_those_of_a_telephone() -> None:
    handset = Handset(Person(Mouth()))
    handset.type_keys("1x#")
    keys = [frame.key for frame in live(handset, 600)]
    assert [(number, key) for number, key in enumerate(keys) if key] == [(0, "1"), (KEY_FRAMES, "#")]


def test_putting_the_hook_down_ends_the_call() -> None:
    handset = Handset(Person(Mouth()))
    assert not handset.is_done
    handset.hang_up()
    assert live(handset, 20)[0].hangs_up
    assert handset.is_done
    assert handset.gave_up == ""


def test_the_agents_keys_reach_whoever_talks() -> None:
    handset = Handset(Person(Mouth()))
    handset.press("1")
    assert live(handset, 20)[0].key == ""


def test_a_person_talks_with_an_agent_in_both_directions_presses_a_key_and_hangs_up() -> None:
    mouth = Mouth()
    handset = Handset(Person(mouth))

    async def agent_talks(leg: Leg) -> None:
        await leg.until("start")
        await leg.speak(200, "greeting")
        await leg.until("mark")
        handset.type_keys("5")
        await leg.until("dtmf")
        handset.hang_up()
        await leg.until_closed()

    async def story() -> None:
        async with serving(agent_talks) as agent:
            call = PlacedCall(Script("person", ()), agent.url, PUBLIC, TOKEN, behaviour=Behaviour(pace=QUICK))
            result = await place_call(call, caller=handset)
        assert (result.ended_by, result.gave_up) == (EndedBy.CALLER, "")
        assert [message["dtmf"]["digit"] for message in agent.legs[0].sent("dtmf")] == ["5"]
        assert np.count_nonzero(np.concatenate(mouth.heard)) > 0.9 * 200 * 8
        assert np.count_nonzero(result.caller) > 0.9 * len(result.caller)

    run(story())


def test_a_recording_waits_for_the_greeting_and_then_for_the_answer(tmp_path: Path) -> None:
    path = write_wav(tmp_path / "line.wav", tone(400).tobytes())
    pcm = read_recording(path)
    script = recorded_script(path, pcm)
    handset = Handset(recorded_caller(script, pcm))
    assert not any(frame.words.any() for frame in live(handset, 200))
    assert not any(frame.words.any() for frame in live(handset, 500, VOICE))
    said = live(handset, 2000)
    assert sum(bool(frame.words.any()) for frame in said) == 400 // FRAME_MS
    assert not any(frame.hangs_up for frame in said)
    live(handset, 500, VOICE)
    assert any(frame.hangs_up for frame in live(handset, 2000))
    assert handset.is_done
    assert [turn.text for turn in handset.turns] == ["line.wav"]


@pytest.mark.parametrize(("hz", "width", "channels"), [(8000, 2, 1), (44_100, 2, 2), (48_000, 1, 1), (16_000, 4, 1)])
def test_a_wav_file_of_any_rate_and_width_is_read(tmp_path: Path, hz: int, width: int, channels: int) -> None:
    samples = tone(500, hz)
    match width:
        case 1:
            data = (samples // 256 + 128).astype(np.uint8)
        case 2:
            data = samples
        case _:
            data = samples.astype(np.int32) << 16
    path = write_wav(tmp_path / "a.wav", np.repeat(data, channels).tobytes(), hz=hz, width=width, channels=channels)
    pcm = read_recording(path)
    assert abs(len(pcm) - 4000) <= 8
    assert 2500 < np.sqrt(np.mean(np.square(pcm.astype(float)))) < 3100


def test_a_file_that_is_no_recording_is_named_with_the_fix(tmp_path: Path) -> None:
    text = tmp_path / "text.wav"
    text.write_text("hello")
    for path, told in (
        (text, "give one of integer PCM"),
        (tmp_path / "missing.wav", "can't be read"),
        (write_wav(tmp_path / "empty.wav", b""), "holds no sound"),
    ):
        with pytest.raises(RecordingError, match=told) as error:
            read_recording(path)
        assert str(path) in str(error.value)
