"""The microphone and the loudspeaker of this machine, by sounddevice (the extra ``voice``).

Three clocks meet here: the call's, the microphone's and the loudspeaker's. Two buffers stand between them. Each is
bounded, so that a clock that runs away costs a click now and then, and never a growing delay.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, Final

import numpy as np
import soxr

from telephony_agent.errors import TelephonyAgentError
from telephony_agent.simulator.caller import FRAME
from telephony_agent.simulator.mulaw import Pcm
from telephony_agent.simulator.noises import RATE

_CUSHION_MS: Final = 60
"""What is gathered before any of it is given, so that a late clock doesn't make it stutter."""
_LONGEST_MS: Final = 240
_FIX: Final = "or play a WAV file instead: --wav FILE"


class SoundDeviceError(TelephonyAgentError):
    """There is no microphone or loudspeaker to talk by; the message says what to do."""

    code = "sound_device"


class Buffer:
    """Sound between two clocks, in at ``from_hz`` and out at ``to_hz``; each side is used by one thread."""

    def __init__(self, from_hz: int, to_hz: int) -> None:
        self._resampler = soxr.ResampleStream(from_hz, to_hz, 1, dtype="int16", quality="MQ")
        self._cushion = to_hz * _CUSHION_MS // 1000
        self._longest = to_hz * _LONGEST_MS // 1000
        self._samples = np.zeros(0, np.int16)
        self._flows = False
        self._lock = threading.Lock()

    def push(self, pcm: Pcm) -> None:
        """Append samples; when the other side is too slow, the oldest are forgotten."""
        new = self._resampler.resample_chunk(pcm)
        with self._lock:
            self._samples = np.concatenate([self._samples, new])
            if len(self._samples) > self._longest:
                self._samples = self._samples[-self._cushion :]
            self._flows = self._flows or len(self._samples) >= self._cushion

    def take(self, count: int) -> Pcm:
        """Return so many samples; silence for those that aren't there."""
        with self._lock:
            taken, self._samples = (
                (self._samples[:count], self._samples[count:]) if self._flows else (self._samples[:0], self._samples)
            )
            self._flows = self._flows and len(taken) == count
        return np.pad(taken, (0, count - len(taken)))


class Microphone:
    """This machine's sound device, while ``opened``."""

    def __init__(self, microphone_hz: int, loudspeaker_hz: int) -> None:
        self._said = Buffer(microphone_hz, RATE)
        self._heard = Buffer(RATE, loudspeaker_hz)

    def exchange(self, agent: Pcm) -> Pcm:
        """Queue the agent's 20 ms for the loudspeaker; return the microphone's."""
        self._heard.push(agent)
        return self._said.take(FRAME)

    def record(self, data: Any, frames: int, time: Any, status: Any) -> None:
        """Take what the microphone gives (sounddevice's callback)."""
        self._said.push(np.frombuffer(data, np.int16))

    def play(self, data: Any, frames: int, time: Any, status: Any) -> None:
        """Fill what the loudspeaker asks for (sounddevice's callback)."""
        data[:] = self._heard.take(frames).tobytes()


@contextmanager
def opened() -> Iterator[Microphone]:
    """Open the default microphone and loudspeaker, each at its own rate, for the length of a ``with`` block.

    Raises:
        SoundDeviceError: sounddevice isn't installed, PortAudio isn't, or there is no device.
    """
    try:
        import sounddevice
    except ImportError as error:
        raise SoundDeviceError(
            f"the microphone needs sounddevice: pip install 'telephony-agent[voice]'; {_FIX}"
        ) from error
    except OSError as error:
        raise SoundDeviceError(f"sounddevice needs PortAudio: apt-get install libportaudio2; {_FIX}") from error
    with ExitStack() as streams:
        yield _open(sounddevice, streams)


def _open(sounddevice: Any, streams: ExitStack) -> Microphone:
    try:
        into, out = (sounddevice.query_devices(kind=kind) for kind in ("input", "output"))
        in_hz, out_hz = (round(device["default_samplerate"]) for device in (into, out))
        microphone = Microphone(in_hz, out_hz)
        shape: dict[str, Any] = {"channels": 1, "dtype": "int16"}
        streams.enter_context(sounddevice.RawInputStream(samplerate=in_hz, callback=microphone.record, **shape))
        streams.enter_context(sounddevice.RawOutputStream(samplerate=out_hz, callback=microphone.play, **shape))
    except (sounddevice.PortAudioError, ValueError) as error:
        raise SoundDeviceError(
            f"no microphone or loudspeaker can be used ({error}): connect one, or choose it in the system's settings; "
            f"{_FIX}"
        ) from error
    return microphone
