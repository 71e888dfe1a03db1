"""Owns pocket-whisper's training loop.

Four things let one CPU thread train it in about an hour. Windows follow the utterance instead of Whisper's 30 s;
batches hold utterances of like length; the encoder is told which phoneme sounds in each frame, and one head of each
decoder layer where each word sounds (espeak-ng reports both). Weights are averaged over the last steps for the export.
"""

from __future__ import annotations

import math
import multiprocessing
import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F  # noqa: N812 - the name everybody reads
from rich.console import Console
from rich.progress import Progress
from tokenizers import Tokenizer
from torch import Tensor

from scripts.pocket_models import corpus
from scripts.pocket_models.whisper_batches import IGNORE, Batch, Codec, Prepared, batches, make_tokenizer, prepare
from scripts.pocket_models.whisper_evaluation import evaluate, summary
from scripts.pocket_models.whisper_export import export
from scripts.pocket_models.whisper_net import Outputs, Shape, WhisperNet

__all__ = ["evaluate", "train"]

SHARDS = 92
LEARNING_RATE = 1.5e-3
WARM_UP_STEPS = 300
EMA_DECAY = 0.9985
LABEL_SMOOTHING = 0.05
PHONEME_WEIGHT = 0.4
ALIGNMENT_WEIGHT = 0.25
CHECKPOINT_EVERY_S = 450
REPORT_EVERY_STEPS = 100


@dataclass(frozen=True, slots=True)
class Losses:
    """Mean losses of one batch: next token, phoneme of a frame, attention outside of the word."""

    text: Tensor
    phoneme: Tensor
    alignment: Tensor

    @property
    def total(self) -> Tensor:
        """The weighted sum that is minimised."""
        return self.text + PHONEME_WEIGHT * self.phoneme + ALIGNMENT_WEIGHT * self.alignment


def losses(outputs: Outputs, batch: Batch) -> Losses:
    """Compare a forward pass with what was said."""
    text = F.cross_entropy(
        outputs.logits.flatten(0, 1), batch.targets.flatten(), ignore_index=IGNORE, label_smoothing=LABEL_SMOOTHING
    )
    phoneme = F.cross_entropy(outputs.phonemes.flatten(0, 1), batch.phonemes.flatten())
    frames = torch.arange(outputs.phonemes.shape[1])
    start, end = batch.spans[..., :1], batch.spans[..., 1:]
    inside = (frames >= start - 2) & (frames < end + 2)
    wanted = batch.spans[..., 1] > 0
    outside = [-torch.log((weights * inside).sum(-1)[wanted] + 1e-6) for weights in outputs.attention]
    return Losses(text, phoneme, torch.cat([*outside, torch.zeros(1)]).mean())


class Trainer:
    """The network, its averaged twin and the optimiser, with their checkpoint."""

    def __init__(self, shape: Shape) -> None:
        torch.manual_seed(20)
        self.shape = shape
        self.net = WhisperNet(shape)
        self.average = {name: value.detach().clone() for name, value in self.net.state_dict().items()}
        trained = [parameter for parameter in self.net.parameters() if parameter.requires_grad]
        self.optimiser = torch.optim.AdamW(trained, lr=0.0, betas=(0.9, 0.98), weight_decay=0.01, fused=True)
        self.steps = 0
        self.elapsed_s = 0.0

    def step(self, batch: Batch, progress: float) -> Losses:
        """Learn from one batch; ``progress`` (0 to 1) places it on the cosine of the learning rate."""
        rate = LEARNING_RATE * max(0.02, 0.5 * (1 + math.cos(math.pi * min(progress, 1.0))))
        for group in self.optimiser.param_groups:
            group["lr"] = rate * min(1.0, (self.steps + 1) / WARM_UP_STEPS)
        found = losses(self.net(batch.mel, batch.inputs), batch)
        self.optimiser.zero_grad()
        found.total.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.net.parameters(), 1.0)
        self.optimiser.step()
        self.steps += 1
        keep = min(EMA_DECAY, self.steps / (self.steps + 10))
        with torch.no_grad():
            for name, value in self.net.state_dict().items():
                self.average[name].lerp_(value, 1 - keep)
        return found

    def save(self, path: Path) -> None:
        """Write a checkpoint, in one move."""
        aside = path.with_suffix(".tmp")
        torch.save(
            {
                "net": self.net.state_dict(),
                "average": self.average,
                "optimiser": self.optimiser.state_dict(),
                "steps": self.steps,
                "elapsed_s": self.elapsed_s,
            },
            aside,
        )
        aside.rename(path)

    def load(self, path: Path) -> None:
        """Take up a checkpoint."""
        state = torch.load(path, weights_only=True)
        self.net.load_state_dict(state["net"])
        self.average = state["average"]
        self.optimiser.load_state_dict(state["optimiser"])
        self.steps, self.elapsed_s = state["steps"], state["elapsed_s"]

    def averaged(self) -> WhisperNet:
        """Return a network with the averaged weights."""
        twin = WhisperNet(self.shape)
        twin.load_state_dict(self.average)
        return twin.eval()


