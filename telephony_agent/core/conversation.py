"""The call's turns in order, and the messages that the model reads.

What the model is shown as its own words is what the caller *heard*: a reply that was cut short stands in the history
cut short, a reply of which nothing was heard doesn't stand there at all. So the model never refers to what only it
knows. The window is kept by dropping the oldest turns, down to half the budget at once, because each drop costs the
responder its cached prefix.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypedDict


class ChatMessage(TypedDict):
    """One message for the model: ``role`` is system, user or assistant."""

    role: str
    content: str


class TurnInput(StrEnum):
    """What opened a turn."""

    GREETING = "greeting"
    SPEECH = "speech"
    DTMF = "dtmf"
    SILENCE = "silence"
    ASIDE = "aside"
    """Words over ours that didn't want the floor: "mm-hm". They are kept, and nobody answers them."""


@dataclass(slots=True)
class Turn:
    """One utterance (or key, or silence) of the caller and our reply to it.

    ``started_ms`` and ``ended_ms`` bound the caller's speech on the stream's clock. ``reply`` is what was worded,
    ``reply_heard`` what reached the caller's ear. ``timings`` are ms, in the order of the turn's stages.
    """

    number: int
    input: TurnInput
    started_ms: int = 0
    ended_ms: int = 0
    transcript: str = ""
    reply: str = ""
    reply_heard: str = ""
    interrupted: bool = False
    timings: dict[str, int] = field(default_factory=dict)


class Conversation:
    """One call's history.

    ``count`` tells the tokens of a text; ``budget`` is what the model may be given; ``takes_notes`` whether it
    understands a note behind the caller's words.
    """

    def __init__(
        self, system_prompt: str, *, budget: int, count: Callable[[str], int], takes_notes: bool = False
    ) -> None:
        self._takes_notes = takes_notes
        self.turns: list[Turn] = []
        self._system = system_prompt
        self._budget = budget
        self._count = count
        self._first = 0

    def open(self, number: int, kind: TurnInput, started_ms: int = 0) -> Turn:
        """Begin a turn."""
        turn = Turn(number, kind, started_ms=started_ms, ended_ms=started_ms)
        self.turns.append(turn)
        return turn

    @property
    def unanswered(self) -> bool:
        """Whether the caller said something after the last words of ours that were heard."""
        for turn in reversed(self.turns):
            if turn.reply_heard:
                return False
            if turn.transcript and turn.input is not TurnInput.ASIDE:
                return True
        return False

    def heard_before(self, number: int) -> str:
        """Return what of our words was heard since the caller's turn before that one."""
        heard: list[str] = []
        for turn in reversed(self.turns[:number]):
            heard.append(turn.reply_heard)
            if turn.input in (TurnInput.SPEECH, TurnInput.DTMF):
                break
        return " ".join(filter(None, reversed(heard)))

    def messages(self, note: str = "") -> list[ChatMessage]:
        """Return what the model reads next: the system prompt, as many recent turns as fit, and a note if it takes any.

        The note is for this reply only.
        """
        history = self._recent()
        return [*history, ChatMessage(role="system", content=note)] if note and self._takes_notes else history

    def _recent(self) -> list[ChatMessage]:
        history = self._history(self._first)
        if self._size(history) > self._budget:
            while self._first < len(self.turns) - 1 and self._size(history) > self._budget // 2:
                self._first += 1
                history = self._history(self._first)
        return history

    def _history(self, first: int) -> list[ChatMessage]:
        messages = [ChatMessage(role="system", content=self._system)]
        for turn in self.turns[first:]:
            if turn.input is not TurnInput.ASIDE:
                _append(messages, "user", turn.transcript)
            _append(messages, "assistant", turn.reply_heard)
        return messages

    def _size(self, messages: list[ChatMessage]) -> int:
        # A message costs about five tokens beside its text in the chat templates that we use.
        return sum(self._count(message["content"]) + 5 for message in messages)


def _append(messages: list[ChatMessage], role: str, content: str) -> None:
    """Add a message; words of the same side in a row become one message, as chat templates expect."""
    if not content:
        return
    if messages[-1]["role"] == role:
        messages[-1]["content"] += " " + content
    else:
        messages.append(ChatMessage(role=role, content=content))
