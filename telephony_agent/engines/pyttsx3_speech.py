"""pyttsx3 as a :class:`~telephony_agent.engines.base.Synthesizer`: a warm child process that streams PCM.

The child (:mod:`telephony_agent.engines.speech_worker`) is started once and spoken to over pipes. A phrase that misses
its deadline, or whose child dies, fails alone: the child is replaced at once and the next phrase finds a fresh one. A
cancelled phrase ends within a block of the library (a few milliseconds); a child that does not even do that is
replaced as well.
"""

from __future__ import annotations

import contextlib
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from typing import BinaryIO, cast

from telephony_agent.engines.base import Cancelled
from telephony_agent.engines.espeak_driver import DEFAULT_RATE_WPM
from telephony_agent.engines.speech_worker import Kind, WorkerMessage, read_message, write_message
from telephony_agent.errors import ModelLoadError, SynthesisError, SynthesisTimeout

_START_TIMEOUT_S = 20.0
_ABORT_TIMEOUT_S = 0.25
_EXIT_TIMEOUT_S = 1.0
_POLL_S = 0.01
_WORKER_MODULE = "telephony_agent.engines.speech_worker"


class _WorkerLostError(SynthesisError):
    """The child process ended by itself."""


class _Worker:
    """One child process and the thread that reads what it says."""

    def __init__(self, arguments: list[str]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", _WORKER_MODULE, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        self._stdin = cast(BinaryIO, self._process.stdin)
        self._stdout = cast(BinaryIO, self._process.stdout)
        self._messages: queue.SimpleQueue[WorkerMessage | None] = queue.SimpleQueue()
        self._reader = threading.Thread(target=self._read, name="speech-worker-reader", daemon=True)
        self._reader.start()
        self.started_at = time.monotonic()
        self.sample_rate = 0

    @property
    def pid(self) -> int:
        return self._process.pid

    def send(self, message: WorkerMessage) -> None:
        try:
            write_message(self._stdin, message)
        except (OSError, ValueError) as error:  # ValueError: the pipe was closed by stop()
            raise _WorkerLostError("the speech worker is gone") from error

    def receive(self, timeout_s: float) -> WorkerMessage | None:
        """Return the next message, or ``None`` when none came in time."""
        try:
            message = self._messages.get(timeout=timeout_s)
        except queue.Empty:
            return None
        if message is None:
            self._messages.put(None)  # it stays gone for whoever asks next
            raise _WorkerLostError(f"the speech worker ended with code {self._process.wait()}")
        return message

    def wait_until_ready(self, timeout_s: float) -> bool:
        """Wait for the first message of a new child; ``False`` when it doesn't come in time.

        Raises:
            ModelLoadError: it says why it can't speak, or ended without a word.
        """
        if self.sample_rate:
            return True
        try:
            message = self.receive(timeout_s)
        except _WorkerLostError as error:
            raise ModelLoadError(f"the speech worker could not start: {error}; its output is above") from error
        if message is None:
            return False
        if message.kind is not Kind.READY:
            raise ModelLoadError(message.body.decode("utf-8", "replace"))
        self.sample_rate = int(message.body)
        return True

    def abort(self, phrase: int) -> bool:
        """Cancel a phrase and wait until the child is free again; ``False`` when it does not become so."""
        deadline = time.monotonic() + _ABORT_TIMEOUT_S
        try:
            self.send(WorkerMessage(Kind.CANCEL, phrase))
            while (left_s := deadline - time.monotonic()) > 0:
                message = self.receive(left_s)
                if message and message.phrase == phrase and message.kind in (Kind.END, Kind.FAILED):
                    return True
        except _WorkerLostError:
            pass
        return False

    def stop(self, *, gently: bool = False) -> None:
        """End the child and reap it; gently: let it leave by itself when its input ends."""
        if gently:
            self._close_input()
            try:
                self._process.wait(_EXIT_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                gently = False
        if not gently:
            self._process.kill()
        self._process.wait()
        self._reader.join()
        self._close_input()
        self._stdout.close()

    def _close_input(self) -> None:
        with contextlib.suppress(OSError):  # bytes were still to be flushed to a child that is gone
            self._stdin.close()

    def _read(self) -> None:
        while (message := read_message(self._stdout)) is not None:
            self._messages.put(message)
        self._messages.put(None)


class Pyttsx3Synthesizer:
    """Speaks phrases through pyttsx3 in a child process; one phrase at a time, callers take turns.

    Args:
        voice: a voice of espeak-ng such as ``en-us``, ``en-gb+f3``; empty: the default (on macOS and Windows: of the
            system).
        rate: words a minute.
        volume: 0 to 1.
        deadline_s: the longest that a whole phrase may take to be made.
        stock_driver: the name of a driver of pyttsx3's own, to speak through files where ours would do; for tests.
    """

    def __init__(
        self,
        voice: str = "",
        *,
        rate: int = DEFAULT_RATE_WPM,
        volume: float = 1.0,
        deadline_s: float = 5.0,
        stock_driver: str = "",
    ) -> None:
        self._arguments = [
            f"--voice={voice}",
            f"--rate={rate}",
            f"--volume={volume}",
            f"--stock-driver={stock_driver}",
        ]
        self._deadline_s = deadline_s
        self._turn = threading.Lock()
        self._lifecycle = threading.Lock()
        self._worker: _Worker | None = None
        self._closed = False
        self._phrase = 0
        self._sample_rate = 0

    @property
    def sample_rate(self) -> int:
        """Hz of the PCM; known once :meth:`warm` has returned.

        Raises:
            SynthesisError: it isn't known yet.
        """
        if not self._sample_rate:
            raise SynthesisError("the sample rate is known after warm()")
        return self._sample_rate

    @property
    def worker_pid(self) -> int | None:
        """The child's process id, while there is a child."""
        worker = self._worker
        return worker.pid if worker else None

    def warm(self) -> None:
        """Start the child and let it speak a word into the void.

        Raises:
            ModelLoadError: no speech library, or no such voice.
            SynthesisError: it started but could not speak.
        """
        with self._turn:
            self._ready_worker(_START_TIMEOUT_S)
        for _ in self.synthesize("Ready.", lambda: False):
            pass

    def synthesize(self, text: str, cancelled: Cancelled) -> Iterator[bytes]:
        """Yield int16 mono PCM in blocks of about 40 ms; nothing for a text without a visible character.

        Raises:
            SynthesisError: this phrase failed; the child was replaced if it had died.
            SynthesisTimeout: the deadline passed; the child was replaced.
        """
        text = text.replace("\0", " ").strip()
        if not text or not self._take_turn(cancelled):
            return
        try:
            yield from self._speak(text, cancelled)
        finally:
            self._turn.release()

    def close(self) -> None:
        """End the child and reap it; a phrase under way fails."""
        with self._lifecycle:
            self._closed = True
            worker, self._worker = self._worker, None
        if worker:
            worker.stop(gently=True)

    def _take_turn(self, cancelled: Cancelled) -> bool:
        while not self._turn.acquire(timeout=_POLL_S):
            if cancelled():
                return False
        return True

    def _speak(self, text: str, cancelled: Cancelled) -> Iterator[bytes]:
        deadline = time.monotonic() + self._deadline_s
        try:
            worker = self._ready_worker(self._deadline_s)
        except ModelLoadError as error:
            raise SynthesisError(str(error)) from error
        self._phrase += 1
        phrase = self._phrase
        over = False
        try:
            worker.send(WorkerMessage(Kind.SPEAK, phrase, text.encode("utf-8", "replace")))
            while not cancelled():
                message = worker.receive(_POLL_S)
                if message is None:
                    if time.monotonic() >= deadline:
                        raise SynthesisTimeout(f"a phrase of {len(text)} characters took over {self._deadline_s} s")
                elif message.phrase == phrase:
                    over = message.kind is not Kind.AUDIO
                    if message.kind is Kind.FAILED:
                        raise SynthesisError(message.body.decode("utf-8", "replace"))
                    if over:
                        return
                    yield message.body
        except (SynthesisTimeout, _WorkerLostError):
            over = True
            self._replace(worker)
            raise
        finally:
            if not over and not worker.abort(phrase):
                self._replace(worker)

    def _ready_worker(self, timeout_s: float) -> _Worker:
        """Return the child, started if need be.

        Raises:
            ModelLoadError: it can't speak.
            SynthesisTimeout: it isn't ready yet; it is given up once it had 20 s.
        """
        with self._lifecycle:
            if self._closed:
                raise ModelLoadError("the synthesizer is closed")
            worker = self._worker = self._worker or _Worker(self._arguments)
        try:
            ready = worker.wait_until_ready(timeout_s)
        except ModelLoadError:
            self._discard(worker)
            raise
        if not ready:
            if time.monotonic() - worker.started_at >= _START_TIMEOUT_S:
                self._discard(worker)
            raise SynthesisTimeout(f"the speech worker was not ready after {timeout_s} s")
        self._sample_rate = worker.sample_rate
        return worker

    def _discard(self, worker: _Worker) -> None:
        with self._lifecycle:
            self._worker = None
        worker.stop()

    def _replace(self, worker: _Worker) -> None:
        """Kill the child and start the next one without waiting for it, so that the next phrase finds it ready."""
        worker.stop()
        with self._lifecycle:
            if not self._closed:
                self._worker = _Worker(self._arguments)
