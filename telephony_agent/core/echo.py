"""Tells the echo of our own voice from the caller's, by the levels of what we sent and of what comes back.

Carrier legs have no echo canceller: our words return 50 to 300 ms after they are played, 10 to 30 dB weaker, and a
detector takes them for speech. But we know what we played and when. So the two level curves (dB, one value for 20 ms)
are laid over each other at every delay that can be. Where they go up and down together (``MIN_CORRELATION``), there is
an echo; the delay of the best match and the mean difference of levels describe it, and a frame that is no more than
``MARGIN_DB`` above what the echo must be is an echo. A caller's own speech doesn't follow our curve.

=============  =======================================================  ==========================================
state          entered when                                             a frame is an echo when
=============  =======================================================  ==========================================
``UNKNOWN``    at first                                                 it is ``SAFE_DB`` below our loudest around
``NO_ECHO``    the line stays faint while we speak, and the curves      never
               don't match
``ECHO``       the curves match                                         it is not louder than the echo must be
=============  =======================================================  ==========================================

A line that is loud without a match (the caller speaks too) proves nothing and changes nothing; and once an echo is
known, the frames that it can't explain are kept out of the curves, because they are the caller's.
The match is looked for again twice a second, over the last ``WINDOW_FRAMES`` in which we were audible.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from telephony_agent.audio import FRAME_MS, FRAME_SAMPLES, decode_mulaw, level_dbov

Curve = npt.NDArray[np.float64]

WINDOW_FRAMES = 100
LEARN_FRAMES = 60
EVERY_FRAMES = 25
MAX_DELAY_FRAMES = 40
MIN_CORRELATION = 0.72
NO_CORRELATION = 0.4
FAINT_DBOV = -42.0
MARGIN_DB = 7.0
SAFE_DB = 8.0
FLOOR_DBOV = -60.0
"""What is weaker counts as silence in the curves."""


class EchoState(StrEnum):
    """What is known of the line's echo."""

    UNKNOWN = "unknown"
    NO_ECHO = "no_echo"
    ECHO = "echo"


@dataclass(frozen=True, slots=True)
class EchoPath:
    """An echo: how much later and how much weaker (negative dB) our voice comes back."""

    delay_frames: int
    gain_db: float


class EchoJudge:
    """One call's echo. Tell it every frame that is sent and ask it about every frame that is heard."""

    def __init__(self) -> None:
        self.state = EchoState.UNKNOWN
        self.path: EchoPath | None = None
        # Frame number (time in units of 20 ms) to the level that the caller hears then.
        self._played: dict[int, float] = {}
        self._heard: deque[tuple[int, float]] = deque(maxlen=WINDOW_FRAMES)
        self._since_match = 0

    def sent(self, payload: bytes, plays_at: float) -> None:
        """Note mu-law that the caller hears from ``plays_at`` on (seconds)."""
        first = _frame(plays_at)
        for i in range(0, len(payload), FRAME_SAMPLES):
            level = level_dbov(decode_mulaw(payload[i : i + FRAME_SAMPLES]))
            self._played[first + i // FRAME_SAMPLES] = max(level, FLOOR_DBOV)

    def cleared(self, now: float) -> None:
        """Forget what will not be played after all."""
        frame = _frame(now)
        self._played = {number: level for number, level in self._played.items() if number <= frame}

    def is_echo(self, level: float, now: float) -> bool:
        """Tell whether a frame heard at ``now`` (dBov) is nothing but our own voice coming back."""
        frame = _frame(now)
        around = [self._played.get(frame - delay, FLOOR_DBOV) for delay in range(MAX_DELAY_FRAMES)]
        if max(around) <= FLOOR_DBOV:
            return False
        echo = self._judge(level, around)
        if echo or self.state is not EchoState.ECHO:
            self._heard.append((frame, max(level, FLOOR_DBOV)))
            self._since_match += 1
        if self._since_match >= EVERY_FRAMES and len(self._heard) >= LEARN_FRAMES:
            self._since_match = 0
            self._match()
            self._forget()
        return echo

    def _judge(self, level: float, around: list[float]) -> bool:
        match self.state:
            case EchoState.UNKNOWN:
                return level < max(around) - SAFE_DB
            case EchoState.NO_ECHO:
                return False
            case EchoState.ECHO:
                assert self.path is not None
                # The curves are sampled on different grids, so the neighbours count as well.
                near = around[max(0, self.path.delay_frames - 1) : self.path.delay_frames + 2]
                return level <= max(near) + self.path.gain_db + MARGIN_DB

    def _match(self) -> None:
        """Lay the curves over each other at every delay."""
        frames = np.array([frame for frame, _ in self._heard])
        heard = np.array([level for _, level in self._heard])
        correlations = [_correlation(heard, self._curve(frames - delay)) for delay in range(MAX_DELAY_FRAMES)]
        delay = int(np.argmax(correlations))
        if correlations[delay] >= MIN_CORRELATION:
            played = self._curve(frames - delay)
            loud = played > FLOOR_DBOV + 20.0
            gain = float(np.median((heard - played)[loud])) if loud.any() else -SAFE_DB
            self.state, self.path = EchoState.ECHO, EchoPath(delay, min(0.0, gain))
        elif correlations[delay] < NO_CORRELATION and float(np.median(heard)) < FAINT_DBOV:
            self.state, self.path = EchoState.NO_ECHO, None

    def _curve(self, frames: npt.NDArray[np.int64]) -> Curve:
        return np.array([self._played.get(int(frame), FLOOR_DBOV) for frame in frames])

    def _forget(self) -> None:
        oldest = self._heard[0][0] - MAX_DELAY_FRAMES
        self._played = {number: level for number, level in self._played.items() if number >= oldest}


def _correlation(a: Curve, b: Curve) -> float:
    """Correlate two curves; a flat one goes with nothing."""
    if np.ptp(a) < 1.0 or np.ptp(b) < 1.0:
        return 0.0
    return float(np.corrcoef(a, b)[0, 1])


def _frame(seconds: float) -> int:
    return round(seconds * 1000 / FRAME_MS)
