"""How long to wait after what was said so far: a judge of whether the caller is done.

A pure silence timer that cuts one caller in twenty off has to wait 1.6 s for everybody. But most turns end in words
that are complete ("yes", "how much is it"), and most pauses come after words that aren't ("I would like, um"). So the
wait follows the words, which are transcribed already during the silence, and what our own last words asked for.

===============  =======================================================  ==============
words            examples                                                 wait
===============  =======================================================  ==============
short answer     "yes please", "no thank you", "okay"                     ``answer_ms``
complete         "how much does it cost", "I'm not interested"            ``complete_ms``
with a value     "can we meet on Tuesday", "we have twelve people"        ``value_ms``
unsure           whatever the rules below don't know; nothing understood  ``unsure_ms``
incomplete       "I would like um", "and the", "five five" (a number is   ``incomplete_ms``
                 asked for), "anna dot miller at" (an e-mail)
not yet known    the words are still being transcribed                    ``unknown_ms``
===============  =======================================================  ==============

People who have said something complete take it back, or go on, after up to half a second. No judge of words can know
that, so the wait covers it where it happens: what is taken back is a value ("Tuesday ... no, Thursday"), not a "yes".

``TurnJudge`` is the Protocol. ``RuleJudge`` are rules over the text. ``ModelJudge`` asks the model that will answer:
the probability that the caller's message ends here, which the model reads off on its way to the reply, so that it
costs nothing more than the reply does. ``SilenceJudge`` is the silence timer that the others have to beat. What they
reach: docs/architecture.md. Research: livekit/eot-bench; Levinson & Torreira 2015.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from math import exp, log
from typing import Protocol, Self


class Expectation(StrEnum):
    """What our last words asked for."""

    OPEN = "open"
    YES_NO = "yes_no"
    NAME = "name"
    DIGITS = "digits"
    EMAIL = "email"


@dataclass(frozen=True, slots=True)
class Waits:
    """Trailing silence in ms, by how complete the words are."""

    answer_ms: int = 320
    complete_ms: int = 480
    value_ms: int = 720
    unsure_ms: int = 720
    incomplete_ms: int = 1400
    unknown_ms: int = 1000

    @classmethod
    def around(cls, complete_ms: int) -> Self:
        """Return waits that fit one for complete words: never longer for an answer, never shorter for less."""
        usual = cls()
        return cls(
            answer_ms=min(usual.answer_ms, complete_ms),
            complete_ms=complete_ms,
            value_ms=complete_ms + usual.value_ms - usual.complete_ms,
            unsure_ms=complete_ms + usual.unsure_ms - usual.complete_ms,
            incomplete_ms=max(usual.incomplete_ms, complete_ms),
            unknown_ms=max(usual.unknown_ms, complete_ms),
        )


class TurnJudge(Protocol):
    """Says how long to wait for more."""

    @property
    def unknown_ms(self) -> int:
        """The trailing silence to wait at most while the words are still unknown."""
        ...

    @property
    def asks_model(self) -> bool:
        """Whether the model's probability of the end is wanted."""
        ...

    def wait_ms(self, text: str, expects: Expectation, ended: float | None = None) -> int:
        """Return the trailing silence after which a caller who said ``text`` is done.

        ``ended`` is the model's probability that the message ends here, once it is known.
        """
        ...


@dataclass(frozen=True, slots=True)
class SilenceJudge:
    """The same wait for everybody."""

    wait: int = 500

    @property
    def unknown_ms(self) -> int:
        """The one wait."""
        return self.wait

    @property
    def asks_model(self) -> bool:
        """Never."""
        return False

    def wait_ms(self, text: str, expects: Expectation, ended: float | None = None) -> int:
        """Return the one wait."""
        return self.wait


