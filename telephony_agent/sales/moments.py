"""Days and times as they are spoken: "next Tuesday at half past three" read against now, and said in full.

Weeks begin on Monday; "next Tuesday" is the one of the next week, "Tuesday" the first one after today. An hour without
morning or afternoon lies within a working day: eight to twelve in the morning, one to seven in the afternoon. Which day
was meant is told for certain by the read-back only, so that names the weekday, the month and the day.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from telephony_agent.sales.spoken_numbers import SMALL, Number, numbers

WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
_WEEKDAY = {name.lower(): place for place, name in enumerate(WEEKDAYS)} | {
    short: place
    for place, shorts in enumerate(("mon", "tue tues", "wed weds", "thu thur thurs", "fri"))
    for short in shorts.split()
}
_MONTH_WORDS = {name.lower(): place + 1 for place, name in enumerate(MONTHS)}
_SHORT_MONTHS = {name[:3]: month for name, month in _MONTH_WORDS.items() if len(name) > 3} | {"sept": 9}
_MONTH = _MONTH_WORDS | _SHORT_MONTHS
_NEEDS_A_DATE = frozenset({"may", "march"}) | _SHORT_MONTHS.keys()
"""Words that are a month only with a day beside them."""
_ORDINALS = {
    word: place + 1
    for place, word in enumerate(
        """first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth fourteenth
        fifteenth sixteenth seventeenth eighteenth nineteenth twentieth""".split()
    )
} | {"thirtieth": 30}
_NAMED_DAYS = frozenset({"today", "tomorrow"})
_AFTER_DATE = frozenset("works is at would suits sounds around".split())
"""What follows a mere "the 30th" if it is a day."""
_NOT_MEANT = frozenset("last every each since until till before not except past previous".split())
"""Before a day they say that it isn't the day to meet."""
_ANY_BUT = (["anything", "but"], ["day", "but"])


class DayPart(StrEnum):
    """A part of a day, for a caller who names no hour."""

    MORNING = "morning"
    AFTERNOON = "afternoon"
    EVENING = "evening"

    @property
    def begins(self) -> time:
        """Return the hour that stands for this part where one is needed."""
        return {DayPart.MORNING: time(10), DayPart.AFTERNOON: time(14), DayPart.EVENING: time(18)}[self]


_PARTS = {
    "morning": DayPart.MORNING,
    "afternoon": DayPart.AFTERNOON,
    "evening": DayPart.EVENING,
    "tonight": DayPart.EVENING,
    "night": DayPart.EVENING,
}


@dataclass(frozen=True, slots=True)
class Moment:
    """When to meet or to call: a day, perhaps a time or a part of the day, in a zone."""

    zone: str
    day: date | None = None
    at: time | None = None
    part: DayPart | None = None

    @property
    def whole(self) -> bool:
        """Whether both the day and the time are known."""
        return self.day is not None and self.at is not None

    @property
    def starts(self) -> datetime | None:
        """Return the absolute time, or None without a day; a part of a day stands for its first usual hour."""
        if self.day is None:
            return None
        at = self.at or (self.part.begins if self.part else DayPart.MORNING.begins)
        return datetime.combine(self.day, at, tzinfo=ZoneInfo(self.zone))

    def merged(self, newer: Moment) -> Moment:
        """Return this moment with what is newer in the other; a new time drops the old part of the day."""
        at, part = (newer.at, newer.part) if newer.at or newer.part else (self.at, self.part)
        return replace(self, day=newer.day or self.day, at=at, part=part)

    def in_words(self) -> str:
        """Return the moment as it is read out: ``Tuesday, December 1, at 3:30 in the afternoon``."""
        words = []
        if self.day is not None:
            words.append(f"{WEEKDAYS[self.day.weekday()]}, {MONTHS[self.day.month - 1]} {self.day.day}")
        if self.at is not None:
            words.append(f"at {_clock_in_words(self.at)}")
        elif self.part is not None:
            words.append(f"in the {self.part}")
        return ", ".join(words)


