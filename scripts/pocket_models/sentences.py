"""What callers say in a sales call: a grammar of intents, each with several wordings and slots.

The wordings are data, in ``sentences.yaml``. A template is plain text with ``(a|b|)`` for alternatives (they don't
nest) and ``{slot}`` for a value, drawn by the functions of ``lexicon``. The text is what a transcriber would print:
lower case but for names, companies, tools, weekdays and "I"; no punctuation but the apostrophe; numbers in words;
e-mails as spoken.

The grammar is split by a stable hash of the finished text: one sentence in twenty is held out of training, for ever.
"""

from __future__ import annotations

import random
import re
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import yaml

from scripts.pocket_models.lexicon import REAL_WORDS, Draw

HELD_OUT_ONE_IN = 20
_ALTERNATIVES = re.compile(r"\(([^()]*)\)")
_SLOT = re.compile(r"\{(\w+)\}")


Wordings = tuple[str, ...]


def _read_grammar(path: Path) -> tuple[Wordings, Mapping[str, Wordings], Wordings]:
    """Return fillers, each intent's templates and asides, in the order of the file, which every draw depends on."""
    grammar = yaml.safe_load(path.read_text(encoding="utf-8"))
    templates = {intent: tuple(wordings.splitlines()) for intent, wordings in grammar["intents"].items()}
    return tuple(grammar["fillers"].splitlines()), MappingProxyType(templates), tuple(grammar["asides"].splitlines())


FILLERS, TEMPLATES, ASIDES = _read_grammar(Path(__file__).with_suffix(".yaml"))
"""What may come before a sentence, the wordings of each intent, and what is said over the agent."""

INTENTS: tuple[str, ...] = tuple(TEMPLATES)


@dataclass(frozen=True, slots=True)
class Sentence:
    """One thing a caller says: its text, what it means, and the values that it carries, keyed by slot."""

    text: str
    intent: str
    slots: dict[str, str]


def is_held_out(text: str) -> bool:
    """Tell whether a text belongs to the held-out split; the same on every machine and in every run."""
    return zlib.crc32(text.lower().encode()) % HELD_OUT_ONE_IN == 0


def fill(template: str, rng: random.Random, words: Mapping[str, Draw]) -> tuple[str, dict[str, str]]:
    """Expand a template: choose among its alternatives and draw its slots.

    Returns:
        the text and the slot values in it.
    """
    chosen = _ALTERNATIVES.sub(lambda match: rng.choice(match[1].split("|")), template)
    slots = {slot: words[slot](rng) for slot in _SLOT.findall(chosen)}
    text = " ".join(_SLOT.sub(lambda match: slots[match[1]], chosen).split())
    return text.replace("on tomorrow", "tomorrow").replace("on next ", "next "), slots


def caller_sentence(
    rng: random.Random,
    *,
    split: str = "train",
    intent: str | None = None,
    words: Mapping[str, Draw] = REAL_WORDS,
) -> Sentence:
    """Draw what a caller says, with a filler in front of it one time in three.

    Args:
        rng: the source of every choice.
        split: ``train`` or ``heldout``; no sentence is ever in both.
        intent: one of ``INTENTS``; drawn when None.
        words: how to draw each slot.

    Raises:
        ValueError: the split is neither of the two.
    """
    if split not in ("train", "heldout"):
        raise ValueError(f"split must be 'train' or 'heldout', not {split!r}")
    intent = intent or rng.choice(INTENTS)
    while True:
        text, slots = fill(rng.choice(TEMPLATES[intent]), rng, words)
        if rng.random() < 1 / 3:
            text = f"{rng.choice(FILLERS)} {text}"
        if is_held_out(text) == (split == "heldout"):
            return Sentence(text, intent, slots)


def aside(rng: random.Random, *, split: str = "train") -> str:
    """Draw what a caller says over the agent; in either split."""
    while True:
        text, _ = fill(rng.choice(ASIDES), rng, {})
        if is_held_out(text) == (split == "heldout"):
            return text
