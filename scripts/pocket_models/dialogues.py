"""Sales calls, written by letting a caller at random talk to the reference agent.

Also here: what makes the calls lifelike. Transcripts come in different styles and with wrong words, the agent is
interrupted, the caller can't be understood, and the beginning of a long call is gone.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from importlib import resources

from scripts.pocket_models.led_calls import Leader
from scripts.pocket_models.lexicon import REAL_WORDS
from scripts.pocket_models.policy import UNCLEAR, ReferenceAgent, Reply
from scripts.pocket_models.sentences import INTENTS, Sentence, caller_sentence, is_held_out
from scripts.pocket_models.worlds import World, world_of
from telephony_agent.engines.base import Message
from telephony_agent.sales.playbook import END_CALL, Playbook

ANSWERS: Mapping[str, tuple[str, ...]] = {
    "minute": ("yes", "yes", "yes", "no", "no_time", "what_is_it", "who_is_this", "greeting"),
    "size": ("give_size",),
    "meeting": ("yes", "yes", "no", "want_meeting", "book", "give_day", "not_interested", "too_expensive"),
    "day": ("give_day", "give_day", "book", "give_time", "no", "yes"),
    "time": ("give_time", "give_time", "give_time", "change_day", "no", "yes"),
    "email": ("give_email", "give_email", "give_email", "no", "yes"),
    "confirm": ("yes", "yes", "no"),
    "callback": ("call_on_day", "give_day", "book", "give_time", "no", "yes"),
    "mail": ("yes", "no", "give_email"),
    "list": ("yes", "no", "opt_out"),
    "else": ("no", "no", "yes", "thanks", "goodbye"),
    "agree": (*("yes",) * 7, "no", "change_day", "give_time"),
    "go_on": ("yes", "yes", "yes", "no", "greeting"),
}
"""What a caller answers to each question of the agent."""

_VALUE_INTENTS = ("give_name", "introduce", "give_email", "give_company", "give_size", "book")
"""Drawn more often: what a caller gives here must be copied, which is learnt last."""

_BOOKER_INTENTS = (
    *("give_name", "introduce", "book", "book", "give_day", "give_time", "change_day", "want_meeting"),
    *("call_on_day", "repeat", "repeat", "plan_price", "integration", "no_time", "not_interested"),
)
"""What a booker says: calls full of what an ordinary caller brings about too seldom to be learnt from him."""

_ENDINGS = ("goodbye", "opt_out", "wrong_number")
_MUMBLES = ("um", "uh", "hmm", "mm", "the", "and the", "of a", "to the um", "uh the", "a a", "it and", "...")
_INTERRUPTERS = (
    *("stop", "wait", "no wait", "hold on", "excuse me", "sorry", "okay", "listen", "no no", "one moment"),
    *("yes but", "okay but", "right and"),
)
"""What a caller says first who cuts in."""
_INTERRUPTED_ONE_IN = 10
_NOISE_WORDS = ("the", "a", "it", "and", "to", "in", "that", "is", "of", "for", "you", "this", "at", "so", "then")


@dataclass(frozen=True, slots=True)
class Turn:
    """One caller turn, the right reply to it, and the wording that was said (shorter when it was interrupted).

    ``fixed``: the guide has said it, not the model.
    """

    heard: str
    intent: str
    reply: Reply
    said: str
    interrupted: bool
    fixed: bool = False


@dataclass(frozen=True, slots=True)
class Dialogue:
    """One call: its world, whether it opens with the greeting, and its turns."""

    world: World
    greeted: bool
    turns: tuple[Turn, ...]

    def messages(self) -> list[Message]:
        """Return the whole call as chat messages, from the system prompt to the last reply."""
        messages = opening(self.world.playbook, greeted=self.greeted)
        for turn in self.turns:
            messages.append({"role": "user", "content": turn.heard})
            messages.append({"role": "assistant", "content": turn.said})
        return messages


def opening(playbook: Playbook, *, greeted: bool) -> list[Message]:
    """Return the messages before the caller's first turn."""
    messages: list[Message] = [{"role": "system", "content": playbook.system_prompt()}]
    if greeted:
        messages.append({"role": "assistant", "content": playbook.greeting})
    return messages


@cache
def default_playbook() -> Playbook:
    """Read the playbook that ships with the package."""
    text = resources.files("telephony_agent.sales").joinpath("default_playbook.yaml").read_text(encoding="utf-8")
    return Playbook.parse(text)