@dataclass(frozen=True, slots=True)
class MomentReading:
    """What a text says about a moment; ``doubtful`` when it names more days or times than one."""

    moment: Moment
    doubtful: bool = False


def read_moment(words: Sequence[str], now: datetime, zone: str, *, bare_hour: bool = False) -> MomentReading:
    """Read the day and the time in tokens.

    Args:
        words: the tokens of what the caller said.
        now: the present, aware.
        zone: the caller's IANA zone, in which days and hours are meant.
        bare_hour: a mere "three" or "ten thirty" is a time, as after "What time suits you?".
    """
    local = now.astimezone(ZoneInfo(zone))
    words = [_without_is(word) for word in words]
    after = _after_a_while(words, local)
    if after is not None:
        return MomentReading(Moment(zone, after.date(), after.time()))
    days = _days(words, local.date())
    times = _times(words, bare_hour=bare_hour)
    parts = {_PARTS[word] for place, word in enumerate(words) if word in _PARTS and not _greets(words, place)}
    part = next(iter(parts)) if len(parts) == 1 else None
    at = next(iter(times))[0] if len(times) == 1 else None
    if at is not None:
        at = _within_day(at, part, said=next(iter(times))[1])
    if "tonight" in words and not days:
        days = {local.date()}
    day = next(iter(days)) if len(days) == 1 else None
    moment = Moment(zone, day, at, part if at is None else None)
    doubtful = len(days) > 1 or len(times) > 1 or len(parts) > 1
    return MomentReading(moment, doubtful or (moment.whole and moment.starts is not None and moment.starts <= local))


def _without_is(word: str) -> str:
    """Return the day in "Monday's", as in "Monday's good"."""
    day = word.removesuffix("'s")
    return day if day in _WEEKDAY or day in _NAMED_DAYS else word


def _greets(words: Sequence[str], place: int) -> bool:
    return place > 0 and words[place - 1] == "good"


def _after_a_while(words: Sequence[str], local: datetime) -> datetime | None:
    """Read "in half an hour", "in twenty minutes", "in two hours"; to the next full minute."""
    text = f" {' '.join(words)} "
    if " in half an hour " in text:
        return _full_minute(local + timedelta(minutes=30))
    if " in an hour " in text:
        return _full_minute(local + timedelta(hours=1))
    for number in numbers(words):
        unit = words[number.end] if number.end < len(words) else ""
        if number.start and words[number.start - 1] == "in" and unit in ("minutes", "hours", "hour", "minute"):
            return _full_minute(local + timedelta(**{f"{unit.rstrip('s')}s": number.value}))
    return None


def _full_minute(moment: datetime) -> datetime:
    return moment.replace(second=0, microsecond=0)


def _days(words: Sequence[str], today: date) -> set[date]:
    found = set()
    for place, word in enumerate(words):
        before = words[place - 1] if place else ""
        if before in _NOT_MEANT or words[max(0, place - 2) : place] in _ANY_BUT or _begins_a_span(words, place):
            continue
        if word == "today" or (word in ("afternoon", "morning", "evening") and before == "this"):
            found.add(today)
        elif word == "tomorrow":
            found.add(today + timedelta(days=2 if before == "after" else 1))
        elif word.removesuffix("s") in _WEEKDAY and word in _WEEKDAY:
            found.add(_weekday(today, _WEEKDAY[word], before))
        elif word in ("days", "day", "weeks", "week"):
            found |= _days_ahead(words, place, today)
    return found | _dates(words, today)


def _begins_a_span(words: Sequence[str], place: int) -> bool:
    """Whether a day is only where "a week from ..." begins."""
    before = words[max(0, place - 4) : place]
    return any(before[start : start + 2] in (["week", "from"], ["day", "from"]) for start in range(len(before)))


