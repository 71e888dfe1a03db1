"""A telephone in somebody's hand: its keys and its hook, around whoever talks into it.

``Person`` talks by a sound device, ``recorded_caller`` plays a WAV file; a ``Handset`` lets keys be pressed and the
call be hung up from outside while they do.
"""

from __future__ import annotations

import warnings
from collections import deque
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final, Protocol

import numpy as np
import soxr

from telephony_agent.errors import TelephonyAgentError
from telephony_agent.simulator.caller import FRAME, FRAME_MS, Caller, CallerFrame, Cue, Talker, Turn
from telephony_agent.simulator.mulaw import Pcm
from telephony_agent.simulator.noises import RATE
from telephony_agent.simulator.script import Expect, HangUpStep, SayStep, Script, Side

KEYS: Final = frozenset("0123456789*#")
KEY_FRAMES: Final = 10
"""From one key to the next: 200 ms."""


class RecordingError(TelephonyAgentError):
    """A WAV file can't be played into a call; the message names it and the fix."""

    code = "recording"


class SoundDevice(Protocol):
    """A microphone and a loudspeaker, 20 ms at a time."""

    def exchange(self, agent: Pcm) -> Pcm:
        """Queue the agent's ``int16[160]`` for the loudspeaker; return the microphone's latest. Never blocks."""
        ...


class Person:
    """Somebody at a sound device. They say what they say: there is no script to be through with."""

    gave_up = ""
    is_done = False

    def __init__(self, device: SoundDevice) -> None:
        self._device = device
        self.frames = 0
        self.turns: tuple[Turn, ...] = ()

    def hear(self, agent: Pcm) -> CallerFrame:
        """Exchange 20 ms."""
        self.frames += 1
        words = self._device.exchange(agent)
        return CallerFrame(words, words)

    def press(self, key: str) -> None:
        """Keys of the agent's don't reach the loudspeaker."""


class Handset:
    """Whoever talks, with keys that are pressed and a hook that is put down from outside."""

    def __init__(self, talker: Talker) -> None:
        self._talker = talker
        self._keys: deque[str] = deque()
        self._next_key_frame = 0
        self._hung_up = False

    @property
    def frames(self) -> int:
        """How many frames were lived."""
        return self._talker.frames

    @property
    def turns(self) -> Sequence[Turn]:
        """The talker's lines."""
        return self._talker.turns

    @property
    def gave_up(self) -> str:
        """Why the talker hung up before its end."""
        return self._talker.gave_up

    @property
    def is_done(self) -> bool:
        """Whether the talker has said everything, or the hook was put down."""
        return self._hung_up or self._talker.is_done

    def type_keys(self, keys: str) -> None:
        """Press keys, one every 200 ms; what is no key of a telephone is left out."""
        self._keys.extend(key for key in keys if key in KEYS)

    def hang_up(self) -> None:
        """Put the hook down."""
        self._hung_up = True

    def hear(self, agent: Pcm) -> CallerFrame:
        """Let the talker live 20 ms, and add the key that is due."""
        given = self._talker.hear(agent)
        key = given.key
        if self._keys and not key and self.frames >= self._next_key_frame:
            key = self._keys.popleft()
            self._next_key_frame = self.frames + KEY_FRAMES
        return replace(given, key=key, hangs_up=given.hangs_up or self._hung_up)

    def press(self, key: str) -> None:
        """Let the talker hear a key of the agent's."""
        self._talker.press(key)


def recorded_script(path: Path, pcm: Pcm) -> Script:
    """Describe a caller who plays a recording once the agent has greeted, waits for the answer, and hangs up."""
    lasts_ms = len(pcm) // FRAME * FRAME_MS
    steps = (SayStep((path.name,)), HangUpStep())
    return Script(path.name, steps, expect=Expect(Side.ANY), limit_ms=lasts_ms + Script(path.name, ()).limit_ms)


def recorded_caller(script: Script, pcm: Pcm) -> Caller:
    """Return the caller of a ``recorded_script``."""
    say, leave = script.steps
    return Caller(script, (Cue(say, np.pad(pcm, (0, -len(pcm) % FRAME))), Cue(leave, np.zeros(0, np.int16))), seed=1)


def read_recording(path: Path) -> Pcm:
    """Read a WAV file of any rate and width as ``int16[samples]`` at 8 kHz, mono.

    Raises:
        RecordingError: it can't be read, or is empty.
    """
    with warnings.catch_warnings():
        # pydub warns of a missing ffmpeg, which WAV files don't need, and of its own escapes under newer Pythons.
        warnings.simplefilter("ignore")
        from pydub import AudioSegment
        from pydub.exceptions import CouldntDecodeError

        try:
            # Not from_file(): what is no WAV file it hands to ffmpeg.
            sound = AudioSegment(path.read_bytes()).set_channels(1).set_sample_width(2)
        except (OSError, CouldntDecodeError) as error:
            raise RecordingError(f"{path} can't be read as a WAV file; give one of integer PCM") from error
    samples: Pcm = np.frombuffer(sound.raw_data, np.int16)
    if not len(samples):
        raise RecordingError(f"{path} holds no sound; give a WAV file that does")
    resampled: Pcm = soxr.resample(samples, sound.frame_rate, RATE, quality="HQ")
    return resampled
