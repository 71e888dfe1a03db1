"""Writes recordings to disk while the calls go on: two channels, one file a call, by one thread for all of them.

The event loop only places sound in ``StereoTracks``; every second of it goes to the thread. A disk that is full or too
slow costs the rest of the recording, never the call. A file's name is made from the call's, so that who forgets a call
finds its recordings without a database.
"""

from __future__ import annotations

import queue
import re
import threading
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from itertools import count
from pathlib import Path

from loguru import logger

from telephony_agent.store.errors import StoreUnavailable
from telephony_agent.store.stereo import MAX_AHEAD_MS, StereoTracks
from telephony_agent.store.wav_file import WavFile, mend_wav

CERTAIN_AFTER_MS = 1_000
"""Sound this old won't be cleared or come late any more."""
BLOCK_MS = 1_000
MAX_WAITING = 600
"""Blocks that may wait for the disk, of all calls together."""


class Recordings:
    """The folder of recordings. ``open`` and a recording's methods never wait for the disk; the others may."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._tasks: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._growing: list[Recording] = []

    def open(self, call_id: str) -> Recording:
        """Begin a recording of a call; one that is recorded again gets another file."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="recordings", daemon=True)
            self._thread.start()
        recording = Recording(self._folder, call_id, self._tasks)
        self._growing = [one for one in self._growing if not one.complete] + [recording]
        return recording

    def close(self) -> None:
        """Write what waits and end the thread. Call after the last recording was closed."""
        thread, self._thread = self._thread, None
        if thread is not None:
            self._tasks.put(None)
            thread.join(10.0)

    def recover(self) -> int:
        """Set the headers right of the files whose writer died; return how many. Call before the first ``open``."""
        return sum(map(_mended, self._folder.glob("*.wav")))

    def mend(self, call_id: str) -> int:
        """Set the headers right of the files of a call whose writer died; return how many."""
        return sum(map(_mended, self.paths(call_id)))

    def growing(self, call_id: str) -> bool:
        """Tell whether something of a call is still to be written."""
        return any(one.name == _file_name(call_id) and not one.complete for one in self._growing)

    def paths(self, call_id: str) -> tuple[Path, ...]:
        """Return a call's files, in the order in which they were begun."""
        name = _file_name(call_id)
        first = self._folder / f"{name}.wav"
        others = self._folder.glob(f"{name}-*.wav")
        found = [first] if first.exists() else []
        return (*found, *sorted(others, key=lambda path: int(path.stem.rpartition("-")[2])))

    def delete(self, call_id: str) -> int:
        """Delete a call's files; return how many there were.

        Raises:
            StoreUnavailable: one can't be deleted.
        """
        paths = self.paths(call_id)
        for path in paths:
            try:
                path.unlink(missing_ok=True)
            except OSError as error:
                raise StoreUnavailable(f"the recording {path.name} can't be deleted: {error.strerror}") from error
        return len(paths)

    def delete_before(self, moment: datetime) -> int:
        """Delete the files that were last written before a moment; return how many."""
        deleted = 0
        for path in self._folder.glob("*.wav"):
            with suppress(FileNotFoundError):
                if path.stat().st_mtime < moment.timestamp():
                    path.unlink()
                    deleted += 1
        return deleted

    def _work(self) -> None:
        while (task := self._tasks.get()) is not None:
            task()


class Recording:
    """One recording, for the event loop. Times are ms from its beginning and late by ``CERTAIN_AFTER_MS`` at most."""

    def __init__(self, folder: Path, call_id: str, tasks: queue.SimpleQueue[Callable[[], None] | None]) -> None:
        self.name = _file_name(call_id)
        """What the names of the call's files begin with."""
        self.complete = False
        """Whether nothing more will be written."""
        self._folder = folder
        self._tasks = tasks
        self._tracks = StereoTracks()
        self._file: WavFile | None = None
        self._written_ms = 0
        self._failed = False
        self._closed = False
        tasks.put(self._begin)

    @property
    def failed(self) -> bool:
        """Whether the disk took no more of it."""
        return self._failed

    def inbound(self, at_ms: int, mulaw: bytes) -> None:
        """Record sound of the caller's, which also says how late it is: what is old enough is written."""
        if self._closed or self._failed:
            return
        if at_ms > self._written_ms + MAX_AHEAD_MS:
            # Silence of any length would have to be written, on the word of whoever sent that time.
            self._fail("its clock jumped")
            return
        self._tracks.inbound(at_ms, mulaw)
        certain_ms = at_ms - CERTAIN_AFTER_MS
        if certain_ms - self._written_ms >= BLOCK_MS:
            self._write_until(certain_ms)

    def outbound(self, at_ms: int, mulaw: bytes) -> None:
        """Record sound of ours, at the time when the caller hears it."""
        if not (self._closed or self._failed):
            self._tracks.outbound(at_ms, mulaw)

    def clear(self, at_ms: int) -> None:
        """Take back our sound from a moment on: it was cleared."""
        self._tracks.clear(at_ms)

    def close(self) -> None:
        """Write the rest, and the header's true length. Twice does no harm."""
        if self._closed:
            return
        if not self._failed:
            self._write_until(self._tracks.end_ms)
        self._closed = True
        self._tasks.put(self._end)

    def _write_until(self, until_ms: int) -> None:
        if self._tasks.qsize() > MAX_WAITING:
            self._fail("the disk is too slow")
            return
        sound = self._tracks.take(until_ms)
        self._written_ms = until_ms
        self._tasks.put(lambda: self._write(sound))

    # The thread, from here on

    def _begin(self) -> None:
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._file = _new_file(self._folder, self.name)
        except OSError as error:
            self._fail(str(error))

    def _write(self, sound: bytes) -> None:
        if self._file is None or self._failed:
            return
        try:
            self._file.write(sound)
        except OSError as error:
            self._fail(str(error))

    def _end(self) -> None:
        file, self._file = self._file, None
        if file is not None:
            try:
                file.close()
            except OSError as error:
                self._fail(str(error))
        self.complete = True

    def _fail(self, why: str) -> None:
        if not self._failed:
            self._failed = True
            logger.bind(recording=self.name, error=why).warning("A call is not recorded any further")


def _mended(path: Path) -> bool:
    try:
        return mend_wav(path)
    except OSError as error:
        logger.bind(file=path.name, error=str(error)).warning("A recording can't be mended")
        return False


def _file_name(call_id: str) -> str:
    return re.sub(r"[^A-Za-z0-9]", "_", call_id) or "_"


def _new_file(folder: Path, name: str) -> WavFile:
    for number in count(1):
        with suppress(FileExistsError):
            return WavFile(folder / (f"{name}.wav" if number == 1 else f"{name}-{number}.wav"))
    raise AssertionError("numbers don't end")
