"""Owns pocket-whisper's examples: which sentences are spoken by whom, and the shards of them on disk.

A shard is a pair of files. ``shard-0007.npy`` holds the mel frames of all its utterances end to end, float16
[frames, 80], read through a memory map; ``shard-0007.json`` holds the rest and is written last, so a shard whose JSON
exists is whole. A shard's content follows from its number alone (but for the breath noise that espeak-ng draws by
itself): making is resumable and can be shared out.
"""

from __future__ import annotations

import json
import os
import random
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
from faster_whisper.feature_extractor import FeatureExtractor

from scripts.pocket_models import lexicon, speech
from scripts.pocket_models.dialogues import agent_sentence
from scripts.pocket_models.sentences import INTENTS, aside, caller_sentence

UTTERANCES_PER_SHARD = 1000
LONGEST_FRAMES = 960
"""Mel frames (10 ms) of the longest utterance that is kept; Whisper's window here ends at 1000."""

SHARE_AGENT = 0.2
SHARE_LISTS = 0.05
SHARE_WORDLESS = 0.03
SHARE_ASIDES = 0.6
"""In the shards of asides, which came later."""
ASIDE_SHARDS = (*range(67, 72), *range(80, 88))
HALTING_SHARDS = range(72, 80)
HUM_SHARDS = range(88, 92)
SHARE_HUMS = 0.8
SHARE_HALTING = 0.7
"""In the shards of callers who halt."""
_FILLERS = ("um", "um", "uh", "er", "hmm", "like", "you know")
_HUMS = (*("mm-hm", "uh-huh") * 4, "hmm", "mm", "ah", "oh", "um")
_SHORT = (
    "okay",
    "yeah",
    "yep",
    "right",
    "sure",
    "yes",
    "no",
    "stop",
    "wait",
    "what",
    "hello",
    "sorry",
    "who",
    "really",
)
_JOINTS = ("and", "and", "but", "or", "because", "and um", "but uh", "so")
_OPEN_INTENTS = (
    "book",
    "give_name",
    "introduce",
    "give_company",
    "give_email",
    "give_size",
    "integration",
    "off_topic",
)
"""Intents that hold most of the vocabulary; drawn more often than the fixed phrases."""


Mel = npt.NDArray[np.float16]
"""Log-mel frames of 10 ms, [frames, 80]."""


@dataclass(frozen=True, slots=True)
class Spoken:
    """A line before it is spoken: ``transcript`` is what should be understood, ``text`` what espeak-ng gets.

    Both have the same words; only the spoken text has punctuation.
    """

    transcript: str
    text: str
    by_agent: bool


@dataclass(frozen=True, slots=True)
class Example:
    """One utterance: ``mel`` float16 [frames, 80], ``phonemes`` uint8 [frames / 2], ``spans`` the frames [start, end)
    (20 ms) of each word of ``text``; a wordless one has the empty text and no spans."""

    mel: Mel
    text: str
    phonemes: npt.NDArray[np.uint8]
    spans: list[tuple[int, int]]


def draw_line(rng: random.Random, split: str) -> Spoken:
    """Draw what is said: mostly a caller's sentence, sometimes the agent's or a list of words or digits."""
    kind = rng.random()
    if kind < SHARE_AGENT:
        return agent_line(rng, split, rng.choice((1, 1, 1, 2, 3)))
    if kind < SHARE_AGENT + SHARE_LISTS:
        return _spoken(rng, [_word_list(rng)])
    return caller_line(rng, split, rng.choice((1, 1, 1, 2)))


def agent_line(rng: random.Random, split: str, sentences: int = 1) -> Spoken:
    """Draw so many sentences of the agent."""
    said = [transcript_of(agent_sentence(rng, split=split)) for _ in range(sentences)]
    return _spoken(rng, said, by_agent=True)


