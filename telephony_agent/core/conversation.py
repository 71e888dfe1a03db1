"""The call's turns in order, and the messages that the model reads.

What the model is shown as its own words is what the caller *heard*: a reply that was cut short stands in the history
cut short, a reply of which nothing was heard doesn't stand there at all. So the model never refers to what only it
knows. The tools that it called stand there too, with what they returned: they have had their effect, whatever was heard
of it. The window is kept by dropping the oldest turns, down to half the budget at once, because each drop costs the
responder its cached prefix.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, TypedDict

from telephony_agent.core.tool_calls import ToolCall


class ChatMessage(TypedDict):
    """One message for the model: ``role`` is system, user, assistant, or tool for what a tool returned."""

    role: str
    content: str


UNKNOWN_RESULT = "The result is not known yet."


class TurnInput(StrEnum):
    """What opened a turn."""

    GREETING = "greeting"
    RETURN = "return"
    """We spoke first once more: the caller is back, on another stream."""
    SPEECH = "speech"
    DTMF = "dtmf"
    SILENCE = "silence"
    ASIDE = "aside"
    """Words over ours that didn't want the floor: "mm-hm". They are kept, and nobody answers them."""


@dataclass(slots=True)
class ToolUse:
    """One call of a tool in a turn, what was worded before it, and what came of it.

    ``after`` are the words since the turn's call before it; ``result`` is None as long as nobody knows.
    """

    name: str
    arguments: dict[str, Any]
    after: str = ""
    result: str | None = None

    def is_call(self, name: str, arguments: Mapping[str, Any]) -> bool:
        """Tell whether it is a call of that tool with those arguments."""
        return (self.name, self.arguments) == (name, arguments)


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
    tools: list[ToolUse] = field(default_factory=list)
    """What was called in it, in order."""


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

    def call(self, turn: Turn, call: ToolCall) -> ToolUse:
        """Note that our reply to a turn calls a tool, after the words that it has by now."""
        after = turn.reply
        for use in turn.tools:
            after = _split(after, use.after)[1]
        turn.tools.append(ToolUse(call.name, dict(call.arguments), after))
        return turn.tools[-1]

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

    def messages(self, note: str = "", *, going_on: Turn | None = None) -> list[ChatMessage]:
        """Return what the model reads next: the system prompt, as many recent turns as fit, and a note if it takes any.

        The note is for this reply only. ``going_on`` is the turn whose reply goes on after a tool's result: of it the
        model reads what it has worded, since that is still being heard.
        """
        history = self._recent(going_on)
        return [*history, ChatMessage(role="system", content=note)] if note and self._takes_notes else history

    def _recent(self, going_on: Turn | None) -> list[ChatMessage]:
        history = self._history(self._first, going_on)
        if self._size(history) > self._budget:
            while self._first < len(self.turns) - 1 and self._size(history) > self._budget // 2:
                self._first += 1
                history = self._history(self._first, going_on)
        return history

    def _history(self, first: int, going_on: Turn | None) -> list[ChatMessage]:
        messages = [ChatMessage(role="system", content=self._system)]
        for turn in self.turns[first:]:
            if turn.input is not TurnInput.ASIDE:
                _append(messages, "user", turn.transcript)
            said = turn.reply if turn is going_on else turn.reply_heard
            for use in turn.tools:
                before, said = _split(said, use.after)
                call = ToolCall(use.name, use.arguments).as_text()
                _append(messages, "assistant", f"{before}\n{call}" if before else call)
                _append(messages, "tool", UNKNOWN_RESULT if use.result is None else use.result)
            if turn is not going_on:
                _append(messages, "assistant", said)
        return messages

    def _size(self, messages: list[ChatMessage]) -> int:
        # A message costs about five tokens beside its text in the chat templates that we use.
        return sum(self._count(message["content"]) + 5 for message in messages)


def _split(said: str, after: str) -> tuple[str, str]:
    """Part what was said before a call from what was said after it."""
    if said.startswith(after):
        return after, said[len(after) :].lstrip()
    # It was cut off before the call's place.
    return (said, "") if after.startswith(said) else ("", said)


def _append(messages: list[ChatMessage], role: str, content: str) -> None:
    """Add a message; words of the same side in a row become one message, as chat templates expect."""
    if not content:
        return
    if messages[-1]["role"] == role:
        messages[-1]["content"] += " " + content
    else:
        messages.append(ChatMessage(role=role, content=content))
