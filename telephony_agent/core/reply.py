"""One reply of ours on its way from the model's text to phrases with audio, in order.

A reply may be begun before the caller's turn is decided to be over (*held*): its audio is kept back until then, and
thrown away if the caller goes on. So is a tool that it calls: none is called for a guess.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from telephony_agent.core.counsel import Then
from telephony_agent.core.events import Synthesize
from telephony_agent.core.phrases import PhraseSplitter
from telephony_agent.core.tool_calls import ToolCall


@dataclass(slots=True)
class Reply:
    """One draft of the reply to one turn. Phrases are spoken in order, whatever order their audio comes in."""

    turn: int
    draft: int
    asked_at: float
    held: bool = False
    may_call: bool = True
    """Whether it may call a tool."""
    check: Callable[[str], str | None] = field(default=lambda phrase: phrase, repr=False)
    """What may be spoken of a phrase of the model's."""
    then: Then = Then.GO_ON
    """What follows it."""
    before: str = ""
    """Words of ours that were already said in this turn."""
    begun: bool = False
    """Whether the model has begun to word it."""
    worded: bool = False
    """Whether the model has finished."""
    waits_for: int | None = None
    """The number of the turn's call whose result it waits for."""
    called: bool = False
    """Whether its call, if there is one, has been taken."""
    _splitter: PhraseSplitter = field(default_factory=PhraseSplitter)
    _texts: list[str] = field(default_factory=list)
    _audio: dict[int, bytes] = field(default_factory=dict)
    _released: int = 0
    _kept: list[tuple[str, bytes]] = field(default_factory=list)
    _interjected: list[tuple[int, str]] = field(default_factory=list)
    """Fixed words that were said while it was awaited, and behind how many of its phrases."""

    @property
    def text(self) -> str:
        """What has been worded so far, in the order in which it is spoken."""
        parts = [self.before]
        for index, text in enumerate([*self._texts, ""]):
            parts += [words for place, words in self._interjected if place == index]
            parts.append(text)
        return " ".join(filter(None, parts))

    def interject(self, words: str) -> None:
        """Note fixed words that are said before its next phrase."""
        self._interjected.append((self._released, words))

    @property
    def end_call(self) -> bool:
        """Whether the model wants the call to end."""
        return self._splitter.end_call

    @property
    def wants_tool(self) -> bool:
        """Whether it calls a tool."""
        return self.may_call and self._splitter.call is not None

    @property
    def complete(self) -> bool:
        """Whether nothing of it is still to come."""
        return self.worded and self._released == len(self._texts)

    @property
    def empty(self) -> bool:
        """Whether it has no words yet."""
        return not self._texts

    def feed(self, delta: str) -> list[Synthesize]:
        """Take a text delta; return the phrases to speak."""
        self.begun = True
        return self._add(self._splitter.feed(delta))

    def take_call(self) -> ToolCall | None:
        """Return the tool that it calls, once, and not while it is held."""
        if self.held or self.called or not self.wants_tool:
            return None
        self.called = True
        return self._splitter.call

    def say_at_last(self, words: str) -> list[Synthesize]:
        """Take fixed words with which it ends; return the phrases to speak."""
        splitter = PhraseSplitter()
        return self._add([*splitter.feed(words), *splitter.flush()], checked=False)

    def recite(self, words: str) -> list[Synthesize]:
        """Take fixed words for all of the text; return the phrases to speak."""
        self.begun = self.worded = True
        return self._add([*self._splitter.feed(words), *self._splitter.flush()], checked=False)

    def finish(self) -> list[Synthesize]:
        """Take the end of the text; return the last phrase to speak."""
        self.worded = True
        return self._add(self._splitter.flush())

    def release(self, phrase: int, audio: bytes) -> list[tuple[str, bytes]]:
        """Take a phrase's audio (empty if it failed); return what can be played now, in order."""
        self._audio[phrase] = audio
        out: list[tuple[str, bytes]] = []
        while self._released in self._audio:
            out.append((self._texts[self._released], self._audio.pop(self._released)))
            self._released += 1
        audible = [(text, audio) for text, audio in out if audio]
        if self.held:
            self._kept += audible
            return []
        return audible

    def let_go(self) -> list[tuple[str, bytes]]:
        """End the holding back; return what was kept."""
        kept, self._kept, self.held = self._kept, [], False
        return kept

    def _add(self, texts: list[str], *, checked: bool = True) -> list[Synthesize]:
        first = len(self._texts)
        if checked:
            texts = [passed for text in texts if (passed := self.check(text))]
        self._texts += texts
        return [Synthesize(self.turn, self.draft, first + i, text) for i, text in enumerate(texts)]
