"""The training of pocket-whisper: token sequences, batches, the losses that teach it where to look, the word errors."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("faster_whisper")

import torch

from scripts.pocket_models import whisper_batches
from scripts.pocket_models.corpus import Example
from scripts.pocket_models.train_whisper import Trainer, longest_for, losses
from scripts.pocket_models.whisper_batches import Codec, batches, collate, make_tokenizer, prepare
from scripts.pocket_models.whisper_evaluation import edits
from scripts.pocket_models.whisper_net import Outputs, Shape, WhisperNet

pytestmark = pytest.mark.torch


@pytest.fixture(scope="module")
def codec(tmp_path_factory: pytest.TempPathFactory) -> Codec:
    return Codec(make_tokenizer(tmp_path_factory.mktemp("tokenizer") / "tokenizer.json", sentences=200))


def example(text: str = "call me on Monday", frames: int = 120) -> Example:
    noise = np.random.default_rng(frames).normal(size=(frames, 80)).astype(np.float16)
    spans = [(10 * n, 10 * n + 10) for n, _ in enumerate(text.split())]
    return Example(noise, text, np.ones(frames // 2, np.uint8), spans)


def test_the_vocabulary_is_laid_out_as_english_only_whisper_wants_it(codec: Codec) -> None:
    end = codec["<|endoftext|>"]

    assert [codec[token] - end for token in whisper_batches.SPECIAL] == list(range(8))
    assert codec["<|0.00|>"] == end + 8
    assert codec["<|30.00|>"] == codec.size - 1
    assert codec.size < 51865


def test_any_text_survives_the_tokenizer(codec: Codec) -> None:
    text = "Zoë's e-mail is zoë at example dot com"

    ids = [piece for word in text.split() for piece in codec.pieces(word)]

    assert codec.tokenizer.decode(ids) == " " + text


def test_speech_starts_without_timestamps_and_each_piece_has_the_span_of_its_word(codec: Codec) -> None:
    prepared = prepare(example(), codec)

    assert prepared.inputs[:2] == [codec["<|startoftranscript|>"], codec["<|notimestamps|>"]]
    assert prepared.targets[0] == codec["<|notimestamps|>"]
    assert prepared.targets[-1] == codec["<|endoftext|>"]
    assert prepared.inputs[1:] == prepared.targets[:-1]
    assert len(prepared.spans) == len(prepared.targets)
    assert sorted(set(prepared.spans)) == [(0, 0), (0, 10), (10, 20), (20, 30), (30, 40)]


def test_a_line_without_speech_is_flagged_at_once_and_has_no_words(codec: Codec) -> None:
    prepared = prepare(example(""), codec)

    assert prepared.targets == [codec["<|nocaptions|>"], codec["<|endoftext|>"]]


def test_batches_hold_every_utterance_once_and_nothing_that_is_too_long(codec: Codec) -> None:
    pool = [prepare(example(frames=frames), codec) for frames in range(60, 400, 4)]

    made = list(batches(random.Random(1), pool, longest_frames=300))

    assert sum(len(batch.mel) for batch in made) == sum(len(item.example.mel) <= 300 for item in pool)
    assert max(batch.mel.shape[2] for batch in made) < 1000
    assert all(batch.mel.shape[2] * len(batch.mel) < 2 * whisper_batches.BATCH_FRAMES for batch in made)


def test_an_utterance_that_follows_another_keeps_its_words_and_their_places(codec: Codec) -> None:
    first, second = prepare(example("call me back", 100), codec), prepare(example("it's Maria here", 140), codec)

    both = whisper_batches.append(random.Random(1), first, second)
    whole = prepare(both.example, codec)

    assert both.example.text == "call me back it's Maria here"
    assert (both.inputs, both.targets, both.spans) == (whole.inputs, whole.targets, whole.spans)
    assert len(both.example.mel) == 2 * len(both.example.phonemes)
    shift = both.example.spans[3][0] - second.example.spans[0][0]
    assert (both.example.mel[2 * (shift + 10) :] == second.example.mel[20:]).all()


def test_what_does_not_fit_a_window_is_not_appended(codec: Codec) -> None:
    first = prepare(example("call me", 500), codec)
    second = prepare(example("it's Maria", 960), codec)

    assert whisper_batches.append(random.Random(1), first, second) is first


def test_a_window_never_passes_ten_seconds_and_ends_in_silence(codec: Codec) -> None:
    batch = collate(random.Random(1), [prepare(example(frames=frames), codec) for frames in (80, 960)])

    assert batch.mel.shape[2] <= 1000
    assert (batch.mel[0, :, 100:] == batch.mel[0, 0, -1]).all()
    assert (batch.phonemes[0, 40:] == 0).all()


def test_looking_at_the_right_word_costs_less_than_looking_elsewhere(codec: Codec) -> None:
    batch = collate(random.Random(1), [prepare(example("hello"), codec)])
    tokens, frames = batch.targets.shape[1], batch.phonemes.shape[1]

    def cost(frame: int) -> float:
        attention = torch.zeros(1, tokens, frames)
        attention[..., frame] = 1.0
        outputs = Outputs(torch.zeros(1, tokens, codec.size), torch.zeros(1, frames, 64), (attention,))
        return losses(outputs, batch).alignment.item()

    assert cost(5) < 0.01 < cost(40)


def test_a_checkpoint_takes_training_up_where_it_was(codec: Codec, tmp_path: Path) -> None:
    shape = Shape(codec.size, width=16, heads=2, encoder_layers=1, decoder_layers=1)
    batch = collate(random.Random(1), [prepare(example(), codec)])
    first = Trainer(shape)
    for _ in range(3):
        first.step(batch, 0.1)
    first.save(tmp_path / "checkpoint.pt")
    second = Trainer(shape)
    second.load(tmp_path / "checkpoint.pt")

    assert second.steps == 3
    assert first.step(batch, 0.1).total.item() == pytest.approx(second.step(batch, 0.1).total.item())


def test_the_state_has_the_names_that_transformers_gives_its_whisper() -> None:
    transformers: Any = pytest.importorskip("transformers")
    shape = Shape(80, width=16, heads=2, encoder_layers=1, decoder_layers=1)
    config = transformers.WhisperConfig(
        vocab_size=80,
        d_model=16,
        encoder_layers=1,
        decoder_layers=1,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        encoder_ffn_dim=64,
        decoder_ffn_dim=64,
        max_source_positions=shape.positions,
        pad_token_id=0,
    )

    whole = transformers.WhisperForConditionalGeneration(config)

    assert not any(whole.load_state_dict(WhisperNet(shape).checkpoint()))


def test_short_utterances_come_first_and_all_of_them_in_the_end() -> None:
    assert longest_for(0.0) == 180
    assert longest_for(0.2) == longest_for(1.0) == 960


@pytest.mark.parametrize(
    ("said", "understood", "count"),
    [("a b c", "a b c", 0), ("a b c", "", 3), ("a b", "a x b", 1), ("a b c", "b c d", 2), ("", "a", 1)],
)
def test_word_errors_are_the_fewest_changes(said: str, understood: str, count: int) -> None:
    assert edits(said.split(), understood.split()) == count


def test_what_is_broken_off_holds_the_words_up_to_there_and_no_more(codec: Codec) -> None:
    whole = prepare(example("call me on Monday at ten"), codec)
    for seed in range(20):
        cut = whisper_batches.break_off(random.Random(seed), whole)
        words = cut.example.text.split()
        assert 0 < len(words) < 6
        assert whole.example.text.startswith(cut.example.text)
        assert codec.tokenizer.decode(cut.targets[1:-1]).strip() == cut.example.text
        assert cut.inputs[2:] == cut.targets[1:-1]
        assert len(cut.spans) == len(cut.targets)
        # The next word begins ten frames after this one began.
        assert 10 * len(words) <= len(cut.example.phonemes) <= 10 * len(words) + 12
        assert len(cut.example.mel) == 2 * len(cut.example.phonemes)


def test_one_word_is_not_broken_off(codec: Codec) -> None:
    whole = prepare(example("yes"), codec)
    assert whisper_batches.break_off(random.Random(1), whole) is whole
