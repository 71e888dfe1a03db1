"""The scenario families of turn-taking in virtual time: each a story drawn from a seed, with engines of any speed.

A story is told on the stage and returns what it has seen: what the caller said and wants answered, and what must hold.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import groupby

from tests.calls.stage import FRAME_S, Call

QUESTIONS = ("how much does it cost", "is there a contract", "how long does the setup take", "what is this about")
ANSWERS = ("yes", "yes please", "sure", "no thank you", "okay")
CUT_INS = ("stop how much is it", "wait who is this", "what about the team plan", "excuse me are you a robot")
BACKCHANNELS = ("okay", "mm-hm", "right", "uh-huh")
SIDE_TALK = ("close the door please", "hold on honey", "I'll be right there", "not you the other one")
HALVES = (
    ("I would like um", "I would like um the team plan"),
    ("how much is the", "how much is the business plan"),
    ("we use Outlook and", "we use Outlook and Google Calendar"),
    ("my e-mail is anna dot miller at", "my e-mail is anna dot miller at example dot com"),
)
SECOND_THOUGHTS = (
    ("can we meet on tuesday", "can we meet on tuesday no sorry I meant thursday"),
    ("we have twelve people here", "we have twelve people here no sorry about twenty"),
)
REPLY = "It works with the calendar that you have, and with the one that you had before. Does that help you?"
SLOW_S = 8.0


@dataclass
class Story:
    """One call that was played, and our silences: seconds from the caller's end to our sound, and within an answer."""

    call: Call
    gaps_s: list[float] = field(default_factory=list)
    expected: list[str] = field(default_factory=list)
    """What the turns of speech must have understood, in order."""
    uncut: bool = False
    """Whether nothing of ours may be cut."""


def tell(family: str, seed: int) -> Story:
    """Play the family's story of that seed."""
    rng = random.Random(f"{family}/{seed}")
    speed = rng.choice((0.02, 0.1, 0.3, 0.6)), rng.choice((0.03, 0.2, 1.0, SLOW_S)), rng.choice((0.01, 0.05, 0.4))
    call = Call(
        lambda respond: REPLY,
        transcribe_s=speed[0],
        first_token_s=speed[1],
        synthesize_s=speed[2],
        word_s=rng.choice((0.005, 0.05)),
        lose_marks=family == "line" and rng.random() < 0.3,
        echo=(rng.uniform(-30, -10), rng.randrange(3, 16)) if family == "echo" else None,
        drop_every=rng.randrange(20, 60) if family == "line" else 0,
    )
    story = Story(call)
    FAMILIES[family](rng, story)
    return story


def _ask(story: Story, text: str, *, wait_s: float = 0.0) -> None:
    """Say something that wants an answer, and hear it out."""
    story.call.caller_waits(wait_s)
    story.call.caller_says(text)
    story.expected.append(text)
    _hear_out(story)


def _hear_out(story: Story) -> None:
    said = len(story.call.twin.sounding)
    story.call.caller_listens()
    runs = [(heard, len(list(run)) * FRAME_S) for heard, run in groupby(story.call.twin.sounding[said:])]
    # The last silence is the caller's to break.
    story.gaps_s += [seconds for heard, seconds in runs[:-1] if not heard]


def _over(rng: random.Random, story: Story, text: str, seconds: float) -> None:
    """Speak while the agent answers."""
    call = story.call
    for _ in range(round(SLOW_S / 0.02) + 200):
        if call.twin.queue:
            break
        call.caller_waits(0.02)
    call.caller_waits(rng.uniform(0.3, 1.2))
    call.caller_says(text, seconds=seconds)


def _halting(rng: random.Random, story: Story, lines: tuple[tuple[str, str], ...], pauses_s: tuple[float, ...]) -> None:
    story.call.caller_listens()
    for begun, whole in rng.sample(lines, 2):
        story.call.caller_says(begun)
        story.call.caller_waits(rng.choice(pauses_s))
        _ask(story, whole)


def _ends(rng: random.Random, story: Story) -> None:
    story.call.caller_listens()
    for text in (rng.choice(QUESTIONS), rng.choice(ANSWERS)):
        _ask(story, text)


def _asides(sounds: tuple[str, ...], seconds: float) -> Callable[[random.Random, Story], None]:
    def play(rng: random.Random, story: Story) -> None:
        story.uncut = True
        story.call.caller_listens()
        story.call.caller_says(rng.choice(QUESTIONS))
        _over(rng, story, rng.choice(sounds), seconds)
        story.call.caller_listens()

    return play


def _interruptions(rng: random.Random, story: Story) -> None:
    story.call.caller_listens()
    first = rng.choice(QUESTIONS)
    story.call.caller_says(first)
    story.expected.append(first)
    text = rng.choice(CUT_INS)
    _over(rng, story, text, max(0.6, len(text) * 0.06))
    story.expected.append(text)
    _hear_out(story)


def _greeting(rng: random.Random, story: Story) -> None:
    _ask(story, rng.choice(CUT_INS), wait_s=rng.uniform(0.1, 1.0))


def _silence(rng: random.Random, story: Story) -> None:
    for _ in range(60):
        if story.call.hung_up is None:
            story.call.caller_waits(1.0)


def _echo(rng: random.Random, story: Story) -> None:
    story.call.caller_listens()
    for text in rng.sample(QUESTIONS, 2):
        _ask(story, text, wait_s=0.5)


FAMILIES: Mapping[str, Callable[[random.Random, Story], None]] = {
    "pauses": lambda rng, story: _halting(rng, story, HALVES, (0.3, 0.6, 0.9, 1.2)),
    "ends": _ends,
    "trailing": lambda rng, story: _halting(rng, story, HALVES[:3], (0.6, 0.9, 1.2)),
    "corrections": lambda rng, story: _halting(rng, story, SECOND_THOUGHTS, (0.2, 0.3, 0.4, 0.5)),
    "backchannels": _asides(BACKCHANNELS, 0.4),
    "interruptions": _interruptions,
    "noises": _asides(("",), 0.5),
    "side talk": _asides(SIDE_TALK, 1.3),
    "greeting": _greeting,
    "silence": _silence,
    "echo": _echo,
    "line": _ends,
}
