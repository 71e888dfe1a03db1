"""What a caller's words tell about the slots, by rules; English.

The rules prefer silence to error: a value is taken when it was asked for, or when words around it leave no doubt what
it is. Whatever could be two values is none.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

from telephony_agent.sales.contacts import spoken_email, spoken_phone
from telephony_agent.sales.moments import WEEKDAYS, Moment, MomentReading, read_moment
from telephony_agent.sales.names import spoken_company, spoken_name
from telephony_agent.sales.spoken_numbers import SMALL, Number, numbers
from telephony_agent.sales.values import Authority, Money, SlotName, Value
from telephony_agent.sales.words import plain, tokens


@dataclass(frozen=True, slots=True)
class Listening:
    """What is needed to understand a caller's words: the time, their zone and number, and what we asked for."""

    now: datetime
    zone: str
    phone: str
    asked: SlotName | None = None
    wants_callback: bool = False
    """Whether these words ask to be called another time."""
    setting: SlotName = SlotName.MEETING
    """What a day or a time is for when the words don't say it."""
    unfinished: SlotName | None = None
    """A meeting or a call back of which we know the day or the hour only, so that the other may follow unasked."""


_ANSWER_WORDS = frozenset(
    """$ a about actually after afternoon also am and are area around at be been before best better book budget but
    call can cell code could dash day do dollars double early euros evening extension fine for free friday good
    great half have here hmm how hundred i i'd i'll i'm in is it it's its just last late let's like line listen
    look m make maybe me mean meant meet mhm million mobile monday month monthly morning my next no noon not
    number o o'clock of off office oh ok okay on only or our p past people per phone please plus pm pounds
    probably quarter reach right roughly saturday say so somewhere sorry sounds spend suits sunday sure team
    that instead ish thanks that's the then there think this thousand thursday to today tomorrow tonight triple tuesday
    uh um up wait we we'd we'll we're wednesday week well what with work works would yeah year yearly yes you
    £ €""".split()
)
"""What may stand around a bare number, so that it answers our question and isn't part of a command or a tale."""
_TIME_WORDS = frozenset(
    """today tomorrow tonight noon midday morning afternoon evening night week am pm o'clock half past quarter a.m p.m
    january february march april may june july august september october november december""".split()
) | {day.lower() for day in WEEKDAYS}
"""Beside them a number is a time, whatever we asked for."""
_CURRENCIES = {
    **dict.fromkeys(("dollar", "dollars", "bucks", "$", "usd"), "USD"),
    **dict.fromkeys(("euro", "euros", "€", "eur"), "EUR"),
    **dict.fromkeys(("pound", "pounds", "£", "gbp"), "GBP"),
}
_PHONE_CUE = re.compile(
    r"\b(?:my (?:\w+ )?number is|(?:call|reach|get) me (?:at|on)|(?:best|call back) number is|"
    r"(?:call|reach|try|use|ring) my (?:cell|mobile|phone|home|direct)(?: number| phone| line)?)\b"
)
_PEOPLE = frozenset("people persons employees staff colleagues workers of".split())
_SIZE_CUE = re.compile(
    r"\b(?:we are|were|we have|weve got|there are|theres|we employ|i employ|i have|team of|staff of)(?: only| just)?"
    r"(?: about| around| maybe| roughly)?$"
)
_HEDGES = frozenset("about around maybe roughly only just like it's um uh".split())
_WORKS_ALONE = re.compile(r"\bi work (?:alone|by myself|on my own)\b")
_ALONE = re.compile(r"^(?:its )?(?:just|only) (?:me|myself)\b|^(?:its )?just the one\b")
_BUDGET_CUE = re.compile(
    r"\b(?:our|my|the|a) budget (?:is|of|would be|was)\b|\b(?:we|i) (?:can|could|want to|would|"
    r"have to) (?:only )?spend\b|"
    r"\bset aside\b|\b(?:we|i) can afford\b|\b(?:is|thats) (?:our|my|the) budget\b"
)
_NEGATED = re.compile(r"\b(?:not|dont|cant|cannot|wont|doesnt|didnt|isnt|never|no more than|without|nobody|none)\b")
_PER = re.compile(r"\b(?:a|per|each|every) (month|year)\b|\b(month|year)ly\b")
_AUTHORITY = (
    (
        Authority.ELSEWHERE,
        re.compile(
            r"\b(?:my|our|the) (?:boss|owner|manager|director|husband|wife|partner) (?:decides|makes (?:that|the|"
            r"those)|"
            r"handles)|\b(?:im|i am) not the (?:decision maker|boss|owner|one who decides)|"
            r"\bnot (?:my decision|up to me)\b|"
            r"\bi (?:cant|dont) (?:decide|make (?:that|the|those) decisions?)"
        ),
    ),
    (
        Authority.SHARED,
        re.compile(
            r"\bwe decide (?:that )?together\b|\bi(?:d| would)? (?:have|need) to (?:ask|talk to|check with|"
            r"talk with) my|"
            r"\bmy (?:partner|husband|wife|co ?founder) and (?:i|me)(?: decide)?"
        ),
    ),
    (
        Authority.DECIDES,
        re.compile(
            r"\bi decide\b(?! not)|\bi make (?:the|those|that|these|all the) decisions?|\bits my decision\b|"
            r"\bi(?:m| am) the (?:decision maker|one who decides|person who decides|boss here)\b|"
            r"\bi(?:m| am) the (?:owner|boss)(?: here| of the (?:company|business|shop|salon|place))?$|"
            r"\bthats up to me\b"
        ),
    ),
)
_AUTHORITY_ANSWER = re.compile(
    r"^(?:(?:yes|well|thats|that is|it is|its|i|so) )*(?:me|i do|myself|would be me)(?: alone)?$"
)
_WHEN = re.compile(
    r"\b(?:right away|as soon as possible|immediately|this (?:week|month|quarter|year|spring|summer|fall|winter)|"
    r"next (?:week|month|quarter|year|spring|summer|fall|autumn|winter)|"
    r"in (?:a|one|two|three|four|five|six|a few|a couple of|\d+) (?:days?|weeks?|months?|years?)|"
    r"(?:by|in|before|after) (?:the end of (?:the|this|next) (?:week|month|quarter|year)|the new year|"
    r"january|february|april|june|july|august|september|october|november|december))\b"
)
_START_CUE = re.compile(
    r"\bwe(?:d| would)? (?:want|like|plan|need|hope|have) to (?:start|begin|switch|decide|buy|launch)\b"
)
_NEED_CUE = re.compile(
    r"\b(?:our|my|the) (?:biggest|main|real) (?:problem|challenge|issue) is (?P<a>.+)|"
    r"\bwe (?:struggle|have trouble|have problems) with (?P<b>.+)"
)
_NEED_ANSWER = re.compile(
    r"\bwe (?:really |mostly |mainly )?(?:need|lose|want|are looking for|re looking for) (?P<a>.+)"
)
_NO_NEED = re.compile(
    r"^(?:you|it|that|this|nothing|no(?! shows?\b)|none|anything|your|to (?:talk|speak|know|ask|go|think|check|hear))\b"
)
_BOOKING = re.compile(
    r"\b(?:how about|what about|lets (?:say|do|meet|make)|book|schedule|meet|put me (?:in|down)|make (?:it|that)|"
    r"i(?:m| am) free|works|would work|suits|i (?:can|could) do|(?:can|could) we (?:do|say)|"
    r"set (?:(?:something|it|that|this|one|a \w+) )?up|sign me up|pencil me in|get together|"
    r"(?:mon|tues|wednes|thurs|fri|satur|sun)days? (?:is )?(?:good|fine|best|great|okay)|"
    r"why (?:dont we|not)|do you have (?:time|a slot|anything|room|space)|"
    r"(?:move|change) (?:it|that)|(?:is|would be) (?:good|fine|best|great|better)|i meant?)\b"
)
_MEETING = re.compile(r"\b(?:meet|meeting|demo|appointment|book (?:me|it|that|us)|put me (?:in|down)|schedule)\b")
_ABOUT_US = re.compile(
    r"^(?:(?:and|so|but|okay|well|um|uh) )*(?:are you(?! free| available)|"
    r"do you(?! have (?:any |some )?(?:time|a slot|anything|room|space|openings?))|does|is (?:it|there|the|"
    r"your)|was|were you|"
    r"will it|what happens|who|why (?!dont we|not )|how (?!about)|where)\b"
)
_CORRECTION = re.compile(
    r"\b(?:no wait|no sorry|no|nope|actually|sorry|i meant?|rather|make (?:it|that)|how about|what about|better)\b",
    re.IGNORECASE,
)
_CLAUSE_END = re.compile(r"[.!?;,]+(?:\s|$)|\b(?:but|so)\b", re.IGNORECASE)
_UNAVAILABLE = re.compile(
    r"\b(?:not|(?<!why )dont|cant|cannot|wont|doesnt|didnt|isnt|never|busy|away|closed|was|were (?:out|off))\b"
)


