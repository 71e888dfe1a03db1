"""Twilio's buffer toward the caller, on the sample clock: one queue of audio and marks, drained at 8 kHz.

Theory of operation. ``now`` is a count of samples since the stream's ``start``. Every call first plays out what lies
before ``now``: queued audio, and silence where nothing is queued. A mark is *released* when the drain reaches it, at
once if nothing is queued before it; ``clear`` forgets the audio and releases the marks, in order. Released marks wait
``echo_delay`` samples and are then handed out by ``take_echoes``.

========  ======================  ===========================================
queue     ``media``               ``mark``
========  ======================  ===========================================
empty     plays from ``now``      released at once
audio     plays after the tail    released when the tail has played
10 min    discarded, told so      released when the tail has played
========  ======================  ===========================================
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Final

from telephony_agent.simulator.mulaw import SILENCE

SAMPLES_PER_MS: Final = 8
LIMIT_BYTES: Final = 600 * 8000
"""What Twilio holds at most: ten minutes; beyond that it discards and warns 31931."""


@dataclass(frozen=True, slots=True)
class Gap:
    """The queue ran dry inside a phrase: the sample at which it did, and for how many samples."""

    at: int
    samples: int


@dataclass(frozen=True, slots=True)
class Cleared:
    """A ``clear``: when it came, and how many samples it threw away."""

    at: int
    samples: int


class Playout:
    """What has played to the caller, and what waits to.

    ``heard`` grows to exactly ``now`` mu-law bytes; ``gaps`` and ``clears`` are the evidence for measurements.
    """

    def __init__(self, *, echo_delay: int = 0, limit_bytes: int = LIMIT_BYTES) -> None:
        self._queue: deque[bytes | str] = deque()
        self._echoes: deque[tuple[int, str]] = deque()
        self._echo_delay = echo_delay
        self._limit_bytes = limit_bytes
        self._dry_since: int | None = None
        self.queued = 0
        self.heard = bytearray()
        self.gaps: list[Gap] = []
        self.clears: list[Cleared] = []

    def media(self, now: int, audio: bytes) -> bool:
        """Append audio; false when the buffer is full and the audio was discarded."""
        self.advance(now)
        if self.queued + len(audio) > self._limit_bytes:
            return False
        if not self.queued and self._dry_since is not None and now > self._dry_since:
            self.gaps.append(Gap(self._dry_since, now - self._dry_since))
        self._queue.append(audio)
        self.queued += len(audio)
        return True

    def mark(self, now: int, name: str) -> None:
        """Append a mark, to be released when all before it has played."""
        self.advance(now)
        self._queue.append(name)
        self._release()

    def clear(self, now: int) -> None:
        """Forget the queued audio and release the queued marks, in their order."""
        self.advance(now)
        self.clears.append(Cleared(now, self.queued))
        for item in self._queue:
            if isinstance(item, str):
                self._echoes.append((now + self._echo_delay, item))
        self._queue.clear()
        self.queued = 0
        self._dry_since = None

    def advance(self, now: int) -> None:
        """Play up to ``now``."""
        self._release()
        while self._queue and len(self.heard) < now:
            audio = self._queue.popleft()
            assert isinstance(audio, bytes), "marks at the head are released before audio is played"
            room = now - len(self.heard)
            self.heard += audio[:room]
            self.queued -= min(room, len(audio))
            if len(audio) > room:
                self._queue.appendleft(audio[room:])
            elif not self._queue:
                self._dry_since = len(self.heard)
            self._release()
        self.heard += bytes([SILENCE]) * (now - len(self.heard))

    def take_echoes(self, now: int) -> tuple[str, ...]:
        """Hand out the marks whose echo is due, oldest first."""
        self.advance(now)
        due: list[str] = []
        while self._echoes and self._echoes[0][0] <= now:
            due.append(self._echoes.popleft()[1])
        return tuple(due)

    def _release(self) -> None:
        while self._queue and isinstance(self._queue[0], str):
            self._echoes.append((len(self.heard) + self._echo_delay, str(self._queue.popleft())))
            self._dry_since = None
