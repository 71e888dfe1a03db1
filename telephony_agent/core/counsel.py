"""What the call asks the sales side, turn by turn: fixed words where no model may choose them, and a check of the rest.

``Counsel`` is the Protocol of one call's adviser; ``NoCounsel`` leaves everything to the model.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol


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

    def close(self, heard: str) -> None:
        """The call is over; ``heard`` is what of our last words was heard."""
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

    def close(self, heard: str) -> None:
        """Nothing to note."""
