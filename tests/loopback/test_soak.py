"""The short form of ``scripts/bench_calls.py``: calls in a row and at once on a real server process, and none too many.

There are 20 calls in a row; ``AGENT_TEST_SOAK=60`` holds as many as the short form does. No wall time is asserted; the
long form, on a machine of its own, is for those.
"""

from __future__ import annotations

import asyncio
import os
from dataclasses import replace

import pytest

from scripts.call_bench.bench import SHORT, bench
from scripts.call_bench.figures import Phase, beats, gaps, report
from telephony_agent.simulator.stream_record import Arrival

pytestmark = pytest.mark.long

LOAD = replace(SHORT, in_a_row=int(os.environ.get("AGENT_TEST_SOAK", "20")))
SPARE_THREADS = 6
"""The event loop's own pool grows up to this, once, on two cores."""
SPARE_KIB = 16 * 1024


@pytest.fixture(scope="module")
def phases() -> list[Phase]:
    return asyncio.run(bench(LOAD))


def test_no_call_fails(phases: list[Phase]) -> None:
    assert [phase.flaws for phase in phases] == [[], []]
    assert phases[0].calls == LOAD.in_a_row
    assert phases[1].calls >= LOAD.at_once


def test_the_server_has_after_the_calls_what_it_had_before(phases: list[Phase]) -> None:
    for phase in phases:
        before, after = phase.before, phase.after
        assert before is not None
        assert after is not None
        assert after.tasks <= before.tasks, report(phase)
        assert after.descriptors <= before.descriptors, report(phase)
        assert after.threads <= before.threads + SPARE_THREADS, report(phase)
        assert after.memory_kib <= before.memory_kib + SPARE_KIB, report(phase)


def test_speech_is_sent_ahead(phases: list[Phase]) -> None:
    assert len(phases[1].beats) > LOAD.at_once, report(phases[1])


def grouped(*groups: tuple[float, int]) -> list[Arrival]:
    """Make arrivals: when a group of frames came, and how many frames it has."""
    return [Arrival(at_ms, 20.0) for at_ms, frames in groups for _ in range(frames)]


def test_groups_on_the_grid_have_no_jitter() -> None:
    run = list(beats(grouped((0, 20), (110, 5), (210, 5), (310, 5))))
    assert [(beat.jitter_ms, beat.reserve_ms) for beat in run] == [(0, 290)] * 3


def test_a_late_group_has_its_lateness_as_jitter_and_less_reserve() -> None:
    run = list(beats(grouped((0, 20), (110, 5), (240, 5), (310, 5))))
    assert [(beat.jitter_ms, beat.reserve_ms) for beat in run] == [(0, 290), (30, 260), (0, 290)]


def test_a_buffer_that_ran_dry_in_the_middle_of_our_speech_is_a_gap() -> None:
    assert gaps(grouped((0, 20), (110, 5), (530, 5), (600, 5))) == [30]


def test_a_pause_for_the_caller_is_no_gap() -> None:
    assert gaps(grouped((0, 20), (900, 20), (1010, 5))) == []
    assert gaps([]) == []


def test_a_pause_begins_a_new_run() -> None:
    speech = grouped((0, 20), (110, 5), (210, 5))
    later = [Arrival(arrival.at_ms + 10_000, arrival.audio_ms) for arrival in speech]
    assert [beat.jitter_ms for beat in beats([*speech, *later])] == [0, 0, 0, 0]
