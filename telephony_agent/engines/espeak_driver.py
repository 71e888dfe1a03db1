"""A driver for pyttsx3 that hands out espeak-ng's PCM while it is made, and stops at once.

pyttsx3 finds a driver by importing ``pyttsx3.drivers.<name>`` and calling its ``buildDriver``; :func:`register` puts
this module there as ``telephony_espeak``, so nothing of pyttsx3 is patched. What differs from pyttsx3's own espeak
driver:

* The library runs in its synchronous mode: ``espeak_Synth`` blocks, and calls back on the same thread with every 40 ms
  of audio. There is no second thread, no sleep, and no file; the first audio comes after a fraction of a millisecond.
* Every block goes to the topic ``audio-chunk``: ``engine.connect("audio-chunk", callback)`` with
  ``callback(name: str | None, pcm: bytes, rate: int)``, where ``pcm`` is little-endian int16 mono.
* ``engine.stop()``, called from within such a callback or from another thread, ends the synthesis at the next block.
* ``save_to_file`` writes the rate that the library reports and raises on a fault, which pyttsx3 turns into its
  ``error`` topic.

libespeak-ng is one global thing per process (voice, rate, callback), so engines of this driver take turns under one
lock, and the driver must not share a process with pyttsx3's own ``espeak`` driver, which initialises it otherwise.
pyttsx3 swallows what a callback raises: catch in the callback.
"""

from __future__ import annotations

import ctypes
import functools
import os
import sys
import threading
import wave
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

from telephony_agent.errors import ModelLoadError

DRIVER_NAME = "telephony_espeak"
DEFAULT_VOICE = "en-us"
DEFAULT_RATE_WPM = 175
SLOWEST_WPM, FASTEST_WPM = 80, 450

_BLOCK_MS = 40
_GENDERS = (None, "Male", "Female")

Chunk = Callable[[bytes], None]


class _Library:
    """libespeak-ng, initialised for this process; hold ``lock`` around everything that reads or sets its state."""

    def __init__(self) -> None:
        try:
            from pyttsx3.drivers import _espeak
        except RuntimeError as error:
            raise ModelLoadError(
                "pyttsx3 needs the library espeak-ng, which is not installed: run `apt-get install espeak-ng`"
            ) from error
        self.api: Any = _espeak
        self.lock = threading.Lock()
        self.sample_rate: int = _espeak.Initialize(_espeak.AUDIO_OUTPUT_SYNCHRONOUS, _BLOCK_MS)
        if self.sample_rate <= 0:
            raise ModelLoadError("espeak-ng is installed but its data is not: run `apt-get install espeak-ng-data`")


@functools.cache
def _library() -> _Library:
    """Initialise the library once; a second ``espeak_Initialize`` in a process is not safe."""
    return _Library()


