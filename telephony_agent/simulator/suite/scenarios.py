"""The scenario families of turn-taking: calls drawn from a seed, each a script, a line, and what its asides are.

One call bundles several turns, so that few seconds go on greetings. Every family is a function of a random source, the
lines and the number of the call in its family, by which what must be spread evenly is spread (echo, faults).

============== ====================================================================== =====================
family         the caller                                                             asides are
============== ====================================================================== =====================
pauses         pauses 300 to 1200 ms in a sentence, a spelled e-mail, a number
ends           is done: whole sentences, one word, a ramble of over 15 s
trailing       pauses after a filler or a conjunction
corrections    is done, and goes on after 200 to 500 ms
backchannels   hums along                                                             backchannels
interruptions  speaks over the agent and means it
noises         coughs, clicks, has a television on; presses keys                      noises
side talk      speaks to somebody else; asks to wait                                  side talk
greeting       speaks over the greeting
silence        never says a word
hold music     asks to wait, and is heard again after the music                       hold music
voicemail      is a machine: a greeting over ours, a beep, and nobody
echo           has a phone that sends the agent's voice back, -10 to -30 dB
line           has a bad line: media lost, doubled, reordered or late, a mark that never returns, a slow reader
============== ====================================================================== =====================

Hold music begins over the agent's words or in its silence, and is nobody's turn: no words, no interruption. What the
agent asks meanwhile, to hear whether anybody is there, is right.

A voicemail's greeting and beep are nobody's turn either: no answer is owed, no gap and no dead air is charged while
nobody waits. The agent can't know yet that it is a machine; it is only asked to come to an end by itself.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from telephony_agent.simulator.faults import Behaviour, Faults
from telephony_agent.simulator.script import (
    Echo,
    Expect,
    HangUpStep,
    KeysStep,
    Noise,
    NoiseStep,
    SayStep,
    Script,
    Side,
    Step,
    Voice,
    WaitStep,
)
from telephony_agent.simulator.suite.lines import Lines, Pieces, load_lines
from telephony_agent.simulator.suite.tally import Measure


class Family(StrEnum):
    """What a call puts to the test."""

    PAUSES = "pauses"
    ENDS = "ends"
    TRAILING = "trailing"
    CORRECTIONS = "corrections"
    BACKCHANNELS = "backchannels"
    INTERRUPTIONS = "interruptions"
    NOISES = "noises"
    SIDE_TALK = "side talk"
    GREETING = "greeting"
    SILENCE = "silence"
    HOLD_MUSIC = "hold music"
    VOICEMAIL = "voicemail"
    ECHO = "echo"
    LINE = "line"


ENDPOINTING: Final = frozenset({Family.PAUSES, Family.ENDS, Family.TRAILING, Family.CORRECTIONS})
"""The families that are about when a turn ends: those that a silence timer is compared on."""

ASIDES: Final[Mapping[Family, Measure]] = {
    Family.BACKCHANNELS: Measure.BACKCHANNEL,
    Family.NOISES: Measure.NOISE,
    Family.SIDE_TALK: Measure.SIDE_TALK,
}
"""What the sounds over the agent's speech are that want no answer."""

LEFT_TO_THE_AGENT: Final[Mapping[Family, Measure]] = {
    Family.SILENCE: Measure.SILENT_CALLER,
    Family.VOICEMAIL: Measure.VOICEMAIL,
}
"""Where nobody hangs up but the agent, and what it is when it does."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """One call to place."""

    family: Family
    script: Script
    behaviour: Behaviour
    seed: int

    @property
    def name(self) -> str:
        """The call's name, unique in its set."""
        return self.script.name


@dataclass(frozen=True, slots=True)
class _Scene:
    """What a family decides about a call; the rest is drawn for all alike."""

    steps: tuple[Step, ...]
    echo: Echo | None = None
    noise: Noise | None = None
    faults: Faults = field(default_factory=Faults)
    expect: Expect = field(default_factory=lambda: Expect(Side.ANY))
    give_up_ms: int = 15_000
    limit_ms: int = 180_000
    hangs_up: bool = True
    """Whether the caller leaves after the agent's last reply; else only the agent can end the call in time."""


_Draw = random.Random
_Build = Callable[[_Draw, Lines, int], _Scene]

_PAUSES_MS: Final = (300, 600, 900, 1200)
_VOICES: Final = ("en-us", "en-gb", "en-us+m3", "en-us+f3", "en-gb+f4", "en-us+m1", "en-gb-x-rp+m2")
_LOUDEST_DB: Final = -10
_ECHO_STEP_DB: Final = 5
_ECHO_STEPS: Final = 4
"""An echo of -10 to -30 dB, each quarter of the range in its turn."""


