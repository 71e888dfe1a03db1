"""Why and by when a call ends: the one reason, the cap on the last words, and the longest that a call may last."""

from __future__ import annotations

from telephony_agent.core.events import EndReason

CAP_S = 20.0
"""How long the last words may take, whatever they are waiting for."""


class Leave:
    """One call's leave-taking. ``now`` is monotonic seconds."""

    def __init__(self, longest_s: float) -> None:
        self._longest_s = longest_s
        self._by: float | None = None
        self._time_up_at: float | None = None
        self._overtime = False
        self.reason: EndReason | None = None
        """Why the call is ending, while it is."""

    @property
    def taking(self) -> bool:
        """Whether the call is ending."""
        return self.reason is not None

    @property
    def deadline(self) -> float | None:
        """When something must be done about it."""
        return self._by if self.taking else self._time_up_at

    def begin(self, now: float) -> None:
        """The call has begun: its time runs."""
        self._time_up_at = now + self._longest_s

    def take(self, reason: EndReason, now: float, *, within_s: float = CAP_S) -> None:
        """End for this reason, once the last words are heard, within so many seconds."""
        self.reason = reason
        self._by = now + within_s

    def take_back(self) -> None:
        """Don't end after all: the caller goes on."""
        self.reason = self._by = None

    def overdue(self, now: float) -> bool:
        """Tell whether the last words have taken too long."""
        return self._by is not None and now >= self._by

    def time_is_up(self, now: float) -> bool:
        """Tell whether the call has lasted its longest, and isn't ending already."""
        return not self.taking and self._time_up_at is not None and now >= self._time_up_at

    def grant_overtime(self, now: float) -> bool:
        """Let whoever speaks finish, but only once; return whether that was granted."""
        if self._overtime:
            return False
        self._overtime = True
        self._time_up_at = now + CAP_S
        return True
