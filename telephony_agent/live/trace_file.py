"""Writes the traces of calls, one file a call, without the event loop ever waiting for a disk.

The loop only puts frozen events and actions into a queue; a thread of the folder's own encodes and writes them. A disk
that is full or too slow costs the trace, never the call: it ends where it is, with one warning.
"""

from __future__ import annotations

import os
import queue
import re
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import TextIO

from loguru import logger

from telephony_agent.core.conversation import Turn
from telephony_agent.core.events import Action, EndReason, Event
from telephony_agent.core.rule_data import RuleError
from telephony_agent.core.trace import TraceEncoder, TraceHeader

MAX_WAITING = 20_000
"""Steps that may wait for the disk, of all calls together; ten calls bring about 500 a second."""

_Task = Callable[[], None]


class TraceFolder:
    """Where a server's traces go. ``open`` and the traces' methods are the event loop's, ``close`` may block."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._tasks: queue.SimpleQueue[_Task | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="traces", daemon=True)
        self._thread.start()

    def open(self, call_sid: str, header: TraceHeader) -> CallTrace:
        """Begin the trace of a call. It is only readable by this user: it holds what was said."""
        name = re.sub(r"[^A-Za-z0-9]", "_", call_sid) or "_"
        return CallTrace(self._folder, name, header, self._tasks)

    def close(self) -> None:
        """Write what waits and end the thread. Call after the last call has ended."""
        self._tasks.put(None)
        self._thread.join(5.0)

    def _work(self) -> None:
        while (task := self._tasks.get()) is not None:
            task()


class CallTrace:
    """One call's trace. Every method returns at once."""

    def __init__(self, folder: Path, name: str, header: TraceHeader, tasks: queue.SimpleQueue[_Task | None]) -> None:
        self._folder = folder
        self._name = name
        self._tasks = tasks
        self._encoder = TraceEncoder()
        self._file: TextIO | None = None
        self._stopped = False
        tasks.put(lambda: self._begin(header))

    def step(self, event: Event, now: float, actions: Sequence[Action]) -> None:
        """Record one event, when it was handled, and what the call asked for."""
        if self._stopped:
            return
        if self._tasks.qsize() > MAX_WAITING:
            self._stopped = True
            self._tasks.put(lambda: self._stop("the disk is too slow"))
        else:
            self._tasks.put(lambda: self._write(lambda: self._encoder.step(event, now, actions)))

    def end(self, reason: EndReason, turns: Sequence[Turn]) -> None:
        """Record the end, and the turns as they are now; the file is closed."""
        final = [replace(turn, timings=dict(turn.timings)) for turn in turns]

        def finish() -> None:
            self._write(lambda: self._encoder.end(reason, final))
            self._close()

        self._tasks.put(finish)

    # The folder's thread, from here on

    def _begin(self, header: TraceHeader) -> None:
        try:
            line = self._encoder.header(header)
            self._folder.mkdir(parents=True, exist_ok=True)
            self._file = _new_file(self._folder, self._name)
            self._file.write(line)
        except (OSError, RuleError) as error:
            self._stop(str(error))

    def _write(self, lines: Callable[[], list[str]]) -> None:
        if self._file is None:
            return
        try:
            self._file.writelines(lines())
        except OSError as error:
            self._stop(str(error))

    def _stop(self, why: str) -> None:
        self._stopped = True
        logger.bind(trace=self._name, error=why).warning("A call is not traced any further")
        self._close()

    def _close(self) -> None:
        file, self._file = self._file, None
        if file is not None:
            try:
                file.close()
            except OSError as error:
                # What was still to be flushed is lost; the trace ends a line earlier.
                logger.bind(trace=self._name, error=str(error)).debug("A trace was cut short")


def _new_file(folder: Path, name: str) -> TextIO:
    """Open the call's file; a call that streams again gets another one, with a number."""
    for number in count(1):
        path = folder / (f"{name}.jsonl" if number == 1 else f"{name}-{number}.jsonl")
        with suppress(FileExistsError):
            return open(path, "x", encoding="utf-8", buffering=1, opener=_private)  # closed at the end
    raise AssertionError("numbers don't end")


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