def caller_line(rng: random.Random, split: str, sentences: int = 1) -> Spoken:
    """Draw so many sentences of a caller, the ones with names and numbers more often than the fixed phrases."""
    intents = [rng.choice(_OPEN_INTENTS) if rng.random() < 0.3 else rng.choice(INTENTS) for _ in range(sentences)]
    return _spoken(rng, [caller_sentence(rng, split=split, intent=intent).text for intent in intents])


def halting_line(rng: random.Random, split: str) -> Spoken:
    """Draw a caller who searches for words: a filler within a sentence, or two joined; half of them stop there."""
    first, second = (caller_sentence(rng, split=split).text.split() for _ in range(2))
    if rng.random() < 0.6 and len(first) > 1:
        place = rng.randrange(1, len(first))
        begun, rest = [*first[:place], *rng.choice(_FILLERS).split()], first[place:]
    else:
        begun, rest = [*first, *rng.choice(_JOINTS).split()], second
    said = begun if rng.random() < 0.5 else [*begun, *rest]
    return _spoken(rng, [" ".join(said)])


def _spoken(rng: random.Random, sentences: list[str], *, by_agent: bool = False) -> Spoken:
    commas = 0.03 if by_agent else 0.06
    return Spoken(" ".join(sentences), " ".join(_punctuate(rng, text, commas) for text in sentences), by_agent)


def transcript_of(text: str) -> str:
    """Write a text as the caller grammar does: no punctuation, lower case but for names and "I".

    A sentence's first word keeps its capital only if the grammar knows it as a name.
    """
    bare = (word.strip(".,;:!?\"'()[]…") for word in text.replace("-", " ").replace("e mail", "e-mail").split())
    return " ".join(_cased(word) for word in bare if word)


def _cased(word: str) -> str:
    if word in names() or word == "I" or word.startswith("I'"):
        return word
    return word.capitalize() if word.capitalize() in lexicon.WEEKDAYS else word.lower()


@cache
def names() -> frozenset[str]:
    """Return the words that the grammar writes with a capital."""
    lists = (lexicon.FIRST_NAMES, lexicon.LAST_NAMES, lexicon.COMPANY_HEADS, lexicon.COMPANY_TAILS, lexicon.WEEKDAYS)
    return frozenset(word for values in (*lists, lexicon.TOOLS) for value in values for word in value.split())


