"""What a call is told (events) and what it asks for (actions).

All are frozen and carry their turn, and the *attempt* (of a transcript) or the *draft* (of a reply, numbered through
the call) that they belong to; so the result of work that was abandoned is dropped by comparing numbers, and a late
thread harms nobody. A log of both is the call's replayable trace.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from telephony_agent.core.conversation import ChatMessage
from telephony_agent.core.frame_clock import Frame


class Stage(StrEnum):
    """A place where an engine, or a tool, works for a turn."""

    TRANSCRIBE = "transcribe"
    RESPOND = "respond"
    SYNTHESIZE = "synthesize"
    TOOL = "tool"


class EndReason(StrEnum):
    """Why a call ended."""

    CALLER = "caller"
    """The caller hung up."""
    LINE = "line"
    """The socket was lost; the caller may still be there."""
    AGENT = "agent"
    """The model said ``[END_CALL]``."""
    GOODBYE = "goodbye"
    """The caller said goodbye and was answered."""
    SILENCE = "silence"
    """The caller said nothing, twice reprompted."""
    TRANSFER = "transfer"
    """The caller is to be connected to a person."""
    TIME_LIMIT = "time_limit"
    FAULT = "fault"
    """Engines failed three times in a row."""
    SHUTDOWN = "shutdown"
    MACHINE = "machine"
    """A machine answered a call of ours: it has our message, or there was nothing to tell it."""
    OPERATOR = "operator"
    """Somebody ended it from outside, by the API."""

    @property
    def ended_by(self) -> str:
        """Return what ended the call: ``caller``, ``agent`` or ``line``."""
        return self.value if self in (EndReason.CALLER, EndReason.LINE) else "agent"


class Opening(StrEnum):
    """What we say first when a stream opens."""

    GREETING = "greeting"
    RECONNECTED = "reconnected"
    """The line had broken, and the caller is back."""
    ANSWERED = "answered"
    """Whom we called has picked up, and speaks first."""
    UNTAKEN = "untaken"
    """The caller was to be connected to a person, and no person took the call."""


# Events


@dataclass(frozen=True, slots=True)
class CallBegan:
    """The stream is open: speak. ``at`` is the calendar's time: seconds since 1970 in UTC.

    With another ``opening`` than the greeting, a call that was over for its stream goes on in this one.
    """

    at: float = 0.0
    opening: Opening = Opening.GREETING


@dataclass(frozen=True, slots=True)
class AudioHeard:
    """One frame of the caller's, with the detector's word on it and its level."""

    frame: Frame
    speech: bool
    level_dbov: float


@dataclass(frozen=True, slots=True)
class BeepHeard:
    """A single tone, and silence after it: a mailbox records now."""


@dataclass(frozen=True, slots=True)
class AnswererJudged:
    """What the carrier takes for having answered: Twilio's ``AnsweredBy``."""

    answered_by: str


@dataclass(frozen=True, slots=True)
class KeyPressed:
    """The caller pressed a key."""

    digit: str


@dataclass(frozen=True, slots=True)
class MarkHeard:
    """A mark came back."""

    name: str


@dataclass(frozen=True, slots=True)
class CallerLeft:
    """The stream was ``stopped`` by Twilio, or its socket was lost without that word."""

    stopped: bool


@dataclass(frozen=True, slots=True)
class EndRequested:
    """Somebody outside the call wants it to end politely."""

    reason: EndReason


@dataclass(frozen=True, slots=True)
class Transcribed:
    """What was understood; ``text`` is empty when there was nothing to understand."""

    turn: int
    attempt: int
    text: str


@dataclass(frozen=True, slots=True)
class LoadChanged:
    """Work begins to wait for an engine, or no longer does: what isn't needed yet had better not be begun."""

    busy: bool


@dataclass(frozen=True, slots=True)
class EndJudged:
    """How probable the model finds it that the caller's message ends with the words that the draft answers."""

    turn: int
    draft: int
    probability: float


@dataclass(frozen=True, slots=True)
class ReplyDelta:
    """The next piece of a draft's text."""

    turn: int
    draft: int
    text: str


@dataclass(frozen=True, slots=True)
class ReplyFinished:
    """The draft's text is complete."""

    turn: int
    draft: int


@dataclass(frozen=True, slots=True)
class ToolReturned:
    """What came of a tool's call, for the model; ``draft`` is the reply that called it."""

    turn: int
    draft: int
    number: int
    result: str


@dataclass(frozen=True, slots=True)
class Synthesized:
    """A phrase's audio: mu-law, whole frames; empty when nothing in it can be heard."""

    turn: int
    draft: int
    phrase: int
    audio: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class EngineFailed:
    """An engine failed or missed its deadline. ``item`` is the attempt, draft, phrase or call that it worked on."""

    turn: int
    stage: Stage
    item: int
    draft: int = 0


@dataclass(frozen=True, slots=True)
class Tick:
    """The deadline has come."""


Event = (
    CallBegan
    | AudioHeard
    | BeepHeard
    | AnswererJudged
    | KeyPressed
    | MarkHeard
    | CallerLeft
    | EndRequested
    | LoadChanged
    | Transcribed
    | EndJudged
    | ReplyDelta
    | ReplyFinished
    | ToolReturned
    | Synthesized
    | EngineFailed
    | Tick
)


# Actions


@dataclass(frozen=True, slots=True)
class Transcribe:
    """Transcribe this utterance (mu-law). A newer attempt of the turn replaces an older one."""

    turn: int
    attempt: int
    audio: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Respond:
    """Word a reply to these messages. A draft is worth hearing only if it isn't cancelled before.

    ``judge_end``: tell on the way (``EndJudged``) how probable it is that the last message ends where it does.
    ``may_call``: whether the reply may call a tool.
    """

    turn: int
    draft: int
    messages: tuple[ChatMessage, ...] = field(repr=False)
    judge_end: bool = False
    may_call: bool = True


@dataclass(frozen=True, slots=True)
class Synthesize:
    """Speak this phrase."""

    turn: int
    draft: int
    phrase: int
    text: str


@dataclass(frozen=True, slots=True)
class UseTool:
    """Call a tool, if there is one of that name and the arguments fit; say what came of it in any case.

    ``number`` counts the calls of the turn. It is never asked for on a guess, and never cancelled.
    """

    turn: int
    draft: int
    number: int
    name: str
    arguments: Mapping[str, Any] = field(repr=False)


@dataclass(frozen=True, slots=True)
class CancelReply:
    """Stop wording and speaking this draft."""

    turn: int
    draft: int


@dataclass(frozen=True, slots=True)
class SendMedia:
    """Send mu-law bytes; as far as is known, the caller hears the first of them at ``heard_at``."""

    payload: bytes = field(repr=False)
    heard_at: float = field(default=0.0, compare=False)


@dataclass(frozen=True, slots=True)
class SendMark:
    """Send a mark."""

    name: str


@dataclass(frozen=True, slots=True)
class SendClear:
    """Drop what the caller has not heard; as far as is known, they hear us until ``heard_until``."""

    heard_until: float = field(default=0.0, compare=False)


@dataclass(frozen=True, slots=True)
class HangUp:
    """The call is over; nothing more will come."""

    reason: EndReason


Action = Transcribe | Respond | Synthesize | UseTool | CancelReply | SendMedia | SendMark | SendClear | HangUp
