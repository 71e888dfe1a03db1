"""What callers' fixed phrases mean: decided by lists, outside the model, so that no model can miss them.

The lists are data, one file a language: ``phrases/turns.en.yaml`` says what each of them is for.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, fields, replace
from importlib import resources
from typing import Any, Self

import yaml

from telephony_agent.errors import PlaybookError

_TAIL_WORDS = 4
"""How many words may follow the leave-taking ("bye and thank you very much")."""


@dataclass(frozen=True, slots=True)
class Phrasebook:
    """The phrases of one language, as regular expressions of whole words; the ``CallPolicy`` of a call."""

    goodbye: str
    not_yet: str
    backchannel: str
    vocative: str
    side_talk: str
    hard_stop: str
    wait: str
    wait_but: str
    protected: str
    person_request: str
    # Traces of older versions don't have these; they tell of no calls that we placed.
    mailbox: str = ""
    menu: str = ""
    screening: str = ""

    @classmethod
    def shipped(cls, language: str = "en") -> Self:
        """Return the phrases of a language that come with the package.

        Raises:
            PlaybookError: there are none for it; the message names those that there are.
        """
        lists: dict[str, str] = _shipped("turns", language)
        # Folding a long line in YAML leaves spaces between alternatives.
        return cls(**{field.name: re.sub(r"\|\s+", "|", lists[field.name]).strip() for field in fields(cls)})

    def is_goodbye(self, text: str) -> bool:
        """Tell whether the caller takes leave with these words, at their end."""
        matches = list(_words(self.goodbye).finditer(text))
        if not matches or _words(self.not_yet).search(text):
            return False
        return len(text[matches[-1].end() :].split()) <= _TAIL_WORDS

    def is_aside(self, text: str) -> bool:
        """Tell whether words that were said over ours don't want the floor: backchannel, or talk to somebody else."""
        return self.is_backchannel(text) or self.is_side_talk(text)

    def is_backchannel(self, text: str) -> bool:
        """Tell whether these words, all of them, only say that the caller listens."""
        rest = _words(self.backchannel).sub(" ", text)
        return bool(text.strip()) and not any(character.isalnum() for character in rest)

    def is_side_talk(self, text: str) -> bool:
        """Tell whether these words are for somebody else in the room."""
        if re.search(rf"^\W*(?:{self.vocative})\b|\b(?:{self.vocative})\W*$", text, re.IGNORECASE):
            return True
        return bool(_words(self.side_talk).search(text)) and not _words(self.hard_stop).search(text)

    def asks_to_wait(self, text: str) -> bool:
        """Tell whether the caller asks us to wait, and for nothing else."""
        match = _words(self.wait).search(text)
        return match is not None and not _words(self.wait_but).search(text[match.end() :])

    def is_mailbox(self, text: str) -> bool:
        """Tell whether a mailbox says this: a message may be left."""
        return _says(self.mailbox, text)

    def is_menu(self, text: str) -> bool:
        """Tell whether a menu says this: keys are to be pressed."""
        return _says(self.menu, text)

    def is_screening(self, text: str) -> bool:
        """Tell whether who calls, and why, is asked for somebody else: by a service, or by whoever picks up."""
        return _says(self.screening, text)

    def deaf_to_machines(self) -> Self:
        """Return the same phrases, but without those by which machines are known."""
        return replace(self, mailbox="", menu="", screening="")

    def is_protected(self, text: str) -> bool:
        """Tell whether words of ours hold a disclosure, a price or a read-back."""
        return bool(_words(self.protected).search(text))

    def protecting(self, words: str) -> Self:
        """Return the same phrases, but with more words of ours protected; no words change nothing."""
        # A pattern is one of whole words, so it must begin and end with one.
        core = re.sub(r"^\W+|\W+$", "", words)
        return replace(self, protected=f"{self.protected}|{re.escape(core)}") if core else self


@dataclass(frozen=True, slots=True)
class SentenceEnds:
    """What callers may have said when they are done, and when they aren't: to try a judge by."""

    complete: tuple[str, ...]
    incomplete: tuple[str, ...]

    @classmethod
    def shipped(cls, language: str = "en") -> Self:
        """Return those of a language that come with the package.

        Raises:
            PlaybookError: there are none for it; the message names those that there are.
        """
        lists: dict[str, list[str]] = _shipped("ends", language)
        return cls(tuple(lists["complete"]), tuple(lists["incomplete"]))


def _shipped(what: str, language: str) -> Any:
    folder = resources.files("telephony_agent.sales") / "phrases"
    file = folder / f"{what}.{language}.yaml"
    if not file.is_file():
        there = sorted(name.split(".")[1] for path in folder.iterdir() if (name := path.name).startswith(f"{what}."))
        raise PlaybookError(f"language: there are no phrases for {language!r}; allowed: {', '.join(there)}")
    return yaml.safe_load(file.read_text(encoding="utf-8"))


def _says(pattern: str, text: str) -> bool:
    return bool(pattern) and _words(pattern).search(text) is not None


def _words(pattern: str) -> re.Pattern[str]:
    return re.compile(rf"\b(?:{pattern})\b", re.IGNORECASE)
