"""What is counted: measures, single observations of them, and the figures that many observations give.

A figure says something only with enough events behind it: below ``MIN_EVENTS`` there is no rate and no percentile, and
no 99th percentile below a hundred.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from telephony_agent.simulator.percentile import percentile

MIN_EVENTS: Final = 10
PERCENTILES: Final = (50, 95, 99)
"""Those of a time that are shown."""

_MIN_FOR_P99: Final = 100


class Measure(StrEnum):
    """What is observed. Those that end in ``_ms`` are times; the others either happened or did not."""

    GREETING = "greeting_ms"
    """From ``start`` to the agent's first sound."""
    TURN_GAP = "turn_gap_ms"
    """From the caller's last loud window to the agent's onset; early onsets are cut-offs, not gaps."""
    AFTER_DECISION = "after_decision_ms"
    """The turn gap without the trailing silence that the agent says it waited."""
    CUT_OFF = "false_cut_off"
    """Of the turns that began in the agent's silence: it began to speak before the caller was done."""
    PAUSE_TAKEOVER = "pause_take_over"
    """Of the pauses inside a line: the agent began to speak in it, or because of it."""
    ANSWERED = "take_over_at_end"
    """Of the turns: the agent spoke before the caller's next one."""
    STOP = "barge_in_stop_ms"
    """From the onset of an interruption to the agent's last audible window."""
    INTERRUPTION = "interruption_taken"
    """Of the interruptions: the agent fell silent within 2 s, and answered the new words."""
    STALE = "stale_after_clear"
    """Of the interruptions: the agent was heard again before the caller was done."""
    BACKCHANNEL = "backchannel_tolerated"
    """Of those over the agent's speech: it went on within 1 s, and the whole reply was heard."""
    NOISE = "noise_tolerated"
    """The same for coughs, clicks and voices in the background."""
    HOLD_MUSIC = "hold_music_tolerated"
    """Of the stretches of hold music: what it came over was heard whole, and none of it was answered as words."""
    SIDE_TALK = "side_talk_tolerated"
    """The same for words to somebody else."""
    ASIDE_PAUSE = "aside_pause_ms"
    """The hole in the agent's speech where an aside made it pause."""
    SELF_INTERRUPTION = "self_interruption"
    """Of the agent's utterances under echo: it stopped by itself, or took its own voice for the caller's."""
    DEAD_AIR = "dead_air"
    """Of the turns: more than 3 s without a sound from the agent."""
    HISTORY_DIFFERS = "history_differs"
    """Of the agent's replies: what it says was heard is not what was heard."""
    SILENT_CALLER = "silent_caller_handled"
    """Of the calls without a word: two reprompts, then the agent ended it."""
    VOICEMAIL = "voicemail_left"
    """Of the calls that a voicemail took: the agent ended it by its own reprompts or its goodbye."""

    @property
    def is_time(self) -> bool:
        """Whether its values are ms."""
        return self.value.endswith("_ms")


@dataclass(frozen=True, slots=True)
class Observation:
    """One event: ms for a time, else whether it happened; where it was, for a person who wants to look."""

    measure: Measure
    value: int
    call: str
    at_ms: int
    text: str = ""


@dataclass(frozen=True, slots=True)
class Tally:
    """All values of one measure."""

    values: tuple[int, ...] = ()

    @property
    def n(self) -> int:
        """How many events there were."""
        return len(self.values)

    @property
    def hits(self) -> int:
        """How often it happened; for measures that are no times."""
        return sum(self.values)

    @property
    def rate(self) -> float | None:
        """The share of events in which it happened; ``None`` for too few events."""
        return self.hits / self.n if self.n >= MIN_EVENTS else None

    def percentile(self, percent: int) -> int | None:
        """Compute a percentile; ``None`` for too few events."""
        if self.n < (_MIN_FOR_P99 if percent >= 99 else MIN_EVENTS):
            return None
        return percentile(self.values, percent)


Tallies = Mapping[Measure, Tally]


def tally(observations: Iterable[Observation]) -> dict[Measure, Tally]:
    """Gather observations by measure; every measure is there, if only without events."""
    values: dict[Measure, list[int]] = {measure: [] for measure in Measure}
    for one in observations:
        values[one.measure].append(one.value)
    return {measure: Tally(tuple(found)) for measure, found in values.items()}


def as_json(tallies: Tallies) -> dict[str, Any]:
    """Give the figures of all measures."""
    return {str(measure): _figures(measure, tallies[measure]) for measure in Measure}


def ratios(tallies: Tallies, alone: Tallies) -> dict[Measure, dict[str, float]]:
    """Divide the percentiles of all times by those of another run, where both have enough events."""
    found = {measure: _ratios(tallies[measure], alone[measure]) for measure in Measure if measure.is_time}
    return {measure: times for measure, times in found.items() if times}


def _ratios(found: Tally, alone: Tally) -> dict[str, float]:
    pairs = {f"p{percent}": (found.percentile(percent), alone.percentile(percent)) for percent in PERCENTILES}
    return {name: round(one / other, 2) for name, (one, other) in pairs.items() if one is not None and other}


def _figures(measure: Measure, found: Tally) -> dict[str, Any]:
    if measure.is_time:
        percentiles = {f"p{percent}": found.percentile(percent) for percent in PERCENTILES}
        return {"n": found.n, **percentiles, "max": max(found.values, default=None)}
    return {"n": found.n, "hits": found.hits, "rate": None if found.rate is None else round(found.rate, 4)}