def _word_list(rng: random.Random) -> str:
    kind = rng.randrange(4)
    if kind == 0:
        digits = ("zero", "oh", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
        return " ".join(rng.choice(digits) for _ in range(rng.randrange(3, 11)))
    if kind == 1:
        return " ".join(lexicon.number_words(rng.randrange(0, 1000)) for _ in range(rng.randrange(1, 4)))
    if kind == 2:
        return " ".join(rng.choice(sorted(names())) for _ in range(rng.randrange(1, 5)))
    words = " ".join(caller_sentence(rng).text for _ in range(4)).split()
    return " ".join(rng.sample(words, min(len(words), rng.randrange(2, 8))))


def _punctuate(rng: random.Random, text: str, commas: float) -> str:
    words = text.split()
    for index in range(len(words) - 1):
        if rng.random() < commas:
            words[index] += ","
    if rng.random() < 0.6:
        words[-1] += rng.choice("..?!")
    if rng.random() < 0.5:
        words[0] = words[0][:1].upper() + words[0][1:]
    return " ".join(words)


def draw_manner(rng: random.Random, voices: tuple[str, ...], *, by_agent: bool) -> tuple[str, int, int]:
    """Draw a voice, a rate (words a minute) and a pitch; the plain voices are common, and the agent's nearly always."""
    usual = voices == speech.TRAINING_VOICES and rng.random() < (0.7 if by_agent else 0.25)
    voice = rng.choice(speech.PLAIN_VOICES if usual else voices)
    if voice in speech.PLAIN_VOICES and rng.random() < 0.7:
        return voice, rng.choice((150, 160, 165, 170, 175, 180, 190, 200)), 50
    return voice, rng.randrange(130, 211), rng.randrange(20, 81)


def make_example(
    rng: random.Random, line: Spoken, voices: tuple[str, ...], extract: FeatureExtractor, *, clean: bool = False
) -> Example:
    """Speak a line over the telephone and extract what Whisper hears of it."""
    voice, rate_wpm, pitch = draw_manner(rng, voices, by_agent=line.by_agent)
    spoken = speech.mouth().speak(line.text, voice, rate_wpm=rate_wpm, pitch=pitch)
    heard = speech.telephone(rng, spoken.pcm, spoken.rate, clean=clean)
    mel = even_mel(extract, heard.audio)
    frames = len(mel) // 2
    track = speech.phoneme_track(spoken, heard.offset_ms, frames)
    return Example(mel, line.transcript, track, speech.word_spans(spoken, line.text, heard.offset_ms, frames))


def even_mel(extract: FeatureExtractor, audio: speech.Floats) -> Mel:
    """Return faster-whisper's log-mel of 16 kHz audio, float16 [frames, 80] with an even number of frames."""
    mel = extract(audio).T
    return np.ascontiguousarray(mel[: len(mel) // 2 * 2], dtype=np.float16)


def examples(seed: str, split: str, voices: tuple[str, ...], shard: int = 0) -> Iterator[Example]:
    """Yield examples for ever; the same ones for the same seed, but for espeak-ng's own breath noise.

    What is said in them depends on the shard: see ``ASIDE_SHARDS``.
    """
    rng = random.Random(seed)
    extract = FeatureExtractor()
    while True:
        if split == "train" and rng.random() < SHARE_WORDLESS:
            mel = even_mel(extract, speech.wordless(rng))
            yield Example(mel, "", np.zeros(len(mel) // 2, np.uint8), [])
            continue
        example = make_example(rng, _line_of(rng, split, shard), voices, extract)
        if len(example.mel) <= LONGEST_FRAMES:
            yield example


def hum(rng: random.Random) -> Spoken:
    """Draw a hum or a word as short as one, sometimes two of them."""
    words = [rng.choice(_HUMS if rng.random() < 0.6 else _SHORT) for _ in range(rng.choice((1, 1, 1, 2)))]
    return _spoken(rng, [" ".join(words)])


def _line_of(rng: random.Random, split: str, shard: int) -> Spoken:
    if shard in HUM_SHARDS and rng.random() < SHARE_HUMS:
        return hum(rng)
    if shard in HALTING_SHARDS and rng.random() < SHARE_HALTING:
        return halting_line(rng, split)
    if shard in ASIDE_SHARDS and rng.random() < SHARE_ASIDES:
        return _spoken(rng, [aside(rng, split=split)])
    return draw_line(rng, split)


def write_shard(folder: Path, number: int) -> None:
    """Make one shard of training examples, unless it is there."""
    name = folder / f"shard-{number:04d}"
    if name.with_suffix(".json").exists():
        return
    source = examples(f"train:{number}", "train", speech.TRAINING_VOICES, number)
    made = [next(source) for _ in range(UTTERANCES_PER_SHARD)]
    np.save(name.with_suffix(".npy"), np.concatenate([example.mel for example in made]))
    entries = [[len(e.mel), e.text, e.phonemes.tobytes().hex(), e.spans] for e in made]
    aside = name.with_suffix(".tmp")
    aside.write_text(json.dumps(entries))
    aside.rename(name.with_suffix(".json"))


def write_shards(folder: Path, count: int) -> None:
    """Make shards 0 to ``count - 1``: the entry of the background process, which steps aside for other work."""
    os.nice(10)
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        write_shard(folder, number)


def read_shard(path: Path) -> list[Example]:
    """Read a shard by its JSON file; the mel frames stay on disk until they are used."""
    mels = np.load(path.with_suffix(".npy"), mmap_mode="r")
    found, start = [], 0
    for frames, text, phonemes, spans in json.loads(path.read_text()):
        track = np.frombuffer(bytes.fromhex(phonemes), np.uint8)
        found.append(Example(mels[start : start + frames], text, track, [(a, b) for a, b in spans]))
        start += frames
    return found
