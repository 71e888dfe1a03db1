"""Where engines run: threads with a queue, a deadline and a way out when one hangs.

A ``Lane`` is one engine's threads. Jobs wait in order; what a job hands out reaches the event loop by
``call_soon_threadsafe``, and after its end, its failure or its cancellation nothing of it is delivered any more, so
callbacks never race. A job that misses its deadline is cancelled and reported as failed; when its thread doesn't come
back within ``LOST_AFTER_S`` that thread is written off and replaced, so one hanging call costs a turn, not the server.

Everything here but the bodies of the jobs runs on the event loop's thread.
"""

from __future__ import annotations

import asyncio
import queue
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar

from loguru import logger

from telephony_agent.errors import EngineError
from telephony_agent.live.capacity import JobTimes
from telephony_agent.telemetry import Metrics

LOST_AFTER_S = 2.0
MAX_LOST = 3
"""With more threads lost than this, the lane no longer counts as healthy and new calls are refused."""

T = TypeVar("T")
Work = Callable[["Job"], None]


class DeadlineMissedError(EngineError):
    """A job was not done in time."""

    code = "deadline_missed"


class Job:
    """One piece of work in a lane. ``cancel`` may be called at any time, from the event loop."""

    def __init__(
        self,
        work: Work,
        on_item: Callable[[Any], None],
        on_end: Callable[[Exception | None], None],
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self.work = work
        self.thread: threading.Thread | None = None
        self.submitted_at = time.perf_counter()
        self._on_item = on_item
        self._on_end = on_end
        self.loop = loop
        self._stop = threading.Event()
        self._closed = False
        self.delivered = False
        self.timer: asyncio.TimerHandle | None = None

    @property
    def pending(self) -> bool:
        """Whether a thread is at it, or will be."""
        return self.thread is not None or not self._stop.is_set()

    def cancelled(self) -> bool:
        """Tell whether the work is no longer wanted; engines ask between their steps."""
        return self._stop.is_set()

    def emit(self, item: Any) -> None:
        """Hand something out, from the job's own thread."""
        self.delivered = True
        self.loop.call_soon_threadsafe(self._deliver, item)

    def cancel(self) -> None:
        """Stop the work; nothing more of it is delivered."""
        self._closed = True
        self._stop.set()

    def end(self, error: Exception | None) -> None:
        """Report the end, once."""
        if self.timer is not None:
            self.timer.cancel()
        if not self._closed:
            self._closed = True
            self._on_end(error)

    def _deliver(self, item: Any) -> None:
        if not self._closed:
            self._on_item(item)


class Lane:
    """One engine's threads."""

    def __init__(
        self,
        name: str,
        *,
        workers: int = 1,
        metrics: Metrics | None = None,
        measured: Callable[[JobTimes], None] = lambda _: None,
        given_up: Callable[[], None] = lambda: None,
    ) -> None:
        """Start the threads.

        ``metrics`` learns what jobs take and how long they wait; so does ``measured``, on the event loop, at the end of
        each job that began, whatever became of it. Jobs that hung are left out. ``given_up`` is called when so many
        have hung that the lane isn't healthy any more.
        """
        self.name = name
        self.workers = workers
        self.lost = 0
        self._measured = measured
        metrics = metrics or Metrics()
        self._wait_s = metrics.queue_wait.labels(name)
        self._work_s = metrics.engine.labels(name)
        self._lost_threads = metrics.threads_lost.labels(name)
        self._given_up = given_up
        self._queue: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        # Jobs that are queued or begun. Only the event loop touches the set.
        self._open: set[Job] = set()
        self._threads: list[threading.Thread] = []
        for _ in range(workers):
            self._start_thread()

    @property
    def healthy(self) -> bool:
        """Whether the engine behind it can be trusted with a new call."""
        return self.lost <= MAX_LOST

    @property
    def waiting(self) -> int:
        """How many jobs wait for a thread; those that were cancelled don't."""
        return max(0, sum(job.pending for job in self._open) - self.workers)

    def submit(
        self,
        work: Work,
        *,
        deadline_s: float,
        on_item: Callable[[Any], None],
        on_end: Callable[[Exception | None], None],
    ) -> Job:
        """Queue a job. ``work`` gets the job, asks it ``cancelled()`` and calls its ``emit(item)``.

        The deadline counts from now, waiting included. Call from the event loop; both callbacks run there.
        """
        loop = asyncio.get_running_loop()
        job = Job(work, on_item, on_end, loop)
        job.timer = loop.call_later(deadline_s, self._miss, job)
        self._open = {job, *(other for other in self._open if other.pending)}
        self._queue.put(job)
        return job

    async def run(self, work: Callable[[Callable[[], bool]], T], *, deadline_s: float) -> T:
        """Do a piece of work and return what it returns. ``work`` is given what tells whether it is no longer wanted.

        Raises:
            DeadlineMissedError: it was not done in time; besides, what ``work`` raises.
        """
        result: asyncio.Future[T] = asyncio.get_running_loop().create_future()

        def settle(error: Exception | None) -> None:
            if error is not None and not result.done():
                result.set_exception(error)

        job = self.submit(
            lambda job: job.emit(work(job.cancelled)),
            deadline_s=deadline_s,
            on_item=result.set_result,
            on_end=settle,
        )
        try:
            return await result
        finally:
            job.cancel()

    def close(self) -> None:
        """Let the threads end once they are free. Jobs that still wait are dropped."""
        for _ in self._threads:
            self._queue.put(None)

    def join(self, timeout_s: float) -> None:
        """Wait for the threads to end after ``close``; those that hang are daemons and left behind."""
        for thread in self._threads:
            thread.join(timeout_s)

    def _miss(self, job: Job) -> None:
        job.end(DeadlineMissedError(f"{self.name}: not done in time"))
        job.cancel()
        if job.thread is not None:
            asyncio.get_running_loop().call_later(LOST_AFTER_S, self._write_off, job)

    def _write_off(self, job: Job) -> None:
        thread = job.thread
        if thread is None or thread not in self._threads:
            return
        self.lost += 1
        self._lost_threads.inc()
        logger.bind(lane=self.name, lost=self.lost).error("An engine hangs; its thread was replaced")
        self._threads.remove(thread)
        self._open.discard(job)
        self._start_thread()
        if not self.healthy:
            self._given_up()

    def _start_thread(self) -> None:
        thread = threading.Thread(target=self._run, name=f"lane-{self.name}", daemon=True)
        self._threads.append(thread)
        thread.start()

    def _run(self) -> None:
        this = threading.current_thread()
        while this in self._threads and (job := self._queue.get()) is not None:
            if job.cancelled():
                continue
            job.thread = this
            began_at = time.perf_counter()
            waited_s = began_at - job.submitted_at
            self._wait_s.observe(waited_s)
            error: Exception | None = None
            try:
                job.work(job)
            except Exception as raised:  # an engine may raise anything; to the call it is one event
                error = raised
            took_s = time.perf_counter() - began_at
            self._work_s.observe(took_s)
            # Once the event loop is closed the server is going down and nobody waits for this.
            with suppress(RuntimeError):
                job.loop.call_soon_threadsafe(self._finish, job, error, JobTimes(waited_s, took_s, job.delivered))

    def _finish(self, job: Job, error: Exception | None, times: JobTimes) -> None:
        job.thread = None
        if job in self._open:
            self._open.remove(job)
            self._measured(times)
        job.end(error)
