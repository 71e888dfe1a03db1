"""Checks a model's phrase before it is spoken: nothing is said that neither the playbook nor the caller has said.

A model may word things, but it may not know things. So whatever is a claim must have a source:

=====================  ====================================================================================
in the phrase          allowed if
=====================  ====================================================================================
a figure               the playbook, the caller or a slot holds the same figure; percents, times and
                       money with the same unit, percents and money in the playbook or a tool's result only
money of the caller's  it is the budget's, and the sentence does no more than acknowledge it
a promise              every word that matters in its sentence stands in one passage of the playbook
an offer of what the   a passage of the playbook says the same sentence
playbook leaves out
an amount without a    the playbook or the caller uses the word
figure ("half")
an address, a host     the playbook or the caller names it
a name in capitals     the playbook, the lead or the caller names it
"this is X of Y"       X and Y are ours
instructions           never: four words in a row of the prompt's rules, or what ``leaks`` lists
markup                 never; mere emphasis is taken off
=====================  ====================================================================================

What fails is replaced by a sentence that is true anyhow, or dropped. The figures are those of the playbook as it is
spoken, so the check reads digits and number words alike.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Self

from telephony_agent.sales.contacts import web_addresses
from telephony_agent.sales.figures import Figure, Unit, figures, is_figure
from telephony_agent.sales.playbook import Playbook
from telephony_agent.sales.playbook_parts import Action
from telephony_agent.sales.sales_phrases import CheckWords, SalesPhrases
from telephony_agent.sales.words import plain, sentences

MAX_CHARACTERS = 320
_SHINGLE = 4
_EMPHASIS = re.compile(r"[*_`]{1,3}(?=\w)|(?<=[\w.,!?])[*_`]{1,3}|^#+\s+|^[-•]\s+")
_MARKUP = re.compile(r"[<>\[\]{}|\\^~#*`]|https?:|www\.|^\s*\d+[.)]\s", re.IGNORECASE)
_TITLE = re.compile(r"\b(Mr|Mrs|Ms|Dr)\.")
_CAPITALISED = re.compile(r"(?<![.!?:]\s)(?<!^)(?<![\w'’])[A-Z][\w'’]*")


class Fault(StrEnum):
    """What is wrong with a phrase."""

    FIGURE = "figure"
    PROMISE = "promise"
    ADDRESS = "address"
    NAME = "name"
    IDENTITY = "identity"
    LEAK = "leak"
    MARKUP = "markup"
    LENGTH = "length"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What may be said instead of a phrase (None: nothing), and what was wrong with it."""

    text: str | None
    fault: Fault | None = None


@dataclass(frozen=True, slots=True)
class Sources:
    """What was said in this call or is known of the lead, apart from the playbook; ``plus`` adds to it."""

    figures: frozenset[Figure] = frozenset()
    words: frozenset[str] = frozenset()
    addresses: frozenset[str] = frozenset()
    """E-mail addresses and their hosts; a mere host that a caller names is no source."""
    agreed: frozenset[Figure] = frozenset()
    """The figures of a budget that was understood by rule."""
    vouched: frozenset[Figure] = frozenset()
    """The figures of what a tool returned: with the playbook's, all that may be said of money as ours."""

    def plus(self, text: str, *, agreed: bool = False, vouched: bool = False) -> Sources:
        """Return the sources with one more text; ``agreed`` if it is a budget, ``vouched`` if it is a tool's result."""
        said = figures(text)
        return Sources(
            self.figures | said,
            self.words | set(plain(text).split()),
            self.addresses | _parts_of(web_addresses(text)),
            self.agreed | said if agreed else self.agreed,
            self.vouched | said if vouched else self.vouched,
        )


