"""How long to wait after what was said so far: a judge of whether the caller is done.

A pure silence timer that cuts one caller in twenty off has to wait 1.6 s for everybody. But most turns end in words
that are complete ("yes", "how much is it"), and most pauses come after words that aren't ("I would like, um"). So the
wait follows the words, which are transcribed already during the silence, and what our own last words asked for.

===============  =======================================================  ==============
words            examples                                                 wait
===============  =======================================================  ==============
complete         "yes please", "how much does it cost", "on friday"       ``complete_ms``
unsure           whatever the rules below don't know; nothing understood  ``unsure_ms``
incomplete       "I would like um", "and the", "five five" (a number is   ``incomplete_ms``
                 asked for), "anna dot miller at" (an e-mail)
===============  =======================================================  ==============

``TurnJudge`` is the Protocol; ``RuleJudge`` these rules; ``SilenceJudge`` the silence timer that all others have to
beat. The numbers: core/endpointing.py's theory, and behaviour research (eot-bench; Levinson & Torreira 2015).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol


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

    complete_ms: int = 320
    unsure_ms: int = 500
    incomplete_ms: int = 1400


class TurnJudge(Protocol):
    """Says how long to wait for more."""

    def wait_ms(self, text: str, expects: Expectation) -> int:
        """Return the trailing silence after which a caller who said ``text`` is done."""
        ...


@dataclass(frozen=True, slots=True)
class SilenceJudge:
    """The same wait for everybody."""

    wait: int = 500

    def wait_ms(self, text: str, expects: Expectation) -> int:
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
_NUMBER = frozenset(
    """zero oh one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen
    seventeen eighteen nineteen twenty thirty forty fifty sixty seventy eighty ninety hundred double triple""".split()
)
_PHONE_DIGITS = 7
_MAIL_ENDS = frozenset("com org net io co uk de us edu info biz".split())


@dataclass(frozen=True, slots=True)
class RuleJudge:
    """Rules over the words."""

    waits: Waits = Waits()

    def wait_ms(self, text: str, expects: Expectation) -> int:
        """Return the wait after these words."""
        words = re.findall(r"[\w'-]+", text.lower())
        if not words:
            return self.waits.unsure_ms
        if self._incomplete(words, expects):
            return self.waits.incomplete_ms
        return self.waits.complete_ms if self._complete(text.lower(), words, expects) else self.waits.unsure_ms

    @staticmethod
    def _incomplete(words: list[str], expects: Expectation) -> bool:
        last = words[-1]
        if last in _FILLERS or (last in _OPEN_ENDED and last not in _MAY_END):
            return True
        spelled_mail = "at" in words[1:] and ("dot" in words or expects is Expectation.EMAIL)
        if spelled_mail or expects is Expectation.EMAIL:
            return last not in _MAIL_ENDS and not set(words) & _SHORT_ANSWERS
        digits = sum(word in _NUMBER or word.isdigit() for word in words)
        return expects is Expectation.DIGITS and last in _NUMBER and 1 < digits < _PHONE_DIGITS

    @staticmethod
    def _complete(text: str, words: list[str], expects: Expectation) -> bool:
        last = words[-1]
        if last in _SHORT_ANSWERS or words[-2:] == ["thank", "you"]:
            return True
        if expects is Expectation.YES_NO and words[0] in _SHORT_ANSWERS:
            return True
        if _QUESTION.match(text) and len(words) > 3:
            return True
        if last in _MAY_END:
            return False
        return len(words) > (1 if expects is Expectation.NAME else 3)


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
