"""The figures of the bench: pace, failures, and whether the server is the same after as before.

Outgoing audio belongs on a grid of 20 ms: what is sent n frames into a run of speech is due 20 n ms into it. The agent
sends ahead of that, in groups of frames, whenever the carrier's buffer has fallen to a fixed rest; so every group
should arrive equally far ahead of the grid. The *jitter* of a group is how far its arrival is from the median of its
run, the *reserve* what the carrier had still to play. Where it had nothing more and speech went on shortly after, the
caller heard a *gap*.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from statistics import mean, median

from scripts.call_bench.callers import flaw
from telephony_agent.simulator.call import CallResult
from telephony_agent.simulator.percentile import percentile
from telephony_agent.simulator.stream_record import Arrival

GROUP_PAUSE_MS = 5.0
"""Frames that come closer together than this were sent together."""
LONGEST_GAP_MS = 500.0
"""Between two utterances of ours the caller has a turn, which takes longer; anything shorter is a hole in one."""


@dataclass(frozen=True, slots=True)
class Census:
    """The server at one moment."""

    memory_kib: int
    tasks: int
    threads: int
    descriptors: int
    late: Mapping[float, int] = field(default_factory=dict)
    """How often its event loop woke not later than so many seconds after it should have, since it began."""

    def woke_within_ms(self, share: float, since: Census) -> float:
        """Return how late its event loop was at most in this share of the times since another moment."""
        counts = {bound: count - since.late.get(bound, 0) for bound, count in sorted(self.late.items())}
        wanted = share * max(counts.values(), default=0)
        return 1000 * next((bound for bound, count in counts.items() if count >= wanted), 0.0)


CENSUS = {
    "memory_kib": "process_resident_memory_bytes",
    "tasks": "telephony_agent_tasks",
    "threads": "telephony_agent_threads",
    "descriptors": "process_open_fds",
}
LATE = "telephony_agent_event_loop_lag_seconds_bucket"


@dataclass(frozen=True, slots=True)
class Beat:
    """One group of frames: how far its arrival was from the grid, and what was still to be played, in ms."""

    jitter_ms: float
    reserve_ms: float


@dataclass(slots=True)
class _Run:
    """Speech without a pause: when it began, what came, and the reserve at each group after the first one, in ms."""

    began_ms: float
    sent_ms: float = 0.0
    reserves: list[float] = field(default_factory=list)

    @property
    def played_at_ms(self) -> float:
        """When the last that came has been played."""
        return self.began_ms + self.sent_ms


def beats(arrivals: Sequence[Arrival]) -> Iterator[Beat]:
    """Yield the groups of each run of speech but the first, which begins the run and its clock."""
    for run in _runs(arrivals):
        if len(run.reserves) > 1:
            usual = median(run.reserves)
            yield from (Beat(abs(reserve - usual), reserve) for reserve in run.reserves)


def gaps(arrivals: Sequence[Arrival]) -> list[float]:
    """Return how long each hole in our speech was, in ms: the carrier had played all, and more came shortly after."""
    silences = (after.began_ms - before.played_at_ms for before, after in pairwise(_runs(arrivals)))
    return [silence for silence in silences if silence < LONGEST_GAP_MS]


def _runs(arrivals: Sequence[Arrival]) -> Iterator[_Run]:
    """Yield the runs of speech."""
    run: _Run | None = None
    previous_ms = 0.0
    for arrival in arrivals:
        if run is None or arrival.at_ms >= run.played_at_ms:
            if run is not None:
                yield run
            run = _Run(arrival.at_ms)
        elif arrival.at_ms - previous_ms > GROUP_PAUSE_MS:
            run.reserves.append(run.played_at_ms - arrival.at_ms)
        run.sent_ms += arrival.audio_ms
        previous_ms = arrival.at_ms
    if run is not None:
        yield run


@dataclass(slots=True)
class Phase:
    """What one phase came to."""

    name: str
    calls: int = 0
    lasted_s: float = 0.0
    flaws: list[str] = field(default_factory=list)
    beats: list[Beat] = field(default_factory=list)
    gaps_ms: list[float] = field(default_factory=list)
    lags_ms: list[float] = field(default_factory=list)
    censuses: list[Census] = field(default_factory=list)
    before: Census | None = None
    after: Census | None = None
    """Once all calls of the phase are over."""

    def note(self, result: CallResult) -> None:
        """Take note of a call."""
        self.calls += 1
        if reason := flaw(result):
            self.flaws.append(reason)
        for stream in result.streams:
            self.beats.extend(beats(stream.arrivals))
            self.gaps_ms.extend(gaps(stream.arrivals))

    def halves(self, figure: str) -> tuple[float, float]:
        """Return the mean of a census's figure in the first and in the second half."""
        values = [float(getattr(census, figure)) for census in self.censuses] or [0.0]
        middle = max(1, len(values) // 2)
        return mean(values[:middle]), mean(values[middle:] or values)


def report(phase: Phase) -> str:
    """Put a phase's figures into a few lines."""
    lines = [f"{phase.name}: {phase.calls} calls in {phase.lasted_s:.0f} s"]
    share = len(phase.flaws) / max(1, phase.calls)
    lines.append(f"  failed            {len(phase.flaws)} ({share:.2%}) {'; '.join(sorted(set(phase.flaws))[:5])}")
    if phase.beats:
        jitter = [round(beat.jitter_ms * 10) for beat in phase.beats]
        reserve = [round(beat.reserve_ms) for beat in phase.beats]
        p50, p99 = ((percentile(jitter, percent) or 0) / 10 for percent in (50, 99))
        lines.append(f"  pace jitter       p50 {p50:.1f} ms, p99 {p99:.1f} ms, of {len(jitter)} groups")
        lines.append(f"  reserve           p1 {percentile(reserve, 1)} ms, least {min(reserve)} ms")
        lines.append(f"  gaps              {len(phase.gaps_ms)}, longest {max(phase.gaps_ms, default=0):.0f} ms")
    lags = [round(lag * 10) for lag in phase.lags_ms]
    lines.append(
        f"  this client's lag p50 {(percentile(lags, 50) or 0) / 10} ms, p99 {(percentile(lags, 99) or 0) / 10} ms"
    )
    assert phase.before is not None
    assert phase.after is not None
    within_ms = phase.after.woke_within_ms(0.99, phase.before)
    lines.append(f"  the server's lag  99 % within {within_ms:g} ms")
    for figure in CENSUS:
        first, second = phase.halves(figure)
        base, left = getattr(phase.before, figure), getattr(phase.after, figure)
        lines.append(f"  {figure:<17} {first:.0f} -> {second:.0f} ({base} before, {left} after)")
    return "\n".join(lines)
