"""Decides where the caller's utterances begin and end, by counting frames.

Theory of operation
-------------------
Each frame brings one flag from the voice detector. Single flags lie, so a start needs ``start_ms`` of speech within a
window of twice that. The audio before it (``preroll_ms``) belongs to the utterance, since detectors are late on soft
consonants. In the trailing silence two things happen:

=============  ===================================  =======================================
state          leaves by                            signals
=============  ===================================  =======================================
``QUIET``      enough speech in the window          ``SpeechStarted``
``SPEAKING``   ``maybe_end_ms`` of silence          ``MaybeEnded`` with the audio so far
``TRAILING``   speech again                         ``SpeechResumed`` (back to ``SPEAKING``)
``TRAILING``   ``wait_ms`` of silence               ``Ended`` (back to ``QUIET``)
=============  ===================================  =======================================

``MaybeEnded`` exists so that transcription runs *during* the silence that has to be waited for anyway. Its audio is
the utterance's audio if ``Ended`` follows. ``wait_ms`` is the hangover until whoever knows the words sets it otherwise;
speech that resumes sets it back. An utterance over ``max_utterance_ms`` is ended where it is.

Times are milliseconds on the stream's clock; no other clock is read.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from enum import Enum

from telephony_agent.audio import FRAME_MS
from telephony_agent.core.frame_clock import Frame


@dataclass(frozen=True, slots=True)
class EndpointingRules:
    """How long things must last, in ms."""

    start_ms: int = 80
    maybe_end_ms: int = 160
    hangover_ms: int = 500
    preroll_ms: int = 240
    max_utterance_ms: int = 30_000


@dataclass(frozen=True, slots=True)
class SpeechStarted:
    """The caller began to speak at ``at_ms``."""

    at_ms: int


@dataclass(frozen=True, slots=True)
class MaybeEnded:
    """The caller has been silent for a moment; ``audio`` (mu-law) is what was said up to now."""

    started_ms: int
    speech_end_ms: int
    audio: bytes


@dataclass(frozen=True, slots=True)
class SpeechResumed:
    """The moment of silence was only a pause."""

    at_ms: int


@dataclass(frozen=True, slots=True)
class Ended:
    """The utterance is over. The last ``MaybeEnded`` held its audio."""

    started_ms: int
    speech_end_ms: int


Signal = SpeechStarted | MaybeEnded | SpeechResumed | Ended


class _State(Enum):
    QUIET = 1
    SPEAKING = 2
    TRAILING = 3


class Endpointer:
    """One caller's endpointing. Call ``hear`` with every frame in order."""

    def __init__(self, rules: EndpointingRules) -> None:
        self._rules = rules
        self.wait_ms = rules.hangover_ms
        self._state = _State.QUIET
        window = max(1, 2 * rules.start_ms // FRAME_MS)
        self._flags: deque[bool] = deque(maxlen=window)
        self._preroll: deque[Frame] = deque(maxlen=max(1, rules.preroll_ms // FRAME_MS) + window)
        self._audio = bytearray()
        self._started_ms = 0
        self._speech_end_ms = 0

    @property
    def in_utterance(self) -> bool:
        """Whether an utterance is open, its trailing silence included."""
        return self._state is not _State.QUIET

    @property
    def started_ms(self) -> int:
        """Where the utterance that is open, or was last open, began on the stream's clock."""
        return self._started_ms

    def hear(self, frame: Frame, *, speech: bool) -> list[Signal]:
        """Take one frame and its flag; return what follows from it, in order."""
        self._flags.append(speech)
        if self._state is _State.QUIET:
            return self._listen(frame)
        self._audio += frame.mulaw
        end_ms = frame.timestamp_ms + FRAME_MS
        signals: list[Signal] = []
        if speech:
            if self._state is _State.TRAILING:
                self._state = _State.SPEAKING
                self.wait_ms = self._rules.hangover_ms
                signals.append(SpeechResumed(frame.timestamp_ms))
            self._speech_end_ms = end_ms
        silence_ms = end_ms - self._speech_end_ms
        too_long = end_ms - self._started_ms >= self._rules.max_utterance_ms
        if self._state is _State.SPEAKING and (silence_ms >= self._rules.maybe_end_ms or too_long):
            self._state = _State.TRAILING
            signals.append(MaybeEnded(self._started_ms, self._speech_end_ms, bytes(self._audio)))
        if self._state is _State.TRAILING and (silence_ms >= self.wait_ms or too_long):
            signals.append(Ended(self._started_ms, self._speech_end_ms))
            self._rest()
        return signals

    def _listen(self, frame: Frame) -> list[Signal]:
        self._preroll.append(frame)
        if sum(self._flags) * FRAME_MS < self._rules.start_ms:
            return []
        frames = list(self._preroll)
        flags = list(self._flags)[-len(frames) :]
        onset = len(frames) - len(flags) + flags.index(True)
        self._state = _State.SPEAKING
        self._started_ms = frames[onset].timestamp_ms
        self._speech_end_ms = frame.timestamp_ms + FRAME_MS
        first = max(0, onset - self._rules.preroll_ms // FRAME_MS)
        self._audio = bytearray(b"".join(kept.mulaw for kept in frames[first:]))
        return [SpeechStarted(self._started_ms)]

    def _rest(self) -> None:
        self._state = _State.QUIET
        self.wait_ms = self._rules.hangover_ms
        self._flags.clear()
        self._preroll.clear()
        self._audio = bytearray()