def scenarios(seed: int, *, repeat: int = 1, families: frozenset[Family] = frozenset(Family)) -> tuple[Scenario, ...]:
    """Draw the set: the same seed gives the same calls; ``repeat`` draws that many of every call."""
    lines = load_lines()
    return tuple(
        _scenario(family, build, seed, index, lines)
        for family, (build, calls) in _FAMILIES.items()
        if family in families
        for index in range(calls * repeat)
    )


def _scenario(family: Family, build: _Build, seed: int, index: int, lines: Lines) -> Scenario:
    rng = random.Random(f"{seed}/{family}/{index}")  # noqa: S311 - draws test calls
    scene = build(rng, lines, index)
    noise = scene.noise or Noise(rng.choice(("pink", "white", "hum")), rng.choice((-70.0, -65.0, -60.0)))
    script = Script(
        name=f"{family} {index + 1}",
        steps=(*scene.steps, HangUpStep()) if scene.hangs_up else scene.steps,
        voice=Voice(rng.choice(_VOICES), rng.randrange(145, 170), rng.randrange(40, 61)),
        expect=scene.expect,
        noise=noise,
        echo=scene.echo,
        patience_ms=700,
        give_up_ms=scene.give_up_ms,
        limit_ms=scene.limit_ms,
    )
    return Scenario(family, script, Behaviour(faults=scene.faults), rng.randrange(2**31))


def _pauses(rng: _Draw, lines: Lines, index: int) -> _Scene:
    return _Scene(_halting(rng, lines.pausing, 5, _PAUSES_MS))


def _trailing(rng: _Draw, lines: Lines, index: int) -> _Scene:
    return _Scene(_halting(rng, lines.trailing, 6, _PAUSES_MS[1:]))


def _corrections(rng: _Draw, lines: Lines, index: int) -> _Scene:
    return _Scene(_halting(rng, lines.corrections, 6, (200, 300, 400, 500)))


def _halting(rng: _Draw, source: tuple[Pieces, ...], turns: int, pauses_ms: tuple[int, ...]) -> tuple[Step, ...]:
    """Draw lines with a pause of one of the lengths between their parts."""
    return tuple(SayStep(_with_pauses(rng, pieces, pauses_ms)) for pieces in rng.sample(source, turns))


def _with_pauses(rng: _Draw, pieces: Pieces, pauses_ms: tuple[int, ...]) -> tuple[str | int, ...]:
    out: list[str | int] = [pieces[0]]
    for piece in pieces[1:]:
        out += [rng.choice(pauses_ms), piece]
    return tuple(out)


def _ends(rng: _Draw, lines: Lines, index: int) -> _Scene:
    ramble = SayStep(tuple(rng.sample(lines.ramble, 9)))
    said = [SayStep((text,)) for text in (*rng.sample(lines.questions, 3), *rng.sample(lines.short, 3))]
    rng.shuffle(said)
    return _Scene((*said, ramble))


def _backchannels(rng: _Draw, lines: Lines, index: int) -> _Scene:
    steps: list[Step] = []
    for line in rng.sample(lines.questions, 6):
        # Before the line, so that the first is over the greeting; the later comes over the same reply.
        for after_ms in (rng.randrange(500, 900), rng.randrange(1000, 1300)):
            steps.append(SayStep((rng.choice(lines.backchannels),), interrupt_ms=after_ms, answered=False))
        steps.append(SayStep((line,)))
    return _Scene(tuple(steps))


def _interruptions(rng: _Draw, lines: Lines, index: int) -> _Scene:
    texts = rng.sample(lines.interruptions, 11)
    return _Scene(tuple(SayStep((text,), interrupt_ms=rng.randrange(600, 1500)) for text in texts))


def _noises(rng: _Draw, lines: Lines, index: int) -> _Scene:
    steps: list[Step] = []
    for line in rng.sample(lines.questions, 5):
        steps += _noise(rng, rng.randrange(500, 900))
        steps += _noise(rng, rng.randrange(1000, 1300))
        steps.append(SayStep((line,)))
    noise = Noise("hum", -55.0) if index % 2 else None
    return _Scene((*steps, KeysStep(rng.choice(("1#", "2#", "0#")))), noise=noise)


def _noise(rng: _Draw, after_ms: int) -> tuple[Step, ...]:
    """Draw a cough, a burst of typing or a television."""
    match rng.randrange(3):
        case 0:
            return (NoiseStep("cough", rng.randrange(200, 500), interrupt_ms=after_ms),)
        case 1:
            burst = [NoiseStep("click", rng.randrange(80, 160), -35.0) for _ in range(rng.randrange(3, 7))]
            return (NoiseStep("click", 100, -35.0, after_ms), *burst)
        case _:
            return (NoiseStep("babble", rng.randrange(800, 1500), rng.choice((-44.0, -41.0, -38.0)), after_ms),)


