"""Admission by measured engine time, in virtual time: machines of any speed, fed turn by turn."""

from __future__ import annotations

import heapq
import math
import random
from collections.abc import Iterator
from statistics import quantiles

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telephony_agent.core.events import Stage
from telephony_agent.live.capacity import AWAITED, MEAN_WAIT, TURN_EVERY_S, UNHEARD_S, Capacity, JobTimes, Rehearsal

FAST = Rehearsal(transcribe_s=0.03, reply_s=0.15, phrase_s=0.01)
SLOW = Rehearsal(transcribe_s=0.4, reply_s=3.0, phrase_s=0.2)
SLOWER_BY = 1.5
"""How much longer than alone a turn gap may be: what admission is for."""
SILENCE_S = 0.5
"""The part of a turn gap that no engine makes longer."""
SECONDS = st.floats(0.0, 5.0)


class Machine:
    """Engines of a given speed under calls that have a turn every six seconds."""

    def __init__(self, rehearsal: Rehearsal | None = None, *, transcribers: int = 1) -> None:
        self.now = 1000.0
        self.capacity = Capacity({Stage.TRANSCRIBE: transcribers, Stage.RESPOND: 1, Stage.SYNTHESIZE: 1})
        if rehearsal is not None:
            self.capacity.rehearsed(rehearsal)

    def talks(self, speed: Rehearsal, *, minutes: float, calls: int = 1, waits_s: float = 0.0) -> None:
        """Hold so many calls for so long."""
        self.capacity.live(calls, self.now)
        for _ in range(round(60 * minutes / TURN_EVERY_S)):
            self.now += TURN_EVERY_S
            for _ in range(calls):
                for stage in AWAITED:
                    self.capacity.worked(stage, JobTimes(waits_s, speed.of(stage), delivered=True), self.now)

    def is_quiet(self, *, minutes: float, calls: int = 0) -> None:
        """Let time pass in which nobody says a word."""
        self.capacity.live(calls, self.now)
        self.now += 60 * minutes

    def has_room_for(self, calls: int) -> bool:
        return self.capacity.with_calls(calls, self.now).fits

    @property
    def places(self) -> int:
        """How many calls it takes."""
        return next(calls for calls in range(1, 10_000) if not self.has_room_for(calls + 1))


def test_of_a_slow_machine_the_second_call_is_refused_from_the_start() -> None:
    machine = Machine(SLOW)
    assert machine.has_room_for(1)
    assert not machine.has_room_for(2)


def test_a_fast_machine_takes_many_calls_from_the_start_but_not_any_number() -> None:
    assert 10 <= Machine(FAST).places <= 100


def test_before_anything_was_measured_a_call_is_let_in() -> None:
    assert Machine().has_room_for(2)


def test_what_was_rehearsed_and_what_is_measured_agree_for_the_same_machine() -> None:
    machine = Machine(FAST)
    rehearsed = machine.places
    machine.talks(FAST, minutes=10)
    assert abs(machine.places - rehearsed) <= rehearsed // 3


def test_a_machine_that_gets_slower_refuses_and_when_it_recovers_takes_calls_again() -> None:
    machine = Machine(FAST)
    machine.talks(FAST, minutes=2)
    assert machine.has_room_for(2)
    machine.talks(SLOW, minutes=2)
    assert not machine.has_room_for(2)
    machine.talks(FAST, minutes=20)
    assert machine.has_room_for(2)


def test_a_night_without_calls_teaches_nothing() -> None:
    machine = Machine(FAST)
    machine.talks(SLOW, minutes=5)
    machine.is_quiet(minutes=600)
    assert not machine.has_room_for(2)


def test_callers_who_only_listen_do_not_make_the_engines_look_idle() -> None:
    machine = Machine(FAST)
    before = machine.places
    machine.is_quiet(minutes=60, calls=1)
    assert machine.places <= 5 * before


