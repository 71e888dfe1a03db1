"""A caller's script as data: who the caller is, what it says and does, and how the call is meant to end."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class Side(StrEnum):
    """Who ended a call, or who is expected to."""

    AGENT = "agent"
    CALLER = "caller"
    ANY = "any"


@dataclass(frozen=True, slots=True)
class Voice:
    """An espeak-ng voice: name (an unknown one sounds like its default), words a minute, pitch (0 to 99)."""

    name: str = "en-gb+f3"
    rate: int = 155
    pitch: int = 50


@dataclass(frozen=True, slots=True)
class Noise:
    """A noise on the line and its level."""

    kind: str
    dbov: float = -60.0


@dataclass(frozen=True, slots=True)
class Echo:
    """The caller's phone sends the agent's own voice back, later and quieter."""

    db: float = -20.0
    delay_ms: int = 150


@dataclass(frozen=True, slots=True)
class Expect:
    """The intended end: who hangs up, for which of the reasons that the agent gives in its own account (empty: any),
    and how many times the agent must at least have spoken.
    """

    ended_by: Side = Side.AGENT
    reasons: tuple[str, ...] = ()
    utterances: int = 1


@dataclass(frozen=True, slots=True)
class SayStep:
    """Speak: texts, with pauses in ms between them.

    Waits for the agent's reply to end; with ``interrupt_ms`` only for the agent to have spoken that long; with
    ``at_once`` for nothing, as someone does who picks up.
    """

    pieces: tuple[str | int, ...]
    interrupt_ms: int | None = None
    answered: bool = True
    at_once: bool = False

    @property
    def text(self) -> str:
        """All words, without the pauses."""
        return " ".join(piece for piece in self.pieces if isinstance(piece, str))


@dataclass(frozen=True, slots=True)
class KeysStep:
    """Press keys, one every 200 ms, after the agent's reply."""

    keys: str
    answered: bool = True

    @property
    def text(self) -> str:
        """How the step reads in a report."""
        return f"[keys {self.keys}]"


@dataclass(frozen=True, slots=True)
class HearKeyStep:
    """Wait for a key of the agent's, as a menu does.

    When it doesn't come within ``within_ms``, the last line is said again; after ``attempts`` in all, the party hangs
    up.
    """

    key: str
    within_ms: int = 5000
    attempts: int = 2


@dataclass(frozen=True, slots=True)
class NoiseStep:
    """Make a noise for a while: at once, or when the agent has spoken for ``interrupt_ms`` or its reply has ended."""

    kind: str
    ms: int
    dbov: float = -24.0
    interrupt_ms: int | None = None


@dataclass(frozen=True, slots=True)
class WaitStep:
    """Be silent for a while, whatever the agent does."""

    ms: int


@dataclass(frozen=True, slots=True)
class HangUpStep:
    """Hang up: now, or when the agent's reply has ended."""

    after_reply: bool = True


Step = SayStep | KeysStep | HearKeyStep | NoiseStep | WaitStep | HangUpStep


@dataclass(frozen=True, slots=True)
class Script:
    """One caller.

    ``patience_ms`` is the silence after which this caller takes the agent to be done; ``give_up_ms`` the silence after
    which it hangs up; ``limit_ms`` the longest call that it stays in.
    """

    name: str
    steps: tuple[Step, ...]
    about: str = ""
    voice: Voice = field(default_factory=Voice)
    expect: Expect = field(default_factory=Expect)
    noise: Noise | None = None
    echo: Echo | None = None
    patience_ms: int = 900
    give_up_ms: int = 15_000
    limit_ms: int = 180_000

    @property
    def speaks(self) -> bool:
        """Whether a voice is needed."""
        return any(isinstance(step, SayStep) for step in self.steps)


def spoken(lines: tuple[str, ...]) -> Script:
    """Make a script of plain lines: each waits for the agent, and after the last reply the caller hangs up."""
    says = tuple(SayStep((line,)) for line in lines)
    return Script("say", (*says, HangUpStep()), expect=Expect(Side.ANY))
