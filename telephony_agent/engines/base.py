"""What the call needs of an engine: four small Protocols, and the data that they hand over.

Every method here blocks and is called off the event loop, except ``VoiceDetector.is_speech``, which costs
microseconds and runs inline. Heavy packages are imported inside the engine's module only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypedDict


class Message(TypedDict):
    """One chat message: ``role`` is ``system``, ``user``, ``assistant``, or ``tool`` for what a tool returned."""

    role: str
    content: str


Cancelled = Callable[[], bool]
"""Says whether the work is no longer wanted; engines ask between steps and stop within one."""


@dataclass(frozen=True, slots=True)
class ToolSpec:
    """A tool as a model is told of it. ``parameters`` is the JSON schema of its arguments, an object."""

    name: str
    description: str
    parameters: Mapping[str, Any] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Transcript:
    """What was understood of one utterance.

    ``text`` is empty when there was nothing to understand or a guard rejected what was decoded; then ``rejected``
    names the guard (``energy``, ``no_speech``, ``logprob``, ``repetition``) and ``raw_text`` still holds the words.
    """

    text: str
    raw_text: str = ""
    rejected: str = ""
    no_speech_prob: float = 0.0
    avg_logprob: float = 0.0


class VoiceDetector(Protocol):
    """Tells speech from the rest, frame by frame, for one call."""

    def is_speech(self, frame: bytes) -> bool:
        """Judge one frame: 20 ms of little-endian int16 PCM at 8 kHz (320 bytes)."""
        ...


class Transcriber(Protocol):
    """Turns an utterance into text. One instance serves all calls, from several threads."""

    def warm(self) -> None:
        """Run once on nothing of value, so that the first caller doesn't pay for lazy set-up."""
        ...

    def transcribe(self, pcm: bytes, sample_rate: int) -> Transcript:
        """Transcribe one utterance of little-endian int16 mono PCM.

        Raises:
            TranscriptionError: the engine failed.
        """
        ...


class ReplySession(Protocol):
    """One call's conversation with the responder: it owns the call's KV cache. Used by one thread at a time."""

    def prefill(self, messages: Sequence[Message], cancelled: Cancelled) -> None:
        """Read the messages into the cache ahead of time (the system prompt while the phone rings)."""
        ...

    def ended(self, messages: Sequence[Message], cancelled: Cancelled) -> float:
        """Return the probability that the last message, the caller's, ends where it does.

        What is read for it is what ``reply`` to the same messages has to read, so it costs next to nothing before one.

        Raises:
            ResponseError: the engine failed.
        """
        ...

    def reply(self, messages: Sequence[Message], cancelled: Cancelled, *, may_call: bool = True) -> Iterator[str]:
        """Yield the assistant's next message as text deltas; ends early, silently, when cancelled.

        Control words such as ``[END_CALL]`` come through as text; thinking blocks don't. So does the call of a tool, as
        ``<tool_call>``, a JSON object with ``name`` and ``arguments``, ``</tool_call>``: it ends the reply. Where
        ``may_call`` is false, there is none.

        Raises:
            ResponseError: the engine failed.
        """
        ...

    def close(self) -> None:
        """Drop the cache."""
        ...


class Responder(Protocol):
    """Words the replies. One instance serves all calls."""

    @property
    def context_tokens(self) -> int:
        """How many tokens of conversation the model can read."""
        ...

    @property
    def takes_tools(self) -> bool:
        """Whether the model can be offered tools."""
        ...

    def count_tokens(self, text: str) -> int:
        """Count the tokens of a text; cheap, thread-safe."""
        ...

    def warm(self) -> None:
        """Run once on nothing of value."""
        ...

    def session(self) -> ReplySession:
        """Open the state of one call."""
        ...


class Synthesizer(Protocol):
    """Speaks a phrase. One instance serves all calls, one phrase at a time."""

    def warm(self) -> None:
        """Start what needs starting and speak once into the void."""
        ...

    def synthesize(self, text: str, cancelled: Cancelled) -> Iterator[bytes]:
        """Yield little-endian int16 mono PCM at ``sample_rate`` as it is made; stop at once when cancelled.

        Raises:
            SynthesisError: the engine failed on this phrase; the next one may succeed.
            SynthesisTimeout: it missed its deadline.
        """
        ...

    @property
    def sample_rate(self) -> int:
        """Hz of the PCM that ``synthesize`` yields; valid after ``warm``."""
        ...

    def close(self) -> None:
        """Stop what was started."""
        ...
