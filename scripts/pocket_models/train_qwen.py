"""Training and evaluation of pocket-qwen: a small Qwen2 causal LM on generated sales calls, on one CPU thread.

Data is made while training and never repeats: chunk ``k`` of the calls depends on the seed and on ``k`` only. The
schedule runs by time, not by steps, so that a slow machine trains less instead of longer. A checkpoint holds all that
a later run needs to go on.

Two things decide how fast it learns, both found the hard way: common words must be single pieces, so the tokenizer is
trained on the default playbook's calls; and the same caller turn must always get the same reply, so that no capacity
and no gradient goes into guessing a synonym.
"""

from __future__ import annotations

import math
import random
import re
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from torch.nn import functional
from transformers import DynamicCache, GenerationConfig, PreTrainedTokenizerFast, Qwen2Config, Qwen2ForCausalLM
from transformers.models.qwen2.tokenization_qwen2 import PRETOKENIZE_REGEX

from scripts.pocket_models import evaluate_qwen
from scripts.pocket_models.dialogues import Dialogue, dialogues, opening
from scripts.pocket_models.muon import Muon

SEED = 20261124
CONTEXT_TOKENS = 1024
PIECES = 2600
WORD_REPEATS = 200
WARM_UP_STEPS = 50
MUON_LR = 6e-3
ADAM_LR = 3e-3
CALLS_A_BATCH = 8
BATCHES_A_CHUNK = 24
CHECKPOINT_EVERY_S = 300.0
IGNORED = -100
END_WEIGHT = 0.25
"""How much the judgement of whether the caller's words are complete counts beside the wording of the reply."""


CHAT_TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
_ROLE_TOKENS = 3
"""``<|im_start|>``, the role, a line break."""
_SPECIAL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")


def build_tokenizer(calls: int = 1500) -> PreTrainedTokenizerFast:
    """Train the byte-level BPE on generated calls and give it Qwen's chat format.

    The text is cut into words by Qwen's own expression: whatever the files say, ``AutoTokenizer`` uses that one for
    every model of type ``qwen2``.
    """
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(PRETOKENIZE_REGEX), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=PIECES,
        special_tokens=[AddedToken(token, special=True, normalized=False) for token in _SPECIAL],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    texts = [
        f"{message['role']}\n{message['content']}\n"
        for call in islice(dialogues(SEED), calls)
        for message in call.messages()
    ]
    # A value of one piece is copied by looking at one place; one of many pieces must be followed through.
    words = sorted({word for text in texts for word in re.findall(r"[A-Za-z]+", text)})
    texts += [f" {word}" * WORD_REPEATS for word in words]
    tokenizer.train_from_iterator(texts, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        chat_template=CHAT_TEMPLATE,
        model_max_length=CONTEXT_TOKENS,
        clean_up_tokenization_spaces=False,
    )


