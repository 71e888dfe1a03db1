"""The figures in a text, with what they count: what the reply check compares."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from telephony_agent.sales.spoken_numbers import SCALES, SMALL, digit_runs, numbers
from telephony_agent.sales.words import tokens

LONG_RUN = 4
"""Dictated digits from this length on are one figure: a telephone number, a code."""


class Unit(StrEnum):
    """What a figure counts, as far as it matters."""

    PLAIN = "plain"
    MONEY = "money"
    PERCENT = "percent"
    MINUTE = "minute"
    HOUR = "hour"
    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    YEAR = "year"
    DIGITS = "digits"


_SPANS = (Unit.MINUTE, Unit.HOUR, Unit.DAY, Unit.WEEK, Unit.MONTH, Unit.YEAR)
_UNITS = {
    **dict.fromkeys(
        "dollar dollars bucks euro euros pound pounds cent cents usd eur gbp grand $ € £".split(), Unit.MONEY
    ),
    **dict.fromkeys(("percent", "per-cent"), Unit.PERCENT),
    **{f"{unit}{plural}": unit for unit in _SPANS for plural in ("", "s")},
}
_ORDINALS = {
    word: value
    for value, word in enumerate(
        """fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth fourteenth fifteenth sixteenth
        seventeenth eighteenth nineteenth twentieth""".split(),
        start=4,
    )
}


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure, its digits as text, and what it counts."""

    digits: str
    unit: Unit


def figures(text: str) -> frozenset[Figure]:
    """Read every figure in a text, written or spelled; the word "one" only where it counts something."""
    words = tokens(text)
    found = set()
    inside: set[int] = set()
    for run in digit_runs(words):
        if len(run.digits) >= LONG_RUN and run.end - run.start > 1:
            found.add(Figure(run.digits, Unit.DIGITS))
            inside |= set(range(run.start, run.end))
    for number in numbers(words):
        if number.start in inside:
            continue
        unit = _unit(words, number.start, number.end)
        if unit is Unit.PLAIN and words[number.start : number.end] == ["one"]:
            continue
        found.add(Figure(f"{number.value:g}", unit))
    for word in words:
        if ":" in word:
            found |= {Figure(f"{int(part)}", Unit.PLAIN) for part in word.split(":") if int(part)}
        elif word in _ORDINALS:
            found.add(Figure(str(_ORDINALS[word]), Unit.PLAIN))
    return frozenset(found)


def is_figure(word: str) -> bool:
    """Tell whether a word is a figure or a part of one."""
    return word[0].isdecimal() or word in SMALL or word in SCALES


def _unit(words: list[str], start: int, end: int) -> Unit:
    if start and words[start - 1] in ("$", "€", "£"):
        return Unit.MONEY
    following = words[end : end + 2]
    if following and following[0] in ("free", "more", "full", "whole", "extra", "of"):
        following = following[1:]
    unit = _UNITS.get(following[0], Unit.PLAIN) if following else Unit.PLAIN
    # "nineteen a month" is a price.
    return Unit.MONEY if following[:2] in (["a", "month"], ["a", "year"], ["per", "month"], ["per", "year"]) else unit
