"""Words as the rules of a sales call read them: a transcript made plain, whoever transcribed it.

Transcribers disagree about capitals, commas, figures and apostrophes ("Don't call me, again." or "dont call me again";
"$12,000" or "twelve thousand dollars"). ``plain`` makes a text fit for patterns of words, ``tokens`` for parsers.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

_APOSTROPHES = re.compile(r"['’‘`´]")
_NOT_WORDS = re.compile(r"[^\w+@$€£%]+|_")
_SENTENCE_END = re.compile(r"[.!?;,]+(?:\s|$)|\s[-–—]+\s")
_TOKEN = re.compile(
    r"""
    (?P<money>[$€£])|(?P<plus>\+)(?=\d)|(?P<percent>%)
    |(?P<clock>\d{1,2}:\d\d)
    |(?P<number>\d+(?:,\d{3})+(?:\.\d+)?|\d+\.\d+(?!\.\d)|\d+)
    |(?P<word>[^\W\d_]+(?:['’][^\W\d_]+)*)
    |(?P<at>@)|(?P<dot>\.(?=\w))|(?P<underscore>_)
    """,
    re.VERBOSE,
)
_SAID_AS = {"@": "at", ".": "dot", "_": "underscore", "%": "percent", "+": "plus"}


def plain(text: str) -> str:
    """Return the text in small letters, without apostrophes and punctuation, its words one space apart."""
    lowered = unicodedata.normalize("NFKC", text).lower()
    return " ".join(_NOT_WORDS.sub(" ", _APOSTROPHES.sub("", lowered)).split())


def clauses(text: str) -> Iterator[str]:
    """Yield the plain text as a whole, then its clauses where the transcriber set marks between them."""
    yield plain(text)
    parts = [plain(part) for part in _SENTENCE_END.split(text)]
    if len(parts) > 1:
        yield from (part for part in parts if part)


def tokens(text: str) -> list[str]:
    """Cut a text into small words and figures; a sign that is spoken becomes its word (``@`` -> ``at``).

    Figures lose their thousands' commas, a currency sign stays before its figure, ``12k`` becomes ``12 thousand``.
    """
    found: list[str] = []
    lowered = unicodedata.normalize("NFKC", text).lower()
    for match in _TOKEN.finditer(lowered):
        said = match[0]
        if said == "k" and lowered[: match.start()][-1:].isdecimal():
            found.append("thousand")
        elif match.lastgroup == "number":
            found.append(said.replace(",", ""))
        else:
            found.append(_SAID_AS.get(said, _APOSTROPHES.sub("'", said)))
    return found


def with_notice(words: str, notice: str) -> str:
    """Put a notice into words of ours, before the question that they end with: after it we'd be talked over."""
    if not notice:
        return words
    *before, last = sentences(words)
    return " ".join([*before, notice, last] if last.endswith("?") else [words, notice])


def sentences(text: str) -> list[str]:
    """Cut a text of ours into its sentences."""
    return [part for part in re.split(r"(?<=[.!?])\s+", text.strip()) if part]