class EspeakDriver:
    """The driver that pyttsx3's ``DriverProxy`` talks to; see pyttsx3's ``drivers/dummy.py`` for the contract."""

    def __init__(self, proxy: Any) -> None:
        self._proxy = proxy
        self._library = _library()
        self._api = self._library.api
        self._voice = DEFAULT_VOICE
        self._rate = DEFAULT_RATE_WPM
        self._volume = 1.0
        self._stopping = False
        self._loop_ended = threading.Event()
        self._deliver: Chunk = self._notify_chunk
        # espeak keeps the bare pointer: the ctypes object must live as long as the driver.
        self._callback = self._api.t_espeak_callback(self._on_block)

    # What the proxy calls; the names are pyttsx3's.

    def startLoop(self) -> None:  # noqa: N802
        """Run what is queued, and return when the loop was ended."""
        self._proxy.setBusy(False)
        self._loop_ended.wait()
        self._loop_ended.clear()

    def endLoop(self) -> None:  # noqa: N802
        """Let :meth:`startLoop` return; may come before it, when the proxy had nothing to wait for."""
        self._loop_ended.set()

    def iterate(self) -> Iterator[None]:
        """Run what is queued at every step of the caller's own loop."""
        while True:
            self._proxy.setBusy(False)
            yield

    def say(self, text: str) -> None:
        """Speak to the topic ``audio-chunk``; blocks until the text is spoken or stopped."""
        self._utter(text, self._notify_chunk)

    def save_to_file(self, text: str, filename: str | os.PathLike[str]) -> None:
        """Speak into a WAV file.

        Raises:
            OSError: the file can't be written (pyttsx3 reports it under ``error``).
        """
        blocks: list[bytes] = []
        with open(filename, "wb") as raw, wave.open(raw, "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(self._library.sample_rate)
            self._utter(text, blocks.append)
            file.writeframes(b"".join(blocks))

    def stop(self) -> None:
        """End the synthesis that is under way at its next block."""
        self._stopping = True

    def destroy(self) -> None:
        """Nothing to give back: the library belongs to the process."""

    def getProperty(self, name: str) -> object:  # noqa: N802
        """Read ``voices``, ``voice``, ``rate`` (words a minute), ``volume`` (0 to 1) or ``sample_rate`` (Hz)."""
        match name:
            case "voices":
                return self._voices()
            case "voice":
                return self._voice
            case "rate":
                return self._rate
            case "volume":
                return self._volume
            case "sample_rate":
                return self._library.sample_rate
        raise KeyError(f"unknown property {name}")

    def setProperty(self, name: str, value: Any) -> None:  # noqa: N802
        """Set ``voice`` (name or identifier, ``+variant`` allowed), ``rate`` or ``volume``; numbers are clipped.

        Raises:
            ValueError: espeak has no such voice, or the value is no number.
            KeyError: there is no such property.
        """
        match name:
            case "voice":
                with self._library.lock:
                    self._select_voice(str(value))
                self._voice = str(value)
            case "rate":
                self._rate = min(max(int(value), SLOWEST_WPM), FASTEST_WPM)
            case "volume":
                self._volume = min(max(float(value), 0.0), 1.0)
            case _:
                raise KeyError(f"unknown property {name}")

    # Synthesis.

    def _utter(self, text: str, deliver: Chunk) -> None:
        encoded = text.replace("\0", " ").encode("utf-8", "replace")
        self._proxy.setBusy(True)
        self._stopping = False
        self._proxy.notify("started-utterance")
        try:
            with self._library.lock:
                self._deliver = deliver
                self._apply_properties()
                self._api.cSetSynthCallback(self._callback)
                # No SSML, no phoneme flag: markup in a reply is read out, never obeyed. No end pause: less silence.
                self._api.cSynth(
                    encoded, len(encoded) + 1, 0, self._api.POS_CHARACTER, 0, self._api.CHARS_UTF8, None, None
                )
        finally:
            self._proxy.notify("finished-utterance", completed=not self._stopping)
            self._proxy.setBusy(False)

    def _apply_properties(self) -> None:
        self._select_voice(self._voice)
        self._api.SetParameter(self._api.RATE, self._rate, 0)
        self._api.SetParameter(self._api.VOLUME, round(self._volume * 100), 0)

    def _select_voice(self, voice: str) -> None:
        if self._api.SetVoiceByName(voice.encode("utf-8", "replace")) != self._api.EE_OK:
            raise ValueError(f"espeak-ng has no voice {voice!r}")

    def _on_block(self, samples: Any, count: int, events: Any) -> int:
        """Take one block from espeak; the answer 1 aborts the synthesis."""
        if self._stopping:
            return 1
        self._notify_words(events)
        if count > 0 and samples:
            self._deliver(ctypes.string_at(samples, count * 2))
        return int(self._stopping)

    def _notify_words(self, events: Any) -> None:
        index = 0
        while (event := events[index]).type != self._api.EVENT_LIST_TERMINATED:
            if event.type == self._api.EVENT_WORD:
                self._proxy.notify("started-word", location=event.text_position - 1, length=event.length)
            index += 1

    def _notify_chunk(self, pcm: bytes) -> None:
        self._proxy.notify("audio-chunk", pcm=pcm, rate=self._library.sample_rate)

    def _voices(self) -> list[Any]:
        from pyttsx3.voice import Voice

        with self._library.lock:
            listed = self._api.ListVoices(None)
        return [
            Voice(
                id=voice.identifier.decode(),
                name=voice.name.decode(),
                # One priority byte goes before the language code.
                languages=[voice.languages[1:].decode(errors="replace")] if voice.languages else [],
                gender=_GENDERS[voice.gender] if voice.gender < len(_GENDERS) else None,
                age=voice.age or None,
            )
            for voice in listed
        ]


def register() -> str:
    """Make the driver known to pyttsx3 and return its name, for ``pyttsx3.engine.Engine(name)``."""
    module = ModuleType(f"pyttsx3.drivers.{DRIVER_NAME}", "telephony_agent's streaming espeak-ng driver.")
    module.__dict__["buildDriver"] = EspeakDriver
    sys.modules.setdefault(module.__name__, module)
    return DRIVER_NAME
