"""Frames by timestamps, whatever the line does."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from telephony_agent.core.frame_clock import Frame, FrameClock

SILENCE = b"\xff" * 160


def audio(number: int) -> bytes:
    return bytes([number % 256]) * 160


def test_media_in_order_with_jitter_become_the_same_frames() -> None:
    clock = FrameClock()
    frames = [frame for i in range(5) for frame in clock.push(155 + 20 * i + i % 2, audio(i))]
    assert [frame.mulaw for frame in frames] == [audio(i) for i in range(5)]
    assert clock.filled_ms == clock.dropped_ms == 0


def test_a_gap_is_filled_with_silence() -> None:
    clock = FrameClock()
    clock.push(0, audio(1))
    frames = clock.push(60, audio(2))
    assert frames == [Frame(20, SILENCE, filled=True), Frame(40, SILENCE, filled=True), Frame(60, audio(2))]


def test_a_duplicate_and_a_late_message_are_dropped() -> None:
    clock = FrameClock()
    clock.push(0, audio(1))
    clock.push(40, audio(3))
    assert clock.push(40, audio(3)) == []
    assert clock.push(20, audio(2)) == []
    assert clock.dropped_ms == 40


def test_a_very_long_gap_is_not_filled_for_ever() -> None:
    clock = FrameClock()
    clock.push(0, audio(1))
    frames = clock.push(3_600_000, audio(2))
    assert len(frames) == 101
    assert frames[-1].timestamp_ms == 3_600_000


def test_many_gaps_are_not_filled_with_more_than_was_received() -> None:
    clock = FrameClock()
    frames = [frame for i in range(1000) for frame in clock.push(i * 2000, b"" if i % 2 else audio(i))]
    assert len(frames) <= 2 * 500 + 2000 // 20
    assert clock.filled_ms <= 500 * 20 + 2000


@given(st.binary(min_size=160, max_size=4000), st.lists(st.integers(1, 900), min_size=1, max_size=40))
def test_any_chunking_of_audio_gives_the_same_frames(audio: bytes, sizes: list[int]) -> None:
    audio = audio[: len(audio) // 8 * 8]
    whole = FrameClock().push(0, audio)
    clock = FrameClock()
    frames: list[Frame] = []
    position = 0
    for i in range(len(audio)):
        size = sizes[i % len(sizes)] * 8
        if position >= len(audio):
            break
        frames += clock.push(position // 8, audio[position : position + size])
        position += size
    assert [frame.mulaw for frame in frames] == [frame.mulaw for frame in whole]
    assert [frame.timestamp_ms for frame in frames] == [frame.timestamp_ms for frame in whole]
