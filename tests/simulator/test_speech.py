"""The caller's voice and its noises, as espeak-ng and numpy really make them."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

from telephony_agent.simulator.measure import UTTERANCE_GAP_MS
from telephony_agent.simulator.noises import KINDS, level_dbov, noise
from telephony_agent.simulator.script import SayStep, Voice
from telephony_agent.simulator.speech import LEVEL_DBOV, Speaker, SpeechError
from telephony_agent.simulator.suite.tracks import loud_spans

needs_espeak = pytest.mark.skipif(shutil.which("espeak-ng") is None, reason="espeak-ng is not installed")


@needs_espeak
def test_a_line_is_speech_at_a_telephones_level_without_silence_around_it() -> None:
    pcm = Speaker().text("how much does it cost", Voice())
    assert 1.0 < len(pcm) / 8000 < 2.5
    assert abs(level_dbov(pcm) - LEVEL_DBOV) < 2
    assert level_dbov(pcm[:80]) > -55
    assert level_dbov(pcm[-80:]) > -55


@needs_espeak
def test_a_pause_in_a_line_is_silence_of_its_length() -> None:
    speaker = Speaker()
    whole = speaker.line(SayStep(("hello", 600, "who is this")), Voice())
    parts = [speaker.text(text, Voice()) for text in ("hello", "who is this")]
    assert len(whole) == sum(map(len, parts)) + 600 * 8
    assert not whole[len(parts[0]) : len(parts[0]) + 600 * 8].any()


@needs_espeak
def test_what_was_spoken_once_is_remembered() -> None:
    speaker = Speaker()
    assert speaker.text("hello", Voice()) is speaker.text("hello", Voice())
    assert speaker.text("hello", Voice()) is not speaker.text("hello", Voice(rate=200))


@needs_espeak
def test_a_text_without_a_word_is_an_error_that_names_it() -> None:
    with pytest.raises(SpeechError, match=r"made no sound of '\.\.\.'"):
        Speaker().text("...", Voice())


def test_a_missing_espeak_names_the_command_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(SpeechError, match="apt-get install espeak-ng"):
        Speaker()


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_noise_has_the_level_that_was_asked_for(kind: str) -> None:
    made = noise(kind, 8000, -30.0, np.random.default_rng(1))
    assert len(made) == 8000
    assert abs(level_dbov(made) + 30) < 1.5


def test_digital_silence_has_no_level() -> None:
    assert level_dbov(np.zeros(160, np.int16)) == -np.inf
    assert level_dbov(np.zeros(0, np.int16)) == -np.inf


def test_hold_music_has_no_hole_that_parts_it_and_changes_its_chord() -> None:
    music = noise("music", 8 * 8000, -24.0, np.random.default_rng(1))
    assert len(loud_spans(music, join_ms=UTTERANCE_GAP_MS)) == 1
    strongest = {int(np.argmax(np.abs(np.fft.rfft(part)))) for part in np.split(music, 4)}
    assert len(strongest) > 1


def test_a_beep_is_one_kilohertz_without_a_click() -> None:
    beep = noise("beep", 3200, -18.0, np.random.default_rng(1))
    spectrum = np.abs(np.fft.rfft(beep))
    assert int(np.argmax(spectrum)) * 8000 / 3200 == 1000
    assert max(abs(int(beep[0])), abs(int(beep[-1]))) < 50
