"""Logging and metrics: loguru with one sink, text or flat JSON, masked; and what prometheus-client counts.

The message of a record is a fixed phrase, everything else are fields (``logger.bind(call_sid=...)``). Media frames are
never logged. Records of the standard library's loggers (uvicorn's among them) come out of the same sink.

Metrics have no module-level state: every application owns a ``Metrics``, with a registry of its own.
"""

from __future__ import annotations

import asyncio
import json
import logging
import sys
import threading
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any

from loguru import logger
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector

if TYPE_CHECKING:
    from loguru import Message, Record

_BRIDGED = ("uvicorn", "uvicorn.error", "uvicorn.access")
PREFIX = "telephony_agent"
"""What the name of every metric begins with."""
_TURN_S = (0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6, 0.75, 0.9, 1.2, 1.6, 2.0, 3.0, 5.0)
_ENGINE_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.4, 0.8, 1.5, 3.0, 6.0, 20.0)
_LAG_S = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0)
LAG_SAMPLE_S = 0.25


class Metrics:
    """What one server counts. Safe to write from every thread; one that nobody scrapes costs next to nothing."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.calls_live = Gauge("calls_live", "Calls with a running media stream.", **self._own)
        self.calls_ended = Counter("calls_ended", "Calls that ended, by what ended them.", ["reason"], **self._own)
        self.calls_refused = Counter("calls_refused", "Calls told that all lines are busy.", ["reason"], **self._own)
        self.turns = Counter("turns", "Turns of callers that were answered.", **self._own)
        self.barge_ins = Counter("barge_ins", "Turns of ours that a caller cut short.", **self._own)
        self.speculations = Counter(
            "speculations", "Answered turns, by whether the reply was begun before the end.", ["outcome"], **self._own
        )
        self._of_turns = {
            "turn_gap_ms": self._histogram("turn_gap", "From the end of the caller's speech to our first audio."),
            "endpoint_ms": self._histogram("endpoint", "From the end of speech to the decision that the turn is over."),
            "transcribe_ms": self._histogram("transcribe", "From that decision to the words."),
            "first_token_ms": self._histogram("first_token", "From asking for a reply to its first text."),
            "saved_ms": self._histogram("speculation_saved", "How much earlier a reply begun ahead was ready."),
            "first_phrase_ms": self._histogram("first_phrase", "From asking for a reply to its first audio."),
        }
        self.engine = self._histogram("engine", "What a job took in its lane.", _ENGINE_S, ("lane",))
        self.queue_wait = self._histogram("queue_wait", "How long a job waited for its lane.", _ENGINE_S, ("lane",))
        self.threads_lost = Counter(
            "engine_threads_lost", "Threads that were given up, each in an engine that hung.", ["lane"], **self._own
        )
        self.lines_lost = Counter(
            "lines_lost", "Streams given up, by what was wrong: quiet or not read.", ["reason"], **self._own
        )
        self.loop_lag = self._histogram("event_loop_lag", "How much later than asked the event loop wakes.", _LAG_S)
        self.tasks = Gauge("tasks", "Tasks of the event loop.", **self._own)
        threads = Gauge("threads", "Threads that Python knows.", **self._own)
        threads.set_function(threading.active_count)
        # Memory, processor time and descriptors, where the system tells them; by the names that everybody knows.
        ProcessCollector(registry=self.registry)

    def turn_answered(self, timings: Mapping[str, int]) -> None:
        """Count a turn whose answer begins now, by its timings in ms (``core.conversation.Turn.timings``)."""
        self.turns.inc()
        if "speculated" in timings:
            self.speculations.labels("hit" if timings["speculated"] else "miss").inc()
        for name, histogram in self._of_turns.items():
            if name in timings:
                histogram.observe(timings[name] / 1000)

    @property
    def _own(self) -> dict[str, Any]:
        return {"namespace": PREFIX, "registry": self.registry}

    def _histogram(
        self, name: str, text: str, buckets: tuple[float, ...] = _TURN_S, labels: tuple[str, ...] = ()
    ) -> Histogram:
        return Histogram(name, text, labels, unit="seconds", buckets=buckets, **self._own)


@asynccontextmanager
async def sampled_loop_lag(metrics: Metrics) -> AsyncIterator[None]:
    """Measure, while the block runs, how late the running event loop is and how many tasks it has."""

    async def sample() -> None:
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + LAG_SAMPLE_S
            await asyncio.sleep(LAG_SAMPLE_S)
            metrics.loop_lag.observe(max(0.0, loop.time() - due))
            metrics.tasks.set(len(asyncio.all_tasks()))

    task = asyncio.create_task(sample(), name="loop-lag")
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


def set_up_logging(level: str, *, as_json: bool) -> None:
    """Send all log records to standard error, as text or as one flat JSON object a line."""
    logger.remove()
    if as_json:
        logger.add(_write_json, level=level, diagnose=False)
    else:
        logger.add(sys.stderr, level=level, format=_text_format, diagnose=False)
    logging.root.handlers = [_Bridge()]
    logging.root.setLevel(logging.INFO)
    for name in _BRIDGED:
        bridged = logging.getLogger(name)
        bridged.handlers = []
        bridged.propagate = True
    # Access lines carry nothing that our own records don't say better.
    logging.getLogger("uvicorn.access").setLevel(logging.WARNING)
    # It would log the address of the outcome webhook, which is a secret.
    logging.getLogger("httpx").setLevel(logging.WARNING)
    # Two lines at every start, whether there was something to migrate or not.
    logging.getLogger("alembic").setLevel(logging.WARNING)


def mask_number(number: str) -> str:
    """Keep the last four digits of a telephone number."""
    return f"…{number[-4:]}" if len(number) > 4 else number


def _text_format(record: Record) -> str:
    fields = " ".join(f"{key}={{extra[{key}]}}" for key in record["extra"])
    return f"{{time:HH:mm:ss.SSS}} {{level:<7}} {{message}} <dim>{fields}</dim>\n{{exception}}"


def _write_json(message: Message) -> None:
    record = message.record
    line: dict[str, Any] = {
        "time": record["time"].isoformat(),
        "level": record["level"].name,
        "message": record["message"],
        **record["extra"],
    }
    if record["exception"] is not None:
        line["exception"] = str(record["exception"])
    sys.stderr.write(json.dumps(line, default=str) + "\n")


class _Bridge(logging.Handler):
    """Hands the standard library's records to loguru."""

    def emit(self, record: logging.LogRecord) -> None:
        level: str | int = record.levelname if record.levelname in logging.getLevelNamesMapping() else record.levelno
        logger.opt(exception=record.exc_info, depth=6).log(level, record.getMessage())
