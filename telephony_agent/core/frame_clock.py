"""Cuts the caller's media into 20 ms frames by the stream's own timestamps.

Twilio's timestamps advance by 20 ms with a jitter of about 1 ms. A reader that is too slow loses messages, and a line
may repeat or delay them, so time comes from the timestamp and never from counting: a gap is filled with silence,
what lies in the past is dropped. No more is filled than was received and ``MAX_GAP_MS``, so that a peer
can't make a few bytes cost as much as hours of sound.
"""

from __future__ import annotations

from dataclasses import dataclass

from telephony_agent.audio import BYTES_PER_MS, FRAME_MS

FRAME_BYTES = FRAME_MS * BYTES_PER_MS
TOLERANCE_MS = 10
MAX_GAP_MS = 2000
"""A longer gap, or the sum of many, is filled only this far; the clock then jumps."""


@dataclass(frozen=True, slots=True)
class Frame:
    """160 mu-law bytes that start at ``timestamp_ms`` on the stream's clock; ``filled`` where the line lost audio."""

    timestamp_ms: int
    mulaw: bytes
    filled: bool = False


class FrameClock:
    """Media in any size and order in, whole frames in order out."""

    def __init__(self) -> None:
        self._expected_ms: int | None = None
        self._buffer = bytearray()
        self._received_ms = 0
        self.filled_ms = 0
        self.dropped_ms = 0

    def push(self, timestamp_ms: int, payload: bytes) -> list[Frame]:
        """Take one media payload that starts at ``timestamp_ms``; return the frames that it completes."""
        frames: list[Frame] = []
        duration_ms = len(payload) // BYTES_PER_MS
        if self._expected_ms is None:
            self._expected_ms = timestamp_ms
        offset_ms = timestamp_ms - self._expected_ms
        if offset_ms <= -TOLERANCE_MS:
            self.dropped_ms += duration_ms
            return frames
        if offset_ms > TOLERANCE_MS:
            gap_ms = min(offset_ms, MAX_GAP_MS, MAX_GAP_MS + self._received_ms - self.filled_ms)
            self.filled_ms += gap_ms
            frames += self._cut(b"\xff" * (gap_ms * BYTES_PER_MS), timestamp_ms, filled=True)
        frames += self._cut(payload, timestamp_ms + duration_ms, filled=False)
        self._received_ms += duration_ms
        self._expected_ms = timestamp_ms + duration_ms
        return frames

    def _cut(self, mulaw: bytes, end_ms: int, *, filled: bool) -> list[Frame]:
        """Append bytes that end at ``end_ms`` and take the whole frames out."""
        self._buffer += mulaw
        buffered_ms = len(self._buffer) // BYTES_PER_MS
        count = len(self._buffer) // FRAME_BYTES
        frames = [
            Frame(
                timestamp_ms=max(0, end_ms - buffered_ms + i * FRAME_MS),
                mulaw=bytes(self._buffer[i * FRAME_BYTES : (i + 1) * FRAME_BYTES]),
                filled=filled,
            )
            for i in range(count)
        ]
        del self._buffer[: count * FRAME_BYTES]
        return frames
