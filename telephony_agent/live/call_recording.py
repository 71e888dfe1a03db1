"""Records one live call: the caller as the stream brings them, and us as the caller hears us, on the stream's clock.

Theory of operation
-------------------
The caller's frames carry the stream's time. Of ours, which are sent ahead, the call itself knows when they are heard,
by the shell's clock, as its marks tell. The two clocks meet in the caller's frames: one that begins at T can't be here
before T + 20 ms, so the least ``now - T`` that was seen says when the stream began. It is let creep forward, since no
two clocks run alike. Frames and marks are late by the same way, the one from the line to us, so it falls out: beside a
word of ours stands what the caller said when they heard it.

How long the line is, only the first mark tells. Until it is back all sound is *held*, a greeting's length; then ours is
placed as much later as the mark came later than the call thought.
"""

from __future__ import annotations

from collections.abc import Sequence

from telephony_agent.audio import BYTES_PER_MS, FRAME_MS
from telephony_agent.core.events import Action, AudioHeard, Event, HangUp, MarkHeard, SendClear, SendMark, SendMedia
from telephony_agent.core.frame_clock import Frame
from telephony_agent.store import Recording

DRIFT = 1e-4
"""How much faster one clock may run than the other."""
JOIN_MS = 30
"""Sound of ours that belongs no further than this from what is before it follows it without a seam."""
MAX_HELD_MS = 20_000
"""How long the first mark is waited for."""


class CallRecording:
    """One call's recording. Nothing here raises or waits: see ``store.recordings``."""

    def __init__(self, recording: Recording) -> None:
        self._recording = recording
        self._stream_began: float | None = None
        """The shell's clock when the stream's stood at 0; unknown before the first frame."""
        self._holding = True
        self._held: list[Frame] = []
        self._held_ours: list[SendMedia] = []
        self._first_mark: tuple[str, float] | None = None
        """Its name, and when the call thinks that it is passed."""
        self._ours_end_ms = 0

    def step(self, event: Event, now: float, actions: Sequence[Action]) -> None:
        """Take what is heard in a step of the call, and what of ours will be."""
        match event:
            case AudioHeard(frame=frame):
                self._hear(frame, now)
            case MarkHeard(name) if self._first_mark is not None and self._first_mark[0] == name:
                self._release(max(0.0, now - self._first_mark[1]))
        for action in actions:
            match action:
                case SendMedia():
                    self._say(action)
                case SendMark(name):
                    self._note_mark(name)
                case SendClear(heard_until):
                    self._cut(heard_until)
                case HangUp():
                    self._cut(now)

    def close(self) -> None:
        """Write the rest."""
        self._release()
        self._recording.close()

    def _hear(self, frame: Frame, now: float) -> None:
        began = now - (frame.timestamp_ms + FRAME_MS) / 1000
        if self._stream_began is not None:
            began = min(began, self._stream_began + DRIFT * FRAME_MS / 1000)
        self._stream_began = began
        if not self._holding:
            self._recording.inbound(frame.timestamp_ms, frame.mulaw)
            return
        self._held.append(frame)
        if frame.timestamp_ms - self._held[0].timestamp_ms > MAX_HELD_MS:
            self._release()

    def _say(self, media: SendMedia) -> None:
        if self._holding:
            self._held_ours.append(media)
        else:
            self._place(media.heard_at, media.payload)

    def _note_mark(self, name: str) -> None:
        if self._holding and self._first_mark is None and self._held_ours:
            last = self._held_ours[-1]
            self._first_mark = name, last.heard_at + len(last.payload) / BYTES_PER_MS / 1000

    def _release(self, lag_s: float = 0.0) -> None:
        """Place what was held, ours so much later than the call thought."""
        self._holding = False
        ours, self._held_ours = self._held_ours, []
        for media in ours:
            self._place(media.heard_at + lag_s, media.payload)
        frames, self._held = self._held, []
        for frame in frames:
            self._recording.inbound(frame.timestamp_ms, frame.mulaw)

    def _cut(self, moment: float) -> None:
        """Take back what of ours would have been heard after a moment."""
        self._release()
        at_ms = self._stream_ms(moment)
        self._recording.clear(at_ms)
        self._ours_end_ms = min(self._ours_end_ms, at_ms)

    def _place(self, heard_at: float, mulaw: bytes) -> None:
        at_ms = self._stream_ms(heard_at)
        if abs(at_ms - self._ours_end_ms) <= JOIN_MS:
            at_ms = self._ours_end_ms
        self._recording.outbound(at_ms, mulaw)
        self._ours_end_ms = at_ms + len(mulaw) // BYTES_PER_MS

    def _stream_ms(self, moment: float) -> int:
        # Where no frame ever came there is no clock, and no call either: what is placed then doesn't matter.
        return max(0, round((moment - (self._stream_began or moment)) * 1000))
