from __future__ import annotations

import array
import subprocess
import sys
import wave
from pathlib import Path
from typing import Any

import pytest
from pyttsx3.driver import DriverProxy
from pyttsx3.drivers.dummy import DummyDriver
from pyttsx3.engine import Engine

from telephony_agent.engines.espeak_driver import DRIVER_NAME, EspeakDriver, register

SENTENCE = "Hello there, this is Alex from Northwind. Do you have a minute?"


class Listener:
    """Collects what an engine says on every topic."""

    def __init__(self, engine: Any) -> None:
        self.engine = engine
        self.blocks: list[bytes] = []
        self.rates: set[int] = set()
        self.events: list[tuple[str, dict[str, Any]]] = []
        engine.connect("audio-chunk", self.on_chunk)
        for topic in ("started-utterance", "started-word", "finished-utterance", "error"):
            engine.connect(topic, lambda topic=topic, **values: self.events.append((topic, values)))

    def on_chunk(self, name: str | None, pcm: bytes, rate: int) -> None:
        self.blocks.append(pcm)
        self.rates.add(rate)

    def speak(self, text: str) -> bytes:
        self.blocks.clear()
        self.engine.say(text)
        self.engine.runAndWait()
        return b"".join(self.blocks)

    def topics(self) -> list[str]:
        return [topic for topic, _ in self.events]


@pytest.fixture
def listener() -> Listener:
    return Listener(Engine(register()))


def test_registering_twice_keeps_the_first_driver() -> None:
    register()
    first = sys.modules[f"pyttsx3.drivers.{DRIVER_NAME}"]
    register()
    assert sys.modules[f"pyttsx3.drivers.{DRIVER_NAME}"] is first


def test_the_driver_has_every_method_of_pyttsx3s_model_driver() -> None:
    wanted = {name for name in dir(DummyDriver) if not name.startswith("_")} | {"save_to_file"}
    assert wanted <= set(dir(EspeakDriver))


def test_pyttsx3_still_passes_unknown_topics_through(listener: Listener) -> None:
    seen: list[dict[str, Any]] = []
    listener.engine.connect("some-topic", lambda **values: seen.append(values))
    proxy: DriverProxy = listener.engine.proxy
    proxy.notify("some-topic", value=1)
    assert seen == [{"name": None, "value": 1}]


def test_audio_comes_in_blocks_with_the_rate_of_the_library(listener: Listener) -> None:
    pcm = listener.speak(SENTENCE)
    assert len(listener.blocks) > 20
    assert listener.rates == {listener.engine.getProperty("sample_rate")}
    seconds = len(pcm) / 2 / listener.engine.getProperty("sample_rate")
    assert 2 < seconds < 6
    assert max(array.array("h", pcm)) > 3000


def test_one_sentence_a_hundred_times_is_whole_every_time(listener: Listener) -> None:
    lengths = {len(listener.speak(SENTENCE)) for _ in range(101)}
    assert max(lengths) - min(lengths) < 0.05 * max(lengths)


def test_sentences_queued_before_one_run_are_all_spoken(listener: Listener) -> None:
    listener.engine.say("One.", "first")
    listener.engine.say("Two.", "second")
    listener.engine.runAndWait()
    finished = [values for topic, values in listener.events if topic == "finished-utterance"]
    assert finished == [{"completed": True, "name": "first"}, {"completed": True, "name": "second"}]


def test_words_are_announced_at_their_place_in_the_text(listener: Listener) -> None:
    text = "Good morning to you"
    listener.speak(text)
    words = [values for topic, values in listener.events if topic == "started-word"]
    assert [text[word["location"] : word["location"] + word["length"]] for word in words] == text.split()


def test_stop_in_a_callback_ends_the_synthesis_at_the_next_block(listener: Listener) -> None:
    blocks = 0

    def stop_at_the_third(name: str | None, pcm: bytes, rate: int) -> None:
        nonlocal blocks
        blocks += 1
        if blocks == 3:
            listener.engine.stop()

    listener.engine.connect("audio-chunk", stop_at_the_third)
    listener.speak(SENTENCE)
    assert blocks == 3
    assert listener.events[-1] == ("finished-utterance", {"completed": False, "name": None})


def test_after_a_stop_the_next_sentence_is_whole(listener: Listener) -> None:
    whole = len(listener.speak(SENTENCE))
    token = listener.engine.connect("audio-chunk", lambda name, pcm, rate: listener.engine.stop())
    listener.speak(SENTENCE)
    listener.engine.disconnect(token)
    assert len(listener.speak(SENTENCE)) > 0.9 * whole


