"""The phrases of a language that the sales rules go by: what callers mean, and the fixed words of ours.

The lists are data, one file a language: ``phrases/en.yaml`` says what each of them is for. A signal is decided here and
not by the model, so that no model can miss it; each has *masks*, texts that look alike and don't mean it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from enum import StrEnum
from functools import cache
from importlib import resources
from typing import Any, Self

import yaml

from telephony_agent.errors import PlaybookError
from telephony_agent.sales.words import clauses, plain, sentences


class Signal(StrEnum):
    """What a caller's words want, by rule."""

    OPT_OUT = "opt_out"
    """Never to be called again."""
    DOUBT = "doubt"
    """Perhaps never to be called again: the words are near those of an opt-out, and no rule knows them for one."""
    WRONG_NUMBER = "wrong_number"
    ROBOT = "robot"
    """To know whether we are a machine."""
    PERSON = "person"
    """To talk to a person."""
    RECORDING = "recording"
    """To know whether the call is recorded."""
    REFUSAL = "refusal"
    CALLBACK = "callback"
    """To be called another time."""
    PARTING = "parting"
    """To be done with the call."""
    YES = "yes"
    NO = "no"


class Objection(StrEnum):
    """What a caller holds against it; for the outcome's record."""

    NO_TIME = "no_time"
    HAVE_SUPPLIER = "have_supplier"
    PRICE = "price"
    NOT_DECIDER = "not_decider"
    SEND_EMAIL = "send_email"
    WHERE_NUMBER = "where_number"


@dataclass(frozen=True, slots=True)
class FixedWords:
    """What we say where no model may choose the words; ``{company}`` and the like are still to be filled in."""

    disclosure: str
    opt_out: str
    removal: str
    wrong_number: str
    robot: str
    no_person: str
    take_message: str
    nobody: str
    nobody_yet: str
    recording_notice: str
    recorded: str
    not_recorded: str
    leave: str
    read_back: str
    read_back_time: str
    again_phone: str
    keypad: str
    again_email: str
    again_time: str
    give_up: str
    booked: str
    call_agreed: str
    another_time: str
    call_when: str
    noted: str
    unsure: str


@dataclass(frozen=True, slots=True)
class WhisperWords:
    """What a person is told who is to take a call; ``{who}`` and the like are still to be filled in."""

    unknown: str
    """Of a call that nothing is known of."""
    call: str
    name_and_company: str
    company: str
    nobody: str
    asked: str
    connected: str
    broken_off: str
    told: str
    cut: str
    """Behind what the caller told us, where it is too long."""
    labels: Mapping[str, str]
    """What slots are called, where their names don't say it."""


@dataclass(frozen=True, slots=True)
class CheckWords:
    """What the reply check looks for."""

    promises: tuple[re.Pattern[str], ...]
    actions: Mapping[str, re.Pattern[str]]
    """How we offer to do what a playbook may leave out, by the name of its call to action."""
    quantities: re.Pattern[str]
    clock: re.Pattern[str]
    leaks: re.Pattern[str]
    we_are: re.Pattern[str]
    acknowledging: frozenset[str]
    small_words: frozenset[str]
    common_names: frozenset[str]