def heard_values(text: str, listening: Listening) -> Mapping[SlotName, Value]:
    """Return what the words tell, a slot each; nothing of which there is a doubt."""
    asked = listening.asked
    name = spoken_name(text, asked=asked is SlotName.NAME)
    found: dict[SlotName, Value | None] = {
        SlotName.NAME: name,
        SlotName.COMPANY: spoken_company(text, name, asked=asked is SlotName.COMPANY),
        SlotName.EMAIL: spoken_email(text),
        SlotName.PHONE: _phone(text, listening),
        SlotName.TEAM_SIZE: _team_size(text, asked=asked is SlotName.TEAM_SIZE),
        SlotName.BUDGET: _budget(text, asked=asked is SlotName.BUDGET),
        SlotName.AUTHORITY: _authority(text, asked=asked is SlotName.AUTHORITY),
        SlotName.TIMING: _timing(text, asked=asked is SlotName.TIMING),
        SlotName.NEED: _need(text, asked=asked is SlotName.NEED),
    }
    if not found[SlotName.TIMING]:
        slot, moment = _moment(text, listening)
        found[slot] = moment
    return {slot: value for slot, value in found.items() if value}


def is_bare_answer(text: str) -> bool:
    """Tell whether the words around a number leave it an answer to a question."""
    return all(word in _ANSWER_WORDS or word in SMALL or word[0].isdecimal() for word in tokens(text))


