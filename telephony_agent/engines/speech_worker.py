"""The child process that runs pyttsx3, so that a hang or a crash of a speech library costs a phrase, not the server.

``python -m telephony_agent.engines.speech_worker --voice V --rate WPM --volume X`` speaks framed messages over its
standard input and output (:func:`write_message`, :func:`read_message`):

=========  ==========  =========================================================================
direction  kind        body
=========  ==========  =========================================================================
out        ``READY``   the sample rate in Hz as decimal digits; phrase 0
in         ``SPEAK``   a phrase as UTF-8
in         ``CANCEL``  nothing; the phrase of this number is no longer wanted
out        ``AUDIO``   little-endian int16 mono PCM
out        ``END``     nothing; the phrase is complete or was cancelled
out        ``FAILED``  why, as UTF-8; phrase 0: the worker can't work at all, and exits
=========  ==========  =========================================================================

A thread reads the input, so a cancellation arrives while the library is busy, and the end of the input (the parent is
gone) ends the process even when the library hangs. pyttsx3 prints to standard output: that goes to standard error.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import os
import queue
import signal
import struct
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Protocol

from telephony_agent.engines import espeak_driver
from telephony_agent.errors import EngineError, ModelLoadError, SynthesisError

if TYPE_CHECKING:
    from telephony_agent.engines.sound_file import Sound

STOCK_PLATFORMS = ("darwin", "win32")
"""Where pyttsx3's own driver speaks, through files; elsewhere it is ours."""

_HEADER = struct.Struct(">BII")
_STOCK_FILE_TIMEOUT_S = 4.0
_STOCK_POLL_S = 0.005
_STOCK_ATTEMPTS = 2


class Kind(IntEnum):
    """What a message says."""

    READY = 1
    SPEAK = 2
    CANCEL = 3
    AUDIO = 4
    END = 5
    FAILED = 6


@dataclass(frozen=True, slots=True)
class WorkerMessage:
    """One message between the server and the worker about the phrase of a number."""

    kind: Kind
    phrase: int
    body: bytes = b""


def write_message(stream: BinaryIO, message: WorkerMessage) -> None:
    """Write a message and flush it.

    Raises:
        OSError: the other side is gone.
    """
    stream.write(_HEADER.pack(message.kind, message.phrase, len(message.body)) + message.body)
    stream.flush()


def read_message(stream: BinaryIO) -> WorkerMessage | None:
    """Read a message; ``None`` at the end of the stream, also in the middle of a message."""
    header = stream.read(_HEADER.size)
    if len(header) < _HEADER.size:
        return None
    kind, phrase, length = _HEADER.unpack(header)
    body = stream.read(length)
    return WorkerMessage(Kind(kind), phrase, body) if len(body) == length else None


class _Voice(Protocol):
    sample_rate: int

    def speak(self, text: str, deliver: Callable[[bytes], None], wanted: Callable[[], bool]) -> None: ...


class StreamingVoice:
    """pyttsx3 with our espeak driver: audio while it is made."""

    def __init__(self, *, voice: str, rate_wpm: int, volume: float) -> None:
        from pyttsx3.engine import Engine

        self._engine: Any = Engine(espeak_driver.register())
        self._errors: list[Exception] = []
        self._deliver: Callable[[bytes], None] | None = None
        self._wanted: Callable[[], bool] = lambda: True
        self._engine.connect("error", self._on_error)
        self._engine.connect("audio-chunk", self._on_chunk)
        self._engine.setProperty("voice", voice or espeak_driver.DEFAULT_VOICE)
        self._engine.setProperty("rate", rate_wpm)
        self._engine.setProperty("volume", volume)
        self._engine.runAndWait()
        if self._errors:
            raise ModelLoadError(
                f"AGENT_TTS_VOICE={voice!r}: {self._errors[0]}; `espeak-ng --voices=en` lists names, such as en-us+f3"
            )
        self.sample_rate: int = self._engine.getProperty("sample_rate")

    def speak(self, text: str, deliver: Callable[[bytes], None], wanted: Callable[[], bool]) -> None:
        """Speak a phrase, block by block, until it ends or is not wanted any more.

        Raises:
            SynthesisError: the library failed.
            OSError: ``deliver`` raised it.
        """
        self._deliver, self._wanted = deliver, wanted
        self._errors.clear()
        self._engine.say(text)
        self._engine.runAndWait()
        if self._errors:
            error = self._errors[0]
            raise error if isinstance(error, OSError) else SynthesisError(f"espeak-ng failed: {error}")

    def _on_chunk(self, name: str | None, pcm: bytes, rate: int) -> None:
        # pyttsx3 swallows what a callback raises, so a fault is kept and raised by speak().
        if self._deliver is None or not self._wanted():
            self._engine.stop()
            return
        try:
            self._deliver(pcm)
        except OSError as error:
            self._errors.append(error)
            self._engine.stop()

    def _on_error(self, name: str | None, exception: Exception) -> None:
        self._errors.append(exception)