@dataclass(frozen=True, slots=True)
class SalesPhrases:
    """The phrases of one language."""

    signals: Mapping[Signal, re.Pattern[str]]
    masks: Mapping[Signal, re.Pattern[str]]
    objections: Mapping[Objection, re.Pattern[str]]
    asks: Mapping[str, re.Pattern[str]]
    offer: re.Pattern[str]
    removal: re.Pattern[str]
    more: re.Pattern[str]
    fillers: frozenset[str]
    edges: frozenset[str]
    negations: frozenset[str]
    check: CheckWords
    say: FixedWords
    whisper: WhisperWords
    own_opt_outs: frozenset[str] = frozenset()
    """Opt-outs that a playbook adds, plain and without fillers."""

    @classmethod
    def shipped(cls, language: str = "en") -> SalesPhrases:
        """Return the phrases of a language that come with the package: the same object each time.

        Raises:
            PlaybookError: there are none for it; the message names those that there are.
        """
        return _shipped(language)

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> Self:
        """Return the phrases of a file's data."""
        words = data["words"]
        check = data["check"]
        masks = data["masks"]
        # What is no opt-out by rule is no doubtful one either.
        masks = masks | {Signal.DOUBT: [*masks[Signal.OPT_OUT], *masks[Signal.DOUBT]]}
        return cls(
            signals={signal: _pattern(data["signals"][signal], words) for signal in Signal},
            masks={Signal(name): _pattern(patterns, words) for name, patterns in masks.items()},
            objections={objection: _pattern(data["objections"][objection], words) for objection in Objection},
            asks={slot: _pattern([pattern], words) for slot, pattern in data["asks"].items()},
            offer=_pattern([data["offer"]], words),
            removal=_pattern([data["removal"]], words),
            more=_pattern([data["more"]], words),
            fillers=frozenset(data["fillers"].split()),
            edges=frozenset(data["edges"].split()),
            negations=frozenset(data["negations"].split()),
            check=CheckWords(
                promises=tuple(_pattern([promise], words) for promise in check["promises"]),
                actions={name: _pattern([pattern], words) for name, pattern in check["actions"].items()},
                quantities=_pattern([check["quantities"]], words),
                clock=_pattern([check["clock"]], words),
                leaks=_pattern(check["leaks"], words),
                we_are=_pattern([check["we_are"]], words),
                acknowledging=frozenset(check["acknowledging"].split()),
                small_words=frozenset(check["small_words"].split()),
                common_names=frozenset(check["common_names"].split()),
            ),
            say=FixedWords(**{field.name: data["say"][field.name] for field in fields(FixedWords)}),
            whisper=WhisperWords(**data["whisper"]),
        )

    def with_opt_outs(self, phrases: Iterable[str]) -> SalesPhrases:
        """Return these phrases with opt-outs of a playbook's own: each counts wherever its words stand in a row."""
        return replace(self, own_opt_outs=frozenset(self._without_fillers(plain(phrase)) for phrase in phrases))

    def signals_in(self, text: str) -> frozenset[Signal]:
        """Return what a caller's words want."""
        spoken = [self._without_fillers(clause) for clause in clauses(text)]
        found = {signal for signal in Signal if any(self._means(signal, clause) for clause in spoken)}
        if any(self._means(Signal.OPT_OUT, self._without_edges(clause)) for clause in spoken):
            found.add(Signal.OPT_OUT)
        if any(f" {phrase} " in f" {clause} " for phrase in self.own_opt_outs for clause in spoken):
            found.add(Signal.OPT_OUT)
        return frozenset(found - {Signal.DOUBT} if Signal.OPT_OUT in found else found)

    def objections_in(self, text: str) -> frozenset[Objection]:
        """Return the objections in a caller's words."""
        spoken = self._without_fillers(plain(text))
        return frozenset(name for name, pattern in self.objections.items() if pattern.search(spoken))

    def asked_by(self, ours: str) -> str:
        """Return the name of the slot that our own words asked for last, or nothing."""
        spoken = plain(ours)
        places = [(match.end(), slot) for slot, pattern in self.asks.items() for match in pattern.finditer(spoken)]
        return max(places, default=(0, ""))[1]

    def is_offer(self, ours: str) -> bool:
        """Tell whether our own words end in an offer, to which "no" is a refusal."""
        return bool(self.offer.search(plain(_last_sentence(ours))))

    def offers_removal(self, ours: str) -> bool:
        """Tell whether our own words offer to call no more, to which "yes" is an opt-out."""
        return bool(self.removal.search(plain(_last_sentence(ours))))

    def asks_for_more(self, ours: str) -> bool:
        """Tell whether our own words ask for anything else, to which "no" takes leave."""
        return bool(self.more.search(plain(_last_sentence(ours))))

    def _without_fillers(self, spoken: str) -> str:
        return " ".join(word for word in spoken.split() if word not in self.fillers)

    def _without_edges(self, spoken: str) -> str:
        """Take off what only opens or closes a sentence ("okay", "thank you"): "stop calling okay" is short, too."""
        words = spoken.replace("thank you", "thanks").split()
        while words and words[-1] in self.edges:
            words.pop()
        while words and words[0] in self.edges:
            words.pop(0)
        return " ".join(words)

    def _means(self, signal: Signal, spoken: str) -> bool:
        mask = self.masks.get(signal)
        rest = mask.sub(" / ", spoken) if mask is not None else spoken
        return bool(self.signals[signal].search(" ".join(rest.split())))


@cache
def _shipped(language: str) -> SalesPhrases:
    """Read a language's file, once: each call has a guide, and reading takes longer than all else at its begin."""
    folder = resources.files("telephony_agent.sales") / "phrases"
    file = folder / f"{language}.yaml"
    if not re.fullmatch("[a-z]{2}", language) or not file.is_file():
        names = (path.name.removesuffix(".yaml") for path in folder.iterdir())
        there = ", ".join(sorted(name for name in names if "." not in name))
        raise PlaybookError(f"language: there are no phrases for {language!r}; allowed: {there}")
    return SalesPhrases.from_data(yaml.safe_load(file.read_text(encoding="utf-8")))


def _last_sentence(text: str) -> str:
    return next(iter(reversed(sentences(text))), "")


def _pattern(patterns: Iterable[str], words: Mapping[str, str]) -> re.Pattern[str]:
    """Compile alternatives of whole words; one without alternatives matches nothing."""
    joined = "|".join(f"(?:{pattern})" for pattern in patterns)
    for name, alternatives in words.items():
        # Folding a long line in YAML leaves a space between alternatives.
        joined = joined.replace(f"<{name}>", f"(?:{alternatives.replace('| ', '|')})")
    return re.compile(rf"(?<!\w)(?:{joined})(?!\w)" if joined else r"(?!)")