_FILLERS = frozenset("um uh uhm er erm hmm mm well like so".split())
_OPEN_ENDED = frozenset(
    """a an the my your his her our their this these some any no-one and or but because if when while although that
    which who whose what whether to of for from with without about into at in on by than as is are was were be been am
    i'm it's we're you're i we you they would could should will can may might must do does did have has had want need
    wanted think guess mean let's maybe perhaps also very really just not don't doesn't can't won't""".split()
)
_MAY_END = frozenset("do does did is are can will would could that this what who in on have i you we it not".split())
"""Words of ``_OPEN_ENDED`` that end many a question or answer too ("yes it is", "I do"): unsure, not incomplete."""
_SHORT_ANSWERS = frozenset(
    """yes yeah yep yup no nope sure okay ok right correct exactly absolutely definitely hello hi bye goodbye thanks
    please stop nothing never alright fine great perfect""".split()
)
_QUESTION = re.compile(
    r"^(?:and |but |so |okay |well |um |uh |yeah |sorry |hello |hi )*"
    r"(?:who|what|when|where|why|how|which|do|does|did|is|are|am|can|could|will|would|may|should|have|has)\b"
)
_MAIL_BEGUN = re.compile(r"\be-?mail(?: address)? is\b")
_WH_QUESTION = re.compile(r"^(?:[\w']+ ){0,2}?(?:who|what|where|which)\b")
_NUMBER = frozenset(
    """zero oh one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen
    seventeen eighteen nineteen twenty thirty forty fifty sixty seventy eighty ninety hundred double triple""".split()
)
_PREPOSITIONS = frozenset("about for from with of to at in on into".split())
"""May end a question ("where are you calling from"), and nothing else."""
_ENDING_PARTICLES = frozenset(
    """go going goes come coming hold hang carry keep move turn turned log logged sign signed check put get getting
    later early now me it him her us them you on off""".split()
)
"""Before "on" or "in" at the end they make it a verb's ("come on in", "count me in"), not the beginning of a place."""
_VALUES = _NUMBER - {"one", "oh"} | frozenset(
    """monday tuesday wednesday thursday friday saturday sunday today tomorrow tonight noon midnight morning afternoon
    evening january february march april june july august september october november december half quarter
    o'clock""".split()
)
_PHONE_DIGITS = 7
_ANSWER_WORDS = 3
_MAIL_ENDS = frozenset("com org net io co uk de us edu info biz".split())


class Completeness(StrEnum):
    """What rules make of the words."""

    ANSWER = "answer"
    COMPLETE = "complete"
    VALUE = "value"
    UNSURE = "unsure"
    INCOMPLETE = "incomplete"


def completeness_of(text: str, expects: Expectation) -> Completeness:
    """Judge words by rules."""
    words = re.findall(r"[\w'-]+", text.lower())
    if not words:
        return Completeness.UNSURE
    if _incomplete(words, expects):
        return Completeness.INCOMPLETE
    if len(words) <= _ANSWER_WORDS and words[0] in _SHORT_ANSWERS and _complete(text.lower(), words, expects):
        return Completeness.ANSWER
    if not _complete(text.lower(), words, expects):
        return Completeness.UNSURE
    return Completeness.VALUE if _has_value(text) else Completeness.COMPLETE


def _has_value(text: str) -> bool:
    """Tell whether the words hold a day, a time, a number or a name."""
    words = re.findall(r"[\w'-]+", text)
    if any(word.lower() in _VALUES or any(map(str.isdigit, word)) for word in words):
        return True
    # A sentence's first word says nothing by its capital, nor does "I".
    return any(word[0].isupper() and word.split("'")[0] != "I" for word in words[1:])


def _incomplete(words: list[str], expects: Expectation) -> bool:
    last = words[-1]
    if last in _PREPOSITIONS and _WH_QUESTION.match(" ".join(words)) and len(words) > _ANSWER_WORDS:
        return False
    if last in ("on", "in") and len(words) > 1 and words[-2] not in _ENDING_PARTICLES:
        return True
    if last in _FILLERS or (last in _OPEN_ENDED and last not in _MAY_END):
        return True
    if _MAIL_BEGUN.search(" ".join(words)) and last not in _MAIL_ENDS:
        return True
    spelled_mail = "at" in words[1:] and ("dot" in words or expects is Expectation.EMAIL)
    if spelled_mail or expects is Expectation.EMAIL:
        return last not in _MAIL_ENDS and not set(words) & _SHORT_ANSWERS
    if "dot" in words:
        return True
    digits = sum(word in _NUMBER or word.isdigit() for word in words)
    counting = expects is Expectation.DIGITS or digits == len(words)
    return counting and last in _NUMBER and 1 < digits < _PHONE_DIGITS