def _side_talk(rng: _Draw, lines: Lines, index: int) -> _Scene:
    steps: list[Step] = []
    for line in rng.sample(lines.questions, 7):
        after_ms = rng.randrange(600, 1300)
        steps += [SayStep((rng.choice(lines.side_talk),), interrupt_ms=after_ms, answered=False), SayStep((line,))]
    return _Scene(
        (*steps, SayStep((rng.choice(lines.holds),)), WaitStep(5000), SayStep((rng.choice(lines.questions),)))
    )


def _greeting(rng: _Draw, lines: Lines, index: int) -> _Scene:
    return _Scene((SayStep((rng.choice(lines.greetings),), interrupt_ms=rng.randrange(100, 1200)),))


def _silence(rng: _Draw, lines: Lines, index: int) -> _Scene:
    return _Scene((), expect=_left_to_the_agent("silence", utterances=3), give_up_ms=45_000, hangs_up=False)


def _hold_music(rng: _Draw, lines: Lines, index: int) -> _Scene:
    *questions, last = rng.sample(lines.questions, 4)
    steps: list[Step] = []
    for number, question in enumerate(questions):
        steps += [SayStep((question,)), *_music(rng, over_ms=rng.randrange(600, 1200))]
        if number:
            # Long enough for the agent to have said that it waits.
            steps += [SayStep((rng.choice(lines.holds),)), WaitStep(3000), *_music(rng)]
    return _Scene((*steps, SayStep((last,))))


def _music(rng: _Draw, over_ms: int | None = None) -> tuple[Step, ...]:
    """Draw a stretch of hold music, and a second before anybody is back."""
    return NoiseStep("music", rng.randrange(3000, 6000), interrupt_ms=over_ms), WaitStep(1000)


def _voicemail(rng: _Draw, lines: Lines, index: int) -> _Scene:
    greeting = SayStep(_with_pauses(rng, rng.choice(lines.voicemails), (200, 400)), rng.randrange(400), False)
    steps = (greeting, WaitStep(rng.randrange(300, 800)), NoiseStep("beep", 400, -18.0))
    ends = _left_to_the_agent("silence", "goodbye", "agent", utterances=1)
    return _Scene(steps, expect=ends, give_up_ms=45_000, limit_ms=90_000, hangs_up=False)


def _left_to_the_agent(*reasons: str, utterances: int) -> Expect:
    return Expect(Side.AGENT, reasons, utterances)


def _echo(rng: _Draw, lines: Lines, index: int) -> _Scene:
    loudest_db = _LOUDEST_DB - index % _ECHO_STEPS * _ECHO_STEP_DB
    db = rng.uniform(loudest_db - _ECHO_STEP_DB, loudest_db)
    said = tuple(SayStep((line,)) for line in rng.sample(lines.questions, 3))
    return _Scene(said, echo=Echo(round(db, 1), rng.randrange(50, 301)))


def _line(rng: _Draw, lines: Lines, index: int) -> _Scene:
    every = rng.randrange(20, 60)
    faults = (
        Faults(lose_media_every=every, lose_mark=rng.randrange(1, 4)),
        Faults(double_media_every=every),
        Faults(swap_media_every=every, stall_media_every=10 * every),
        Faults(slow_reader_ms=12, late_start_ms=rng.randrange(200, 800)),
    )
    said = tuple(SayStep((line,)) for line in rng.sample(lines.questions, 2))
    return _Scene(said, faults=faults[index % len(faults)])


_FAMILIES: Final[Mapping[Family, tuple[_Build, int]]] = {
    Family.PAUSES: (_pauses, 4),
    Family.ENDS: (_ends, 2),
    Family.TRAILING: (_trailing, 2),
    Family.CORRECTIONS: (_corrections, 2),
    Family.BACKCHANNELS: (_backchannels, 2),
    Family.INTERRUPTIONS: (_interruptions, 8),
    Family.NOISES: (_noises, 2),
    Family.SIDE_TALK: (_side_talk, 2),
    Family.GREETING: (_greeting, 4),
    Family.SILENCE: (_silence, 1),
    Family.HOLD_MUSIC: (_hold_music, 2),
    Family.VOICEMAIL: (_voicemail, 2),
    Family.ECHO: (_echo, 4),
    Family.LINE: (_line, 4),
}
"""How each family draws its calls, and how many of them one run places: over 200 turns in half an hour."""
