"""Tells the echo of our own voice from the caller's, by the levels of what we sent and of what comes back.

Carrier legs have no echo canceller: our words return 50 to 300 ms after they are played, 10 to 30 dB weaker, and a
detector takes them for speech. But we know what we played and when. So the two level curves (dB, one value for 20 ms)
are laid over each other at every delay that can be. Where they go up and down together (``MIN_CORRELATION``), there is
an echo; the delay of the best match and the mean difference of levels describe it, and a frame that is no more than
``MARGIN_DB`` above what the echo must be is an echo. A caller's own speech doesn't follow our curve.

=============  =======================================================  ==========================================
state          entered when                                             a frame is an echo when
=============  =======================================================  ==========================================
``UNKNOWN``    at first                                                 it is ``SAFE_DB`` below our loudest around,
                                                                        and one path explains the last moment too
``NO_ECHO``    at every usual delay the line was several times far      never
               weaker than an echo would be
``ECHO``       the curves match: up and down several times, weaker      it is not louder than the echo must be
               than ours, at a delay inside the range
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
FAINT_DBOV = -42.0
MAX_GAIN_DB = -5.0
"""A louder "echo" is somebody's voice: no line returns so much."""
MIN_TURNS = 6
"""How often both curves must rise and fall: two steps go together by chance."""
MARGIN_DB = 7.0
SAFE_DB = 9.5
USUAL_DELAY_FRAMES = 20
REFUTED_DB = 33.0
"""What comes back even weaker isn't taken for speech anyway."""
REFUTED_FRAMES = 5
FIT_FRAMES = 10
FIT_MIN_FRAMES = 6
FIT_DB = 3.0
"""How far a moment's frames may be from one path, in the middle."""
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
        # How often an echo by each delay should have been heard and was not.
        self._missing = [0] * USUAL_DELAY_FRAMES
        self._recent: deque[tuple[float, list[float]]] = deque(maxlen=FIT_FRAMES)

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
        if self.state is EchoState.UNKNOWN:
            self._recent.append((max(level, FLOOR_DBOV), around[1 : USUAL_DELAY_FRAMES + 1]))
            self._refute(level, around)
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
                return level < max(around) - SAFE_DB and self._explained()
            case EchoState.NO_ECHO:
                return False
            case EchoState.ECHO:
                assert self.path is not None
                # The curves are sampled on different grids, so the neighbours count as well.
                near = around[max(0, self.path.delay_frames - 1) : self.path.delay_frames + 2]
                return level <= max(near) + self.path.gain_db + MARGIN_DB

    def _refute(self, level: float, around: list[float]) -> None:
        """Count the delays by which our voice did not come back; if it is none of them, there is no echo."""
        for delay in range(USUAL_DELAY_FRAMES):
            # Of three neighbours the weakest: the curves are sampled on different grids.
            played = min(around[delay : delay + 3])
            self._missing[delay] += played > FLOOR_DBOV + REFUTED_DB and level < played - REFUTED_DB
        if min(self._missing) >= REFUTED_FRAMES:
            self.state, self.path = EchoState.NO_ECHO, None

    def _explained(self) -> bool:
        """Tell whether one path, by a delay that isn't refuted, makes of our voice what was heard in the last moment.

        A moment that is too short to tell is taken to be explained.
        """
        heard = np.array([level for level, _ in self._recent])
        played = np.array([curve for _, curve in self._recent])
        loud = heard > FAINT_DBOV
        if np.count_nonzero(loud) < FIT_MIN_FRAMES:
            return True
        differences = heard[loud, None] - played[loud]
        gains = np.median(differences, axis=0)
        spreads = np.median(np.abs(differences - gains), axis=0)
        possible = np.array(self._missing) < REFUTED_FRAMES
        return bool(np.any(possible & (spreads <= FIT_DB) & (gains <= MAX_GAIN_DB)))

    def _match(self) -> None:
        """Lay the curves over each other at every delay."""
        frames = np.array([frame for frame, _ in self._heard])
        heard = np.array([level for _, level in self._heard])
        played = self._curves(frames)
        correlations = _correlations(played, heard)
        delay = int(np.argmax(correlations))
        loud = played[delay] > FLOOR_DBOV + 20.0
        gain = float(np.median((heard - played[delay])[loud])) if loud.any() else 0.0
        alike = correlations[delay] >= MIN_CORRELATION and gain <= MAX_GAIN_DB and 0 < delay < MAX_DELAY_FRAMES - 1
        if alike and min(_turns(heard), _turns(played[delay])) >= MIN_TURNS:
            self.state, self.path = EchoState.ECHO, EchoPath(delay, gain)

    def _curves(self, frames: npt.NDArray[np.int64]) -> Curve:
        """Return what was played before the frames by each delay: float64[delays, frames]."""
        first = int(frames[0]) - MAX_DELAY_FRAMES
        dense = np.full(int(frames[-1]) - first + 1, FLOOR_DBOV)
        for frame, level in self._played.items():
            if 0 <= frame - first < len(dense):
                dense[frame - first] = level
        curves: Curve = dense[frames[None, :] - first - np.arange(MAX_DELAY_FRAMES)[:, None]]
        return curves

    def _forget(self) -> None:
        oldest = self._heard[0][0] - MAX_DELAY_FRAMES
        self._played = {number: level for number, level in self._played.items() if number >= oldest}


def _correlations(curves: Curve, curve: Curve) -> Curve:
    """Correlate each of the curves with one; a flat one goes with nothing."""
    a = curves - curves.mean(axis=1, keepdims=True)
    b = curve - curve.mean()
    norms = np.sqrt((a**2).sum(axis=1) * (b**2).sum())
    correlations: Curve = np.divide(a @ b, norms, out=np.zeros(len(curves)), where=norms > len(curve))
    return correlations


def _turns(curve: Curve) -> int:
    """Count how often a curve crosses its own mean."""
    above = curve > curve.mean()
    return int(np.count_nonzero(above[1:] != above[:-1]))


def _frame(seconds: float) -> int:
    return round(seconds * 1000 / FRAME_MS)
