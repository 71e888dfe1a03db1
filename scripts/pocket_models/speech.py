"""Owns the spoken side of the training data: espeak-ng voices, and the telephone between them and the recogniser.

espeak-ng runs inside this process (its library keeps one global voice, so one process is one mouth: spread the work
over processes, never threads). Besides the sound it reports when each phoneme and each word begins; the trainer uses
these times to teach the encoder what it hears and the decoder where to look, which is most of why a small Whisper can
be trained from nothing within an hour.
"""

from __future__ import annotations

import ctypes
import random
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
import soxr
from pyttsx3.drivers import _espeak

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)
    import audioop

Floats = npt.NDArray[np.float32]
Samples = npt.NDArray[np.int16]

TELEPHONE_HZ = 8000
WHISPER_HZ = 16000
FRAME_MS = 20
"""One encoder position: Whisper's mel frames are 10 ms, and its second convolution halves them."""

PLAIN_VOICES = ("gmw/en-us", "gmw/en")
"""American and British English without a variant: what an agent or a simulated caller usually speaks with."""

_ACCENTS = ("gmw/en-us", "gmw/en", "gmw/en-gb-x-rp", "gmw/en-gb-scotland", "gmw/en-029", "gmw/en-us-nyc")
_VARIANTS = (
    *("m1", "m2", "m3", "m4", "m6", "m7", "m8", "f1", "f3", "f4", "f5"),
    *("Alex", "Andy", "Lee", "Mario", "Michael", "Mike", "adam", "david", "ed", "john", "linda", "max", "steph"),
    *("klatt", "klatt3", "klatt5", "paul", "quincy", "rob", "shelby", "travis"),
)
_UNSEEN_PAIR = "gmw/en-gb-scotland+m7"

TRAINING_VOICES: tuple[str, ...] = (
    *_ACCENTS,
    *(
        voice
        for accent in _ACCENTS
        for variant in _VARIANTS
        if (voice := f"{accent}+{variant}") != _UNSEEN_PAIR and not (accent == "gmw/en-us-nyc" and variant > "a")
    ),
)
HELD_OUT_VOICES: tuple[str, ...] = (
    "gmw/en-us+f2",
    "gmw/en+m5",
    "gmw/en-us+Gene",
    "gmw/en-gb-x-rp+Annie",
    "gmw/en-us+benjamin",
    _UNSEEN_PAIR,
)
"""Never heard in training: five unseen variants, and one pair of an accent and a variant known only apart."""

PHONEMES: tuple[str, ...] = (
    *("", "?", "@", "@2", "@L", "0", "3", "3:", "A:", "A@", "D", "E", "I", "I2", "N", "O2", "O:", "O@", "OI", "S", "T"),
    *("U", "U@", "V", "Z", "a", "a#", "aI", "aI3", "aI@", "aU", "aa", "b", "d", "dZ", "e@", "eI", "f", "g", "h", "i"),
    *("i:", "i@", "i@3", "j", "k", "l", "m", "n", "o@", "oU", "p", "r", "s", "t", "t#", "tS", "u:", "v", "w", "z"),
)
"""espeak-ng's English phoneme mnemonics; the first is silence, the second stands for any that isn't listed."""

_EVENT_WORD, _EVENT_PHONEME = 1, 7
_REPORT_PHONEMES = 1


class _Event(ctypes.Structure):
    """espeak-ng's event with the 8-byte phoneme name, which pyttsx3's binding declares as a pointer."""

    _fields_ = (
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("name", ctypes.c_char * 8),
    )


@dataclass(frozen=True, slots=True)
class Speech:
    """One spoken text: ``pcm`` int16 mono at ``rate``, and when (ms) each phoneme and each word begins.

    A word is given by the index of its first character in the spoken text; espeak-ng runs some words together
    ("of the") and then reports the first only.
    """

    pcm: Samples
    rate: int
    phonemes: tuple[tuple[int, str], ...]
    words: tuple[tuple[int, int], ...]

    @property
    def duration_ms(self) -> int:
        """Length of the sound."""
        return len(self.pcm) * 1000 // self.rate


