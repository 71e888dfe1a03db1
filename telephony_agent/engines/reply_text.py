"""Turns a model's tokens, one by one, into text that can be spoken: whole characters, no thinking.

Pure and without a model: the tokenizer comes in as a function.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

_THINK, _END_THINK = "<think>", "</think>"
_REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
_MOST_BYTES_OF_A_CHARACTER = 4
_LONGEST_CYCLE, _CYCLES, _SHORTEST_CIRCLE = 24, 4, 16


class TokenText:
    """Decodes tokens as they come; a character whose bytes are spread over tokens waits for the last of them.

    Args:
        decode: turns tokens into text, with U+FFFD where bytes are missing.
    """

    def __init__(self, decode: Callable[[Sequence[int]], str]) -> None:
        self._decode = decode
        self._pending: list[int] = []

    def push(self, token: int) -> str:
        """Return the text that is complete with this token; may be empty."""
        self._pending.append(token)
        text = self._decode(self._pending)
        if text.endswith(_REPLACEMENT) and len(self._pending) < _MOST_BYTES_OF_A_CHARACTER:
            return ""
        self._pending.clear()
        return text.replace(_REPLACEMENT, "")


class SpokenText:
    """Lets the text of a reply through, but ``<think>`` blocks and the white space before the first word."""

    def __init__(self) -> None:
        self._held = ""
        self._thinking = False
        self._begun = False

    def push(self, text: str) -> str:
        """Return what of the reply so far is certain to be spoken and was not returned yet."""
        self._held += text
        spoken = ""
        while True:
            tag = _END_THINK if self._thinking else _THINK
            before, found, after = self._held.partition(tag)
            if not found:
                break
            spoken += "" if self._thinking else before
            self._held = after
            self._thinking = not self._thinking
        kept = _overlap(self._held, tag)
        cut = len(self._held) - kept
        spoken += "" if self._thinking else self._held[:cut]
        self._held = self._held[cut:]
        return self._started(spoken)

    def end(self) -> str:
        """Return what was held back; an unfinished thought stays unspoken."""
        rest = "" if self._thinking else self._held
        self._held = ""
        return self._started(rest)

    def _started(self, text: str) -> str:
        if not self._begun:
            text = text.lstrip()
            self._begun = bool(text)
        return text


def _overlap(text: str, tag: str) -> int:
    """Return how many characters at the end of a text may be the beginning of a tag."""
    return next((size for size in range(min(len(tag) - 1, len(text)), 0, -1) if tag.startswith(text[-size:])), 0)


def goes_in_circles(tokens: Sequence[int]) -> bool:
    """Say whether a reply ends in the same few tokens over and over: a small model that got stuck.

    Four times, and sixteen tokens at least: a number may well hold four equal digits.
    """
    for size in range(1, _LONGEST_CYCLE + 1):
        tail = tokens[-max(size * _CYCLES, _SHORTEST_CIRCLE) :]
        if len(tail) < max(size * _CYCLES, _SHORTEST_CIRCLE):
            return False
        if all(tail[index] == tail[index - size] for index in range(size, len(tail))):
            return True
    return False


def common_prefix(one: Sequence[int], other: Sequence[int]) -> int:
    """Return how many tokens two sequences begin with alike."""
    shorter = min(len(one), len(other))
    return next((index for index in range(shorter) if one[index] != other[index]), shorter)
