"""Turns a model's token deltas into speakable phrases, the first one short.

The first phrase decides how long the caller waits, so it ends at the first clause mark after a few words; later ones
end with a sentence, or at a clause mark or a space once they grow long. What can't be spoken is taken out: markdown,
emoji, stage directions in brackets, calls of tools (``tool_calls``), and the control word ``[END_CALL]``, which sets
``end_call`` instead. It counts only at the reply's end: a model that goes on talking hasn't taken leave.
"""

from __future__ import annotations

import re

from telephony_agent.core.tool_calls import CallFilter, ToolCall

END_CALL = "[END_CALL]"

_FIRST_MIN_CHARS = 12
_MIN_CHARS = 24
_SOFT_CHARS = 120
_HARD_CHARS = 200
_SENTENCE_END = re.compile(r"[.!?…]+[\"')\]]*(?=\s)")
_CLAUSE_END = re.compile(r"[,;:–—](?=\s)")
_ABBREVIATION = re.compile(r"\b(?:mr|mrs|ms|dr|st|vs|no|inc|ltd|e\.g|i\.e|a\.m|p\.m)\.$", re.IGNORECASE)
_BRACKETED = re.compile(r"\[[^\[\]]{0,60}\]")
_MARKDOWN = re.compile(r"[*_#`~|<>]+|^\s*[-•]\s+", re.MULTILINE)
_UNSPOKEN = re.compile("[\U0001f000-\U0001faff\u2600-\u27bf\ufe0f\u200d]")


class PhraseSplitter:
    """One reply's text on its way to the synthesizer."""

    def __init__(self) -> None:
        self._calls = CallFilter()
        self._text = ""
        self._count = 0
        self._behind: str | None = None
        """What came behind the control word, if that came."""

    @property
    def end_call(self) -> bool:
        """Whether the reply, as far as it has come, ends by asking for the call to end."""
        return self._behind is not None and not speakable(_without_brackets(self._behind))

    @property
    def call(self) -> ToolCall | None:
        """The tool that the reply calls, once that is complete."""
        return self._calls.call

    def feed(self, delta: str) -> list[str]:
        """Take the next piece of the reply; return the phrases that are complete now."""
        self._take(self._calls.feed(delta))
        phrases: list[str] = []
        while (cut := self._cut()) is not None:
            self._emit(self._text[:cut], phrases)
            self._text = self._text[cut:].lstrip()
        return phrases

    def flush(self) -> list[str]:
        """Return what is left at the end of the reply."""
        self._take(self._calls.flush())
        rest, self._text = self._text.split("[", 1)[0], ""
        phrases: list[str] = []
        self._emit(rest, phrases)
        return phrases

    def _take(self, piece: str) -> None:
        self._text += piece
        if END_CALL in self._text:
            self._behind = self._text.rpartition(END_CALL)[2]
        elif self._behind is not None:
            self._behind += piece
        self._text = _without_brackets(self._text)

    def _cut(self) -> int | None:
        """Return where the next phrase ends, or None while it is still growing."""
        # Text behind an open bracket may still turn out to be a control word.
        ready = self._text.split("[", 1)[0]
        minimum = _FIRST_MIN_CHARS if self._count == 0 else _MIN_CHARS
        for match in _SENTENCE_END.finditer(ready):
            if match.end() >= minimum and not _ABBREVIATION.search(ready[: match.end()]):
                return match.end()
        if self._count == 0 or len(ready) > _SOFT_CHARS:
            clauses = [m.end() for m in _CLAUSE_END.finditer(ready) if m.end() >= minimum]
            if clauses:
                return clauses[0] if self._count == 0 else clauses[-1]
        if len(ready) > _HARD_CHARS:
            space = ready.rfind(" ", minimum, _HARD_CHARS)
            return space if space > 0 else _HARD_CHARS
        return None

    def _emit(self, text: str, phrases: list[str]) -> None:
        spoken = speakable(text)
        if spoken:
            self._count += 1
            phrases.append(spoken)


def _without_brackets(text: str) -> str:
    """Take out what stands in brackets, from the inside out: it doesn't matter in which pieces the text came."""
    while (rest := _BRACKETED.sub(" ", text)) != text:
        text = rest
    return text


def speakable(text: str) -> str:
    """Return the text without what a voice can't say; empty when no letter or digit is left."""
    cleaned = _UNSPOKEN.sub("", _MARKDOWN.sub(" ", text))
    cleaned = " ".join(cleaned.split())
    return cleaned if any(c.isalnum() for c in cleaned) else ""