class Shelf:
    """The examples that have been made so far."""

    def __init__(self, folder: Path, codec: Codec, growing: Callable[[], bool]) -> None:
        self._folder = folder
        self._codec = codec
        self._growing = growing
        self._read: set[Path] = set()
        self._items: list[Prepared] = []

    def refresh(self) -> list[Prepared]:
        """Take in new shards and return all; wait for the first while there is none but the shelf is growing."""
        while True:
            for path in sorted(set(self._folder.glob("shard-*.json")) - self._read):
                self._read.add(path)
                self._items += [prepare(example, self._codec) for example in corpus.read_shard(path)]
            if self._items:
                return self._items
            if not self._growing():
                raise RuntimeError(f"no examples in {self._folder}, and nobody makes any")
            time.sleep(1)


def longest_for(progress: float) -> int:
    """Return how long utterances may be (mel frames): short ones first, all of them after a sixth of the time."""
    return int(180 + min(progress * 6, 1.0) ** 2 * (corpus.LONGEST_FRAMES - 180))


def train(out: Path, work: Path, minutes: float, threads: int) -> None:
    """Train for so many minutes in all (earlier runs in ``work`` count) and export to ``out`` every few of them.

    Examples are made by a background process while training goes on; both take up where an earlier run stopped.
    """
    torch.set_num_threads(threads)
    maker = multiprocessing.get_context("spawn").Process(
        target=corpus.write_shards, args=(work / "corpus", SHARDS), daemon=True
    )
    maker.start()
    try:
        vocabulary = work / "tokenizer.json"
        codec = Codec(Tokenizer.from_file(str(vocabulary)) if vocabulary.exists() else make_tokenizer(vocabulary))
        _run(Trainer(Shape(codec.size)), Shelf(work / "corpus", codec, maker.is_alive), codec, out, work, minutes * 60)
    finally:
        maker.terminate()


def _run(trainer: Trainer, shelf: Shelf, codec: Codec, out: Path, work: Path, seconds: float) -> None:
    checkpoint = work / "checkpoint.pt"
    if checkpoint.exists():
        trainer.load(checkpoint)

    def keep() -> None:
        trainer.save(checkpoint)
        export(trainer.averaged(), codec, out, work)

    console = Console()
    saved_s = trainer.elapsed_s
    recent: list[tuple[float, float, float]] = []
    with Progress(console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task("pocket-whisper", total=seconds)
        for batch in _until(trainer, shelf, seconds):
            found = trainer.step(batch, trainer.elapsed_s / seconds)
            recent.append((found.text.item(), found.phoneme.item(), found.alignment.item()))
            bar.update(task, completed=trainer.elapsed_s)
            if trainer.steps % REPORT_EVERY_STEPS == 0:
                means = " ".join(f"{sum(column) / len(column):.3f}" for column in zip(*recent, strict=True))
                console.print(f"{trainer.elapsed_s:6.0f} s  step {trainer.steps:6d}  losses {means}", soft_wrap=True)
                recent.clear()
            if trainer.elapsed_s - saved_s > CHECKPOINT_EVERY_S:
                saved_s = trainer.elapsed_s
                keep()
                console.print(f"{trainer.elapsed_s:6.0f} s  {summary(evaluate(out, each=40))}", soft_wrap=True)
    keep()


def _until(trainer: Trainer, shelf: Shelf, seconds: float) -> Iterator[Batch]:
    """Yield batches, and count the time that passes between them, until the trainer has had so many seconds."""
    rng = random.Random(trainer.steps)
    last_s = time.monotonic()
    while trainer.elapsed_s < seconds:
        for batch in batches(rng, shelf.refresh(), longest_for(trainer.elapsed_s / seconds)):
            if trainer.elapsed_s >= seconds:
                return
            yield batch
            now_s = time.monotonic()
            trainer.elapsed_s += now_s - last_s
            last_s = now_s
