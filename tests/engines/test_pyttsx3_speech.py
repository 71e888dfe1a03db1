from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest

from telephony_agent.engines.pyttsx3_speech import Pyttsx3Synthesizer
from telephony_agent.errors import ModelLoadError, SynthesisError, SynthesisTimeout

SENTENCE = "Hello there, this is Alex from Northwind. Do you have a minute?"
LONG = "This goes on and on, with one clause after the other. " * 400

on_linux = pytest.mark.skipif(sys.platform != "linux", reason="the worker speaks through files here")


def never() -> bool:
    return False


def say(synthesizer: Pyttsx3Synthesizer, text: str = SENTENCE) -> bytes:
    return b"".join(synthesizer.synthesize(text, never))


@pytest.fixture(scope="module")
def shared() -> Iterator[Pyttsx3Synthesizer]:
    synthesizer = Pyttsx3Synthesizer()
    synthesizer.warm()
    yield synthesizer
    synthesizer.close()


@pytest.fixture
def own() -> Iterator[Pyttsx3Synthesizer]:
    synthesizer = Pyttsx3Synthesizer(deadline_s=1.0)
    synthesizer.warm()
    yield synthesizer
    synthesizer.close()


def test_a_phrase_streams_in_blocks_as_long_as_speech(shared: Pyttsx3Synthesizer) -> None:
    blocks = list(shared.synthesize(SENTENCE, never))
    assert len(blocks) > 20
    assert 2 < sum(map(len, blocks)) / 2 / shared.sample_rate < 6


def test_a_phrase_a_hundred_times_is_whole_every_time(shared: Pyttsx3Synthesizer) -> None:
    lengths = {len(say(shared, "A short phrase.")) for _ in range(100)}
    assert max(lengths) - min(lengths) < 0.1 * max(lengths)


@pytest.mark.parametrize("text", ["", "  \n", "\0"])
def test_nothing_to_say_is_no_audio(shared: Pyttsx3Synthesizer, text: str) -> None:
    assert say(shared, text) == b""


def test_a_cancelled_phrase_stops_and_the_next_is_whole(shared: Pyttsx3Synthesizer) -> None:
    pid = shared.worker_pid
    blocks: list[bytes] = []
    blocks.extend(shared.synthesize(LONG, lambda: len(blocks) >= 3))
    assert len(blocks) == 3
    assert len(say(shared)) > 80_000
    assert shared.worker_pid == pid


def test_a_phrase_that_the_consumer_drops_is_cancelled(shared: Pyttsx3Synthesizer) -> None:
    pid = shared.worker_pid
    phrase = shared.synthesize(LONG, never)
    next(iter(phrase))
    phrase.close()  # type: ignore[attr-defined]  # it is a generator
    assert len(say(shared)) > 80_000
    assert shared.worker_pid == pid


def test_threads_take_turns_and_each_hears_its_own_phrase(shared: Pyttsx3Synthesizer) -> None:
    texts = ["One.", "One two three four.", "One two three four five six seven eight nine ten."]
    alone = [len(say(shared, text)) for text in texts]
    together: dict[int, int] = {}

    def speak(index: int) -> None:
        together[index] = len(say(shared, texts[index]))

    threads = [threading.Thread(target=speak, args=(index,)) for index in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for index, length in enumerate(alone):
        assert abs(together[index] - length) < 8_000


def test_waiting_for_a_turn_ends_when_cancelled(shared: Pyttsx3Synthesizer) -> None:
    first = shared.synthesize(LONG, never)
    next(iter(first))
    assert list(shared.synthesize(SENTENCE, lambda: True)) == []
    first.close()  # type: ignore[attr-defined]  # it is a generator


@on_linux
def test_a_worker_killed_in_the_middle_costs_one_phrase(own: Pyttsx3Synthesizer) -> None:
    pid = own.worker_pid
    assert pid
    phrase = iter(own.synthesize(LONG, never))
    next(phrase)
    os.kill(pid, signal.SIGKILL)
    with pytest.raises(SynthesisError, match="ended with code -9"):
        list(phrase)
    assert own.worker_pid != pid
    assert len(say(own)) > 80_000


@on_linux
def test_a_worker_that_died_between_phrases_costs_one_phrase(own: Pyttsx3Synthesizer) -> None:
    pid = own.worker_pid
    assert pid
    os.kill(pid, signal.SIGKILL)
    with pytest.raises(SynthesisError):
        say(own)
    assert len(say(own)) > 80_000


@on_linux
def test_a_hang_misses_the_deadline_and_the_next_phrase_is_fine(own: Pyttsx3Synthesizer) -> None:
    pid = own.worker_pid
    assert pid
    os.kill(pid, signal.SIGSTOP)
    with pytest.raises(SynthesisTimeout):
        say(own)
    assert own.worker_pid != pid
    assert len(say(own)) > 80_000


@on_linux
def test_a_hang_during_a_cancelled_phrase_costs_nothing_later(own: Pyttsx3Synthesizer) -> None:
    pid = own.worker_pid
    assert pid
    phrase = own.synthesize(LONG, never)
    next(iter(phrase))
    os.kill(pid, signal.SIGSTOP)
    phrase.close()  # type: ignore[attr-defined]  # it is a generator
    assert len(say(own)) > 80_000


@on_linux
def test_closing_reaps_the_child() -> None:
    synthesizer = Pyttsx3Synthesizer()
    synthesizer.warm()
    pid = synthesizer.worker_pid
    assert pid
    synthesizer.close()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    with pytest.raises(SynthesisError, match="closed"):
        say(synthesizer)
    synthesizer.close()


@on_linux
def test_the_child_dies_with_its_parent() -> None:
    program = (
        "import os\n"
        "from telephony_agent.engines.pyttsx3_speech import Pyttsx3Synthesizer\n"
        "synthesizer = Pyttsx3Synthesizer()\n"
        "synthesizer.warm()\n"
        "print(synthesizer.worker_pid, flush=True)\n"
        "os._exit(0)\n"
    )
    # The child holds the program's standard error open until it ends: run() returns only then, or times out.
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, timeout=60, check=True)
    assert int(done.stdout) > 0


def test_an_unknown_voice_is_named_with_the_setting_and_the_fix() -> None:
    synthesizer = Pyttsx3Synthesizer("no-such-voice")
    with pytest.raises(ModelLoadError, match=r"AGENT_TTS_VOICE='no-such-voice'.*espeak-ng --voices"):
        synthesizer.warm()
    assert synthesizer.worker_pid is None
    synthesizer.close()


def test_the_sample_rate_is_unknown_before_the_start() -> None:
    with pytest.raises(SynthesisError, match="warm"):
        _ = Pyttsx3Synthesizer().sample_rate


def test_rate_is_a_setting(shared: Pyttsx3Synthesizer) -> None:
    fast = Pyttsx3Synthesizer(rate=300)
    fast.warm()
    assert len(say(fast)) < 0.8 * len(say(shared))
    fast.close()


@on_linux
def test_a_stock_driver_speaks_through_files_and_its_prints_stay_out_of_the_pipe() -> None:
    synthesizer = Pyttsx3Synthesizer(stock_driver="espeak")
    synthesizer.warm()
    assert synthesizer.sample_rate == 22_050
    lengths = {len(say(synthesizer, "A short phrase.")) for _ in range(10)}
    assert min(lengths) > 20_000
    synthesizer.close()