class Mouth:
    """espeak-ng in this process; make it once a process, with `mouth`."""

    def __init__(self) -> None:
        self._library = _espeak.dll
        self._pcm: list[bytes] = []
        self._phonemes: list[tuple[int, str]] = []
        self._words: list[tuple[int, int]] = []
        prototype = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event))
        self._callback = prototype(self._hear)  # the library keeps only a raw pointer to it
        self._rate = self._library.espeak_Initialize(_espeak.AUDIO_OUTPUT_SYNCHRONOUS, 200, None, _REPORT_PHONEMES)
        if self._rate <= 0:
            raise RuntimeError("espeak-ng didn't start: install it (apt-get install espeak-ng)")
        self._library.espeak_SetSynthCallback(self._callback)

    def _hear(self, samples: Any, count: int, events: Any) -> int:
        if count > 0 and samples:
            self._pcm.append(ctypes.string_at(samples, count * 2))
        index = 0
        while (event := events[index]).type:
            if event.type == _EVENT_PHONEME:
                self._phonemes.append((event.audio_position, event.name.decode("ascii", "replace")))
            elif event.type == _EVENT_WORD:
                self._words.append((event.audio_position, event.text_position - 1))
            index += 1
        return 0

    def speak(self, text: str, voice: str, *, rate_wpm: int = 175, pitch: int = 50) -> Speech:
        """Speak a text.

        Raises:
            ValueError: there is no such voice.
        """
        self._pcm, self._phonemes, self._words = [], [], []
        if self._library.espeak_SetVoiceByName(voice.encode()) != _espeak.EE_OK:
            raise ValueError(f"espeak-ng has no voice {voice!r}")
        self._library.espeak_SetParameter(_espeak.RATE, rate_wpm, 0)
        self._library.espeak_SetParameter(_espeak.PITCH, pitch, 0)
        spoken = text.encode()
        size = ctypes.c_size_t(len(spoken) + 1)
        self._library.espeak_Synth(spoken, size, 0, _espeak.POS_CHARACTER, 0, 1, None, None)
        pcm = np.frombuffer(b"".join(self._pcm), dtype=np.int16)
        return Speech(pcm, self._rate, tuple(self._phonemes), tuple(self._words))


@cache
def mouth() -> Mouth:
    """Return this process's one mouth."""
    return Mouth()


@dataclass(frozen=True, slots=True)
class Heard:
    """What reaches the recogniser: ``audio`` float32 at 16 kHz, and how far its speech was shifted against the source.

    ``offset_ms`` is negative where the beginning was cut off.
    """

    audio: Floats
    offset_ms: int


def telephone(rng: random.Random, pcm: Samples, rate: int, *, clean: bool = False) -> Heard:
    """Pass speech through a telephone line and cut it as the agent's endpointing would.

    Level, silence around the speech, noise, band-limiting and a clipped beginning are drawn from ``rng``; ``clean``
    leaves only the level, the silence and mu-law.
    """
    speech = np.asarray(soxr.resample(pcm.astype(np.float32) / 32768, rate, TELEPHONE_HZ, quality="HQ"))
    before_ms, after_ms = rng.randrange(0, 400), rng.randrange(100, 700)
    if not clean and rng.random() < 0.06:
        before_ms = -rng.randrange(0, 40)
    if before_ms < 0:
        speech = speech[-before_ms * 8 :]
    line = np.concatenate([np.zeros(max(before_ms, 0) * 8, np.float32), speech, np.zeros(after_ms * 8, np.float32)])
    level = float(np.sqrt(np.mean(speech**2))) + 1e-6
    line *= 10 ** (rng.uniform(-30, -14) / 20) / level
    if not clean and rng.random() < 0.6:
        line += noise(rng, len(line)) * 10 ** (rng.uniform(-68, -38) / 20)
    if not clean and rng.random() < 0.4:
        line = _band_limit(line, rng.uniform(150, 320), rng.uniform(3000, 3600))
    return Heard(_mu_law_to_whisper(line), before_ms)