def _phone(text: str, listening: Listening) -> str:
    cue = _PHONE_CUE.search(plain(text))
    asked = listening.asked is SlotName.PHONE and is_bare_answer(text)
    return spoken_phone(text, listening.phone) if cue or asked else ""


def _team_size(text: str, *, asked: bool) -> int | None:
    """Read what was said last ("five of us, no, six people")."""
    sizes = (_one_team_size(part, asked=asked) for part in reversed(_CORRECTION.split(text)))
    return next((size for size in sizes if size), None)


def _one_team_size(text: str, *, asked: bool) -> int | None:
    words = tokens(text)
    if _WORKS_ALONE.search(plain(text)) or (asked and _ALONE.search(plain(text))):
        return 1
    if _NEGATED.search(plain(text)):
        return None
    said = numbers(words)
    if any(words[first.end : second.start] in (["and"], ["or"], ["to"]) for first, second in pairwise(said)):
        return None
    counts = [number for number in said if _counts_people(words, number)]
    asked = asked and _TIME_WORDS.isdisjoint(words)
    if not counts and asked and len(said) == 1 and is_bare_answer(text):
        counts = [number for number in said if not _has_unit(words, number)]
    elif not asked:
        counts = [number for number in counts if _said_of_us(words, number)]
    sizes = {int(number.value) for number in counts if number.value == int(number.value) and 0 < number.value < 1e6}
    return sizes.pop() if len(sizes) == 1 and len(counts) == 1 else None


def _counts_people(words: list[str], number: Number) -> bool:
    unit = words[number.end : number.end + 2]
    return bool(unit) and unit[0] in _PEOPLE and (unit[0] != "of" or unit[1:] == ["us"])


def _said_of_us(words: list[str], number: Number) -> bool:
    before = words[: number.start]
    return all(word in _HEDGES for word in before) or bool(_SIZE_CUE.search(plain(" ".join(before))))