class StockVoice:
    """pyttsx3 with a driver of its own, through a file: one text a run, because more lose all but the last.

    Also the stock driver now and then leaves an empty file, or returns before the file is written; so the file is
    waited for, and a text that came to nothing is spoken once more by a fresh engine.
    """

    def __init__(self, *, driver: str | None, voice: str, rate_wpm: int, volume: float) -> None:
        self._driver = driver
        self._properties: dict[str, str | float] = {"rate": rate_wpm, "volume": volume}
        if voice:
            self._properties["voice"] = voice
        self._engine = self._new_engine()
        self.sample_rate = self._render("Ready.").sample_rate

    def speak(self, text: str, deliver: Callable[[bytes], None], wanted: Callable[[], bool]) -> None:
        """Speak a phrase; it can't be stopped half-way, but is not delivered when no longer wanted.

        Raises:
            SynthesisError: no audio came, twice, or it came at another rate than before.
        """
        sound = self._render(text)
        if sound.sample_rate != self.sample_rate:
            raise SynthesisError(f"the voice changed its rate from {self.sample_rate} to {sound.sample_rate} Hz")
        if wanted():
            deliver(sound.pcm)

    def _new_engine(self) -> Any:
        from pyttsx3.engine import Engine

        engine = Engine(self._driver)
        for name, value in self._properties.items():
            engine.setProperty(name, value)
        return engine

    def _render(self, text: str) -> Sound:
        for attempt in range(_STOCK_ATTEMPTS):
            if attempt:
                self._engine = self._new_engine()
            with tempfile.TemporaryDirectory(prefix="telephony-agent-") as folder:
                file = Path(folder, f"phrase-{attempt}.wav")
                self._engine.save_to_file(text, str(file))
                self._engine.runAndWait()
                if (sound := _wait_for_sound(file)) is not None:
                    return sound
        raise SynthesisError("pyttsx3 wrote no audio")


def _wait_for_sound(file: Path) -> Sound | None:
    """Wait until a file holds sound and has stopped growing; ``None`` when that takes too long."""
    from telephony_agent.engines.sound_file import read_sound  # brings numpy, which our own driver needs not wait for

    deadline = time.monotonic() + _STOCK_FILE_TIMEOUT_S
    previous = b""
    while time.monotonic() < deadline:
        data = file.read_bytes() if file.exists() else b""
        if data and data == previous:
            with contextlib.suppress(ValueError):  # the header is not there yet
                sound = read_sound(data)
                return sound if sound.pcm else None
        previous = data
        time.sleep(_STOCK_POLL_S)
    return None


class _Inbox:
    """Reads what the server sends, on a thread of its own; ends the process when the server is gone."""

    def __init__(self, stream: BinaryIO) -> None:
        self.phrases: queue.SimpleQueue[tuple[int, str]] = queue.SimpleQueue()
        self._stream = stream
        self._cancelled_up_to = 0
        threading.Thread(target=self._read, name="speech-inbox", daemon=True).start()

    def wants(self, phrase: int) -> bool:
        return phrase > self._cancelled_up_to

    def _read(self) -> None:
        while (message := read_message(self._stream)) is not None:
            if message.kind is Kind.SPEAK:
                self.phrases.put((message.phrase, message.body.decode("utf-8", "replace")))
            elif message.kind is Kind.CANCEL:
                self._cancelled_up_to = message.phrase
        os._exit(0)  # at once: the main thread may hang in the library


def _build_voice(arguments: argparse.Namespace) -> _Voice:
    if sys.platform in STOCK_PLATFORMS or arguments.stock_driver:
        return StockVoice(
            driver=arguments.stock_driver or None,
            voice=arguments.voice,
            rate_wpm=arguments.rate,
            volume=arguments.volume,
        )
    return StreamingVoice(voice=arguments.voice, rate_wpm=arguments.rate, volume=arguments.volume)


def _send_audio(stream: BinaryIO, phrase: int, pcm: bytes) -> None:
    write_message(stream, WorkerMessage(Kind.AUDIO, phrase, pcm))


def serve(stream_in: BinaryIO, stream_out: BinaryIO, arguments: argparse.Namespace) -> int:
    """Announce the voice and speak phrase after phrase; return the exit code when there is no voice."""
    try:
        voice = _build_voice(arguments)
    except EngineError as error:
        write_message(stream_out, WorkerMessage(Kind.FAILED, 0, str(error).encode()))
        return 1
    write_message(stream_out, WorkerMessage(Kind.READY, 0, str(voice.sample_rate).encode()))
    inbox = _Inbox(stream_in)
    while True:
        phrase, text = inbox.phrases.get()
        outcome = WorkerMessage(Kind.END, phrase)
        try:
            voice.speak(
                text,
                deliver=functools.partial(_send_audio, stream_out, phrase),
                wanted=functools.partial(inbox.wants, phrase),
            )
        except SynthesisError as error:
            outcome = WorkerMessage(Kind.FAILED, phrase, str(error).encode())
        write_message(stream_out, outcome)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the worker on this process's standard input and output."""
    parser = argparse.ArgumentParser(prog="speech_worker", description="Speaks phrases for telephony_agent.")
    parser.add_argument("--voice", default="", help="voice name; empty: the default")
    parser.add_argument("--rate", type=int, default=espeak_driver.DEFAULT_RATE_WPM, help="words a minute")
    parser.add_argument("--volume", type=float, default=1.0, help="0 to 1")
    parser.add_argument("--stock-driver", default="", help="speak through files with this driver of pyttsx3's own")
    arguments = parser.parse_args(argv)
    # A Ctrl-C or a stop of the service reaches the whole group; the calls that drain still want their voice. The
    # worker ends when its input does.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    stream_out = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    try:
        return serve(sys.stdin.buffer, stream_out, arguments)
    except BrokenPipeError:
        return 0


if __name__ == "__main__":
    sys.exit(main())