def _weekday(today: date, weekday: int, before: str) -> date:
    monday = today - timedelta(days=today.weekday())
    if before == "next":
        return monday + timedelta(days=7 + weekday)
    return today + timedelta(days=(weekday - today.weekday() - 1) % 7 + 1)


def _days_ahead(words: Sequence[str], place: int, today: date) -> set[date]:
    """Read "in three days", "in two weeks", "in a week", up to the unit at ``place``."""
    unit = 7 if words[place].startswith("week") else 1
    if words[max(0, place - 2) : place] == ["in", "a"]:
        return {today + timedelta(days=unit)}
    if words[place - 1 : place] == ["a"] and words[place + 1 : place + 2] == ["from"]:
        return {day + timedelta(days=unit) for day in _days(words[place + 2 : place + 4], today)}
    for number in numbers(words[:place]):
        if number.end == place and number.start and words[number.start - 1] == "in" and 0 < number.value <= 60:
            return {today + timedelta(days=unit * int(number.value))}
    return set()


def _dates(words: Sequence[str], today: date) -> set[date]:
    """Read "December first", "December 1", "the first of December", "the fifth"."""
    found = set()
    for place, word in enumerate(words):
        month = _MONTH.get(word)
        if month is None or (word in _NEEDS_A_DATE and not _dated(words, place)):
            continue
        day = _ordinal(words, place + 1) or _cardinal(words, place + 1)
        if not day and place > 1 and words[place - 1] == "of":
            day = _ordinal(words, place - 2) or (place > 2 and _ordinal(words, place - 3)) or 0
        found |= _next_date(today, day, month)
    if not found:
        for place, word in enumerate(words):
            if word == "the" and (day := _ordinal(words, place + 1)) and "time" not in words[place:]:
                following = set(words[place + 2 : place + 5]) - {"st", "nd", "rd", "th"}
                meant = words[max(0, place - 1) : place] == ["on"] or not following.isdisjoint(_AFTER_DATE)
                found |= _next_date(today, day, None) if meant else set()
    return found


def _dated(words: Sequence[str], place: int) -> bool:
    """Whether a word that may be another, such as "may" or "march", is a month here."""
    short = words[place] in _SHORT_MONTHS and bool(_cardinal(words, place + 1))
    return short or bool(_ordinal(words, place + 1)) or (place > 1 and words[place - 1] == "of")


def _ordinal(words: Sequence[str], place: int) -> int:
    if not 0 <= place < len(words):
        return 0
    word = words[place]
    if word in ("twenty", "thirty") and place + 1 < len(words) and 0 < _ORDINALS.get(words[place + 1], 0) < 10:
        return SMALL[word] + _ORDINALS[words[place + 1]]
    if word.isdecimal() and place + 1 < len(words) and words[place + 1] in ("st", "nd", "rd", "th"):
        return int(word)
    return _ORDINALS.get(word, 0)


def _cardinal(words: Sequence[str], place: int) -> int:
    found = [number for number in numbers(words[place : place + 2]) if number.start == 0]
    return int(found[0].value) if found and 1 <= found[0].value <= 31 else 0


def _next_date(today: date, day: int, month: int | None) -> set[date]:
    """Return the next such date from today on; nothing if there is none."""
    for ahead in range(1 if day else 0, 14):
        year, month_index = divmod(today.year * 12 + today.month - 2 + ahead, 12)
        if month is not None and month_index + 1 != month:
            continue
        try:
            candidate = date(year, month_index + 1, day)
        except ValueError:
            continue
        if candidate >= today:
            return {candidate}
    return set()


