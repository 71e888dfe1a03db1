"""Owns the judgement of an exported pocket-whisper: word error rates on sentences that it never learnt."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from faster_whisper.feature_extractor import FeatureExtractor

from scripts.pocket_models import corpus, speech
from scripts.pocket_models.corpus import Example, Mel
from scripts.pocket_models.whisper_batches import PAD_S, WINDOW_S, silence_of
from scripts.pocket_models.whisper_net import MELS

AGENT_VOICE = ("gmw/en-us",)


class Ear:
    """An exported model, used as the engine uses it: faster-whisper's features, CTranslate2's encode and generate."""

    def __init__(self, model_dir: Path) -> None:
        from ctranslate2 import StorageView
        from faster_whisper import WhisperModel

        self._storage = StorageView
        self._whisper = WhisperModel(str(model_dir), device="cpu", compute_type="int8", cpu_threads=1)
        self._tokenizer = self._whisper.hf_tokenizer
        tokens = ("<|startoftranscript|>", "<|notimestamps|>")
        self._prompt = [self._tokenizer.token_to_id(token) for token in tokens]

    def understand(self, mel: Mel) -> tuple[str, float]:
        """Return the text of mel frames [frames, 80] and the probability that nobody spoke."""
        window_s = min(max(WINDOW_S[0], math.ceil(len(mel) / 100 + PAD_S)), WINDOW_S[1])
        padded = np.full((1, MELS, round(window_s * 100)), silence_of(mel), np.float32)
        padded[0, :, : len(mel)] = mel[: padded.shape[2]].T
        encoded = self._whisper.model.encode(self._storage.from_array(padded))
        found = self._whisper.model.generate(
            encoded, [self._prompt], beam_size=1, max_length=220, suppress_tokens=[], return_no_speech_prob=True
        )[0]
        return str(self._tokenizer.decode(found.sequences_ids[0])).strip(), float(found.no_speech_prob)


def edits(said: Sequence[str], understood: Sequence[str]) -> int:
    """Count the words to change, add or drop to make one of the other."""
    row = list(range(len(understood) + 1))
    for i, word in enumerate(said, 1):
        corner, row[0] = row[0], i
        for j, other in enumerate(understood, 1):
            corner, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, corner + (word != other))
    return row[-1]


def evaluate(model_dir: Path, each: int = 300) -> dict[str, Any]:
    """Measure the exported model on held-out sentences, ``each`` of every group; the same ones in every run.

    Returns:
        ``wer`` by group in percent (without regard to case), ``invented``: percent of wordless examples that got
        words, ``missed``: percent of spoken ones judged wordless, and ``errors``: some (said, understood).
    """
    ear = Ear(model_dir)
    wer: dict[str, float] = {}
    errors: list[tuple[str, str]] = []
    missed = 0
    groups = evaluation_groups()
    for name, draw in groups.items():
        wrong = words = 0
        for number in range(each):
            example = draw(random.Random(f"evaluate:{name}:{number}"))
            text, no_speech = ear.understand(example.mel)
            said, understood = example.text.lower().split(), text.lower().split()
            count = edits(said, understood)
            wrong, words, missed = wrong + count, words + len(said), missed + (no_speech > 0.6)
            if count:
                errors.append((example.text, text))
        wer[name] = round(100 * wrong / words, 2)
    extract = FeatureExtractor()
    quiet = [
        ear.understand(corpus.even_mel(extract, speech.wordless(random.Random(f"quiet:{n}")))) for n in range(each)
    ]
    return {
        "wer": wer,
        "invented": round(100 * sum(bool(text) for text, _ in quiet) / each, 2),
        "unflagged": round(100 * sum(no_speech <= 0.6 for _, no_speech in quiet) / each, 2),
        "missed": round(100 * missed / (each * len(groups)), 2),
        "errors": random.Random(0).sample(errors, min(len(errors), 24)),
    }


def evaluation_groups() -> dict[str, Callable[[random.Random], Example]]:
    """Return how to draw an example of each group of held-out sentences; all but one group speak one at a time."""
    extract = FeatureExtractor()

    def caller(voices: tuple[str, ...], sentences: int = 1) -> Callable[[random.Random], Example]:
        def draw(rng: random.Random) -> Example:
            return corpus.make_example(rng, corpus.caller_line(rng, "heldout", sentences), voices, extract)

        return draw

    def agent(rng: random.Random) -> Example:
        return corpus.make_example(rng, corpus.agent_line(rng, "heldout"), AGENT_VOICE, extract, clean=True)

    return {
        "training voices": caller(speech.TRAINING_VOICES),
        "plain voices": caller(speech.PLAIN_VOICES),
        "held-out voices": caller(speech.HELD_OUT_VOICES),
        "two sentences": caller(speech.TRAINING_VOICES, 2),
        "agent": agent,
    }


def summary(found: dict[str, Any]) -> str:
    """Write an evaluation in one line."""
    groups = ", ".join(f"{name} {value:.1f} %" for name, value in found["wer"].items())
    return f"WER {groups}; invented {found['invented']} %, unflagged {found['unflagged']} %, missed {found['missed']} %"
