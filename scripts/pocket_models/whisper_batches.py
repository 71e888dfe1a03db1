"""Owns what pocket-whisper's network is fed: the tokenizer, the token sequences, the batches and their windows."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers
from torch import Tensor

from scripts.pocket_models import corpus
from scripts.pocket_models.corpus import Example, Mel
from scripts.pocket_models.whisper_net import MELS, POSITIONS

PIECES = 700
SPECIAL = (
    *("<|endoftext|>", "<|startoftranscript|>", "<|translate|>", "<|transcribe|>", "<|startoflm|>"),
    *("<|startofprev|>", "<|nocaptions|>", "<|notimestamps|>"),
)
"""In the order of Whisper's English-only vocabulary, right after the text pieces."""

BATCH_FRAMES = 3200
BATCH_MOST = 32
ROUND = 2000
SHARE_APPENDED = 0.25
SHARE_BROKEN_OFF = 0.2
IGNORE = -100
"""The target that counts for nothing."""

WINDOW_S = (1.0, 10.0)
PAD_S = 0.5
"""The window rule that the batches practise: the utterance and about ``PAD_S`` or more of silence, 10 s at most."""


def make_tokenizer(path: Path, *, sentences: int = 20_000) -> Tokenizer:
    """Train the byte-level BPE on so many sentences and lay it out as Whisper's English-only vocabulary."""
    rng = random.Random("tokenizer")
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=PIECES, initial_alphabet=alphabet, show_progress=False)
    tokenizer.train_from_iterator((" " + corpus.draw_line(rng, "train").transcript for _ in range(sentences)), trainer)
    tokenizer.add_special_tokens([AddedToken(token, special=True) for token in SPECIAL])
    tokenizer.add_tokens([AddedToken(f"<|{step * 0.02:.2f}|>", special=False) for step in range(1501)])
    path.parent.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(path))
    return tokenizer


@dataclass(frozen=True, slots=True)
class Codec:
    """Words to tokens and back, with the ids that training needs by name."""

    tokenizer: Tokenizer

    def __getitem__(self, token: str) -> int:
        found = self.tokenizer.token_to_id(token)
        if found is None:
            raise KeyError(token)
        return int(found)

    @property
    def size(self) -> int:
        """Number of ids."""
        return int(self.tokenizer.get_vocab_size())

    def pieces(self, word: str) -> list[int]:
        """Return the ids of one word with the space before it."""
        return list(self.tokenizer.encode(" " + word, add_special_tokens=False).ids)


@dataclass(frozen=True, slots=True)
class Prepared:
    """An example ready for batches: decoder ``inputs`` and ``targets`` (one longer than the text's pieces by two), and
    for each target the frames ``[start, end)`` in which its word sounds; (0, 0) where there is none."""

    example: Example
    inputs: list[int]
    targets: list[int]
    spans: list[tuple[int, int]]


@dataclass(frozen=True, slots=True)
class Batch:
    """``mel`` [B, 80, T], ``inputs`` and ``targets`` [B, N], ``phonemes`` [B, T / 2], ``spans`` [B, N, 2]."""

    mel: Tensor
    inputs: Tensor
    targets: Tensor
    phonemes: Tensor
    spans: Tensor


def prepare(example: Example, codec: Codec) -> Prepared:
    """Write the token sequences: a wordless example answers ``<|nocaptions|>`` and ends at once."""
    start, plain, end = codec["<|startoftranscript|>"], codec["<|notimestamps|>"], codec["<|endoftext|>"]
    text: list[int] = []
    spans: list[tuple[int, int]] = [(0, 0)]
    for word, span in zip(example.text.split(), example.spans, strict=True):
        pieces = codec.pieces(word)
        text += pieces
        spans += [span] * len(pieces)
    first = plain if text else codec["<|nocaptions|>"]
    return Prepared(example, [start, plain, *text], [first, *text, end], [*spans, (0, 0)])


def append(rng: random.Random, first: Prepared, second: Prepared) -> Prepared:
    """Let one utterance follow another after a short pause; ``first`` alone if they don't fit a window together."""
    if not first.example.text or not second.example.text:
        return first
    end = min(first.example.spans[-1][1] + rng.randrange(2, 20), len(first.example.phonemes))
    start = max(second.example.spans[0][0] - rng.randrange(2, 12), 0)
    if 2 * (end + len(second.example.phonemes) - start) > corpus.LONGEST_FRAMES:
        return first
    shifted = [(a + end - start, b + end - start) for a, b in second.example.spans]
    example = Example(
        np.concatenate([first.example.mel[: 2 * end], second.example.mel[2 * start :]]),
        f"{first.example.text} {second.example.text}",
        np.concatenate([first.example.phonemes[:end], second.example.phonemes[start:]]),
        [*first.example.spans, *shifted],
    )
    spans = [(a + end - start, b + end - start) if b else (a, b) for a, b in second.spans[1:]]
    targets = [*first.targets[:-1], *second.targets[1:]]
    return Prepared(example, [*first.inputs, *second.inputs[2:]], targets, [*first.spans[:-1], *spans])