def _times(words: Sequence[str], *, bare_hour: bool) -> set[tuple[time, str]]:
    """Read the times of day, each with "am", "pm" or "" as it was said."""
    found: set[tuple[time, str]] = set()
    for place, word in enumerate(words):
        if word in ("noon", "midday"):
            found.add((time(12), "pm"))
        if ":" in word:
            hour, minute = map(int, word.split(":"))
            if hour < 24 and minute < 60:
                found.add((time(hour, minute), _half(words, place + 1) or ("pm" if hour > 12 else "")))
    taken: set[int] = set()
    for number in numbers(words):
        if number.start in taken or not 1 <= number.value <= 12 or number.value != int(number.value):
            continue
        read = _time_at(words, number, bare_hour=bare_hour)
        if read is not None:
            at, end = read
            found.add((at, _half(words, end)))
            taken |= set(range(number.start, end))
    return found


def _time_at(words: Sequence[str], number: Number, *, bare_hour: bool) -> tuple[time, int] | None:
    """Read the time whose hour is this number; return it and its end."""
    hour, start, end = int(number.value), number.start, number.end
    before = words[max(0, start - 2) : start]
    following = words[end] if end < len(words) else ""
    match before:
        case ["half", "past"]:
            return time(hour, 30), end
        case ["quarter", "past" | "after"]:
            return time(hour, 15), end
        case ["quarter", "to" | "of"]:
            return time((hour - 1) or 12, 45), end
    others = numbers(words)
    minute = next((other for other in others if other.start == end and 10 <= other.value < 60), None)
    rest = minute.end if minute else end
    if any(other.end == start or other.start == rest for other in others):
        return None  # dictated digits
    if following == "o'clock":
        return time(hour), end + 1
    introduced = bool(before) and before[-1] in _BEFORE_HOUR
    if not bare_hour and not introduced and not _half(words, rest):
        return None
    if minute is not None:
        return (time(hour, int(minute.value)), rest) if minute.value % 5 == 0 else None
    alone = not following or following in _AFTER_HOUR or bool(_half(words, end))
    return (time(hour), end) if alone else None


_BEFORE_HOUR = frozenset({"at", "around", "by", *_NAMED_DAYS}) | _WEEKDAY.keys()
_AFTER_HOUR = frozenset(
    """instead ish would works work is on in please then tomorrow today sharp or and if for i sounds that's good fine
    maybe suits thanks thank no actually sorry okay ok next this it best the um uh with so but
    because since when unless as they we you he she""".split()
) | {day for word in _WEEKDAY for day in (word, f"{word}s")}
"""What may follow an hour, so that "at three people" or "ten dollars" is none."""


def _half(words: Sequence[str], place: int) -> str:
    """Read which half of the day is said at a place: "pm", "p m", "in the afternoon"."""
    rest = list(words[place : place + 3])
    while rest and rest[0] == "dot":
        rest.pop(0)
    match rest:
        case [("am" | "pm") as half, *_]:
            return half
        case [("a" | "p") as letter, "dot", "m", *_] | [("a" | "p") as letter, "m", *_]:
            return f"{letter}m"
        case ["in", "the", "morning"]:
            return "am"
        case ["in", "the", "afternoon" | "evening"] | ["at", "night", *_]:
            return "pm"
    return ""


def _within_day(at: time, part: DayPart | None, said: str) -> time:
    """Put an hour of twelve into the half of the day that was said, or else into working hours."""
    if at.hour > 12 or at.hour == 0:
        return at
    if said == "am" or (not said and part is DayPart.MORNING):
        return at.replace(hour=at.hour % 12)
    afternoon = said == "pm" or part in (DayPart.AFTERNOON, DayPart.EVENING) or at.hour < 8
    return at.replace(hour=at.hour % 12 + 12) if afternoon or at.hour == 12 else at


def _clock_in_words(at: time) -> str:
    if at == time(12):
        return "noon"
    clock = f"{(at.hour - 1) % 12 + 1}" + (f":{at.minute:02}" if at.minute else "")
    if at.hour < 12:
        return f"{clock} in the morning"
    return f"{clock} in the {'afternoon' if at.hour < 18 else 'evening'}"
