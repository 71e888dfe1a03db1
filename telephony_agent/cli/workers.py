"""The parent of several workers behind one port: opens the socket, starts them, and starts again the one that dies.

It takes no request itself and holds no model, so there is little in it that could fail. A signal to stop is passed on
to each worker, which lets its calls take leave; a second one ends them at once. A worker that can't start at all, when
none ever has, ends the server: another try would fail as well.
"""

from __future__ import annotations

import multiprocessing
import os
import secrets
import shutil
import signal
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from types import FrameType

from loguru import logger

from telephony_agent.errors import SettingError, TelephonyAgentError
from telephony_agent.settings import ServerSettings, Settings
from telephony_agent.web.siblings import Worker, WorkerIndex

Work = Callable[[Settings, Worker, socket.socket], None]
"""What a worker does from start to end, as a function of a module: a fresh process imports it."""

FAILED = 2
"""How a worker exits that can't start, having said why."""
BACKLOG = 2048
GROWN_UP_S = 60.0
"""A worker that lived for so long isn't one that dies again and again."""
FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 60.0
LOOK_EVERY_S = 0.2


class WorkersFailedError(TelephonyAgentError):
    """No worker could be started; each has said why."""

    code = "workers_failed"


@dataclass(slots=True)
class _Post:
    """A worker's place: who holds it now, and what became of those before."""

    worker: Worker
    settings: Settings
    process: BaseProcess | None = None
    began_at: float = 0.0
    begins_at: float = 0.0
    deaths: int = 0
    """How many died young, one after the other."""


class Workers:
    """A server of several processes; ``run`` it in the main thread."""

    def __init__(self, settings: Settings, count: int, work: Work) -> None:
        """Check what can be checked, and open the port.

        Raises:
            SettingError: this system has no such sockets; there are more workers than places; the port is taken.
        """
        if not hasattr(socket, "AF_UNIX"):
            raise SettingError("--workers: several need Unix sockets, which this system lacks; allowed: 1")
        if 0 < settings.server.max_calls < count:
            raise SettingError(f"--workers={count}: allowed: at most AGENT_MAX_CALLS={settings.server.max_calls}")
        self._work = work
        self._context = multiprocessing.get_context("spawn")
        self._signals = 0
        self._passed_on = 0
        self._failed = False
        self._has_served = False
        """Whether a worker ever lived long enough for its settings to be good."""
        self._listener = listening(settings.server)
        self._folder = Path(tempfile.mkdtemp(prefix="telephony-agent-"))
        secret = secrets.token_hex(32)
        self._posts = [
            _Post(Worker(WorkerIndex(index), count, self._folder, secret), _part_of(settings, index, count))
            for index in range(count)
        ]

    def run(self) -> None:
        """Keep the workers running until a signal comes and all have ended.

        Raises:
            WorkersFailedError: none could start.
        """
        try:
            with self._listening_to_signals():
                while self._go_on():
                    pass
        finally:
            self._listener.close()
            shutil.rmtree(self._folder, ignore_errors=True)
        if self._failed:
            raise WorkersFailedError("the workers can't start; what is wrong is said above")

    @property
    def _stopping(self) -> bool:
        return self._signals > 0 or self._failed

    def _go_on(self) -> bool:
        """Start, look and pass on, once; False when all is over."""
        now = time.monotonic()
        for post in self._posts:
            if post.process is None and now >= post.begins_at and not self._stopping:
                self._begin(post, now)
        running = [post.process for post in self._posts if post.process is not None]
        if self._stopping and not running:
            return False
        if self._passed_on < self._signals or (self._failed and not self._passed_on):
            self._stop(running)
        wait([process.sentinel for process in running], LOOK_EVERY_S)
        for post in self._posts:
            if post.process is not None and post.process.exitcode is not None:
                self._ended(post, post.process.exitcode)
        return True

    def _begin(self, post: _Post, now: float) -> None:
        arguments = (self._work, post.settings, post.worker, self._listener)
        post.process = self._context.Process(target=_be_worker, args=arguments, name=f"worker-{post.worker.index}")
        post.process.start()
        post.began_at = now
        logger.bind(worker=post.worker.index, pid=post.process.pid).info("A worker was started")

    def _ended(self, post: _Post, exit_code: int) -> None:
        assert post.process is not None
        post.process.close()
        post.process = None
        if self._stopping:
            return
        lived_s = time.monotonic() - post.began_at
        self._has_served |= any(time.monotonic() - other.began_at > GROWN_UP_S for other in self._begun(post))
        post.deaths = 0 if lived_s > GROWN_UP_S else post.deaths + 1
        pause_s = min(FIRST_PAUSE_S * 2.0 ** max(0, post.deaths - 1), LONGEST_PAUSE_S)
        post.begins_at = time.monotonic() + pause_s
        log = logger.bind(worker=post.worker.index, exit_code=exit_code, pause_s=pause_s)
        if exit_code == FAILED and not self._has_served:
            self._failed = True
            log.error("A worker can't start")
        else:
            log.error("A worker died; another one takes its place")

    def _begun(self, dead: _Post) -> list[_Post]:
        """Return the posts whose worker lives, and that of one who has just died."""
        return [post for post in self._posts if post is dead or post.process is not None]

    def _stop(self, running: list[BaseProcess]) -> None:
        for process in running:
            if self._passed_on:
                process.kill()
            else:
                process.terminate()
        self._passed_on += 1

    @contextmanager
    def _listening_to_signals(self) -> Iterator[None]:
        before = {number: signal.signal(number, self._told) for number in (signal.SIGTERM, signal.SIGINT)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _told(self, number: int, frame: FrameType | None) -> None:
        self._signals += 1


def _part_of(settings: Settings, index: int, count: int) -> Settings:
    """Return a worker's settings: its part of the places and of the cores."""
    server, model = settings.server, settings.model
    places = server.max_calls // count + (index < server.max_calls % count)
    threads = max(1, (model.engine_threads or os.cpu_count() or 1) // count)
    part = copy(settings)
    part.server = server.model_copy(update={"max_calls": places})
    part.model = model.model_copy(update={"engine_threads": threads})
    return part


def listening(settings: ServerSettings) -> socket.socket:
    """Open the port.

    Raises:
        SettingError: it is taken, or not ours to open.
    """
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        return socket.create_server((settings.host, settings.port), family=family, backlog=BACKLOG)
    except OSError as error:
        raise SettingError(
            f"AGENT_PORT={settings.port}: can't listen there: {error.strerror}; allowed: a free port of AGENT_HOST"
        ) from error


def _be_worker(work: Work, settings: Settings, worker: Worker, listener: socket.socket) -> None:
    """Be a worker: the beginning of its process."""
    # A terminal's Ctrl-C goes to all of a group; the parent passes it on, and twice would mean "at once".
    os.setpgid(0, 0)
    threading.Thread(target=_outlive_nobody, name="parent", daemon=True).start()
    try:
        work(settings, worker, listener)
    except TelephonyAgentError as error:
        sys.stderr.write(f"telephony-agent: {error}\n")
        sys.exit(FAILED)


def _outlive_nobody() -> None:
    """Stop when the parent is gone: a worker without one would hold the port for ever."""
    parent = multiprocessing.parent_process()
    assert parent is not None, "a worker has a parent"
    parent.join()
    os.kill(os.getpid(), signal.SIGTERM)