def _punctuated(sentence: Sentence) -> str:
    question = re.match(r"(\w+ )?(who|what|where|how|why|when|is|are|can|could|do|does|which|will)\b", sentence.text)
    return f"{sentence.text[0].upper()}{sentence.text[1:]}{'?' if question else '.'}"


def _style(sentence: Sentence, name: str) -> Sentence:
    """Write a sentence as another transcriber would."""
    if name == "plain":
        return sentence
    if name == "lower":
        lowered = {slot: value.lower() for slot, value in sentence.slots.items()}
        return Sentence(sentence.text.lower(), sentence.intent, lowered)
    return Sentence(_punctuated(sentence), sentence.intent, sentence.slots)


def _misheard(rng: random.Random, sentence: Sentence) -> str:
    """Drop or replace one word that carries no value."""
    words = sentence.text.split()
    values = set(" ".join(sentence.slots.values()).split())
    places = [place for place, word in enumerate(words) if word.rstrip(".?") not in values]
    if len(words) < 5 or not places:
        return sentence.text
    place = rng.choice(places)
    words[place : place + 1] = [rng.choice(_NOISE_WORDS)] if rng.random() < 0.5 else []
    return " ".join(words)


@dataclass(slots=True)
class Caller:
    """A caller at random, who mostly answers what was asked and sometimes asks or objects instead.

    A booker gives his name and makes an appointment more often, has much repeated, and says goodbye, so that the agent
    has something to recall.
    """

    rng: random.Random
    world: World
    split: str = "train"
    noise: float = 0.0
    style: str = "plain"
    booker: bool = False
    lifelike: bool = False

    def says(self, pending: str, *, last_turn: bool) -> tuple[Sentence, str]:
        """Draw what the caller says to the agent's pending question.

        Returns:
            the sentence as it was meant, and the text as it was heard.
        """
        intent = self._intent(pending, last_turn=last_turn)
        if intent == UNCLEAR:
            return Sentence("", UNCLEAR, {}), self.rng.choice(_MUMBLES)
        drawn = caller_sentence(self.rng, split=self.split, intent=intent, words=self.world.words)
        if self.lifelike and self.rng.randrange(_INTERRUPTED_ONE_IN) == 0:
            drawn = replace(drawn, text=f"{self.rng.choice(_INTERRUPTERS)} {drawn.text}")
        sentence = _style(drawn, self.style)
        return sentence, _misheard(self.rng, sentence) if self.rng.random() < self.noise else sentence.text

    def _intent(self, pending: str, *, last_turn: bool) -> str:
        if last_turn:
            return "goodbye" if self.booker else self.rng.choice(("goodbye", "goodbye", "opt_out", "wrong_number"))
        if pending == "agree" and self.rng.random() < 0.8:
            return self.rng.choice(ANSWERS[pending])
        if self.booker and self.rng.random() < 0.6:
            return self.rng.choice(_BOOKER_INTENTS)
        if self.rng.random() < 0.25:
            return self.rng.choice(_VALUE_INTENTS)
        if pending and self.rng.random() < 0.55:
            return self.rng.choice(ANSWERS[pending])
        if self.rng.random() < 0.03:
            return UNCLEAR
        intent = self.rng.choice(INTENTS)
        return self.rng.choice(INTENTS) if intent in _ENDINGS else intent


