"""Engines that do what a script says: for tests, demonstrations and load runs without a model.

They are deterministic, import nothing heavy and fail on demand. A *step* is what one piece of work comes to: a text,
an exception to raise, or a :class:`Hold`, which hangs (deaf to cancellation, as a stuck library is) until released.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from telephony_agent.audio import level_dbov
from telephony_agent.engines.base import Cancelled, Message, Transcript

_TONE_HZ = 440.0
_TONE_DBOV = -20.0
_BLOCK_MS = 40


@dataclass(frozen=True, slots=True)
class Hold:
    """A step that blocks until ``release`` is set, then comes to ``then``; ``entered`` tells that it was reached."""

    then: str | Exception = ""
    release: threading.Event = field(default_factory=threading.Event)
    entered: threading.Event = field(default_factory=threading.Event)


Step = str | Exception | Hold


class _Script:
    """Steps, one after the other, shared by every thread that takes one."""

    def __init__(self, steps: Iterable[Step], otherwise: str) -> None:
        self._steps = iter(steps)
        self._otherwise = otherwise
        self._lock = threading.Lock()

    def next_text(self) -> str:
        with self._lock:
            step = next(self._steps, self._otherwise)
        return run_step(step)


def run_step(step: Step) -> str:
    """Return a step's text, raise its exception, or wait until it is released."""
    if isinstance(step, Hold):
        step.entered.set()
        step.release.wait()
        step = step.then
    if isinstance(step, Exception):
        raise step
    return step


class LevelVoiceDetector:
    """Calls every frame above a level speech."""

    def __init__(self, threshold_dbov: float = -45.0) -> None:
        self._threshold_dbov = threshold_dbov

    def is_speech(self, frame: bytes) -> bool:
        """Judge one frame of int16 PCM by its level alone."""
        return level_dbov(frame) > self._threshold_dbov


class ScriptedTranscriber:
    """Understands the texts of its script, one utterance after the other, then ``otherwise``.

    ``utterances`` keeps the PCM that it was given.
    """

    def __init__(self, script: Iterable[Step] = (), *, otherwise: str = "", delay_s: float = 0.0) -> None:
        self._script = _Script(script, otherwise)
        self._delay_s = delay_s
        self.utterances: list[bytes] = []

    def warm(self) -> None:
        """Nothing to warm."""

    def transcribe(self, pcm: bytes, sample_rate: int) -> Transcript:
        """Take the next step of the script, after the delay."""
        self.utterances.append(pcm)
        time.sleep(self._delay_s)
        text = self._script.next_text()
        return Transcript(text=text, raw_text=text)


class ScriptedResponder:
    """Replies with the texts of its script, word by word, to whichever call asks, then with ``otherwise``.

    Args:
        script: the replies in order, or a function from the messages to the reply.
        otherwise: the reply when the script has run out.
        delay_s: the time before each word.
        context_tokens: what it claims to be able to read; a token is a word.
        ended: what it takes for the probability that a message ends where it does.

    ``prompts`` keeps the messages of every request.
    """

    def __init__(
        self,
        script: Iterable[Step] | Callable[[Sequence[Message]], Step] = (),
        *,
        otherwise: str = "I see.",
        delay_s: float = 0.0,
        context_tokens: int = 4096,
        ended: Callable[[str], float] = lambda words: 1.0,
    ) -> None:
        self.ended = ended
        self._choose = script if callable(script) else None
        self._script = _Script(() if callable(script) else script, otherwise)
        self._delay_s = delay_s
        self._context_tokens = context_tokens
        self.prompts: list[list[Message]] = []

    @property
    def context_tokens(self) -> int:
        """How many words it claims to read."""
        return self._context_tokens

    @property
    def takes_tools(self) -> bool:
        """It calls what its script calls."""
        return True

    def count_tokens(self, text: str) -> int:
        """Count words."""
        return len(text.split())

    def warm(self) -> None:
        """Nothing to warm."""

    def session(self) -> ScriptedSession:
        """Open a call's session on the shared script."""
        return ScriptedSession(self)

    def words(self, messages: Sequence[Message], cancelled: Cancelled) -> Iterator[str]:
        """Yield the next reply's words, each with the space before it."""
        self.prompts.append(list(messages))
        text = run_step(self._choose(messages)) if self._choose else self._script.next_text()
        for index, word in enumerate(text.split()):
            time.sleep(self._delay_s)
            if cancelled():
                return
            yield f" {word}" if index else word


class ScriptedSession:
    """One call's session with a :class:`ScriptedResponder`; ``prefilled`` keeps what was read ahead of time."""

    def __init__(self, responder: ScriptedResponder) -> None:
        self._responder = responder
        self.prefilled: list[Message] = []
        self.closed = False

    def prefill(self, messages: Sequence[Message], cancelled: Cancelled) -> None:
        """Remember the messages."""
        self.prefilled = list(messages)

    def ended(self, messages: Sequence[Message], cancelled: Cancelled) -> float:
        """Judge the last message as the responder was told to."""
        return self._responder.ended(messages[-1]["content"])

    def reply(self, messages: Sequence[Message], cancelled: Cancelled, *, may_call: bool = True) -> Iterator[str]:
        """Yield the next reply of the script, calls of tools and all."""
        return self._responder.words(messages, cancelled)

    def close(self) -> None:
        """Remember that it was closed."""
        self.closed = True


class ScriptedSynthesizer:
    """Speaks a tone as long as the text would take.

    Args:
        script: what each phrase comes to, in order; a text does nothing, an exception or a :class:`Hold` does what it
            says; phrases after its end just speak.
        sample_rate: Hz of the PCM.
        ms_per_character: how long the tone lasts.
        delay_s: the time before each 40 ms block.

    ``spoken`` keeps the phrases.
    """

    def __init__(
        self,
        script: Iterable[Step] = (),
        *,
        sample_rate: int = 16_000,
        ms_per_character: int = 60,
        delay_s: float = 0.0,
    ) -> None:
        self._script = _Script(script, "")
        self._sample_rate = sample_rate
        self._ms_per_character = ms_per_character
        self._delay_s = delay_s
        self.spoken: list[str] = []
        self.closed = False

    @property
    def sample_rate(self) -> int:
        """Hz of the PCM."""
        return self._sample_rate

    def warm(self) -> None:
        """Nothing to warm."""

    def synthesize(self, text: str, cancelled: Cancelled) -> Iterator[bytes]:
        """Yield the tone in blocks of 40 ms."""
        self.spoken.append(text)
        self._script.next_text()
        samples = len(text) * self._ms_per_character * self._sample_rate // 1000
        amplitude = 32768.0 * 10 ** (_TONE_DBOV / 20) * np.sqrt(2.0)
        phase = 2.0 * np.pi * _TONE_HZ / self._sample_rate * np.arange(samples)
        pcm = (amplitude * np.sin(phase)).astype("<i2").tobytes()
        block = 2 * self._sample_rate * _BLOCK_MS // 1000
        for start in range(0, len(pcm), block):
            time.sleep(self._delay_s)
            if cancelled():
                return
            yield pcm[start : start + block]

    def close(self) -> None:
        """Remember that it was closed."""
        self.closed = True