def test_the_first_call_always_has_room() -> None:
    machine = Machine(SLOW)
    machine.talks(SLOW, minutes=5, waits_s=10.0)
    assert machine.has_room_for(1)


def test_a_lane_with_more_work_than_time_has_no_room_and_says_so() -> None:
    forecast = Machine(SLOW).capacity.with_calls(3, 1000.0)
    assert forecast.waits_s[Stage.RESPOND] == math.inf
    assert not forecast.fits
    assert forecast.figures() == {
        "calls": 3,
        "alone_ms": 1600,
        "allowed_wait_ms": 480,
        "transcribe_wait_ms": 31,
        "respond_wait_ms": "endless",
        "synthesize_wait_ms": 15,
    }


def test_a_turn_alone_is_the_words_the_first_phrase_and_its_sound() -> None:
    forecast = Machine(Rehearsal(transcribe_s=0.2, reply_s=0.9, phrase_s=0.1)).capacity.with_calls(2, 1000.0)
    assert forecast.alone_s == pytest.approx(0.2 + 0.3 + 0.1)
    assert forecast.allowed_s == pytest.approx(MEAN_WAIT * 0.6)


def test_the_wait_is_that_of_a_queue_before_one_server() -> None:
    forecast = Machine(Rehearsal(reply_s=1.2)).capacity.with_calls(3, 1000.0)
    rho, residual_s = 2 * 1.2 / TURN_EVERY_S, 0.6
    assert forecast.wait_s == pytest.approx(residual_s * rho / (1 - rho))


def test_what_jobs_did_wait_outweighs_the_theory_until_it_is_forgotten() -> None:
    machine = Machine(FAST)
    machine.talks(FAST, minutes=2, calls=1, waits_s=0.01)
    machine.talks(FAST, minutes=2, calls=2, waits_s=0.3)
    assert not machine.has_room_for(2)
    assert not machine.has_room_for(3)
    machine.is_quiet(minutes=5)
    assert machine.has_room_for(3)


def test_what_jobs_waited_among_many_calls_says_nothing_of_few() -> None:
    machine = Machine(FAST)
    machine.talks(FAST, minutes=2, calls=5, waits_s=0.3)
    assert not machine.has_room_for(5)
    assert machine.has_room_for(4)


def test_what_a_call_waits_behind_itself_is_nobody_elses_doing() -> None:
    machine = Machine(FAST)
    machine.talks(FAST, minutes=2, calls=1, waits_s=0.3)
    machine.talks(FAST, minutes=2, calls=2, waits_s=0.3)
    assert machine.has_room_for(2)


def test_one_long_wait_is_an_accident() -> None:
    machine = Machine(FAST)
    machine.capacity.live(2, machine.now)
    machine.capacity.worked(Stage.RESPOND, JobTimes(0.2, 0.1, delivered=True), machine.now)
    assert machine.has_room_for(2)


def test_jobs_that_deliver_nothing_cost_time_but_do_not_make_a_turn_look_short() -> None:
    machine = Machine(Rehearsal(reply_s=0.9))
    before = machine.capacity.with_calls(2, machine.now)
    for _ in range(100):
        machine.capacity.worked(Stage.RESPOND, JobTimes(0.0, 0.1, delivered=False), machine.now)
    after = machine.capacity.with_calls(2, machine.now)
    assert after.alone_s == before.alone_s
    assert after.wait_s > before.wait_s