@dataclass(frozen=True, slots=True)
class ReplyCheck:
    """The check of one playbook."""

    words: CheckWords
    unsure: str
    passages: tuple[frozenset[str], ...]
    own: Sources
    secrets: frozenset[tuple[str, ...]]
    identity: frozenset[str] = field(default_factory=frozenset)
    barred: tuple[re.Pattern[str], ...] = ()
    """How we offer what the playbook leaves out."""
    spoken: tuple[str, ...] = ()
    """The passages, plain."""

    @classmethod
    def of(cls, playbook: Playbook, phrases: SalesPhrases) -> Self:
        """Build the check of a playbook."""
        passages = list(_passages(playbook))
        own = Sources()
        for passage in passages:
            own = own.plus(passage)
        said = {shingle for passage in passages for shingle in _shingles(passage)}
        rules = (line for line in playbook.system_prompt().splitlines() if line.startswith(("Rules:", "You are ")))
        allowed = playbook.calls_to_action
        barred = (pattern for action, pattern in phrases.check.actions.items() if action not in allowed)
        return cls(
            words=phrases.check,
            unsure=phrases.say.unsure,
            passages=tuple(frozenset(map(_stem, plain(passage).split())) for passage in passages),
            own=replace(own, addresses=frozenset().union(*map(web_addresses, passages))),
            secrets=frozenset(shingle for rule in rules for shingle in _shingles(rule)) - said,
            identity=frozenset(plain(f"{playbook.persona} {playbook.company} {playbook.product}").split()),
            barred=tuple(barred),
            spoken=tuple(f" {plain(passage)} " for passage in passages),
        )

    def check(self, phrase: str, heard: Sources) -> Verdict:
        """Judge one phrase against the playbook and what was ``heard`` in this call."""
        text = _TITLE.sub(r"\1", _EMPHASIS.sub("", phrase)).strip()
        if not any(character.isalnum() for character in text):
            return Verdict(None)
        if _MARKUP.search(text):
            return Verdict(None, Fault.MARKUP)
        text, too_long = _shortened(text)
        if not text:
            return Verdict(None, Fault.LENGTH)
        known = Sources(
            self.own.figures | heard.figures,
            self.own.words | heard.words,
            self.own.addresses | heard.addresses,
            heard.agreed,
            heard.vouched,
        )
        fault = self._fault(text, known)
        match fault:
            case None:
                return Verdict(text, Fault.LENGTH if too_long else None)
            case Fault.FIGURE | Fault.PROMISE:
                return Verdict(self.unsure, fault)
            case _:
                return Verdict(None, fault)

    def _fault(self, text: str, known: Sources) -> Fault | None:
        spoken = plain(text)
        if self.words.leaks.search(spoken) or not self.secrets.isdisjoint(_shingles(text)):
            return Fault.LEAK
        if not web_addresses(text) <= known.addresses:
            return Fault.ADDRESS
        if not all(self._figures_known(sentence, known) for sentence in sentences(text)):
            return Fault.FIGURE
        if any(self._promises(sentence) for sentence in sentences(text)):
            return Fault.PROMISE
        if self._poses(text):
            return Fault.IDENTITY
        return None if self._names_known(text, known) else Fault.NAME

    def _figures_known(self, sentence: str, known: Sources) -> bool:
        spoken = plain(sentence)
        money = self.own.figures | known.vouched
        if all(word in self.words.acknowledging or is_figure(word) for word in spoken.split()):
            money |= known.agreed
        if not all(_is_sourced(figure, known, money) for figure in figures(sentence)):
            return False
        amounts = self.words.quantities.finditer(self.words.clock.sub(" ", spoken))
        return all(set(match[0].split()) <= known.words for match in amounts)

    def _promises(self, sentence: str) -> bool:
        """Whether a sentence promises what no passage promises in the same words, or offers what is left out."""
        spoken = plain(sentence)
        if any(offer.search(spoken) for offer in self.barred):
            return not any(f" {spoken} " in passage for passage in self.spoken)
        if not any(promise.search(spoken) for promise in self.words.promises):
            return False
        # Figures are checked as such, however they are written.
        words = (word for word in spoken.split() if word not in self.words.small_words and not is_figure(word))
        matter = {_stem(word) for word in words} - self.identity
        return not any(matter <= passage for passage in self.passages)

    def _poses(self, text: str) -> bool:
        """Whether we say to be somebody else, or from elsewhere."""
        for sentence in sentences(text):
            for match in self.words.we_are.finditer(plain(sentence)):
                after = plain(sentence)[match.end() :].split()
                claimed = after[0] if after else ""
                if claimed and self._is_name(claimed, sentence) and claimed not in self.identity:
                    return True
        return False

    def _is_name(self, word: str, sentence: str) -> bool:
        return word.capitalize() in re.findall(r"\w+", sentence) and word not in self.words.common_names

    def _names_known(self, text: str, known: Sources) -> bool:
        allowed = known.words | self.words.common_names | self.words.small_words
        return all(set(plain(match[0].removesuffix("'s")).split()) <= allowed for match in _CAPITALISED.finditer(text))


def _is_sourced(figure: Figure, known: Sources, money: frozenset[Figure]) -> bool:
    match figure.unit:
        case Unit.DIGITS:
            return any(figure.digits in other.digits for other in known.figures if other.unit is Unit.DIGITS)
        case Unit.PLAIN:
            return any(figure.digits == other.digits for other in known.figures)
        case Unit.MONEY | Unit.PERCENT:
            return figure in money
        case _:
            return figure in known.figures


def _passages(playbook: Playbook) -> Iterable[str]:
    """Yield every passage of the playbook that may be spoken, its topic's name in it."""
    yield from (playbook.persona, playbook.company, f"{playbook.product} {playbook.pitch}")
    yield from (playbook.role, playbook.goal, playbook.meeting, playbook.question, " ".join(playbook.integrations))
    yield from (question.ask for question in playbook.questions or ())
    yield from (text for text in (playbook.disclosure, *playbook.closing.model_dump().values()) if text)
    yield from (f"{plan.name} plan {plan.price}" for plan in playbook.plans)
    yield "plans " + " ".join(plan.name for plan in playbook.plans)
    yield from (f"{topic}: {fact}" for topic, fact in playbook.facts.items())
    yield from (f"{topic}: {answer}" for topic, answer in playbook.objections.items())
    yield from (playbook.greeting, *playbook.reprompts, *playbook.fillers, playbook.not_understood)
    yield playbook.transfer if Action.TRANSFER in playbook.calls_to_action else ""
    yield from (playbook.apology, playbook.goodbye, playbook.silence_goodbye, playbook.fault_goodbye)


def _shingles(text: str) -> set[tuple[str, ...]]:
    words = plain(text).split()
    return {tuple(words[start : start + _SHINGLE]) for start in range(len(words) - _SHINGLE + 1)}


def _stem(word: str) -> str:
    return word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith("ss") else word


def _parts_of(addresses: set[str]) -> frozenset[str]:
    """Return the e-mail addresses, and the hosts in them."""
    emails = {address for address in addresses if "@" in address}
    return frozenset(emails | {email.partition("@")[2] for email in emails})


def _shortened(text: str) -> tuple[str, bool]:
    """Keep as many sentences as fit; tell whether some had to go."""
    if len(text) <= MAX_CHARACTERS:
        return text, False
    kept = ""
    for sentence in sentences(text):
        if len(kept) + len(sentence) + 1 > MAX_CHARACTERS:
            break
        kept = f"{kept} {sentence}".strip()
    return kept, True
