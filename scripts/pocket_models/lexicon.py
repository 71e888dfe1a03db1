"""The open classes of the caller's language: names, companies, e-mails, numbers, days and times, in spoken words."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping

Draw = Callable[[random.Random], str]
"""Draws one value of a class, as a caller would say it."""


def listed(text: str) -> tuple[str, ...]:
    """Cut a text into its words."""
    return tuple(text.split())


FIRST_NAMES = listed(
    """Adam Alice Amanda Amy Andrew Angela Anna Anthony Barbara Ben Beth Brandon Brian Carla Carlos Carol Caroline
    Catherine Charles Charlotte Chris Claire Connor Daniel David Deborah Dennis Diana Donald Donna Dylan Edward Elena
    Elizabeth Emily Emma Eric Ethan Eva Evelyn Fiona Frank Gary George Gloria Greg Hannah Harry Heather Helen Henry
    Isabel Jack Jacob James Janet Jason Jennifer Jessica Joan John Jonathan Joseph Joshua Julia Karen Kate Keith Kelly
    Kenneth Kevin Laura Lauren Leo Linda Lisa Lucas Lucy Margaret Maria Mary Martin Matthew Melissa Michael Michelle
    Monica Nancy Natalie Nathan Nicole Nina Oliver Olivia Oscar Pamela Patricia Patrick Paul Peter Philip Rachel Rebecca
    Richard Robert Ronald Rosa Ruth Ryan Samantha Samuel Sandra Sarah Scott Sharon Simon Sophie Stephen Steven Susan
    Teresa Thomas Timothy Tom Vanessa Victor Victoria Walter Wendy William"""
)
LAST_NAMES = listed(
    """Adams Allen Anderson Bailey Baker Bennett Brooks Campbell Carter Clark Collins Cooper Davis Edwards Evans Foster
    Garcia Graham Gray Green Hall Harris Hill Howard Hughes Jackson Johnson Jones Kelly King Lee Lewis Lopez Martinez
    Miller Mitchell Moore Morgan Morris Murphy Nelson Parker Perez Phillips Powell Reed Roberts Robinson Rogers Russell
    Sanders Scott Smith Stewart Taylor Turner Walker Watson Wilson Wright"""
)
COMPANY_HEADS = listed(
    """Acorn Anchor Beacon Birch Bridge Canyon Castle Cedar Coral Crystal Delta Eagle Ember Falcon Garden Golden Granite
    Harbor Highland Island Juniper Lakeside Lantern Maple Meadow Midtown Mountain Northern Oak Ocean Olive Orchard Pine
    Pioneer River Silver Summit Sunrise Valley Willow"""
)
COMPANY_TAILS = listed(
    """Bakery Clinic Dental Design Electric Fitness Flooring Garage Insurance Kitchens Landscaping Legal Media Plumbing
    Repairs Roofing Salon Spa Studio Veterinary"""
)
PLANS = ("basic", "starter", "solo", "team", "plus", "growth", "pro", "business", "premium")
TOOLS = (
    "Google Calendar",
    "Outlook",
    "Slack",
    "Zoom",
    "Salesforce",
    "HubSpot",
    "Excel",
    "QuickBooks",
    "Shopify",
    "WhatsApp",
)
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")
MAIL_HOSTS = ("example", "gmail", "outlook", "yahoo", "mail")

_ONES = listed(
    """zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen
    eighteen nineteen"""
)
_TENS = listed("zero ten twenty thirty forty fifty sixty seventy eighty ninety")


def number_words(value: int) -> str:
    """Spell a whole number from 0 to 999, as in ``two hundred forty five``."""
    if value < 20:
        return _ONES[value]
    if value < 100:
        tens, ones = divmod(value, 10)
        return _TENS[tens] + (f" {_ONES[ones]}" if ones else "")
    hundreds, rest = divmod(value, 100)
    return f"{_ONES[hundreds]} hundred" + (f" {number_words(rest)}" if rest else "")


def draw_number(rng: random.Random) -> str:
    """Draw a head count in words: small ones are common, never one, 999 is the largest."""
    return number_words(rng.choice((rng.randint(2, 20), rng.randint(2, 99), rng.randint(2, 99), rng.randint(100, 999))))


def draw_day(rng: random.Random) -> str:
    """Draw a day: a weekday, ``next`` and a weekday, or ``tomorrow``."""
    weekday = rng.choice(WEEKDAYS)
    return rng.choice((weekday, weekday, weekday, f"next {weekday}", "tomorrow"))


def draw_time(rng: random.Random) -> str:
    """Draw a time of day as people say it: ``ten thirty``, ``half past two``, ``three in the afternoon``."""
    hour = rng.choice((8, 9, 10, 11, 12, 1, 2, 3, 4, 5))
    word = _ONES[hour]
    part = "in the morning" if 8 <= hour <= 11 else "in the afternoon"
    forms = (
        word,
        f"{word} thirty",
        f"{word} fifteen",
        f"{word} forty five",
        f"half past {word}",
        f"quarter past {word}",
        f"quarter to {word}",
        f"{word} o'clock",
        f"{word} {part}" if hour != 12 else "noon",
    )
    return rng.choice(forms)


def draw_name(rng: random.Random) -> str:
    """Draw a first name, in one of three cases with a last name."""
    first = rng.choice(FIRST_NAMES)
    return f"{first} {rng.choice(LAST_NAMES)}" if rng.random() < 0.35 else first


def draw_company(rng: random.Random) -> str:
    """Draw a company of two words, such as ``Harbor Bakery``."""
    return f"{rng.choice(COMPANY_HEADS)} {rng.choice(COMPANY_TAILS)}"


def draw_email(rng: random.Random) -> str:
    """Draw an e-mail address as it is spoken: ``mary dot jones at example dot com``."""
    first, last = rng.choice(FIRST_NAMES), rng.choice(LAST_NAMES)
    user = rng.choice((first, f"{first} dot {last}", last, rng.choice(("info", "office", "sales", "hello"))))
    host = rng.choice((rng.choice(MAIL_HOSTS), rng.choice(MAIL_HOSTS), rng.choice(COMPANY_HEADS)))
    return f"{user} at {host} dot {rng.choice(('com', 'com', 'com', 'org', 'net'))}".lower()


def one_of(values: tuple[str, ...]) -> Draw:
    """Make a draw from a closed list."""

    def draw(rng: random.Random) -> str:
        return rng.choice(values)

    return draw


REAL_WORDS: Mapping[str, Draw] = {
    "name": draw_name,
    "company": draw_company,
    "email": draw_email,
    "number": draw_number,
    "day": draw_day,
    "time": draw_time,
    "plan": one_of(PLANS),
    "tool": one_of(TOOLS),
}
"""How to draw each slot of the grammar from real words."""
