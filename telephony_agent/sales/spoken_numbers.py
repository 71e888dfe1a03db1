"""Numbers as they are spoken: read from tokens, and digits put into words for a read-back.

``numbers`` reads amounts ("two hundred and forty five" is 245, but "three thirty" are 3 and 30); ``digit_runs`` reads
what is dictated digit by digit ("five five five, oh one forty two", "double two").
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

_ONES = "zero one two three four five six seven eight nine".split()
_TEENS = "ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen".split()
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()
SMALL = {
    **{word: value for value, word in enumerate(_ONES + _TEENS)},
    **{word: 20 + 10 * place for place, word in enumerate(_TENS)},
}
"""The number words below a hundred that are one word."""
SCALES = {"hundred": 100, "thousand": 1000, "million": 1_000_000}
_REPEATS = {"double": 2, "triple": 3}
_ZEROS = frozenset({"oh", "o"})
_BETWEEN_DIGITS = frozenset({"dash", "hyphen", "and", "then", "um", "uh"})


@dataclass(frozen=True, slots=True)
class Number:
    """An amount in tokens ``start`` to ``end`` (exclusive)."""

    value: float
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class DigitRun:
    """Dictated digits in tokens ``start`` to ``end`` (exclusive); ``international`` when a plus stood before them."""

    digits: str
    start: int
    end: int
    international: bool = False


def numbers(tokens: Sequence[str]) -> list[Number]:
    """Read every amount, in order."""
    found, place = [], 0
    while place < len(tokens):
        number = _number_at(tokens, place)
        if number is None:
            place += 1
        else:
            found.append(number)
            place = number.end
    return found


def digit_runs(tokens: Sequence[str]) -> list[DigitRun]:
    """Read every longest run of dictated digits, in order."""
    return list(_runs(tokens))


def digits_in_words(digits: str) -> str:
    """Return digits as they are read out."""
    return " ".join(_ONES[int(digit)] for digit in digits)


def grouped_in_words(digits: str) -> str:
    """Return a telephone number's national digits as they are read out, in groups with a pause between."""
    if len(digits) == 10:
        groups = [digits[:3], digits[3:6], digits[6:]]
    elif len(digits) == 7:
        groups = [digits[:3], digits[3:]]
    else:
        groups = [digits[start : start + 3] for start in range(0, len(digits), 3)]
    return ", ".join(digits_in_words(group) for group in groups)


def _number_at(tokens: Sequence[str], start: int) -> Number | None:
    below = _below_hundred(tokens, start)
    if below is not None:
        value, end = below
    elif tokens[start] == "a" and start + 1 < len(tokens) and tokens[start + 1] in SCALES:
        value, end = 1, start + 1
    else:
        return None
    total, group = 0.0, value
    while end < len(tokens) and tokens[end] in SCALES:
        scale = SCALES[tokens[end]]
        if scale == 100 and group >= 100:
            break
        group *= scale
        end += 1
        rest = _below_hundred(tokens, end + (end < len(tokens) and tokens[end] == "and"))
        if rest is None:
            continue
        if scale == 100:
            group, end = group + rest[0], rest[1]
        else:
            total, group, end = total + group, rest[0], rest[1]
    return Number(total + group, start, end)


def _below_hundred(tokens: Sequence[str], start: int) -> tuple[float, int] | None:
    """Read a figure, or a number word below a hundred ("forty two"); return its value and end."""
    if start >= len(tokens):
        return None
    token = tokens[start]
    if token[0].isdecimal() and ":" not in token:
        return float(token), start + 1
    if token not in SMALL:
        return None
    value = SMALL[token]
    if value >= 20 and start + 1 < len(tokens) and 0 < SMALL.get(tokens[start + 1], 0) < 10:
        return value + SMALL[tokens[start + 1]], start + 2
    return value, start + 1


def _runs(tokens: Sequence[str]) -> Iterator[DigitRun]:
    place = 0
    while place < len(tokens):
        start, digits = place, ""
        international = tokens[place] == "plus"
        place += international
        end = place
        while place < len(tokens):
            if digits and tokens[place] in _BETWEEN_DIGITS:
                place += 1
                continue
            read = _digits_at(tokens, place)
            if read is None:
                break
            digits += read[0]
            place = end = read[1]
        if digits:
            yield DigitRun(digits, start, end, international)
            place = end
        else:
            place = start + 1


def _digits_at(tokens: Sequence[str], place: int) -> tuple[str, int] | None:
    token = tokens[place]
    if token in _ZEROS:
        return "0", place + 1
    if token.isdecimal() and token.isascii():
        return token, place + 1
    if token in _REPEATS and place + 1 < len(tokens):
        repeated = "0" if tokens[place + 1] in _ZEROS else str(SMALL.get(tokens[place + 1], tokens[place + 1]))
        return (repeated * _REPEATS[token], place + 2) if len(repeated) == 1 and repeated.isdecimal() else None
    read = _below_hundred(tokens, place)
    if read is None or token[0].isdecimal():
        return None
    value, end = read
    if value < 10 and end < len(tokens) and tokens[end] == "hundred":
        return f"{int(value)}00", end + 1
    return str(int(value)), end