def wordless(rng: random.Random) -> Floats:
    """Return 0.4 to 3 s of a line on which nobody speaks: silence, noise, hum or tones; float32 at 16 kHz."""
    length = rng.randrange(400, 3000) * 8
    line = np.zeros(length, np.float32)
    if rng.random() < 0.85:
        line += noise(rng, length) * 10 ** (rng.uniform(-70, -25) / 20)
    if rng.random() < 0.3:
        seconds = np.arange(length, dtype=np.float32) / TELEPHONE_HZ
        tones = [rng.uniform(300, 1700) for _ in range(rng.randrange(1, 3))]
        beep = sum((np.sin(2 * np.pi * hertz * seconds) for hertz in tones), np.zeros(length)) / len(tones)
        beep *= (seconds * 1000 // rng.randrange(80, 900)) % 2 == 0
        line += beep.astype(np.float32) * 10 ** (rng.uniform(-45, -12) / 20)
    for _ in range(rng.randrange(0, 4) if rng.random() < 0.3 else 0):
        at, width = rng.randrange(length), rng.randrange(20, 400)
        line[at : at + width] += noise(rng, len(line[at : at + width])) * 10 ** (rng.uniform(-40, -12) / 20)
    return _mu_law_to_whisper(line)


def noise(rng: random.Random, length: int) -> Floats:
    """Return white noise, pink noise or mains hum of about unit power; float32 at 8 kHz."""
    generator = np.random.default_rng(rng.getrandbits(64))
    kind = rng.choice(("white", "pink", "pink", "hum"))
    if kind == "hum":
        seconds = np.arange(length) / TELEPHONE_HZ
        base = rng.choice((50, 60))
        partials = (np.sin(2 * np.pi * base * k * seconds) / k for k in (1, 2, 3, 5))
        return np.asarray(sum(partials, np.zeros(length)), np.float32)
    white = generator.standard_normal(_fast_length(length), dtype=np.float32)
    if kind == "white":
        return white[:length]
    spectrum = np.fft.rfft(white)
    pink = np.fft.irfft(spectrum / np.sqrt(np.arange(1, len(spectrum) + 1)), len(white))[:length]
    return np.asarray(pink / (np.std(pink) + 1e-9), np.float32)


def _band_limit(line: Floats, low_hz: float, high_hz: float) -> Floats:
    length = _fast_length(len(line))
    hertz = np.fft.rfftfreq(length, 1 / TELEPHONE_HZ)
    slope = 1 / (1 + np.exp(-(hertz - low_hz) / 25)) / (1 + np.exp((hertz - high_hz) / 60))
    return np.asarray(np.fft.irfft(np.fft.rfft(line, length) * slope, length)[: len(line)], np.float32)


def _fast_length(length: int) -> int:
    """Round up to a length without large prime factors, which the Fourier transform is slow at."""
    return -(-length // 1024) * 1024


def _mu_law_to_whisper(line: Floats) -> Floats:
    pcm = (np.clip(line, -1, 1) * 32767).astype(np.int16).tobytes()
    decoded = np.frombuffer(audioop.ulaw2lin(audioop.lin2ulaw(pcm, 2), 2), np.int16)
    return np.asarray(soxr.resample(decoded.astype(np.float32) / 32768, TELEPHONE_HZ, WHISPER_HZ, quality="HQ"))


def phoneme_track(speech: Speech, offset_ms: int, frames: int) -> npt.NDArray[np.uint8]:
    """Return the phoneme (index into `PHONEMES`) at the middle of each 20 ms frame; uint8[frames]."""
    track = np.zeros(frames, np.uint8)
    for (start_ms, name), end_ms in zip(speech.phonemes, _ends(speech.phonemes, speech.duration_ms), strict=True):
        track[_frame(start_ms + offset_ms, frames) : _frame(end_ms + offset_ms, frames)] = _phoneme(name)
    return track


def word_spans(speech: Speech, text: str, offset_ms: int, frames: int) -> list[tuple[int, int]]:
    """Return for each word of the spoken ``text`` the frames ``[start, end)`` in which it sounds.

    Words that espeak-ng ran together share one span.
    """
    reported = {
        position: (start, end)
        for (start, position), end in zip(speech.words, _ends(speech.words, speech.duration_ms), strict=True)
    }
    spans: list[tuple[int, int]] = []
    span, position = (0, speech.duration_ms), 0
    for word in text.split():
        position = text.index(word, position)
        begins = next((reported[at] for at in range(position, position + len(word)) if at in reported), None)
        span = begins or span
        start = min(_frame(span[0] + offset_ms, frames), frames - 1)
        spans.append((start, max(start + 1, _frame(span[1] + offset_ms, frames))))
        position += len(word)
    return spans


def _ends(events: Sequence[tuple[int, object]], last_ms: int) -> list[int]:
    return [*(start_ms for start_ms, _ in events[1:]), last_ms][: len(events)]


def _frame(at_ms: int, frames: int) -> int:
    return min(max((at_ms + FRAME_MS // 2) // FRAME_MS, 0), frames)


@cache
def _phoneme(name: str) -> int:
    if name.startswith("_") or name == ";":
        return 0
    return PHONEMES.index(name) if name in PHONEMES else 1
