"""The questions of a playbook: which is open, which of them our words asked, and what the caller's words answer.

Our words ask a question if they end in it, or in one that holds every word of it that matters ("Will you make it to
your appointment tomorrow?" asks for what "Can you come to your appointment tomorrow?" does).

============  =====================================================================================================
type          the answer, once the question was asked
============  =====================================================================================================
yes_no        the language's signals for yes and no
choice        the words of one option, and of no other; where ``yes`` or ``no`` is among an option's words, the
              signal stands for it if no other words tell more. Words of two or more are understood unasked, too
number        one whole number and no other word that matters
text          the caller's words, cut to ``MAX_TEXT``, unless they ask for something that the rules see to; taken once
============  =====================================================================================================
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Self

from telephony_agent.sales.disposition import Disposition, Fit
from telephony_agent.sales.extraction import is_bare_answer
from telephony_agent.sales.lead import Lead
from telephony_agent.sales.playbook import Playbook
from telephony_agent.sales.playbook_parts import NO, YES, Question, SlotType
from telephony_agent.sales.sales_phrases import SalesPhrases, Signal
from telephony_agent.sales.slots import Slots, SlotState
from telephony_agent.sales.spoken_numbers import numbers
from telephony_agent.sales.values import Authority, SlotName, Value, slot_named
from telephony_agent.sales.words import clauses, plain, sentences, tokens

MAX_TEXT = 200
"""The longest text that is kept as an answer."""
BANT = (SlotName.NEED, SlotName.BUDGET, SlotName.AUTHORITY, SlotName.TIMING)
"""What is to be found out where the playbook doesn't say it."""
UNNAMED = "unknown"
"""The name of a lead whose name isn't known."""
_NEGATION_REACH = 3
_SIGNALS = ((YES, Signal.YES), (NO, Signal.NO))
_NO_ANSWER = frozenset({Signal.OPT_OUT, Signal.WRONG_NUMBER, Signal.ROBOT, Signal.RECORDING})