def _complete(text: str, words: list[str], expects: Expectation) -> bool:
    last = words[-1]
    if last in _SHORT_ANSWERS or words[-2:] == ["thank", "you"]:
        return True
    if expects is Expectation.YES_NO and words[0] in _SHORT_ANSWERS:
        return True
    if last in _PREPOSITIONS:
        return False
    if _QUESTION.match(text) and len(words) > 3:
        return True
    if last in _MAY_END:
        return False
    return len(words) > (1 if expects is Expectation.NAME else 3)


@dataclass(frozen=True, slots=True)
class RuleJudge:
    """Rules over the words."""

    waits: Waits = field(default_factory=Waits)

    @property
    def unknown_ms(self) -> int:
        """How long the words may take."""
        return self.waits.unknown_ms

    @property
    def asks_model(self) -> bool:
        """Never."""
        return False

    def wait_ms(self, text: str, expects: Expectation, ended: float | None = None) -> int:
        """Return the wait after these words."""
        return _wait_of(self.waits, completeness_of(text, expects))


@dataclass(frozen=True, slots=True)
class ModelJudge:
    """The model's probability that the message ends here, where the rules don't know better.

    They do after a filler, half a number or a short answer; and they stand in until the model has spoken.
    """

    waits: Waits = field(default_factory=Waits)
    complete_from: float = 0.5
    incomplete_to: float = 0.1

    @classmethod
    def tried(cls, complete: Sequence[float], incomplete: Sequence[float], waits: Waits) -> Self | None:
        """Set the bounds by what a model says of messages that are known to be complete, and of others that aren't.

        Returns:
            the judge; None when the model can't tell them apart: more than a tenth of one kind looks like the other.
        """
        high = sorted(map(_log_odds, complete))[len(complete) // 10]
        low = sorted(map(_log_odds, incomplete), reverse=True)[len(incomplete) // 10]
        if high <= low:
            return None
        bounds = [1 / (1 + exp(-(low + part * (high - low)))) for part in (0.25, 0.75)]
        return cls(waits, complete_from=round(bounds[1], 4), incomplete_to=round(bounds[0], 4))

    @property
    def unknown_ms(self) -> int:
        """How long the words may take."""
        return self.waits.unknown_ms

    @property
    def asks_model(self) -> bool:
        """Always."""
        return True

    def wait_ms(self, text: str, expects: Expectation, ended: float | None = None) -> int:
        """Return the wait after these words."""
        rules = completeness_of(text, expects)
        if ended is None or rules in (Completeness.ANSWER, Completeness.INCOMPLETE):
            return _wait_of(self.waits, rules)
        if ended >= self.complete_from:
            return self.waits.value_ms if _has_value(text) else self.waits.complete_ms
        return self.waits.incomplete_ms if ended <= self.incomplete_to else self.waits.unsure_ms


def _log_odds(probability: float) -> float:
    bounded = min(max(probability, 1e-6), 1 - 1e-6)
    return log(bounded / (1 - bounded))


def _wait_of(waits: Waits, completeness: Completeness) -> int:
    return {
        Completeness.ANSWER: waits.answer_ms,
        Completeness.COMPLETE: waits.complete_ms,
        Completeness.VALUE: waits.value_ms,
        Completeness.UNSURE: waits.unsure_ms,
        Completeness.INCOMPLETE: waits.incomplete_ms,
    }[completeness]


def expectation_of(our_words: str) -> Expectation:
    """Tell what our last sentence asks for."""
    sentences = [part for part in re.split(r"(?<=[.!?])\s+", our_words.strip().lower()) if part]
    if not sentences or not sentences[-1].endswith("?"):
        return Expectation.OPEN
    question = sentences[-1]
    if re.search(r"\be-?mail", question):
        return Expectation.EMAIL
    if re.search(r"\b(?:phone|telephone|callback)?\s*number\b|\bdigits\b", question):
        return Expectation.DIGITS
    if re.search(r"\bname\b", question):
        return Expectation.NAME
    if re.match(
        r"(?:so |and |great, |okay, )?(?:do|does|did|is|are|was|would|could|can|shall|should|will|have|has)\b", question
    ):
        return Expectation.YES_NO
    return Expectation.OPEN
