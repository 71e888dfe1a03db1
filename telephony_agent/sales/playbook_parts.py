"""The parts of a playbook that have rules of their own: plans, questions, calls to action, closing lines, tools.

A question asks for one slot. Of the slots that every call knows (``SlotName``) the rules of ``extraction`` find the
values; a slot of the playbook's own says of which type it is, and ``questions`` finds its answer. An answer to a
question of two or more choices may conclude the call: ``concludes`` says for each choice which disposition it stands
for, and ``disposition`` decides what that is worth beside all else.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, StringConstraints, field_validator, model_validator

from telephony_agent.sales.disposition import Disposition
from telephony_agent.sales.values import slot_named
from telephony_agent.sales.words import plain

YES, NO = "yes", "no"
"""The answers to a yes-or-no question; among a choice's words they stand for all ways to say so."""
BUILT_IN_TOOLS = frozenset({"end_call", "transfer_to_human", "schedule_callback", "send_information"})
_FUNCTION = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*:[A-Za-z_]\w*")
_AI = ("ai", "ia", "artificial intelligence", "inteligencia artificial")
_CONCLUSIONS = frozenset(
    {
        Disposition.MEETING_BOOKED,
        Disposition.CALLBACK,
        Disposition.QUALIFIED,
        Disposition.NOT_QUALIFIED,
        Disposition.NOT_INTERESTED,
    }
)


def _opts_out(phrase: str) -> str:
    if len(plain(phrase).split()) < 2:
        raise ValueError(f"{phrase!r} is a single word, which many innocent sentences hold; write two words or more")
    return phrase


def _is_question(words: str) -> str:
    if words and not words.endswith("?"):
        raise ValueError(f"{words!r} is no question; end it with a question mark")
    return words


def _is_tool(name: str) -> str:
    if name not in BUILT_IN_TOOLS and not _FUNCTION.fullmatch(name):
        built_in = ", ".join(sorted(BUILT_IN_TOOLS))
        raise ValueError(f"{name!r} is no tool; write one of {built_in}, or package.module:function")
    return name


def _concludes(disposition: Disposition) -> Disposition:
    if disposition not in _CONCLUSIONS:
        raise ValueError(f"no answer makes a call {disposition!s}; allowed: {', '.join(sorted(_CONCLUSIONS))}")
    return disposition


Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
MaybeText = Annotated[str, StringConstraints(strip_whitespace=True)]
SlotKey = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,30}$")]
OptOutPhrase = Annotated[Text, AfterValidator(_opts_out)]
ToolName = Annotated[Text, AfterValidator(_is_tool)]
Conclusion = Annotated[Disposition, AfterValidator(_concludes)]


class Part(BaseModel):
    """A part of a playbook: it never changes, and knows no other keys."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Plan(Part):
    """One thing to buy: its name and its price, both as they are spoken."""

    name: Text
    price: Text


class Action(StrEnum):
    """What the agent may offer; what a playbook leaves out is neither offered nor done."""

    BOOK_MEETING = "book_meeting"
    SEND_INFORMATION = "send_information"
    TRANSFER = "transfer"
    CALLBACK = "callback"
    TAKE_MESSAGE = "take_message"


class SlotType(StrEnum):
    """What kind of answer a slot of the playbook's own takes."""

    YES_NO = "yes_no"
    NUMBER = "number"
    """A whole number."""
    CHOICE = "choice"
    TEXT = "text"
    """The caller's own words."""


class Question(Part):
    """What is to be found out: a slot, and the words that ask for it (without them the model words the question).

    ``options`` names the answers of a choice, each with the words that give it; an option without words is given by
    its own name. ``concludes`` says which answer is which disposition.
    """

    slot: SlotKey
    ask: Annotated[MaybeText, AfterValidator(_is_question)] = ""
    type: SlotType | None = None
    options: dict[Text, tuple[Text, ...]] = {}
    required: bool = True
    concludes: dict[Text, Conclusion] = {}

    @property
    def choices(self) -> Mapping[str, tuple[str, ...]]:
        """The answers between which the caller chooses, each with the words that give it; none of other types."""
        if self.type is SlotType.YES_NO:
            return {YES: (YES,), NO: (NO,)}
        return {option: words or (option,) for option, words in self.options.items()}

    @field_validator("options", mode="before")
    @classmethod
    def _as_mapping(cls, options: Any) -> Any:
        if isinstance(options, list | tuple):
            return dict.fromkeys(options, ())
        if isinstance(options, dict):
            return {option: (words,) if isinstance(words, str) else words or () for option, words in options.items()}
        return options

    @model_validator(mode="after")
    def _fits_its_type(self) -> Self:
        if isinstance(slot_named(self.slot), StrEnum):
            if self.type or self.options or self.concludes:
                raise ValueError(f"{self.slot} is a slot that every call has; leave out type, options and concludes")
            return self
        if self.type is None:
            raise ValueError(f"the slot {self.slot} needs a type; add one of {', '.join(SlotType)}")
        if not self.ask:
            raise ValueError(f"the slot {self.slot} needs the words that ask for it; add ask")
        if (self.type is SlotType.CHOICE) is not (len(self.options) >= 2):
            raise ValueError("a choice needs two options or more, and other types have none; correct type or options")
        unknown = self.concludes.keys() - self.choices.keys()
        if unknown:
            allowed = ", ".join(self.choices) or "none, for only a choice and a yes_no conclude a call"
            raise ValueError(f"concludes: {sorted(unknown)[0]!r} is no answer to it; allowed: {allowed}")
        return self


class ClosingLines(Part):
    """What is said at the end of a matter instead of the language's own words; each may be left out."""

    booked: Text | None = None
    """A meeting was agreed on, or an answer booked it."""
    call_agreed: Text | None = None
    """The time of a call was agreed on."""
    leave: Text | None = None
    """They refused for the last time; the call ends."""


def names_ai(text: str) -> bool:
    """Tell whether words of ours say that an AI is talking."""
    spoken = f" {plain(text)} "
    return any(f" {word} " in spoken for word in _AI)
