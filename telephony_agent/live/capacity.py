"""Whether the engines have time for one more call, from what they were measured to take.

Theory of operation
===================

A lane is a queue before ``k`` threads. Three sums over its jobs, with older ones weighing less, say all that is needed:

- ``u``, engine seconds per second of a live call: what one call asks of the lane;
- ``R = sum(S^2) / (2 sum(S))``, where ``S`` is what a job takes: how much longer a job in progress goes on, for whoever
  comes at a random moment. Short jobs (a cache that is closed) hardly move it, long replies do;
- the mean of ``S`` over the jobs that delivered something: what a turn needs of the lane when nobody is in its way.

A call doesn't queue behind itself but behind the others. With ``n`` calls, each finds the lane busy with those others
for ``rho = (n - 1) u / k`` of the time, and waits (Pollaczek and Khinchine; for ``k > 1`` with Sakasegawa's exponent)::

    W = R / k * rho ** (sqrt(2 (k + 1)) - 1) / (1 - rho)        without end when rho >= 1

A turn passes three lanes before its caller hears something. Alone it takes ``T``: the transcription, the reply up to
its first phrase, the synthesis of that phrase. One more call has room when the waits of the three lanes add up to no
more than ``MEAN_WAIT * T``, or to no more than ``UNHEARD_S``. What this is for: neither the median nor the 95th
percentile of the turn gap shall be longer than 1.5 times what it is alone. Half a second of that gap is silence that
takes no engine; of the turns, most wait for nobody and some for a whole reply. The two constants are what keeps both
figures when calls are played through three queues (``tests/live/test_capacity.py``). A first call waits for nobody and
always has room.

Three things keep the theory honest:

- Before there are calls, a *rehearsal* of one turn stands for them. It goes on counting as a minute of a call for
  ever, so that callers who only listen don't make the engines look idle.
- Evidence fades by the seconds of live calls, not by the clock: a quiet night teaches nothing, a machine that has got
  slower is known as such after some turns, and so is one that has recovered.
- The theory takes arrivals as random and lanes as independent. What jobs *did* wait in excess of a call alone, at as
  many calls as there would be or at fewer, is a lower bound of what they will wait. This fades by the clock, within a
  minute or two, or nobody would ever try again.

Work that is done ahead and thrown away counts like all other, though it is the first thing that goes when calls wait:
the forecast is on the careful side. No clock of its own: ``now`` is any clock in seconds that only goes forward.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from telephony_agent.core.events import Stage

MEAN_WAIT = 0.3
"""The longest mean wait for others, as a part of what a turn takes alone."""
UNHEARD_S = 0.08
"""A mean wait that is lost in the silence before a turn is over, however fast the engines are."""
MEMORY_S = 180.0
"""Seconds of live calls after which evidence weighs 1/e: about thirty turns."""
WAIT_MEMORY_S = 60.0
"""Seconds by the clock after which the wait of a job weighs 1/e."""
FEW_WAITS = 5
"""So many jobs that waited for nothing are added, so that one accident closes no door."""
REHEARSED_S = 60.0
"""As how many seconds of a call the rehearsal counts."""
TURN_EVERY_S = 6.0
"""How often a caller has a turn, until measured."""
JOBS_A_TURN: Mapping[Stage, int] = {Stage.TRANSCRIBE: 1, Stage.RESPOND: 1, Stage.SYNTHESIZE: 2}
"""How many jobs a turn makes, until measured."""
AWAITED: Mapping[Stage, float] = {Stage.TRANSCRIBE: 1.0, Stage.RESPOND: 1 / 3, Stage.SYNTHESIZE: 1.0}
"""The part of a job for which the caller waits: the first phrase of a reply is there after about a third of it."""


@dataclass(frozen=True, slots=True)
class JobTimes:
    """How long a job waited in its lane, how long it took, and whether anything of it was delivered."""

    waited_s: float
    took_s: float
    delivered: bool


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """What an ordinary turn takes on an idle machine: an utterance of 2 s, a reply of 30 tokens, a phrase."""

    transcribe_s: float = 0.0
    reply_s: float = 0.0
    phrase_s: float = 0.0

    def of(self, stage: Stage) -> float:
        """Return what one job of a stage takes."""
        times = {Stage.TRANSCRIBE: self.transcribe_s, Stage.RESPOND: self.reply_s, Stage.SYNTHESIZE: self.phrase_s}
        return times[stage]


@dataclass(frozen=True, slots=True)
class Forecast:
    """How a turn would go with so many calls; ``waits_s`` is what it would wait for the others in each lane."""

    calls: int
    alone_s: float
    waits_s: Mapping[Stage, float]

    @property
    def wait_s(self) -> float:
        """The wait in all lanes together; infinite when one has more work than time."""
        return sum(self.waits_s.values())

    @property
    def allowed_s(self) -> float:
        """The longest wait that leaves a turn within its bounds."""
        return max(MEAN_WAIT * self.alone_s, UNHEARD_S)

    @property
    def fits(self) -> bool:
        """Whether there is room for so many calls."""
        return self.calls <= 1 or self.wait_s <= self.allowed_s

    def figures(self) -> dict[str, int | str]:
        """Return what a log line says of it, in ms."""
        waits = {f"{stage.value}_wait_ms": _ms(wait_s) for stage, wait_s in self.waits_s.items()}
        return {"calls": self.calls, "alone_ms": _ms(self.alone_s), "allowed_wait_ms": _ms(self.allowed_s), **waits}


class Capacity:
    """Learns from the jobs of all lanes and tells whether one more call fits.

    Args:
        threads: how many threads each lane has.
    """

    def __init__(self, threads: Mapping[Stage, int]) -> None:
        self._lanes = {stage: _LaneEvidence(count, AWAITED[stage]) for stage, count in threads.items()}
        self._call_s = 0.0
        self._live = 0
        self._now: float | None = None

    def rehearsed(self, rehearsal: Rehearsal) -> None:
        """Take what a turn was measured to take before there were calls; a second rehearsal replaces the first."""
        turns = REHEARSED_S / TURN_EVERY_S
        for stage, lane in self._lanes.items():
            lane.prior = _Jobs()
            lane.prior.add(rehearsal.of(stage), delivered=True, times=turns * JOBS_A_TURN[stage])

    def live(self, calls: int, now: float) -> None:
        """Note how many calls are live from now on."""
        self._advance(now)
        self._live = calls

    def worked(self, stage: Stage, times: JobTimes, now: float) -> None:
        """Learn from a job that is over, well or badly."""
        self._advance(now)
        lane = self._lanes[stage]
        lane.jobs.add(times.took_s, delivered=times.delivered)
        lane.waits.setdefault(self._live, _Waits()).add(times.waited_s)

    def with_calls(self, calls: int, now: float) -> Forecast:
        """Forecast how a turn would go with so many calls, the newest one included."""
        self._advance(now)
        call_s = self._call_s + REHEARSED_S
        return Forecast(
            calls,
            sum(lane.alone_s for lane in self._lanes.values()),
            {stage: lane.wait_s(calls, call_s) for stage, lane in self._lanes.items()},
        )

    def _advance(self, now: float) -> None:
        elapsed_s = now - self._now if self._now is not None else 0.0
        self._now = now
        kept = math.exp(-elapsed_s * self._live / MEMORY_S)
        self._call_s = self._call_s * kept + MEMORY_S * (1 - kept)
        kept_waits = math.exp(-elapsed_s / WAIT_MEMORY_S)
        for lane in self._lanes.values():
            lane.jobs.fade(kept)
            for waits in lane.waits.values():
                waits.fade(kept_waits)


@dataclass(slots=True)
class _Jobs:
    """Sums over jobs: what they took, its square, and both for those that delivered."""

    took_s: float = 0.0
    took_s2: float = 0.0
    delivered: float = 0.0
    delivered_s: float = 0.0

    def add(self, took_s: float, *, delivered: bool, times: float = 1.0) -> None:
        self.took_s += took_s * times
        self.took_s2 += took_s**2 * times
        if delivered:
            self.delivered += times
            self.delivered_s += took_s * times

    def fade(self, kept: float) -> None:
        self.took_s *= kept
        self.took_s2 *= kept
        self.delivered *= kept
        self.delivered_s *= kept


@dataclass(slots=True)
class _Waits:
    """What jobs waited, in sum, and how many there were."""

    waited_s: float = 0.0
    jobs: float = 0.0

    def add(self, waited_s: float) -> None:
        self.waited_s += waited_s
        self.jobs += 1

    def fade(self, kept: float) -> None:
        self.waited_s *= kept
        self.jobs *= kept

    def beyond(self, alone_s: float) -> float:
        """Return the mean wait in excess of what a job waits behind others of its own call."""
        return (self.waited_s - alone_s * self.jobs) / (self.jobs + FEW_WAITS)


@dataclass(slots=True)
class _LaneEvidence:
    """What is known of one lane; ``waits`` by the number of calls that were live."""

    threads: int
    awaited: float
    prior: _Jobs = field(default_factory=_Jobs)
    jobs: _Jobs = field(default_factory=_Jobs)
    waits: dict[int, _Waits] = field(default_factory=dict)

    @property
    def alone_s(self) -> float:
        """What a turn needs of this lane when nothing is in its way."""
        delivered = self.prior.delivered + self.jobs.delivered
        return self.awaited * (self.prior.delivered_s + self.jobs.delivered_s) / delivered if delivered else 0.0

    def wait_s(self, calls: int, call_s: float) -> float:
        """Return what a job would wait: by the theory, and no less than jobs were seen to wait."""
        return max(self._theory_s(calls, call_s), self._seen_s(calls))

    def _theory_s(self, calls: int, call_s: float) -> float:
        took_s = self.prior.took_s + self.jobs.took_s
        rho = (calls - 1) * took_s / call_s / self.threads
        if rho >= 1:
            return math.inf
        if rho <= 0:
            return 0.0
        residual_s = (self.prior.took_s2 + self.jobs.took_s2) / (2 * took_s)
        exponent = math.sqrt(2 * (self.threads + 1)) - 1
        return float(residual_s / self.threads * rho**exponent / (1 - rho))

    def _seen_s(self, calls: int) -> float:
        alone = self.waits.get(1)
        alone_s = alone.waited_s / alone.jobs if alone is not None and alone.jobs else 0.0
        return max((waits.beyond(alone_s) for live, waits in self.waits.items() if 1 < live <= calls), default=0.0)


def _ms(seconds: float) -> int | str:
    return round(1000 * seconds) if math.isfinite(seconds) else "endless"