def break_off(rng: random.Random, whole: Prepared) -> Prepared:
    """Cut an utterance off behind one of its words, as a caller does who pauses; one of a single word stays whole.

    Without such examples a small decoder completes what it knows the beginning of.
    """
    words = whole.example.text.split()
    if len(words) < 2:
        return whole
    count = rng.randrange(1, len(words))
    last, following = whole.example.spans[count - 1], whole.example.spans[count]
    end = max(last[1], min(last[1] + rng.randrange(12), following[0]))
    pieces = sum(0 < span[1] <= last[1] for span in whole.spans)
    example = Example(
        whole.example.mel[: 2 * end],
        " ".join(words[:count]),
        whole.example.phonemes[:end],
        whole.example.spans[:count],
    )
    targets = [*whole.targets[: 1 + pieces], whole.targets[-1]]
    return Prepared(example, whole.inputs[: 2 + pieces], targets, [*whole.spans[: 1 + pieces], (0, 0)])


def batches(rng: random.Random, pool: Sequence[Prepared], longest_frames: int) -> Iterator[Batch]:
    """Yield a round of `ROUND` utterances of at most ``longest_frames``, grouped by length, in random order.

    Some of them get another one appended: a caller says two things in one breath more often than the corpus does, and
    what comes second must be heard, not guessed. Others are broken off.
    """
    short = [item for item in pool if len(item.example.mel) <= longest_frames]
    drawn = rng.sample(short, min(len(short), ROUND))
    drawn = [append(rng, item, rng.choice(short)) if rng.random() < SHARE_APPENDED else item for item in drawn]
    drawn = [break_off(rng, item) if rng.random() < SHARE_BROKEN_OFF else item for item in drawn]
    ordered = sorted(drawn, key=lambda item: len(item.example.mel) * rng.uniform(0.9, 1.1))
    groups: list[list[Prepared]] = [[]]
    for item in ordered:
        group = groups[-1]
        longest = max([len(item.example.mel), *(len(other.example.mel) for other in group)]) + 80
        if group and (len(group) >= BATCH_MOST or longest * (len(group) + 1) > BATCH_FRAMES):
            groups.append([item])
        else:
            group.append(item)
    rng.shuffle(groups)
    for group in groups:
        if group:
            yield collate(rng, group)


def collate(rng: random.Random, group: Sequence[Prepared]) -> Batch:
    """Pad a group to one window as the engine would, and mask bits of it as SpecAugment does."""
    extra = rng.randrange(40, 110) if rng.random() < 0.9 else rng.randrange(110, 300)
    frames = min(max(len(item.example.mel) for item in group) + extra, 2 * POSITIONS) // 2 * 2
    frames = max(frames, int(WINDOW_S[0] * 100))
    length = max(len(item.inputs) for item in group)
    mel = torch.empty(len(group), MELS, frames)
    inputs = torch.zeros(len(group), length, dtype=torch.long)
    targets = torch.full((len(group), length), IGNORE)
    phonemes = torch.zeros(len(group), frames // 2, dtype=torch.long)
    spans = torch.zeros(len(group), length, 2, dtype=torch.long)
    for row, item in enumerate(group):
        sound = torch.from_numpy(np.array(item.example.mel, dtype=np.float32)).T
        mel[row] = silence_of(item.example.mel)
        mel[row, :, : sound.shape[1]] = _mask(rng, sound)
        count = len(item.inputs)
        inputs[row, :count] = torch.tensor(item.inputs)
        targets[row, :count] = torch.tensor(item.targets)
        spans[row, :count] = torch.tensor(item.spans)
        track = torch.from_numpy(item.example.phonemes.astype(np.int64))
        phonemes[row, : len(track)] = track
    return Batch(mel, inputs, targets, phonemes, spans)


def silence_of(mel: Mel) -> float:
    """Return the value that digital silence after this sound would have: faster-whisper cuts off 8 decades below the
    loudest bin, and a decade is a quarter."""
    return float(mel.max()) - 2


def _mask(rng: random.Random, sound: Tensor) -> Tensor:
    sound = sound + rng.uniform(-0.05, 0.05)
    if rng.random() < 0.3:
        return sound
    for _ in range(rng.randrange(3)):
        low, width = rng.randrange(sound.shape[0]), rng.randrange(2, 12)
        sound[low : low + width] = sound.mean()
    for _ in range(rng.randrange(3)):
        start, width = rng.randrange(sound.shape[1]), rng.randrange(2, 10)
        sound[:, start : start + width] = sound.mean()
    return sound