def turns(speed: Rehearsal, calls: int, *, hours: float, capacity: Capacity | None = None) -> Iterator[float]:
    """Play so many calls on three queues of one thread each; yield what each turn took until its first phrase.

    The caller's side of a turn lasts from three to nine seconds, a job up to twice as long as it says, evenly spread.
    ``capacity`` learns from it.
    """
    chance = random.Random(1)
    free_at = dict.fromkeys(AWAITED, 0.0)
    steps = [(chance.uniform(0, TURN_EVERY_S), call, Stage.TRANSCRIBE, 0.0) for call in range(calls)]
    heapq.heapify(steps)
    if capacity is not None:
        capacity.live(calls, 1000.0)
    while steps and steps[0][0] < 3600 * hours:
        now, call, stage, began_at = heapq.heappop(steps)
        starts_at, took_s = max(now, free_at[stage]), speed.of(stage) * chance.uniform(0, 2)
        free_at[stage] = starts_at + took_s
        if capacity is not None:
            capacity.worked(stage, JobTimes(starts_at - now, took_s, delivered=True), 1000.0 + now)
        match stage:
            case Stage.TRANSCRIBE:
                heapq.heappush(steps, (free_at[stage], call, Stage.RESPOND, now))
            case Stage.RESPOND:
                heapq.heappush(steps, (starts_at + took_s * AWAITED[stage], call, Stage.SYNTHESIZE, began_at))
                heapq.heappush(steps, (free_at[stage] + chance.uniform(3, 9), call, Stage.TRANSCRIBE, 0.0))
            case Stage.SYNTHESIZE:
                yield free_at[stage] - began_at


def gaps(speed: Rehearsal, calls: int) -> tuple[float, float]:
    """Return median and 95th percentile of the turn gap."""
    percentiles = quantiles((SILENCE_S + turn_s for turn_s in turns(speed, calls, hours=2)), n=20)
    return percentiles[9], percentiles[18]


@pytest.mark.parametrize("mix", [(0.15, 0.6, 0.05), (0.3, 0.3, 0.1), (0.1, 1.0, 0.05)])
@pytest.mark.parametrize("factor", [0.2, 0.5, 1.0, 2.0, 4.0])
def test_what_one_call_taught_keeps_many_within_bounds(mix: tuple[float, float, float], factor: float) -> None:
    speed = Rehearsal(*(factor * took_s for took_s in mix))
    machine = Machine(speed)
    for _ in turns(speed, 1, hours=1, capacity=machine.capacity):
        pass
    machine.now += 3600.0
    alone = gaps(speed, 1)
    for ours, bound in zip(gaps(speed, machine.places), alone, strict=True):
        assert ours <= SLOWER_BY * bound
    # Nor is it timid: three times as many would be too many.
    assert gaps(speed, 3 * machine.places)[1] > SLOWER_BY * alone[1]


@given(st.builds(Rehearsal, SECONDS, SECONDS, SECONDS), st.integers(1, 8))
def test_more_calls_never_wait_less_and_more_threads_never_make_them_wait_longer(
    rehearsal: Rehearsal, transcribers: int
) -> None:
    machine, wider = Machine(rehearsal, transcribers=transcribers), Machine(rehearsal, transcribers=transcribers + 1)
    waits = [machine.capacity.with_calls(calls, 1000.0).wait_s for calls in range(1, 12)]
    assert waits == sorted(waits)
    assert waits[0] == 0.0
    for calls, wait_s in enumerate(waits, 1):
        assert wider.capacity.with_calls(calls, 1000.0).wait_s <= wait_s + 1e-9


STAGES = st.sampled_from(list(AWAITED))


@given(st.lists(st.tuples(STAGES, SECONDS, SECONDS, st.booleans(), st.floats(0, 1e5)), max_size=30))
def test_whatever_is_measured_the_forecast_is_a_number_and_the_first_call_has_room(
    jobs: list[tuple[Stage, float, float, bool, float]],
) -> None:
    machine = Machine(FAST)
    for calls, (stage, waited_s, took_s, delivered, later_s) in enumerate(jobs):
        machine.now += later_s
        machine.capacity.live(calls % 4, machine.now)
        machine.capacity.worked(stage, JobTimes(waited_s, took_s, delivered), machine.now)
    forecast = machine.capacity.with_calls(3, machine.now)
    assert forecast.wait_s >= 0.0
    assert forecast.allowed_s >= UNHEARD_S
    assert machine.has_room_for(1)
