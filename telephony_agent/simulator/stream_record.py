"""What is left of a stream when it has ended: both tracks on the sample clock, and what happened on it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from telephony_agent.simulator.caller import FRAME_MS, Turn
from telephony_agent.simulator.debugger import Notice
from telephony_agent.simulator.measure import Measures
from telephony_agent.simulator.mulaw import Pcm
from telephony_agent.simulator.playout import Cleared

LATE_MS: Final = 100
"""If this twin's clock ran later than that, the times of its stream are doubtful, and every report says so."""


@dataclass(frozen=True, slots=True)
class MarkEcho:
    """A mark of the agent's: its name, and when it came and went back, in ms of the stream; ``None``: never."""

    name: str
    received_ms: int
    echoed_ms: int | None


@dataclass(frozen=True, slots=True)
class Arrival:
    """One media message of the agent's: when it came, in ms of the stream, and how much it holds."""

    at_ms: float
    audio_ms: float


@dataclass(frozen=True, slots=True)
class StreamRecord:
    """What one stream was: both tracks on the sample clock, and what happened on it.

    ``words`` is the caller without the line's noise, ``caller`` with it, ``agent`` what played to the caller; all
    three are ``int16`` of one length. ``unplayed_ms`` is agent audio that was still queued when the stream ended,
    ``late_ms`` how late this twin's own clock ran at worst (see ``LATE_MS``).
    """

    stream_sid: str
    words: Pcm
    caller: Pcm
    agent: Pcm
    turns: tuple[Turn, ...]
    marks: tuple[MarkEcho, ...]
    clears: tuple[Cleared, ...]
    warnings: tuple[Notice, ...]
    rejected: tuple[Notice, ...]
    unplayed_ms: int
    late_ms: int
    first_timestamp_ms: int
    measures: Measures
    arrivals: tuple[Arrival, ...] = ()

    def timestamp_ms(self, frame: int) -> int:
        """Give the stream timestamp of the beginning of a frame (without the wire's jitter)."""
        return frame_timestamp_ms(frame, self.first_timestamp_ms)


def frame_timestamp_ms(frame: int, first_timestamp_ms: int) -> int:
    """Give the stream timestamp of the beginning of a frame; frames of a smaller one than the first are not sent."""
    return first_timestamp_ms + (frame - -(-first_timestamp_ms // FRAME_MS)) * FRAME_MS
