"""Knows what the caller has heard: the queue of phrases, a model of Twilio's buffer, and the marks.

Theory of operation
-------------------
Phrases are queued with their audio and sent in 20 ms frames, at most ``LEAD_MS`` ahead of a model of Twilio's playout
buffer, which drains at one second a second from the moment something is in it. After the last frame of a phrase goes a
mark. Every millisecond of every phrase is in one of four states, and their sums always agree::

    queued  --due()-->  pending  --mark, or the model's clock-->  heard
                          |
                          +-------clear()------------------------> cleared      sent = heard + cleared + pending

A returned mark is the truth: everything up to it is heard, and how much later it came than the model thought is the
line's *lag*, by which the model's idea of "heard" is set back. Pacing ignores the lag: a slow echo must not starve the
buffer. A mark that doesn't come back is waited for ``GRACE_S`` beyond the model's end, then the model is believed.
Marks that return because of ``clear`` change nothing: what they belong to was settled at the clear. Twilio's docs: a
``clear`` returns all outstanding marks, so a mark alone does not prove that audio was heard.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from telephony_agent.audio import BYTES_PER_MS, FRAME_MS, FRAME_SAMPLES, decode_mulaw, level_dbov

LEAD_MS = 400
REFILL_MS = 300
"""Sending resumes when the buffer falls to this; so frames go in groups of five or so, one timer a group."""
GRACE_S = 1.5
MAX_LAG_S = 1.0
_SEEK_FRAMES = 6


@dataclass(slots=True)
class Phrase:
    """One phrase of ours, from its audio to what was heard of it."""

    turn: int
    text: str
    audio: bytes = field(repr=False)
    mark: str
    sent: int = 0
    """Bytes handed to the wire."""
    heard: int = 0
    cleared: int = 0
    ends_at: float = 0.0
    """When the model plays its last sample."""
    mark_sent: bool = False

    @property
    def duration_ms(self) -> int:
        """Length of the audio."""
        return len(self.audio) // BYTES_PER_MS

    @property
    def pending(self) -> int:
        """Bytes sent and neither heard nor cleared."""
        return self.sent - self.heard - self.cleared

    def heard_text(self) -> str:
        """Return the words that were heard, to the nearest whole word."""
        return self.text if self.heard >= len(self.audio) else " ".join(self._heard_words())

    def remainder(self) -> tuple[str, bytes]:
        """Return the words that were not heard, and their audio from the beginning of the first of them."""
        words = self._heard_words()
        rest = " ".join(self.text.split()[len(words) :])
        start = len(self.audio) * sum(len(word) + 1 for word in words) // max(1, len(self.text))
        return rest, self.audio[_quietest_near(self.audio, start) :]

    def _heard_words(self) -> list[str]:
        limit = len(self.text) * self.heard / max(1, len(self.audio))
        words: list[str] = []
        length = 0
        for word in self.text.split():
            # A word counts once more than half of it was out.
            if length + len(word) / 2 > limit:
                break
            words.append(word)
            length += len(word) + 1
        return words


def _quietest_near(audio: bytes, position: int) -> int:
    """Return the frame boundary around a position where the audio (mu-law) is quietest: words meet there."""
    near = position // FRAME_SAMPLES
    frames = range(max(0, near - _SEEK_FRAMES), min(len(audio) // FRAME_SAMPLES, near + _SEEK_FRAMES + 1))

    def loudness(frame: int) -> float:
        return level_dbov(decode_mulaw(audio[frame * FRAME_SAMPLES : (frame + 1) * FRAME_SAMPLES]))

    return min(frames, key=lambda frame: (loudness(frame), abs(frame - near)), default=0) * FRAME_SAMPLES


@dataclass(frozen=True, slots=True)
class MediaDue:
    """Send these mu-law bytes; the caller hears them from ``plays_at`` on."""

    payload: bytes
    plays_at: float


@dataclass(frozen=True, slots=True)
class MarkDue:
    """Send this mark."""

    name: str


class Playout:
    """One stream's outbound audio. ``now`` is monotonic seconds; phrases are heard in the order they are added."""

    def __init__(self) -> None:
        self._queue: deque[Phrase] = deque()
        self._pending: deque[Phrase] = deque()
        self._ends_at = 0.0
        self._lag_s = 0.0
        self._count = 0

    def add(self, turn: int, text: str, audio: bytes) -> Phrase:
        """Queue one phrase (mu-law, whole frames)."""
        self._count += 1
        phrase = Phrase(turn, text, audio, mark=f"t{turn}p{self._count}")
        self._queue.append(phrase)
        return phrase

    def due(self, now: float) -> list[MediaDue | MarkDue]:
        """Return what must be sent now, in order."""
        self.advance(now)
        out: list[MediaDue | MarkDue] = []
        if self._ahead_ms(now) > REFILL_MS:
            return out
        while self._queue and round(self._ahead_ms(now)) < LEAD_MS:
            phrase = self._queue[0]
            if phrase.sent == 0:
                self._pending.append(phrase)
            payload = phrase.audio[phrase.sent : phrase.sent + FRAME_SAMPLES]
            if payload:
                phrase.sent += len(payload)
                plays_at = max(now, self._ends_at)
                self._ends_at = plays_at + len(payload) / BYTES_PER_MS / 1000
                out.append(MediaDue(payload, plays_at))
            if phrase.sent >= len(phrase.audio):
                self._queue.popleft()
                phrase.mark_sent = True
                phrase.ends_at = self._ends_at
                out.append(MarkDue(phrase.mark))
        return out

    def deadline(self) -> float | None:
        """Return when ``due`` has something to do next."""
        if self._queue:
            return self._ends_at - (REFILL_MS - FRAME_MS / 2) / 1000
        if self._pending:
            return self.ends_at + GRACE_S
        return None

    def returned(self, mark: str, now: float) -> Phrase | None:
        """Take a mark's echo; return its phrase when that is news, None when it was settled before."""
        if not any(phrase.mark == mark for phrase in self._pending):
            return None
        while self._pending:
            phrase = self._pending.popleft()
            phrase.heard = phrase.sent
            if phrase.mark == mark:
                break
        self._lag_s = min(MAX_LAG_S, max(0.0, now - phrase.ends_at))
        return phrase

    def clear(self, now: float) -> list[Phrase]:
        """Drop everything that the caller has not heard yet; return the phrases that were cut short, in order."""
        self.advance(now)
        cut: list[Phrase] = []
        for phrase in [*self._pending, *(p for p in self._queue if p.sent == 0)]:
            if phrase.heard < len(phrase.audio):
                phrase.cleared = phrase.sent - phrase.heard
                cut.append(phrase)
        self._queue.clear()
        self._pending.clear()
        self._ends_at = now
        return cut

    def audible(self, now: float) -> bool:
        """Return whether the caller hears us now, or is about to."""
        return bool(self._queue) or self.ends_at > now

    def playing(self, now: float) -> str:
        """Return the words of the phrase that the caller hears now; empty when there is none."""
        self.advance(now)
        unheard = (phrase for phrase in [*self._pending, *self._queue] if phrase.heard < len(phrase.audio))
        return next((phrase.text for phrase in unheard), "")

    @property
    def lag_s(self) -> float:
        """How much later the caller hears us than the model says, as the last mark told."""
        return self._lag_s

    @property
    def ends_at(self) -> float:
        """When the caller hears the last of what was sent, as far as the model knows."""
        return self._ends_at + self._lag_s

    def settled(self, now: float) -> bool:
        """Return whether everything that was added is known to be heard or cleared."""
        self.advance(now)
        return not self._queue and not self._pending

    def pending_ms(self) -> int:
        """Return how much of what was sent is neither heard nor cleared."""
        return sum(phrase.pending for phrase in self._pending) // BYTES_PER_MS

    def _ahead_ms(self, now: float) -> float:
        return (self._ends_at - now) * 1000

    def advance(self, now: float) -> None:
        """Bring every phrase's ``heard`` up to ``now``: what must have been played by then is heard."""
        unplayed = max(0, round(self._ahead_ms(now - self._lag_s) * BYTES_PER_MS))
        for phrase in reversed(self._pending):
            left = min(unplayed, phrase.sent)
            unplayed -= left
            phrase.heard = max(phrase.heard, phrase.sent - left)
        while self._pending and now >= self.ends_at + GRACE_S and self._pending[0].mark_sent:
            phrase = self._pending.popleft()
            phrase.heard = phrase.sent