@dataclass(frozen=True, slots=True)
class Questions:
    """The questions of one playbook, in its order."""

    ordered: tuple[Question, ...]
    bant: bool
    """Whether they are the ones that every playbook has that names none."""
    phrases: SalesPhrases
    matters: Mapping[str, frozenset[str]]
    """The words that matter, of each question that has words."""

    @classmethod
    def of(cls, playbook: Playbook, phrases: SalesPhrases) -> Self:
        """Return a playbook's questions; the team's size is among the default ones if the playbook asks for it."""
        ordered = playbook.questions
        if ordered is None:
            sized = phrases.asked_by(playbook.question) == SlotName.TEAM_SIZE
            ordered = tuple(Question(slot=slot) for slot in (*([SlotName.TEAM_SIZE] if sized else ()), *BANT))
        small = phrases.check.small_words
        matters = {
            question.slot: frozenset(plain(_last_question(question.ask)).split()) - small
            for question in ordered
            if question.ask
        }
        return cls(ordered, playbook.questions is None, phrases, MappingProxyType(matters))

    def asked_by(self, ours: str) -> str:
        """Return the slot that our words asked for last, or nothing; the playbook's own question, if they end in it."""
        spoken = plain(_last_question(ours))
        fitting = [question for question in self.ordered if self._is_asked(question, spoken)]
        slot = max(fitting, key=lambda question: len(self.matters[question.slot])).slot if fitting else ""
        return slot_named(slot or self.phrases.asked_by(ours))

    def open(self, slots: Slots, asked: Collection[str], lead: Lead) -> tuple[Question, ...]:
        """Return what is still to be found out, in order: neither asked, nor volunteered, nor known of the lead."""
        return tuple(
            question
            for question in self.ordered
            if question.slot not in asked
            and slots[question.slot].state is SlotState.EMPTY
            and not _known(lead, question)
        )

    def answers(self, words: str, asked: str, signals: frozenset[Signal], slots: Slots) -> Mapping[str, Value]:
        """Return what the caller's words answer, a slot each: the playbook's own slots, and a message.

        Args:
            words: what the caller said.
            asked: the slot that we asked for, or nothing.
            signals: what the words want, by rule.
            slots: what is known already.
        """
        found: dict[str, Value | None] = {
            question.slot: self._answer(question, words, signals, asked=asked == question.slot)
            for question in self.ordered
        }
        if asked == SlotName.MESSAGE:
            # Who still wants a person leaves no message.
            found[SlotName.MESSAGE] = None if Signal.PERSON in signals else self._text(words, signals)
        taken = {question.slot for question in self.ordered if question.type is SlotType.TEXT} | {SlotName.MESSAGE}
        return {
            slot: value
            for slot, value in found.items()
            if value is not None and not (slot in taken and slots[slot].value is not None)
        }

    def conclusion(self, slots: Slots) -> Disposition | None:
        """Return what the last answer, in the questions' order, says of the call."""
        told = [
            question.concludes.get(str(slots[question.slot].value))
            for question in self.ordered
            if slots[question.slot].value is not None
        ]
        return next((disposition for disposition in reversed(told) if disposition is not None), None)

    def fit(self, slots: Slots) -> Fit:
        """Judge what they told: whoever doesn't decide is no fit; who answered all that is required is one."""
        authority = slots[SlotName.AUTHORITY].value
        if authority is Authority.ELSEWHERE:
            return Fit.NOT_QUALIFIED
        if self.bant:
            sized = slots[SlotName.BUDGET].value or slots[SlotName.TEAM_SIZE].value
            wanted = slots[SlotName.NEED].value and slots[SlotName.TIMING].value
            return Fit.QUALIFIED if sized and wanted and authority else Fit.UNKNOWN
        required = [question.slot for question in self.ordered if question.required]
        told = all(slots[slot].value is not None for slot in required)
        return Fit.QUALIFIED if required and told else Fit.UNKNOWN

    def _answer(self, question: Question, words: str, signals: frozenset[Signal], *, asked: bool) -> Value | None:
        match question.type:
            case SlotType.YES_NO | SlotType.CHOICE:
                return self._choice(question, words, signals, asked=asked)
            case SlotType.NUMBER if asked:
                return self._number(words)
            case SlotType.TEXT if asked:
                return self._text(words, signals)
            case _:
                return None

    def _number(self, words: str) -> int | None:
        said = numbers(tokens(words))
        parted = self.phrases.check.quantities.search(plain(words))
        if len(said) != 1 or said[0].value != int(said[0].value) or parted or not is_bare_answer(words):
            return None
        return int(said[0].value)

    def _is_asked(self, question: Question, spoken: str) -> bool:
        if not question.ask or not spoken:
            return False
        matters = self.matters[question.slot]
        said_so = f" {plain(_last_question(question.ask))} " in f" {spoken} "
        return said_so or bool(matters and matters <= frozenset(spoken.split()))

    def _choice(self, question: Question, words: str, signals: frozenset[Signal], *, asked: bool) -> str | None:
        said = [clause.split() for clause in clauses(words)]
        by_words = {
            option
            for option, phrases in question.choices.items()
            for phrase in phrases
            if phrase not in (YES, NO) and any(self._says(clause, plain(phrase).split(), asked) for clause in said)
        }
        if by_words or not asked:
            return by_words.pop() if len(by_words) == 1 else None
        signalled = [answer for answer, signal in _SIGNALS if signal in signals]
        by_signal = {option for option, phrases in question.choices.items() if not set(signalled).isdisjoint(phrases)}
        return by_signal.pop() if len(by_signal) == 1 else None

    def _says(self, clause: list[str], phrase: list[str], asked: bool) -> bool:
        """Whether a clause holds a phrase, and doesn't deny it; a single word only counts as an answer."""
        if len(phrase) < 2 and not asked:
            return False
        places = range(len(clause) - len(phrase) + 1)
        return any(
            clause[place : place + len(phrase)] == phrase
            and self.phrases.negations.isdisjoint(clause[max(0, place - _NEGATION_REACH) : place])
            for place in places
        )

    def _text(self, words: str, signals: frozenset[Signal]) -> str | None:
        told = " ".join(words.split())
        slight = self.phrases.fillers | self.phrases.edges | self.phrases.check.small_words
        if not _NO_ANSWER.isdisjoint(signals) or set(plain(told).split()) <= slight:
            return None
        return told if len(told) <= MAX_TEXT else told[:MAX_TEXT].rsplit(" ", 1)[0]


def _last_question(ours: str) -> str:
    return next((sentence for sentence in reversed(sentences(ours)) if sentence.endswith("?")), "")


def _known(lead: Lead, question: Question) -> bool:
    match question.slot:
        case SlotName.NAME:
            return lead.name != UNNAMED
        case SlotName.COMPANY:
            return bool(lead.company)
        case SlotName.EMAIL:
            return bool(lead.email)
        case SlotName.BUDGET | SlotName.AUTHORITY | SlotName.NEED | SlotName.TIMING:
            return bool(getattr(lead.bant, question.slot))
        case _:
            return False