def build_model(tokenizer: PreTrainedTokenizerFast) -> Qwen2ForCausalLM:
    """Make the untrained network."""
    config = Qwen2Config(
        vocab_size=len(tokenizer),
        hidden_size=192,
        intermediate_size=576,
        num_hidden_layers=4,
        num_attention_heads=6,
        num_key_value_heads=2,
        max_position_embeddings=CONTEXT_TOKENS,
        rope_parameters={"rope_type": "default", "rope_theta": 1e4},
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    model = Qwen2ForCausalLM(config)
    model.generation_config = GenerationConfig(
        do_sample=False, eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id
    )
    return model


@dataclass(frozen=True, slots=True)
class Example:
    """One call as token ids: its system prompt, and the rest with two labels for each token.

    ``labels`` are the tokens with all but the agent's own words ignored. ``ends`` tell of the caller's own words, each
    where it stands, whether his message ends behind it (1, 0, or ignored).
    """

    prompt: list[int]
    ids: list[int]
    labels: list[int]
    ends: list[int]


def encode(call: Dialogue, tokenizer: PreTrainedTokenizerFast) -> Example:
    """Encode a call; the greeting, interrupted replies and the guide's words are read, not learnt."""
    end_token = tokenizer.eos_token_id
    punctuation = set(tokenizer.convert_tokens_to_ids([".", "?"]))
    system, *greeting = (
        f"<|im_start|>{message['role']}\n{message['content']}<|im_end|>\n"
        for message in opening(call.world.playbook, greeted=call.greeted)
    )
    parts = [(text, False) for text in (system, *greeting)]
    for turn in call.turns:
        parts.append((f"<|im_start|>user\n{turn.heard}<|im_end|>\n<|im_start|>assistant\n", False))
        parts.append((f"{turn.said}<|im_end|>", not (turn.interrupted or turn.fixed)))
        parts.append(("\n", False))
    prompt, *rest = tokenizer([text for text, _ in parts], add_special_tokens=False)["input_ids"]
    ids: list[int] = []
    labels: list[int] = []
    ends: list[int] = []
    for part, (text, learnt) in zip(rest, parts[1:], strict=True):
        ids += part
        labels += part if learnt else [IGNORED] * len(part)
        ends += [IGNORED] * len(part)
        if text.startswith("<|im_start|>user"):
            first = len(ids) - len(part) + _ROLE_TOKENS
            for place in range(first, ids.index(end_token, first)):
                # Whether a full stop follows is the transcriber's habit, not the caller's.
                if ids[place + 1] not in punctuation:
                    ends[place] = int(ids[place + 1] == end_token)
    room = CONTEXT_TOKENS - len(prompt)
    return Example(prompt, ids[:room], labels[:room], ends[:room])


def batches(tokenizer: PreTrainedTokenizerFast, seed: int, chunk: int) -> Iterator[list[Example]]:
    """Make one chunk of calls, as batches of ``CALLS_A_BATCH`` calls of about equal length."""
    calls = dialogues(seed * 100_003 + chunk)
    examples = [encode(call, tokenizer) for call in islice(calls, BATCHES_A_CHUNK * CALLS_A_BATCH)]
    examples.sort(key=lambda example: len(example.ids))
    made = [examples[at : at + CALLS_A_BATCH] for at in range(0, len(examples), CALLS_A_BATCH)]
    random.Random(chunk).shuffle(made)
    yield from made


def _pad(rows: list[list[int]], value: int) -> torch.Tensor:
    width = max(map(len, rows))
    return torch.tensor([row + [value] * (width - len(row)) for row in rows])


def loss_of(model: Qwen2ForCausalLM, batch: list[Example]) -> torch.Tensor:
    """Compute the loss of calls that share one system prompt.

    It is the mean cross-entropy of the learnt tokens, and that of whether the caller's message ends, which the call
    reads off the end token's probability behind each of his words.

    The prompt is half of all tokens, so it is read once, and its keys and values serve all calls; gradients flow back
    through them. The head runs on the learnt positions only.
    """
    cache = DynamicCache(config=model.config)
    prompt = torch.tensor([batch[0].prompt])
    model.model(input_ids=prompt, past_key_values=cache, use_cache=True)
    cache.batch_repeat_interleave(len(batch))
    ids = _pad([example.ids for example in batch], 0)[:, :-1]
    labels = _pad([example.labels for example in batch], IGNORED)[:, 1:]
    hidden = model.model(input_ids=ids, past_key_values=cache, use_cache=True).last_hidden_state
    learnt = labels != IGNORED
    wording = functional.cross_entropy(model.lm_head(hidden[learnt]), labels[learnt])
    ends = _pad([example.ends for example in batch], IGNORED)[:, :-1]
    judged = ends != IGNORED
    end = model.lm_head(hidden[judged]).softmax(-1)[:, model.config.eos_token_id].clamp(1e-5, 1 - 1e-5)
    return wording + END_WEIGHT * functional.binary_cross_entropy(end, ends[judged].float())


class Trainer:
    """The state of one training run: network, averaged weights, optimisers, and how far it has come."""

    def __init__(self, tokenizer: PreTrainedTokenizerFast, seed: int = SEED) -> None:
        torch.manual_seed(seed)
        self.tokenizer = tokenizer
        self.model = build_model(tokenizer)
        self.average = build_model(tokenizer)
        self.average.load_state_dict(self.model.state_dict())
        matrices = [weight for weight in self.model.model.layers.parameters() if weight.ndim == 2]
        chosen = {id(weight) for weight in matrices}
        others = [weight for weight in self.model.parameters() if id(weight) not in chosen]
        self.optimizers: list[torch.optim.Optimizer] = [
            Muon(matrices, lr=MUON_LR),
            torch.optim.AdamW(others, lr=ADAM_LR, betas=(0.9, 0.98), weight_decay=0.0),
        ]
        self.step = 0
        self.chunk = 0
        self.trained_s = 0.0

    def train_chunk(self, total_s: float, seed: int = SEED) -> float:
        """Train on the next chunk of calls and return its mean loss."""
        losses = [self._learn(batch, total_s) for batch in batches(self.tokenizer, seed, self.chunk)]
        self.chunk += 1
        return sum(losses) / len(losses)

    def _learn(self, batch: list[Example], total_s: float) -> float:
        """Take one step on a batch of calls."""
        started = time.monotonic()
        self._schedule(self.trained_s / total_s)
        loss = loss_of(self.model, batch)
        torch.autograd.backward(loss)
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        for optimizer in self.optimizers:
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        self.step += 1
        self._follow()
        self.trained_s += time.monotonic() - started
        return loss.item()

    def _schedule(self, progress: float) -> None:
        """Warm up, then let the rates fall along a cosine to a fiftieth."""
        cosine = 0.02 + 0.98 * (0.5 + 0.5 * math.cos(math.pi * min(progress, 1.0)))
        part = min(1.0, (self.step + 1) / WARM_UP_STEPS) * cosine
        for optimizer, peak in zip(self.optimizers, (MUON_LR, ADAM_LR), strict=True):
            for group in optimizer.param_groups:
                group["lr"] = peak * part

    @torch.no_grad()
    def _follow(self) -> None:
        decay = min(0.97, 1 - 10 / (self.step + 10))
        for mean, weight in zip(self.average.parameters(), self.model.parameters(), strict=True):
            mean.lerp_(weight, 1 - decay)

    def save(self, path: Path) -> None:
        """Write a checkpoint, whole or not at all."""
        state: dict[str, Any] = {
            "model": self.model.state_dict(),
            "average": self.average.state_dict(),
            "optimizers": [optimizer.state_dict() for optimizer in self.optimizers],
            "progress": (self.step, self.chunk, self.trained_s),
        }
        torch.save(state, path.with_suffix(".part"))
        path.with_suffix(".part").replace(path)

    def load(self, path: Path) -> None:
        """Go on from a checkpoint."""
        state = torch.load(path, weights_only=True)
        self.model.load_state_dict(state["model"])
        self.average.load_state_dict(state["average"])
        for optimizer, saved in zip(self.optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(saved)
        self.step, self.chunk, self.trained_s = state["progress"]

    def export(self, out: Path) -> None:
        """Write the averaged weights in half precision, with the tokenizer, as transformers loads them."""
        part = out.with_name(out.name + ".part")
        shutil.rmtree(part, ignore_errors=True)
        model = build_model(self.tokenizer)
        model.load_state_dict(self.average.state_dict())
        model.to(torch.float16).save_pretrained(part)
        self.tokenizer.save_pretrained(part)
        shutil.rmtree(out, ignore_errors=True)
        part.rename(out)


def _kept_tokenizer(path: Path) -> PreTrainedTokenizerFast:
    """Build the tokenizer once, so that a run that goes on reads the same pieces."""
    if not path.exists():
        build_tokenizer().save_pretrained(path)
    return PreTrainedTokenizerFast.from_pretrained(path)


def train(out: Path, work: Path, minutes: float, threads: int) -> None:
    """Train pocket-qwen for so many minutes and export it to ``out``, going on from a checkpoint in ``work``."""
    torch.set_num_threads(threads)
    work.mkdir(parents=True, exist_ok=True)
    out.parent.mkdir(parents=True, exist_ok=True)
    tokenizer = _kept_tokenizer(work / "tokenizer")
    trainer = Trainer(tokenizer)
    checkpoint = work / "qwen.pt"
    if checkpoint.exists():
        trainer.load(checkpoint)
    total_s = minutes * 60
    saved_s = trainer.trained_s
    columns = (TextColumn("pocket-qwen"), BarColumn(), TextColumn("{task.fields[note]}"), TimeRemainingColumn())
    with Progress(*columns) as progress:
        bar = progress.add_task("", total=total_s, note="")
        while trainer.trained_s < total_s:
            loss = trainer.train_chunk(total_s)
            progress.update(bar, completed=trainer.trained_s, note=f"step {trainer.step}, loss {loss:.4f}")
            if not progress.console.is_terminal:
                print(f"{trainer.trained_s:6.0f} s  step {trainer.step}  loss {loss:.4f}", flush=True)
            if trainer.trained_s - saved_s >= CHECKPOINT_EVERY_S:
                saved_s = trainer.trained_s
                trainer.save(checkpoint)
                trainer.export(out)
    trainer.save(checkpoint)
    trainer.export(out)


def evaluate(model_dir: Path) -> dict[str, Any]:
    """Test an exported model on held-out calls; see ``evaluate_qwen``."""
    return evaluate_qwen.evaluate(model_dir)
