"""The recordings of an account: kept by SID, listed by call, deleted on demand."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from telephony_agent.simulator.parties import made_up_sid
from telephony_agent.simulator.rest_error import not_found


@dataclass(frozen=True, slots=True)
class Recording:
    """One recording: a WAV file of ``channels`` tracks, the other party's first."""

    call_sid: str
    channels: int
    duration_s: int
    wav: bytes
    sid: str = field(default_factory=lambda: made_up_sid("RE"))
    created: datetime = field(default_factory=lambda: datetime.now(UTC))


class Recordings:
    """All recordings of one account."""

    def __init__(self) -> None:
        self._by_sid: dict[str, Recording] = {}

    def keep(self, recording: Recording) -> None:
        """Add one."""
        self._by_sid[recording.sid] = recording

    def listed(self, call_sid: str = "") -> Iterable[Recording]:
        """Give them, the latest first; those of one call, or all."""
        return [one for one in reversed(self._by_sid.values()) if call_sid in ("", one.call_sid)]

    def find(self, sid: str, path: str) -> Recording:
        """Find one.

        Raises:
            RestError: there is none; it names ``path``.
        """
        if sid not in self._by_sid:
            raise not_found(path)
        return self._by_sid[sid]

    def delete(self, sid: str, path: str) -> None:
        """Delete one.

        Raises:
            RestError: there is none; it names ``path``.
        """
        self.find(sid, path)
        del self._by_sid[sid]
