"""Scores one call: from both tracks, and the agent's account where only that can tell, to a list of observations.

Times are ms on the twin's sample clock; the agent's account counts within 5 ms of it. An aside (backchannel, noise,
side talk) is tolerated if the agent went on within 1 s of its end, and the whole reply was heard; an interruption is
taken if the agent fell silent within 2 s of its onset, answered, and understood it as a turn (tau-voice's windows).
Where the agent fell silent is read from its ``clear``: a pause between two of its sentences proves nothing.

Hold music is tolerated if the agent's account has no reply to it (a reprompt is a reply to silence), and the reply that
it began over was heard whole; since nobody listens meanwhile, when the agent goes on is left to it. A call that is left
to the agent (a silent caller, a voicemail) must end as its script expects: by the agent, for one of the reasons that
are right. A call that the agent turned away is no observation of anything.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from telephony_agent.simulator.account import Account
from telephony_agent.simulator.call import CallResult
from telephony_agent.simulator.caller import Turn
from telephony_agent.simulator.measure import WINDOW_MS, Span, TurnTimes
from telephony_agent.simulator.playout import SAMPLES_PER_MS
from telephony_agent.simulator.scoring import matching
from telephony_agent.simulator.script import KeysStep, SayStep
from telephony_agent.simulator.stream_record import StreamRecord
from telephony_agent.simulator.suite.ledger import Ledger, Ruler
from telephony_agent.simulator.suite.scenarios import ASIDES, LEFT_TO_THE_AGENT, Family, Scenario
from telephony_agent.simulator.suite.tally import Measure, Observation
from telephony_agent.simulator.suite.tracks import noises, pauses

DEAD_AIR_MS: Final = 3000
YIELD_WITHIN_MS: Final = 2000
GO_ON_WITHIN_MS: Final = 1000

_PREROLL_MS: Final = 400
_DECIDES_WITHIN_MS: Final = 600
"""A ``clear`` this long after a sound of the caller's still belongs to it."""


@dataclass(frozen=True, slots=True)
class _Said:
    """One line or keys of the script, as it went out."""

    step: SayStep | KeysStep
    turn: Turn
    times: TurnTimes
    over_agent: bool
    """Whether the agent was speaking when it began."""
    until_ms: int
    """When the caller's next line begins, or the stream ends."""


@dataclass(frozen=True, slots=True)
class _Stop:
    """The agent fell silent: its last audible window, its next sound, and whether a ``clear`` of its own did it."""

    silent_ms: int
    resumed_ms: int | None
    cleared: bool


def observe(scenario: Scenario, result: CallResult, account: Account, ruler: Ruler) -> tuple[Observation, ...]:
    """Score one call; an account with a ``problem`` leaves out what only the agent can tell.

    ``ruler`` is what the agent's words are measured with; it is asked for every reply, and may block.
    """
    if result.turned_away:
        return ()
    steps = iter(step for step in scenario.script.steps if isinstance(step, SayStep | KeysStep))
    found: list[Observation] = []
    for record in result.streams:
        said = tuple(_said(steps, record))
        found += _Call(scenario, record, account, Ledger.read(account), said, ruler).observations()
    measure = LEFT_TO_THE_AGENT.get(scenario.family)
    if measure is not None:
        reason = account.end_reason or result.end_reason
        found.append(Observation(measure, int(_ended_as_expected(result, account)), scenario.name, 0, reason))
    return tuple(found)


def _ended_as_expected(result: CallResult, account: Account) -> bool:
    expect = result.script.expect
    utterances = sum(len(record.measures.utterances) for record in result.streams)
    is_right = not account.end_reason or not expect.reasons or account.end_reason in expect.reasons
    return result.ended_by.value == expect.ended_by.value and is_right and utterances >= expect.utterances


