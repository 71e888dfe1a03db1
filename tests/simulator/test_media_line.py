"""The faults of the way that the caller's media take."""

from __future__ import annotations

from telephony_agent.simulator.faults import Faults
from telephony_agent.simulator.media_line import STALL_FRAMES, MediaLine


def carried(faults: Faults, frames: int) -> list[list[str]]:
    """What goes out with each frame."""
    line = MediaLine(faults)
    return [[] if line.loses(frame) else line.carry(frame, str(frame)) for frame in range(frames)]


def test_a_good_line_carries_every_frame_at_once() -> None:
    assert carried(Faults(), 3) == [["0"], ["1"], ["2"]]


def test_each_nth_frame_is_lost_or_doubled() -> None:
    assert carried(Faults(lose_media_every=3), 6) == [["0"], ["1"], [], ["3"], ["4"], []]
    assert carried(Faults(double_media_every=2), 4) == [["0"], ["1", "1"], ["2"], ["3", "3"]]


def test_a_swapped_frame_comes_after_the_next() -> None:
    assert carried(Faults(swap_media_every=3), 6) == [["0"], ["1"], [], ["3", "2"], ["4"], []]


def test_a_stall_holds_frames_back_and_lets_all_of_them_go_in_order() -> None:
    out = carried(Faults(stall_media_every=20), 41)
    assert out[9] == ["9"]
    assert out[10:20] == [[]] * STALL_FRAMES
    assert out[20] == [str(frame) for frame in range(10, 21)]
    assert out[40] == [str(frame) for frame in range(30, 41)]
