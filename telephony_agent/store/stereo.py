"""Lays a call's two tracks side by side as they come: the caller's as heard, ours as it will be played.

Ours is sent ahead and may be cleared before it is played, so only what lies behind a moment that is certain is taken
out; that is all that is ever held.
"""

from __future__ import annotations

import audioop

from telephony_agent.audio import BYTES_PER_MS, decode_mulaw

_SILENCE = 0xFF
MAX_AHEAD_MS = 120_000
"""Sound placed further ahead than this of what was taken is a mistake, and dropped."""


class StereoTracks:
    """Two tracks of mu-law from a common beginning, in ms. What overlaps is replaced, gaps are silent."""

    def __init__(self) -> None:
        self._taken_ms = 0
        self._inbound = bytearray()
        self._outbound = bytearray()

    def inbound(self, at_ms: int, mulaw: bytes) -> None:
        """Place sound of the caller's."""
        self._place(self._inbound, at_ms, mulaw)

    def outbound(self, at_ms: int, mulaw: bytes) -> None:
        """Place sound of ours where the caller will hear it."""
        self._place(self._outbound, at_ms, mulaw)

    def clear(self, at_ms: int) -> None:
        """Forget our sound from a moment on: it is not played."""
        del self._outbound[max(0, at_ms - self._taken_ms) * BYTES_PER_MS :]

    def take(self, until_ms: int) -> bytes:
        """Return what lies before a moment, as PCM16 with the channels by turns, and forget it."""
        size = max(0, until_ms - self._taken_ms) * BYTES_PER_MS
        if not size:
            return b""
        self._taken_ms = until_ms
        return _interleaved(_cut(self._inbound, size), _cut(self._outbound, size))

    @property
    def end_ms(self) -> int:
        """The moment after the last sound of either track."""
        return self._taken_ms + max(len(self._inbound), len(self._outbound)) // BYTES_PER_MS

    def _place(self, track: bytearray, at_ms: int, mulaw: bytes) -> None:
        start = (at_ms - self._taken_ms) * BYTES_PER_MS
        if start < 0:
            mulaw = mulaw[-start:]
            start = 0
        if not mulaw or start > MAX_AHEAD_MS * BYTES_PER_MS:
            return
        if start > len(track):
            track.extend(bytes([_SILENCE]) * (start - len(track)))
        track[start : start + len(mulaw)] = mulaw


def _cut(track: bytearray, size: int) -> bytes:
    head = bytes(track[:size])
    del track[:size]
    return head + bytes([_SILENCE]) * (size - len(head))


def _interleaved(left: bytes, right: bytes) -> bytes:
    return audioop.add(audioop.tostereo(decode_mulaw(left), 2, 1, 0), audioop.tostereo(decode_mulaw(right), 2, 0, 1), 2)
