"""The sound device: two buffers between three clocks, and what is said where there is no device."""

from __future__ import annotations

import builtins
import sys
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from telephony_agent.simulator.microphone import Buffer, SoundDeviceError, opened
from telephony_agent.simulator.mulaw import Pcm


def tone(ms: int, hz: int) -> Pcm:
    return (8000 * np.sin(2 * np.pi * 300 * np.arange(ms * hz // 1000) / hz)).astype(np.int16)


def loudness(pcm: Pcm) -> float:
    return float(np.sqrt(np.mean(np.square(pcm.astype(float))))) if len(pcm) else 0.0


def test_sound_is_given_once_a_cushion_is_there() -> None:
    buffer = Buffer(8000, 8000)
    buffer.push(tone(40, 8000))
    assert not buffer.take(160).any()
    buffer.push(tone(60, 8000))
    assert loudness(buffer.take(480)) > 4000


def test_sound_comes_out_at_the_other_rate() -> None:
    buffer = Buffer(48_000, 8000)
    for start in range(0, 9600, 960):
        buffer.push(tone(200, 48_000)[start : start + 960])
    assert 4500 < loudness(buffer.take(1280)) < 6500


def test_what_is_missing_is_silence_and_the_cushion_is_gathered_anew() -> None:
    buffer = Buffer(8000, 8000)
    buffer.push(tone(120, 8000))
    assert not buffer.take(1600)[1200:].any()
    buffer.push(tone(20, 8000))
    assert not buffer.take(160).any()


def test_a_side_that_is_too_slow_hears_the_latest() -> None:
    buffer = Buffer(8000, 8000)
    for _ in range(100):
        buffer.push(tone(20, 8000))
    kept = buffer.take(8000)
    assert np.count_nonzero(kept) <= 8 * 240


class PortAudioError(Exception):
    pass


class Stream:
    """A stream of a sound card that is moved by hand."""

    live: list[Stream]

    def __init__(self, *, samplerate: int, callback: Any, channels: int, dtype: str) -> None:
        assert (channels, dtype) == (1, "int16")
        self.samplerate, self.callback = samplerate, callback

    def __enter__(self) -> Stream:
        self.live.append(self)
        return self

    def __exit__(self, *_: object) -> None:
        self.live.remove(self)


@pytest.fixture
def card(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """Stand in for the library: no test machine has a sound card."""
    rates = {"input": 16_000.0, "output": 48_000.0}

    class Live(Stream):
        live: list[Stream] = []  # noqa: RUF012 - one list a test

    found = SimpleNamespace(
        query_devices=lambda kind: {"default_samplerate": rates[kind]},
        RawInputStream=Live,
        RawOutputStream=Live,
        PortAudioError=PortAudioError,
        live=Live.live,
    )
    monkeypatch.setitem(sys.modules, "sounddevice", found)
    return found


def test_microphone_and_loudspeaker_run_at_their_own_rates(card: SimpleNamespace) -> None:
    with opened() as device:
        into, out = card.live
        assert (into.samplerate, out.samplerate) == (16_000, 48_000)
        into.callback(tone(200, 16_000).tobytes(), 3200, None, None)
        heard = np.concatenate([device.exchange(tone(20, 8000)) for _ in range(8)])
        assert loudness(heard) > 4000
        played = bytearray(2 * 2400)
        out.callback(memoryview(played), 2400, None, None)
        assert loudness(np.frombuffer(played, np.int16)) > 4000
    assert card.live == []


def test_a_fault_of_the_call_is_not_taken_for_one_of_the_device(card: SimpleNamespace) -> None:
    with pytest.raises(ValueError, match="the call's"), opened():
        raise ValueError("the call's")
    assert card.live == []


def test_a_machine_without_a_device_says_so(card: SimpleNamespace) -> None:
    def missing(kind: str) -> None:
        raise PortAudioError("Error querying device -1")

    card.query_devices = missing
    with pytest.raises(SoundDeviceError, match="connect one"), opened():
        pass


def test_a_machine_without_sounddevice_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    with pytest.raises(SoundDeviceError, match=r"pip install 'telephony-agent\[voice\]'"), opened():
        pass


def test_a_machine_without_portaudio_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def broken(name: str, *rest: Any) -> Any:
        if name == "sounddevice":
            raise OSError("PortAudio library not found")
        return real(name, *rest)

    monkeypatch.delitem(sys.modules, "sounddevice", raising=False)
    monkeypatch.setattr(builtins, "__import__", broken)
    with pytest.raises(SoundDeviceError, match="libportaudio2"), opened():
        pass
