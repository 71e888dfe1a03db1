"""Playbooks at random, so that pocket-qwen learns to read its playbook instead of knowing one by heart.

Names of people, companies and products are random syllables, never a list: the model can only copy them.
"""

from __future__ import annotations

import random
import re
from collections.abc import Mapping
from dataclasses import dataclass

from scripts.pocket_models.lexicon import (
    FIRST_NAMES,
    MAIL_HOSTS,
    PLANS,
    REAL_WORDS,
    TOOLS,
    Draw,
    listed,
    number_words,
    one_of,
)
from scripts.pocket_models.sentences import fill
from telephony_agent.sales.playbook import Playbook
from telephony_agent.sales.playbook_parts import Plan

_CONSONANTS = listed("b c d f g h j k l m n p r s t v w z br ch cl dr fl gr kr pl sh st th tr")
_VOWELS = listed("a a e e i i o o u ai ea oo")
_ENDINGS = listed("n r s l m t nd ck x") + ("",) * 9


def syllables(rng: random.Random, least: int = 2, most: int = 3) -> str:
    """Make up a word, such as ``Brakelo``."""
    word = "".join(rng.choice(_CONSONANTS) + rng.choice(_VOWELS) for _ in range(rng.randint(least, most)))
    return (word + rng.choice(_ENDINGS)).capitalize()


def _made_up_email(rng: random.Random) -> str:
    user = rng.choice((syllables(rng, 1, 2), f"{syllables(rng, 1, 2)} dot {syllables(rng, 1, 3)}"))
    host = rng.choice((rng.choice(MAIL_HOSTS), syllables(rng)))
    return f"{user} at {host} dot {rng.choice(('com', 'com', 'org', 'net'))}".lower()


def _made_up_name(rng: random.Random) -> str:
    return syllables(rng) if rng.random() < 0.65 else f"{syllables(rng)} {syllables(rng)}"


MADE_UP_WORDS: Mapping[str, Draw] = {
    **REAL_WORDS,
    "name": _made_up_name,
    "company": lambda rng: " ".join(syllables(rng) for _ in range(rng.randint(1, 2))),
    "email": _made_up_email,
}
"""How to draw the grammar's slots when names must be copied, not known."""


@dataclass(frozen=True, slots=True)
class World:
    """One playbook and the words that its callers use."""

    playbook: Playbook
    words: Mapping[str, Draw]


def _rather(values: tuple[str, ...], others: tuple[str, ...]) -> Draw:
    """Make a draw that mostly names what the playbook has, and sometimes what it hasn't."""

    def draw(rng: random.Random) -> str:
        return rng.choice(values) if values and rng.random() < 0.65 else rng.choice(others)

    return draw


def world_of(playbook: Playbook, words: Mapping[str, Draw]) -> World:
    """Let the callers of a playbook ask mostly for the plans and tools that it has."""
    plans = tuple(plan.name for plan in playbook.plans)
    own = {"plan": _rather(plans, PLANS), "tool": _rather(playbook.integrations, TOOLS)}
    return World(playbook, {**words, **own})


def _few(rng: random.Random) -> str:
    return number_words(rng.randint(2, 30))


_FILL: Mapping[str, Draw] = {
    "n": _few,
    "big": lambda rng: number_words(rng.randint(2, 9)) + " hundred",
    "unit": one_of(listed("minutes hours days weeks")),
    "thing": one_of(
        listed("appointment order booking invoice call visit message room table ticket repair delivery lesson")
    ),
    "people": one_of(listed("shops clinics salons garages schools offices hotels owners teams")),
    "city": lambda rng: rng.choice(("Portland", "Boston", "Denver", "Austin", syllables(rng))),
    "verb": one_of(listed("find plan track sort send save check manage answer share")),
    "name": syllables,
}

