"""The spoken training data of pocket-whisper: voices, the telephone, the tracks that tell what sounds when."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("faster_whisper")

from scripts.pocket_models import corpus, speech
from scripts.pocket_models.lexicon import WEEKDAYS

LINE = "could you call me back on Thursday"
JITTER_MS = 20
"""espeak-ng carries its pitch and its breath noise over from one line to the next."""


@pytest.fixture
def said() -> speech.Speech:
    return speech.mouth().speak(LINE, "gmw/en-us", rate_wpm=170)


def test_the_same_words_in_the_same_manner_last_the_same(said: speech.Speech) -> None:
    again = speech.mouth().speak(LINE, "gmw/en-us", rate_wpm=170)

    assert [name for _, name in said.phonemes] == [name for _, name in again.phonemes]
    assert again.duration_ms == pytest.approx(said.duration_ms, abs=JITTER_MS)


def test_an_unknown_voice_is_refused() -> None:
    with pytest.raises(ValueError, match="martian"):
        speech.mouth().speak("hello", "martian")


def test_there_are_many_voices_and_none_of_the_held_out_is_trained_on() -> None:
    assert len(set(speech.TRAINING_VOICES)) == len(speech.TRAINING_VOICES) >= 40
    assert len(speech.HELD_OUT_VOICES) >= 4
    assert not set(speech.HELD_OUT_VOICES) & set(speech.TRAINING_VOICES)


@pytest.mark.parametrize("voice", speech.HELD_OUT_VOICES + speech.PLAIN_VOICES)
def test_every_voice_speaks(voice: str) -> None:
    assert speech.mouth().speak("hello", voice).duration_ms > 200


def test_most_phonemes_of_a_sentence_are_known_by_name(said: speech.Speech) -> None:
    track = speech.phoneme_track(said, 0, said.duration_ms // speech.FRAME_MS)

    assert np.count_nonzero(track == speech.PHONEMES.index("?")) == 0
    assert np.count_nonzero(track) > 0.6 * len(track)


def test_the_phoneme_track_moves_with_the_silence_before_the_speech(said: speech.Speech) -> None:
    at_once = speech.phoneme_track(said, 0, 150)
    later = speech.phoneme_track(said, 200, 160)

    assert np.array_equal(at_once, later[10:])
    assert not later[:10].any()


def test_each_word_has_its_span_in_the_order_of_the_words(said: speech.Speech) -> None:
    spans = speech.word_spans(said, LINE, 0, 200)

    assert len(spans) == len(LINE.split())
    assert spans == sorted(spans)
    assert all(start < end <= 200 for start, end in spans)


def test_words_that_espeak_runs_together_share_a_span() -> None:
    line = "who is this of the company"
    spans = speech.word_spans(speech.mouth().speak(line, "gmw/en-us"), line, 0, 300)

    assert spans[3] == spans[4]


def test_the_telephone_keeps_level_and_length_within_its_ranges(said: speech.Speech) -> None:
    for seed in range(20):
        heard = speech.telephone(random.Random(seed), said.pcm, said.rate)
        silence_ms = len(heard.audio) // 16 - said.duration_ms

        assert heard.audio.dtype == np.float32
        assert np.abs(heard.audio).max() <= 1.2
        assert -40 < heard.offset_ms < 400
        assert 60 <= silence_ms < 1101


def test_the_telephone_passes_nothing_above_four_kilohertz(said: speech.Speech) -> None:
    heard = speech.telephone(random.Random(1), said.pcm, said.rate, clean=True)
    spectrum = np.abs(np.fft.rfft(heard.audio)) ** 2
    hertz = np.fft.rfftfreq(len(heard.audio), 1 / speech.WHISPER_HZ)

    assert spectrum[hertz > 4200].sum() < 1e-3 * spectrum.sum()


def test_a_line_without_speech_is_no_longer_than_three_seconds() -> None:
    for seed in range(20):
        audio = speech.wordless(random.Random(seed))

        assert 0.4 * 16000 - 1 <= len(audio) <= 3 * 16000


def test_a_transcript_has_the_words_of_the_spoken_text_without_its_punctuation() -> None:
    rng = random.Random(5)
    for _ in range(300):
        line = corpus.draw_line(rng, "train")

        assert line.transcript == line.transcript.strip(".,?!")
        assert [word.strip(".,?!").lower() for word in line.text.split()] == line.transcript.lower().split()


def test_a_transcript_keeps_capitals_for_names_only() -> None:
    assert corpus.transcript_of("Great. See you Tuesday, Maria!") == "great see you Tuesday Maria"
    assert all(corpus.transcript_of(f"on {day.lower()}") == f"on {day}" for day in WEEKDAYS)


def test_an_example_has_the_same_words_for_the_same_seed_and_its_tracks_fit_its_mel() -> None:
    first, again = (next(corpus.examples("a seed", "train", speech.TRAINING_VOICES)) for _ in range(2))

    assert first.text == again.text
    assert len(first.mel) == pytest.approx(len(again.mel), abs=2 * JITTER_MS / speech.FRAME_MS)
    assert len(first.mel) == 2 * len(first.phonemes)
    assert len(first.spans) == len(first.text.split())


def test_a_shard_reads_back_with_the_lines_that_its_number_stands_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(corpus, "UTTERANCES_PER_SHARD", 5)
    corpus.write_shard(tmp_path, 3)
    written = (tmp_path / "shard-0003.json").read_text()
    corpus.write_shard(tmp_path, 3)

    read = corpus.read_shard(tmp_path / "shard-0003.json")
    source = corpus.examples("train:3", "train", speech.TRAINING_VOICES)
    assert [example.text for example in read] == [next(source).text for _ in range(5)]
    assert all(len(example.mel) == 2 * len(example.phonemes) for example in read)
    assert (tmp_path / "shard-0003.json").read_text() == written