def _has_unit(words: list[str], number: Number) -> bool:
    """Whether the number counts something that is named, or is part of a larger expression."""
    after = words[number.end] if number.end < len(words) else ""
    before = words[number.start - 1] if number.start else ""
    plural = after.endswith("s") and after not in ("yes", "thanks", "this", "is", "plus", "us", "as")
    return plural or before in _CURRENCIES or after in ("percent", "o'clock", "or", "to", "and", "month", "year", "a")


def _budget(text: str, *, asked: bool) -> Money | None:
    spoken = plain(text)
    if not (_BUDGET_CUE.search(spoken) or (asked and is_bare_answer(text))) or _NEGATED.search(spoken):
        return None
    words = tokens(text)
    rate = _PER.search(spoken)
    amounts = []
    for number in numbers(words):
        near = {*words[max(0, number.start - 1) : number.start], *words[number.end : number.end + 1]}
        currency = next((_CURRENCIES[word] for word in near if word in _CURRENCIES), "")
        if currency or (asked and (rate or number.value >= 50)):
            amounts.append(Money(round(number.value), currency or "USD", (rate[1] or rate[2]) if rate else ""))
    others = [number for number in numbers(words) if not _counts_people(words, number)]
    return amounts[0] if len(amounts) == 1 and len(others) == 1 else None


def _authority(text: str, *, asked: bool) -> Authority | None:
    spoken = plain(text)
    if asked and _AUTHORITY_ANSWER.search(spoken):
        return Authority.DECIDES
    return next((who for who, pattern in _AUTHORITY if pattern.search(spoken)), None)


def _timing(text: str, *, asked: bool) -> str:
    spoken = plain(text)
    if not (asked or _START_CUE.search(spoken)) or _NEGATED.search(spoken):
        return ""
    times = [match[0] for match in _WHEN.finditer(spoken)]
    return times[0] if len(times) == 1 else ""


def _need(text: str, *, asked: bool) -> str:
    spoken = plain(text)
    match = _NEED_CUE.search(spoken) or (_NEED_ANSWER.search(spoken) if asked else None)
    if match is None:
        return ""
    need = next(group for group in match.groups() if group)
    return "" if _NO_NEED.search(need) else need[:120]


def _moment(text: str, listening: Listening) -> tuple[SlotName, Moment | None]:
    """Read a day and a time to meet, or to call back."""
    spoken = plain(text)
    timed = (SlotName.MEETING, SlotName.CALLBACK)
    asked = listening.asked if listening.asked in timed else None
    awaited = asked or listening.unfinished
    if listening.wants_callback:
        slot = SlotName.CALLBACK
    else:
        slot = SlotName.MEETING if _MEETING.search(spoken) else awaited or listening.setting
    if _ABOUT_US.search(spoken):
        return slot, None
    reading = _last_said(text, listening, bare_hour=asked is not None and is_bare_answer(text))
    moment = reading.moment
    if reading.doubtful or not (moment.day or moment.at or moment.part):
        return slot, None
    meant = (
        awaited or listening.wants_callback or _BOOKING.search(spoken) or (moment.whole and len(spoken.split()) <= 8)
    )
    return slot, moment if meant else None


def _without_unavailable(part: str) -> str:
    """Leave out the clauses that tell when the caller has no time ("I'm busy on Monday, but Tuesday works")."""
    if not _UNAVAILABLE.search(plain(part)) or plain(part).startswith("not "):
        return part
    return ", ".join(clause for clause in _CLAUSE_END.split(part) if not _UNAVAILABLE.search(plain(clause)))


def _last_said(text: str, listening: Listening, *, bare_hour: bool) -> MomentReading:
    """Read what is left when every correction has replaced what it corrects ("Tuesday, no, Thursday")."""
    total = Moment(listening.zone)
    doubtful = False
    for part in map(_without_unavailable, _CORRECTION.split(text)):
        corrected = total.at is not None
        reading = read_moment(tokens(part), listening.now, listening.zone, bare_hour=bare_hour or corrected)
        said = reading.moment
        doubtful = reading.doubtful if said.day or said.at or reading.doubtful else doubtful
        total = total.merged(said)
    past = total.whole and total.starts is not None and total.starts <= listening.now
    return MomentReading(total, doubtful or past)
