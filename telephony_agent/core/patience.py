"""How long silence may last: fillers while our answer is late, reprompts while the caller says nothing."""

from __future__ import annotations

from telephony_agent.core.call_terms import Announcement


class Fillers:
    """Short words that say we are still there; never the same ones twice in a row."""

    def __init__(self, words: tuple[Announcement, ...], *, after_s: float, again_s: float) -> None:
        self._words = words
        self._after_s = after_s
        self._again_s = again_s
        self._count = 0
        self.deadline: float | None = None

    def watch(self, now: float) -> None:
        """Begin to wait for our answer."""
        self.deadline = now + self._after_s

    def watch_gap(self, now: float, *, silent: bool) -> None:
        """Wait for the rest of an answer that stopped half-way."""
        if silent and self.deadline is None:
            self.watch(now)

    def rest(self) -> None:
        """Stop waiting: we speak, or there is nothing to say."""
        self.deadline = None

    def take(self, now: float) -> Announcement | None:
        """Return the words to say now, if it has become too long."""
        if self.deadline is None or now < self.deadline or not self._words:
            return None
        words = self._words[self._count % len(self._words)]
        self._count += 1
        self.deadline = now + len(words.audio) / 8000 + self._again_s
        return words


class Reprompts:
    """Questions to a caller who says nothing: each once, until the caller speaks."""

    def __init__(self, words: tuple[Announcement, ...], *, after_s: float, hold_s: float) -> None:
        self._words = words
        self._after_s = after_s
        self._hold_s = hold_s
        self._count = 0
        self._quiet_since: float | None = None
        self.holding = False
        """Whether the caller has asked us to wait."""

    @property
    def deadline(self) -> float | None:
        """When the silence has become too long."""
        return None if self._quiet_since is None else self._quiet_since + self._patience_s

    def interrupted(self) -> None:
        """Somebody speaks: the silence is over."""
        self._quiet_since = None

    def understood(self, *, hold: bool) -> None:
        """The caller is there: begin anew. ``hold``: what was said asks us to wait."""
        self._count = 0
        self.holding = hold

    def expired(self, now: float) -> bool:
        """Note that nobody speaks; tell whether that has lasted too long."""
        if self._quiet_since is None:
            self._quiet_since = now
        return now >= self._quiet_since + self._patience_s

    def take(self) -> Announcement | None:
        """Return the next question, or None when all were asked."""
        self.holding = False
        if self._count >= len(self._words):
            return None
        self._count += 1
        return self._words[self._count - 1]

    @property
    def _patience_s(self) -> float:
        return self._hold_s if self.holding else self._after_s