class Call:
    """One call in the making: ``step`` gives the caller's turn and the right reply, ``say`` what was said to it.

    A lifelike call may have wrong words, another transcriber's style, an interrupted reply, and no beginning (as when
    the agent has trimmed its history); a plain one has none of these. In a led call, the guide says what it says on the
    phone.
    """

    def __init__(
        self,
        rng: random.Random,
        world: World,
        *,
        split: str = "train",
        lifelike: bool = True,
        booker: bool = False,
        led: bool = False,
    ) -> None:
        self.world = world
        self.greeted = not lifelike or rng.random() >= 0.12 or led
        self._rng = rng
        self._caller = Caller(rng, world, split, booker=booker)
        if lifelike:
            self._caller.lifelike = True
            self._caller.noise = 0.15
            self._caller.style = rng.choices(("plain", "lower", "punctuated"), (0.7, 0.15, 0.15))[0]
        self._agent = ReferenceAgent(world.playbook)
        if self.greeted:
            self._agent.pending, self._agent.last = "minute", world.playbook.greeting
        self._length = rng.randint(3, 8) if booker else rng.randint(4, 12)
        self._cut_at = rng.randrange(self._length) if lifelike and rng.random() < 0.12 else -1
        self._number = -1
        self._leader = Leader(world.playbook) if led else None
        self.fixed = False
        """Whether the guide says the reply."""
        self.over = False

    def step(self) -> tuple[str, str, Reply]:
        """Take the next caller turn.

        Returns:
            what was heard, the intent behind it, and the right reply.
        """
        self._number += 1
        last = self._number == self._length - 1
        sentence, heard = self._caller.says(
            self._agent.pending, last_turn=last and (self._caller.booker or self._rng.random() < 0.6)
        )
        reply = self._agent.answer(sentence)
        fixed = self._leader.take(self._number + 1, heard) if self._leader is not None else ""
        self.fixed = bool(fixed)
        if self._leader is not None and fixed:
            self._leader.instruct(self._agent, fixed)
            reply = Reply("led", {}, (fixed,))
        self.over = last or END_CALL in reply.wordings[0]
        return heard, sentence.intent, reply

    def interrupt(self, wording: str) -> str:
        """Return how much of a reply the caller let the agent say: nearly always all of it."""
        if self._number != self._cut_at or END_CALL in wording or self.fixed:
            return wording
        words = wording.split()
        return " ".join(words[: self._rng.randint(1, max(1, len(words) - 3))])

    def say(self, said: str, *, interrupted: bool = False) -> None:
        """Note the reply that the caller heard."""
        if self._leader is not None:
            self._leader.said(said)
        if self.fixed:
            return
        if interrupted:
            self._agent.interrupted(said)
        else:
            self._agent.said(said)


def converse(
    rng: random.Random,
    world: World,
    *,
    split: str = "train",
    lifelike: bool = True,
    booker: bool = False,
    led: bool = False,
) -> Dialogue:
    """Write one call of 4 to 12 turns, or fewer where the agent ends it."""
    call = Call(rng, world, split=split, lifelike=lifelike, booker=booker, led=led)
    turns: list[Turn] = []
    while not call.over:
        heard, intent, reply = call.step()
        # One wording for each reply: what is left to learn is what to say, not which synonym was drawn.
        wording = reply.wordings[0]
        said = call.interrupt(wording)
        call.say(said, interrupted=said != wording)
        turns.append(Turn(heard, intent, reply, said, said != wording, call.fixed))
    return Dialogue(world, call.greeted, tuple(turns))


def dialogues(seed: int) -> Iterator[Dialogue]:
    """Write training calls of the default playbook without end, half of them with a booker, half of them led.

    The same seed writes the same calls.
    """
    rng = random.Random(seed)
    world = world_of(default_playbook(), REAL_WORDS)
    while True:
        yield converse(rng, world)
        yield converse(rng, world, booker=True)
        yield converse(rng, world, led=True)
        yield converse(rng, world, booker=True, led=True)


def _as_transcribed(text: str) -> str:
    """Write a sentence of the agent as a transcriber would: no punctuation, small at the start."""
    words = [word.strip(".,?!;:") for word in text.split()]
    if words and not re.match(r"I\b|I'", words[0]) and words[0] not in ("Ava", "Bluefinch"):
        words[0] = words[0].lower()
    return " ".join(word for word in words if word)


def agent_sentence(rng: random.Random, *, split: str = "train") -> str:
    """Draw one sentence that the agent says under the default playbook, as a transcriber would write it.

    Fixed sentences (facts, questions, announcements) are always in ``train``; of those that carry a caller's or a
    playbook's value, one in twenty is held out.
    """
    playbook = default_playbook()
    announcements = [playbook.greeting, *playbook.reprompts, playbook.apology, playbook.goodbye]
    announcements += [playbook.silence_goodbye, playbook.fault_goodbye]
    while True:
        if split == "train" and rng.random() < 0.12:
            values: list[str] = []
            said = rng.choice(announcements)
        else:
            turn = rng.choice(converse(rng, world_of(playbook, REAL_WORDS), lifelike=False).turns)
            values = list(turn.reply.slots.values())
            said = turn.said.replace(END_CALL, "")
        sentence = rng.choice(re.split(r"(?<=[.?!]) ", said.strip()))
        text = _as_transcribed(sentence)
        held_out = any(value in sentence for value in values) and is_held_out(text)
        if text and held_out == (split == "heldout"):
            return text
