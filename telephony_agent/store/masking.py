"""Takes card numbers out of what was said, before it is stored: written or spoken, in English or Spanish.

A run is digits and number words with nothing between them but separators and hesitation. A run of written digits is a
card's when 13 to 19 digits of it pass Luhn's check; of spoken ones the transcriber may have misheard any, so 13 digits
and more are enough. A run after a plus sign is a telephone number. The whole run goes: what follows a card's number
is its date and its code.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from types import MappingProxyType

MASK = "[card number]"
SHORTEST = 13
LONGEST = 19

_UNITS = (
    "zero oh o cero|one uno una|two dos|three tres|four cuatro|five cinco|six seis|seven siete|eight ocho|nine nueve"
)
_TEENS = (
    "ten diez|eleven once|twelve doce|thirteen trece|fourteen catorce|fifteen quince|sixteen dieciséis dieciseis|"
    "seventeen diecisiete|eighteen dieciocho|nineteen diecinueve"
)
_TENS = (
    "twenty veinte|thirty treinta|forty fourty cuarenta|fifty cincuenta|sixty sesenta|seventy setenta|"
    "eighty ochenta|ninety noventa"
)


def _digits(words: str, first: int, step: int = 1) -> Iterator[tuple[str, str]]:
    """Pair every word with the digits it stands for."""
    for place, group in enumerate(words.split("|")):
        for word in group.split():
            yield word, str(first + place * step)


_UNIT = MappingProxyType(dict(_digits(_UNITS, 0)))
_TEEN = MappingProxyType(dict(_digits(_TEENS, 10)))
_TEN = MappingProxyType(dict(_digits(_TENS, 20, 10)))
_TIMES = MappingProxyType({"double": 2, "doble": 2, "triple": 3, "treble": 3})
_HUNDRED = frozenset({"hundred", "cien", "cientos"})
_FILLERS = frozenset("um uh er erm hmm and then dash hyphen space y eh guion espacio".split())
_NOT_THE_BEGINNING = _FILLERS | {"o"}

_TOKEN = re.compile(r"\d+|[^\W\d_]+|\S")
_SEPARATORS = frozenset("-.,/\u2010\u2011\u2012\u2013\u2014…")


def mask_cards(text: str) -> str:
    """Return the text with every card number replaced by ``MASK``. Masking twice changes nothing more."""
    pieces: list[str] = []
    end = 0
    for run in _runs(text):
        if run.is_card():
            pieces += [text[end : run.start], MASK]
            end = run.end
    return "".join([*pieces, text[end:]])


class _Run:
    """Digits in a row, written or spoken, as they stand in a text."""

    def __init__(self, start: int, *, telephone: bool) -> None:
        self.start = start
        self.end = start
        self._telephone = telephone
        self._groups: list[str] = []
        self._spoken = False
        self._times = 1
        self._open_ten = False

    @property
    def empty(self) -> bool:
        """Whether no digit has come yet."""
        return not self._groups

    def take(self, word: str, end: int) -> bool:
        """Take the next word into the run; False if the run ends before it."""
        if word in _TIMES:
            self._times = _TIMES[word]
            return True
        digits = self._as_digits(word)
        if digits is None:
            # "forty and one" are three digits, not two.
            self._open_ten = self._open_ten and word == "-"
            return word in _SEPARATORS or word in _FILLERS
        self._groups.append(digits * self._times)
        self._times = 1
        self.end = end
        return True

    def _as_digits(self, word: str) -> str | None:
        after_ten, self._open_ten = self._open_ten, self._open_ten and word == "-"
        if word.isdecimal():
            return "".join(str(int(digit)) for digit in word)
        spoken: str | None = None
        if word in _UNIT:
            spoken = _UNIT[word]
            if after_ten and spoken != "0":
                self._groups[-1] = self._groups[-1][:-1]
        elif word in _TEEN:
            spoken = _TEEN[word]
        elif word in _TEN:
            spoken = _TEN[word]
            self._open_ten = True
        elif word in _HUNDRED and self._groups:
            spoken = "00"
        self._spoken |= spoken is not None
        return spoken

    def is_card(self) -> bool:
        """Whether a card's number is in it."""
        digits = "".join(self._groups)
        if len(digits) < SHORTEST or (self._telephone and len(digits) <= 15):
            return False
        return self._spoken or any(_passes_luhn(part) for part in self._windows())

    def _windows(self) -> Iterator[str]:
        """Yield every stretch of whole groups that is as long as a card's number."""
        for first in range(len(self._groups)):
            for last in range(first, len(self._groups)):
                stretch = "".join(self._groups[first : last + 1])
                if SHORTEST <= len(stretch) <= LONGEST:
                    yield stretch
                if len(stretch) > LONGEST:
                    break


def _runs(text: str) -> Iterator[_Run]:
    """Yield the runs of a text, in order."""
    run: _Run | None = None
    telephone = False
    for token in _TOKEN.finditer(text):
        word = token[0].casefold()
        if run is not None and run.take(word, token.end()):
            continue
        if run is not None and not run.empty:
            yield run
        run = None
        if word not in _NOT_THE_BEGINNING and word not in _SEPARATORS:
            fresh = _Run(token.start(), telephone=telephone)
            if fresh.take(word, token.end()):
                run = fresh
        telephone = word in {"+", "plus", "más"}
    if run is not None and not run.empty:
        yield run


def _passes_luhn(digits: str) -> bool:
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (1 + place % 2)
        total += value - 9 if value > 9 else value
    return total % 10 == 0