_TOPICS: Mapping[str, tuple[str, ...]] = {
    "how it works": (
        "A {thing} button on your website fills your calendar.",
        "You (forward|send|upload) each {thing} and we {verb} it for you.",
        "It (reads|sorts|counts) every {thing} while you work.",
        "Your customers {verb} their {thing} on the phone.",
    ),
    "discount": (
        "Pay for a year and {n} months are free.",
        "(There is|We give) a discount of {n} percent for a year.",
        "There is no discount, the price is the same for all.",
        "New {people} get {n} percent off.",
    ),
    "contract": (
        "There is no contract, cancel any month.",
        "The contract runs for {n} months.",
        "You can cancel with {n} days notice.",
        "You sign for one year, then month by month.",
    ),
    "setup": (
        "Setup takes (one hour|one day|{n} {unit}) and we help.",
        "We set it up for you in {n} {unit}.",
        "You can start in {n} {unit}.",
        "Our team needs {n} {unit} for the setup.",
    ),
    "security": (
        "Your data is encrypted and never sold.",
        "All data stays in {city} and is encrypted.",
        "Only you can see your data.",
        "We delete your data after {n} {unit}.",
    ),
    "support": (
        "Phone support is open weekdays from (eight|nine|seven) to (six|five|eight).",
        "You can call us day and night.",
        "We answer e-mails within {n} {unit}.",
        "Our support in {city} is open every day.",
    ),
    "trial": (
        "You can try it free for {n} {unit}.",
        "The first {n} {unit} are free.",
        "There is no trial, but a demo.",
        "You can test it with {n} {people} first.",
    ),
    "office": (
        "We are based in {city}.",
        "Our office is in {city}.",
        "We work from {city} and {city}.",
    ),
    "customers": (
        "About {big} (small|) {people} use it.",
        "More than {big} {people} work with us.",
        "We started {n} years ago with {n} {people}.",
        "Many {people} in {city} use it.",
    ),
    "your number": (
        "I found your number in a business directory.",
        "Your number is on your website.",
        "You gave it to us at a fair in {city}.",
        "A partner in {city} gave us your number.",
    ),
}
_OBJECTIONS: Mapping[str, tuple[str, ...]] = {
    "too expensive": (
        "One saved {thing} pays for the month.",
        "Most {people} earn it back in {n} {unit}.",
        "It costs less than a coffee a day.",
    ),
    "have a supplier": (
        "We can run beside it, so you can compare.",
        "Many {people} switched to us in {n} {unit}.",
        "We can move every {thing} over for you.",
    ),
    "not interested": (
        "Many {people} said that at first.",
        "It saves {n} {unit} for each {thing}.",
        "It is only a short look.",
    ),
    "no time": ("I only need {n} minutes.", "I only need one minute.", "It is about your next {thing}."),
}
_PITCHES = (
    "Your customers (book|order|call) online, so fewer of them forget their {thing}.",
    "It helps {people} to {verb} every {thing} in {n} {unit}.",
    "We {verb} each {thing} for you, so you save {n} {unit} a week.",
    "You {verb} every {thing} in one place.",
    "It (answers|finds|plans) a {thing} before you {verb} it.",
)
_MEETINGS = (
    "a ({n}|fifteen|ten|twenty) minute demo",
    "a short (demo|call|visit|meeting)",
    "a (free|quick) (demo|call) with {name}",
    "a meeting with our team",
)
_QUESTIONS = (
    "How many people work with you?",
    "How many people (are|work) in your (team|office|shop|company)?",
    "How big is your team?",
    "How many people {verb} a {thing} each day?",
)
_PRODUCT_TAILS = ("Booking", "Desk", "Planner", "Calls", "Books", "Manager", "Online", "")
_GREETINGS = (
    "Hi, this is {persona}, the AI assistant of {company}. Do you have a minute?",
    "Hello, {persona} here, an AI assistant from {company}. Do you have a minute?",
    "Good day, I'm {persona}, an AI calling for {company}. Is this a good time?",
)


def _words_at_random(rng: random.Random) -> str:
    """Make a sentence that means nothing, which can only be copied."""
    words = [rng.choice((_FILL["thing"], _FILL["people"], _FILL["verb"], _few, syllables))(rng) for _ in range(5)]
    return " ".join(words).capitalize() + "."


def _sentence(rng: random.Random, templates: tuple[str, ...]) -> str:
    text = _words_at_random(rng) if rng.random() < 0.1 else fill(rng.choice(templates), rng, _FILL)[0]
    return re.sub(r"\ba (?=[aeio])", "an ", text)


def _entries(rng: random.Random, topics: Mapping[str, tuple[str, ...]]) -> dict[str, str]:
    """Answer most topics, in any order; what is left out is what the agent must not invent."""
    kept = [topic for topic in topics if rng.random() < 0.92]
    return {topic: _sentence(rng, topics[topic]) for topic in rng.sample(kept, len(kept))}


def _price(rng: random.Random) -> str:
    amount = number_words(rng.choice((rng.randint(5, 99), rng.randint(5, 99), rng.randint(100, 999))))
    return (
        f"{amount} {rng.choice(('dollars', 'dollars', 'euros', 'pounds'))} a {rng.choice(('month', 'month', 'year'))}"
    )


def random_world(rng: random.Random, default: Playbook) -> World:
    """Draw a playbook and its callers: the default one in one case of seven, else one that nobody has seen."""
    words = REAL_WORDS if rng.random() < 0.3 else MADE_UP_WORDS
    if rng.random() < 1 / 7:
        return world_of(default, words)
    plans = rng.sample(PLANS, rng.choice((1, 2, 3, 3)))
    return world_of(
        Playbook.model_validate(
            {
                "persona": rng.choice((syllables(rng, 1, 2), rng.choice(FIRST_NAMES))),
                "company": syllables(rng),
                "product": f"{syllables(rng)} {rng.choice(_PRODUCT_TAILS)}",
                "pitch": _sentence(rng, _PITCHES),
                "meeting": fill(rng.choice(_MEETINGS), rng, _FILL)[0],
                "question": _sentence(rng, _QUESTIONS),
                "plans": tuple(Plan(name=plan, price=_price(rng)) for plan in plans),
                "integrations": tuple(rng.sample(TOOLS, rng.randint(0, 5))),
                "facts": _entries(rng, _TOPICS),
                "objections": _entries(rng, _OBJECTIONS),
                "greeting": rng.choice(_GREETINGS),
            }
        ),
        words,
    )
