"""What the call asks the sales side, turn by turn: fixed words where no model may choose them, and a check of the rest.

``Counsel`` is the Protocol of one call's adviser; ``NoCounsel`` leaves everything to the model.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol


class Then(StrEnum):
    """What follows our words, once they are heard."""

    GO_ON = "go_on"
    END = "end"
    TRANSFER = "transfer"


class Advice(Protocol):
    """What to do with a turn."""

    @property
    def say(self) -> str:
        """Fixed words; empty when the model words the reply."""
        ...

    @property
    def then(self) -> str:
        """One of ``Then``'s values."""
        ...

    @property
    def note(self) -> str:
        """What the model should know for this reply."""
        ...


class Checked(Protocol):
    """The judgement of a phrase of the model's."""

    @property
    def text(self) -> str | None:
        """What may be spoken: the phrase, something in its place, or nothing."""
        ...


class Ruling(Protocol):
    """What follows the call of a tool that is the counsel's to rule on: fixed words, an end, or a result."""

    @property
    def say(self) -> str:
        """Fixed words with which the reply ends; empty when there are none."""
        ...

    @property
    def then(self) -> str:
        """One of ``Then``'s values. Without fixed words and with ``go_on``, the model goes on with the result."""
        ...

    @property
    def result(self) -> str:
        """What the model is told that its call came to."""
        ...


class Counsel(Protocol):
    """One call's adviser."""

    def take(self, turn: int, words: str, heard: str, now: datetime) -> Advice:
        """Take the caller's words; the same ``turn`` again replaces what it said before.

        ``heard`` is what of our words was heard since the caller's last turn.
        """
        ...

    def withdraw(self, turn: int) -> None:
        """Take a turn back: it was none after all."""
        ...

    def check(self, turn: int, phrase: str) -> Checked:
        """Judge a phrase of the model's before it is spoken."""
        ...

    def call_tool(self, turn: int, name: str, arguments: Mapping[str, Any], now: datetime) -> Ruling | None:
        """Rule on a tool that the model calls; None leaves it to whoever has the tools."""
        ...

    def may_end(self, turn: int, reply: str) -> bool:
        """Tell whether the call may end behind the model's reply to a turn, which wants it to."""
        ...

    def tool_returned(self, turn: int, result: str) -> None:
        """Take note of what a tool returned: the model may speak of it."""
        ...

    def close(self, heard: str) -> None:
        """The call is over; ``heard`` is what of our last words was heard."""
        ...

    @property
    def has_person(self) -> bool:
        """Whether a caller who asks for a person may be connected with one."""
        ...


@dataclass(frozen=True, slots=True)
class ToTheModel:
    """Advice and judgement at once: let the model speak."""

    say: str = ""
    then: str = Then.GO_ON
    note: str = ""
    text: str | None = None


class NoCounsel:
    """Leaves everything to the model."""

    def take(self, turn: int, words: str, heard: str, now: datetime) -> Advice:
        """Let the model word the reply."""
        return ToTheModel()

    def withdraw(self, turn: int) -> None:
        """Nothing to take back."""

    def check(self, turn: int, phrase: str) -> Checked:
        """Let every phrase pass."""
        return ToTheModel(text=phrase)

    def call_tool(self, turn: int, name: str, arguments: Mapping[str, Any], now: datetime) -> Ruling | None:
        """Leave it to whoever has the tools."""
        return None

    def may_end(self, turn: int, reply: str) -> bool:
        """Let the model end the call."""
        return True

    def tool_returned(self, turn: int, result: str) -> None:
        """Nothing to note."""

    def close(self, heard: str) -> None:
        """Nothing to note."""

    @property
    def has_person(self) -> bool:
        """Leave it to whether there are words for it."""
        return True