def _said(steps: Iterator[SayStep | KeysStep], record: StreamRecord) -> Iterator[_Said]:
    measures = record.measures
    until = [*(times.said.start_ms for times in measures.turns[1:]), len(record.agent) // SAMPLES_PER_MS]
    for turn, times, until_ms in zip(record.turns, measures.turns, until, strict=False):
        over_agent = _covers(measures.utterances, times.said.start_ms)
        yield _Said(next(steps), turn, times, over_agent, until_ms)


@dataclass(frozen=True, slots=True)
class _Call:
    """One stream of one call, ready to be looked at from all sides."""

    scenario: Scenario
    record: StreamRecord
    account: Account
    ledger: Ledger
    said: tuple[_Said, ...]
    ruler: Ruler

    def observations(self) -> Iterator[Observation]:
        greeting_ms = self.record.measures.greeting_ms
        if greeting_ms is not None:
            yield self._one(Measure.GREETING, greeting_ms, greeting_ms)
        for said in self.said:
            if said.step.answered:
                yield from self._turn(said)
                yield from self._interruption(said)
        yield from self._asides()
        yield from self._hold_music()
        yield from self._echo()
        yield from self._history()

    def _one(self, measure: Measure, value: int, at_ms: int, text: str = "") -> Observation:
        return Observation(measure, value, self.scenario.name, at_ms, text)

    def _turn(self, said: _Said) -> Iterator[Observation]:
        times, text, at_ms = said.times, said.step.text, said.times.said.end_ms
        gap_ms = times.gap_ms
        yield self._one(Measure.ANSWERED, int(gap_ms is not None), at_ms, text)
        yield self._one(Measure.DEAD_AIR, int(self._silence_ms(said) > DEAD_AIR_MS), at_ms, text)
        if said.turn.keys:
            return
        if not said.over_agent:
            yield self._one(Measure.CUT_OFF, int(times.cut_ins > 0), at_ms, text)
            yield from self._pauses(said)
        if gap_ms is not None and gap_ms >= 0:
            yield self._one(Measure.TURN_GAP, gap_ms, at_ms, text)
            endpoint_ms = self._endpoint_ms(said)
            if endpoint_ms is not None:
                yield self._one(Measure.AFTER_DECISION, max(0, gap_ms - endpoint_ms), at_ms, text)

    def _silence_ms(self, said: _Said) -> int:
        """Measure the silence after the caller's words, up to the agent's next sound or the caller's."""
        end_ms = said.times.said.end_ms
        after = [max(one.start_ms, end_ms) for one in self.record.measures.utterances if one.end_ms > end_ms]
        return min([*after, said.until_ms]) - end_ms

    def _endpoint_ms(self, said: _Said) -> int | None:
        """Give the trailing silence that the agent waited, by its own log."""
        times = said.times.said
        found = matching(times.start_ms - _PREROLL_MS, times.end_ms, self.account.turns, keys=False)
        waits = [turn["timings"]["endpoint_ms"] for turn in found if "endpoint_ms" in (turn.get("timings") or {})]
        return int(waits[-1]) if waits else None

    def _pauses(self, said: _Said) -> Iterator[Observation]:
        """Charge every onset of the agent's inside a line to the last pause that began before it."""
        spans = pauses(self.record.words, said.turn)
        ends = [*(span.start_ms for span in spans[1:]), said.times.said.end_ms]
        for span, until_ms in zip(spans, ends, strict=False):
            taken = any(span.start_ms <= one.start_ms < until_ms for one in self.record.measures.utterances)
            text = f"{said.step.text} ({span.end_ms - span.start_ms} ms)"
            yield self._one(Measure.PAUSE_TAKEOVER, int(taken), span.start_ms, text)

    def _interruption(self, said: _Said) -> Iterator[Observation]:
        if not said.over_agent or not isinstance(said.step, SayStep) or said.step.interrupt_ms is None:
            return
        span, text = said.times.said, said.step.text
        stop = self._stop(span, said.until_ms)
        yielded = stop is not None and stop.silent_ms - span.start_ms <= YIELD_WITHIN_MS
        understood = bool(self.account.problem) or bool(
            matching(span.start_ms - _PREROLL_MS, span.end_ms, self.account.turns, keys=False)
        )
        taken = yielded and understood and said.times.gap_ms is not None
        yield self._one(Measure.INTERRUPTION, int(taken), span.start_ms, text)
        if stop is not None:
            yield self._one(Measure.STOP, stop.silent_ms - span.start_ms, span.start_ms, text)
            stale = stop.resumed_ms is not None and stop.resumed_ms < span.end_ms
            yield self._one(Measure.STALE, int(stale), span.start_ms, text)

    def _stop(self, span: Span, until_ms: int) -> _Stop | None:
        """Find where the agent fell silent for a sound: by a ``clear``, else because it was done; ``None``: nowhere."""
        utterances = self.record.measures.utterances
        last_ms = min(span.end_ms + _DECIDES_WITHIN_MS, until_ms)
        cleared_ms = next((ms for ms in self._clears_ms() if span.start_ms < ms <= last_ms), None)
        if cleared_ms is not None:
            before = [one for one in utterances if one.start_ms < cleared_ms]
            after = (one.start_ms for one in utterances if one.start_ms >= cleared_ms)
            return _Stop(before[-1].end_ms, next(after, None), cleared=True)
        spoken = [one for one in utterances if one.start_ms < span.end_ms]
        return _Stop(spoken[-1].end_ms, None, cleared=False) if spoken[-1].end_ms < span.end_ms else None

    def _asides(self) -> Iterator[Observation]:
        measure = ASIDES.get(self.scenario.family)
        if measure is None:
            return
        for said in self.said:
            if not said.step.answered:
                yield from self._aside(measure, said.times.said, said.step.text)
        if measure is Measure.NOISE:
            for span in noises(self.record.words, self.record.turns):
                yield from self._aside(measure, span, f"{span.end_ms - span.start_ms} ms of noise")

    def _aside(self, measure: Measure, span: Span, text: str) -> Iterator[Observation]:
        if not _covers(self.record.measures.utterances, span.start_ms):
            return
        stop = self._stop(span, len(self.record.agent) // SAMPLES_PER_MS)
        stopped = stop is not None and stop.cleared
        resumed_ms = stop.resumed_ms if stop is not None else None
        went_on = not stopped or (resumed_ms is not None and resumed_ms <= span.end_ms + GO_ON_WITHIN_MS)
        tolerated = went_on and self.ledger.heard_whole(span.start_ms)
        yield self._one(measure, int(tolerated), span.start_ms, text)
        if tolerated and stop is not None and resumed_ms is not None:
            yield self._one(Measure.ASIDE_PAUSE, resumed_ms - stop.silent_ms, span.start_ms, text)

    def _hold_music(self) -> Iterator[Observation]:
        if self.scenario.family is not Family.HOLD_MUSIC or self.account.problem:
            return
        for span in noises(self.record.words, self.record.turns):
            began = (
                turn["started_ms"] for turn in self.account.turns if turn.get("input") == "speech" and turn.get("reply")
            )
            answered = any(span.start_ms - _PREROLL_MS <= ms < span.end_ms for ms in began)
            over_agent = _covers(self.record.measures.utterances, span.start_ms)
            tolerated = not answered and (not over_agent or self.ledger.heard_whole(span.start_ms))
            text = f"{span.end_ms - span.start_ms} ms of hold music"
            yield self._one(Measure.HOLD_MUSIC, int(tolerated), span.start_ms, text)

    def _echo(self) -> Iterator[Observation]:
        """Look for utterances that ended, or turns that began, without the caller having said anything."""
        echo = self.scenario.script.echo
        if echo is None:
            return
        lines = [said.times.said for said in self.said]
        causeless = [ms for ms in self._clears_ms() if not _near(ms, lines)]
        ghosts = [start_ms for start_ms in self.ledger.speech_ms if not _near(start_ms, lines)]
        text = f"{echo.db:.0f} dB after {echo.delay_ms} ms"
        for one in self.record.measures.utterances:
            stopped = any(one.start_ms <= ms <= one.end_ms + WINDOW_MS for ms in causeless)
            heard_itself = any(one.start_ms <= ms <= one.end_ms + echo.delay_ms + _PREROLL_MS for ms in ghosts)
            yield self._one(Measure.SELF_INTERRUPTION, int(stopped or heard_itself), one.start_ms, text)

    def _history(self) -> Iterator[Observation]:
        for at_ms, differs, text in self.ledger.compare(self.record.agent, self._clears_ms(), self.ruler):
            yield self._one(Measure.HISTORY_DIFFERS, int(differs), at_ms, text)

    def _clears_ms(self) -> tuple[int, ...]:
        return tuple(clear.at // SAMPLES_PER_MS for clear in self.record.clears)


def _covers(utterances: Sequence[Span], ms: int) -> bool:
    return any(one.start_ms < ms < one.end_ms for one in utterances)


def _near(ms: int, lines: Sequence[Span]) -> bool:
    return any(line.start_ms - _PREROLL_MS <= ms <= line.end_ms + _DECIDES_WITHIN_MS for line in lines)
