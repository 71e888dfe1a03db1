"""Lanes: order, delivery, cancellation, deadlines, lost threads."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from telephony_agent.live import lanes
from telephony_agent.live.capacity import JobTimes
from telephony_agent.live.lanes import DeadlineMissedError, Job, Lane


def on_loop(scenario: Callable[[Lane], Awaitable[None]], *, workers: int = 1) -> Lane:
    """Run a scenario on a fresh loop with a fresh lane; close the lane."""
    lane = Lane("test", workers=workers)

    async def run() -> None:
        await scenario(lane)

    try:
        asyncio.run(run())
    finally:
        lane.close()
        lane.join(2.0)
    return lane


class Outcome:
    """What a job delivered, and its end as something to wait for."""

    def __init__(self) -> None:
        self.items: list[Any] = []
        self.ended: asyncio.Future[Exception | None] = asyncio.get_running_loop().create_future()

    def submit(self, lane: Lane, work: Callable[[Job], None], deadline_s: float = 5.0) -> Job:
        return lane.submit(work, deadline_s=deadline_s, on_item=self.items.append, on_end=self.ended.set_result)


def test_items_arrive_in_order_before_the_end() -> None:
    async def scenario(lane: Lane) -> None:
        outcome = Outcome()
        outcome.submit(lane, lambda job: [job.emit(i) for i in range(50)] and None)
        assert await outcome.ended is None
        assert outcome.items == list(range(50))

    on_loop(scenario)


def test_what_an_engine_raises_is_its_end() -> None:
    async def scenario(lane: Lane) -> None:
        outcome = Outcome()

        def work(job: Job) -> None:
            raise RuntimeError("out of memory")

        outcome.submit(lane, work)
        assert str(await outcome.ended) == "out of memory"
        again = Outcome()
        again.submit(lane, lambda job: job.emit("alive"))
        assert await again.ended is None

    on_loop(scenario)


def test_nothing_of_a_cancelled_job_is_delivered_and_it_can_notice() -> None:
    async def scenario(lane: Lane) -> None:
        noticed = threading.Event()
        started = asyncio.Event()
        loop = asyncio.get_running_loop()

        def work(job: Job) -> None:
            loop.call_soon_threadsafe(started.set)
            while not job.cancelled():
                job.emit("x")
            noticed.set()

        outcome = Outcome()
        job = outcome.submit(lane, work)
        await started.wait()
        job.cancel()
        count = len(outcome.items)
        assert await asyncio.to_thread(noticed.wait, 5)
        after = Outcome()
        after.submit(lane, lambda job: None)
        await after.ended
        assert len(outcome.items) == count
        assert not outcome.ended.done()

    on_loop(scenario)


def test_a_job_cancelled_while_it_waits_never_starts() -> None:
    async def scenario(lane: Lane) -> None:
        release = threading.Event()
        first, second, third = Outcome(), Outcome(), Outcome()
        ran: list[str] = []
        first.submit(lane, lambda job: release.wait(5) and None)
        second.submit(lane, lambda job: ran.append("second")).cancel()
        third.submit(lane, lambda job: ran.append("third"))
        release.set()
        await third.ended
        assert ran == ["third"]

    on_loop(scenario)


def test_a_hanging_job_fails_at_its_deadline_and_its_thread_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lanes, "LOST_AFTER_S", 0.05)
    release = threading.Event()

    async def scenario(lane: Lane) -> None:
        hanging, next_one = Outcome(), Outcome()
        hanging.submit(lane, lambda job: release.wait(10) and None, deadline_s=0.05)
        next_one.submit(lane, lambda job: job.emit("done"))
        assert isinstance(await hanging.ended, DeadlineMissedError)
        assert await next_one.ended is None
        assert lane.lost == 1
        assert lane.healthy
        release.set()

    on_loop(scenario)


def test_a_lane_that_keeps_losing_threads_is_not_healthy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lanes, "LOST_AFTER_S", 0.01)
    release = threading.Event()

    async def scenario(lane: Lane) -> None:
        for _ in range(lanes.MAX_LOST + 1):
            hanging, next_one = Outcome(), Outcome()
            hanging.submit(lane, lambda job: release.wait(10) and None, deadline_s=0.01)
            await hanging.ended
            next_one.submit(lane, lambda job: None)
            await next_one.ended
        assert not lane.healthy
        release.set()

    on_loop(scenario)


def test_only_jobs_that_no_thread_has_taken_and_nobody_has_cancelled_wait() -> None:
    async def scenario(lane: Lane) -> None:
        release = threading.Event()
        running, cancelled, waiting = Outcome(), Outcome(), Outcome()
        assert lane.waiting == 0
        running.submit(lane, lambda job: release.wait(5) and None)
        assert lane.waiting == 0
        unwanted = cancelled.submit(lane, lambda job: None)
        waiting.submit(lane, lambda job: None)
        assert lane.waiting == 2
        unwanted.cancel()
        assert lane.waiting == 1
        release.set()
        await waiting.ended
        assert lane.waiting == 0

    on_loop(scenario)


def test_a_cancelled_job_that_its_thread_has_not_let_go_keeps_others_waiting() -> None:
    async def scenario(lane: Lane) -> None:
        begun, release = threading.Event(), threading.Event()
        running, waiting = Outcome(), Outcome()

        def work(job: Job) -> None:
            begun.set()
            release.wait(5)

        job = running.submit(lane, work)
        await asyncio.to_thread(begun.wait, 5)
        job.cancel()
        waiting.submit(lane, lambda job: None)
        assert lane.waiting == 1
        release.set()
        await waiting.ended
        assert lane.waiting == 0

    on_loop(scenario)


def test_nobody_waits_while_a_thread_is_free() -> None:
    async def scenario(lane: Lane) -> None:
        release = threading.Event()
        outcomes = [Outcome(), Outcome(), Outcome()]
        for outcome, waiting in zip(outcomes, (0, 0, 1), strict=True):
            outcome.submit(lane, lambda job: release.wait(5) and None)
            assert lane.waiting == waiting
        release.set()
        for outcome in outcomes:
            await outcome.ended
        assert lane.waiting == 0

    on_loop(scenario, workers=2)


def test_each_job_that_began_is_measured_once() -> None:
    measured: list[JobTimes] = []
    lane = Lane("test", measured=measured.append)

    async def scenario() -> None:
        release = threading.Event()
        delivering, failing, unwanted, last = Outcome(), Outcome(), Outcome(), Outcome()

        def fail(job: Job) -> None:
            raise RuntimeError("out of memory")

        delivering.submit(lane, lambda job: release.wait(5) and job.emit("x"))
        failing.submit(lane, fail)
        unwanted.submit(lane, lambda job: None).cancel()
        last.submit(lane, lambda job: None)
        release.set()
        await last.ended
        assert [times.delivered for times in measured] == [True, False, False]
        # What keeps one job busy is what the next one waits.
        assert measured[1].waited_s >= measured[0].took_s > 0

    try:
        asyncio.run(scenario())
    finally:
        lane.close()
        lane.join(2.0)


def test_a_job_that_hung_is_not_measured_and_nobody_waits_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lanes, "LOST_AFTER_S", 0.01)
    measured: list[JobTimes] = []
    lane = Lane("test", measured=measured.append)
    release = threading.Event()

    async def scenario() -> None:
        hanging, next_one, last = Outcome(), Outcome(), Outcome()
        hung = hanging.submit(lane, lambda job: release.wait(10) and None, deadline_s=0.3)
        next_one.submit(lane, lambda job: None)
        await next_one.ended
        assert lane.waiting == 0
        release.set()
        assert hung.thread is not None
        await asyncio.to_thread(hung.thread.join, 5)
        last.submit(lane, lambda job: None)
        await last.ended
        assert len(measured) == 2

    try:
        asyncio.run(scenario())
    finally:
        lane.close()
        lane.join(2.0)