def test_a_file_is_the_same_speech_with_a_true_header(listener: Listener, tmp_path: Path) -> None:
    file = tmp_path / "speech.wav"
    listener.engine.save_to_file(SENTENCE, file)
    listener.engine.runAndWait()
    with wave.open(str(file)) as sound:
        assert (sound.getnchannels(), sound.getsampwidth()) == (1, 2)
        assert sound.getframerate() == listener.engine.getProperty("sample_rate")
        assert sound.getnframes() > 2 * sound.getframerate()
    assert not listener.blocks


def test_two_files_in_one_run_are_both_written(listener: Listener, tmp_path: Path) -> None:
    for name in ("a.wav", "b.wav"):
        listener.engine.save_to_file(SENTENCE, tmp_path / name)
    listener.engine.runAndWait()
    assert (tmp_path / "a.wav").stat().st_size > 50_000
    assert (tmp_path / "b.wav").stat().st_size > 50_000


def test_a_file_that_cannot_be_written_is_an_error_and_the_engine_goes_on(listener: Listener, tmp_path: Path) -> None:
    listener.engine.save_to_file(SENTENCE, tmp_path / "nowhere" / "speech.wav")
    listener.engine.runAndWait()
    assert [type(values["exception"]) for topic, values in listener.events if topic == "error"] == [FileNotFoundError]
    assert listener.speak("Still here.")


def test_speech_after_a_file_leaves_the_file_alone(listener: Listener, tmp_path: Path) -> None:
    file = tmp_path / "speech.wav"
    listener.engine.save_to_file(SENTENCE, file)
    listener.engine.runAndWait()
    written = file.read_bytes()
    assert listener.speak("Something else.")
    assert file.read_bytes() == written


def test_an_unknown_voice_is_an_error_and_the_old_voice_stays(listener: Listener) -> None:
    listener.engine.setProperty("voice", "no-such-voice")
    listener.engine.runAndWait()
    (error,) = [values["exception"] for topic, values in listener.events if topic == "error"]
    assert str(error) == "espeak-ng has no voice 'no-such-voice'"
    assert listener.engine.getProperty("voice") == "en-us"


def test_numbers_out_of_range_are_clipped(listener: Listener) -> None:
    listener.engine.setProperty("rate", 10_000)
    listener.engine.setProperty("volume", -1.0)
    listener.engine.runAndWait()
    assert listener.engine.getProperty("rate") == 450
    assert listener.engine.getProperty("volume") == 0.0


def test_rate_and_volume_are_heard(listener: Listener) -> None:
    plain = listener.speak(SENTENCE)
    listener.engine.setProperty("rate", 300)
    listener.engine.setProperty("volume", 0.2)
    fast_and_low = listener.speak(SENTENCE)
    assert len(fast_and_low) < 0.8 * len(plain)
    assert max(array.array("h", fast_and_low)) < 0.5 * max(array.array("h", plain))


def test_an_unknown_property_is_a_key_error(listener: Listener) -> None:
    with pytest.raises(KeyError):
        listener.engine.getProperty("colour")


def test_voices_are_listed_with_ids_that_can_be_set(listener: Listener) -> None:
    ids = [voice.id for voice in listener.engine.getProperty("voices")]
    assert "gmw/en-US" in ids
    listener.engine.setProperty("voice", "gmw/en-US")
    listener.engine.runAndWait()
    assert "error" not in listener.topics()


@pytest.mark.parametrize("text", ["naïve café 😀", "a\0b", "lone \ud800 surrogate", "<speak>& [[x]]", "..."])
def test_odd_text_is_spoken_without_a_fault(listener: Listener, text: str) -> None:
    assert listener.speak(text)
    assert "error" not in listener.topics()


def test_an_outer_loop_pumps_what_is_queued(listener: Listener) -> None:
    listener.engine.startLoop(False)
    listener.engine.say("From outside.")
    listener.engine.iterate()
    listener.engine.endLoop()
    assert listener.blocks


def test_two_engines_speak_in_turn_with_their_own_voices() -> None:
    plain, other = Listener(Engine(register())), Listener(Engine(register()))
    other.engine.setProperty("rate", 300)
    first = len(plain.speak(SENTENCE))
    assert len(other.speak(SENTENCE)) < 0.8 * first
    assert len(plain.speak(SENTENCE)) > 0.95 * first


def test_a_missing_library_is_named_with_the_fix() -> None:
    program = (
        "import ctypes\n"
        "def no_library(self, name):\n"
        "    raise OSError(name)\n"
        "ctypes.LibraryLoader.LoadLibrary = no_library\n"
        "from telephony_agent.engines.espeak_driver import EspeakDriver\n"
        "EspeakDriver(None)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert "ModelLoadError" in done.stderr
    assert "run `apt-get install espeak-ng`" in done.stderr
