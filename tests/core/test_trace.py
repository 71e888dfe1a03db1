"""Traces: what is written, how small, and what is made of a broken one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telephony_agent.core.call_terms import Announcement, Announcements, CallRules
from telephony_agent.core.events import AudioHeard, EndReason
from telephony_agent.core.frame_clock import Frame
from telephony_agent.core.trace import TraceEncoder, TraceError, TraceHeader, level_curve, read_trace, stand_in
from tests.calls.traced import a_question

NOTHING = Announcement("", b"")
MUTE = Announcements(NOTHING, NOTHING, NOTHING, (), (), NOTHING, NOTHING, NOTHING)


@given(st.lists(st.integers(0, 30_000), max_size=4))
def test_a_stand_in_has_exactly_the_levels_that_it_was_made_from(curve: list[int]) -> None:
    audio = stand_in(curve)
    assert len(audio) == 160 * len(curve)
    assert level_curve(audio) == curve


@given(
    st.lists(
        st.tuples(st.booleans(), st.booleans(), st.floats(-96, 0), st.integers(0, 3), st.floats(0, 1e6)), min_size=1
    )
)
def test_frames_come_back_as_they_were_but_for_their_audio(
    frames: list[tuple[bool, bool, float, int, float]],
) -> None:
    encoder, told = TraceEncoder(), []
    lines = [encoder.header(TraceHeader(CallRules(), MUTE, {}))]
    timestamp_ms = 155
    for speech, filled, level, lost, now in frames:
        timestamp_ms += 20 + 20 * lost
        event = AudioHeard(Frame(timestamp_ms, b"\xff" * 160, filled), speech, level)
        told.append((event, now))
        lines += encoder.step(event, now, [])
    lines += encoder.end(EndReason.LINE, [])
    assert [(step.event, step.now) for step in read_trace(lines).steps] == told


def test_a_trace_is_small_and_holds_no_audio() -> None:
    call = a_question()
    seconds = call.now - 100.0
    body = "".join(call.lines[1:])
    assert len(body) / seconds < 2500
    assert "how much is it" in body


def test_a_trace_tells_the_turns_as_the_call_accounted_for_them() -> None:
    call = a_question()
    assert list(call.trace.turns or ()) == call.turns


def test_a_last_line_that_was_cut_short_is_passed_over() -> None:
    lines = a_question().lines
    trace = read_trace([*lines[:-1], lines[-1][:20]])
    assert trace.turns is None
    assert len(trace.steps) == len(a_question().trace.steps)


@pytest.mark.parametrize(
    ("number", "line"),
    [
        (1, '{"event":"CallBegan"}\n'),
        (1, '{"trace":99}\n'),
        (1, '{"trace":1,"rules":{}}\n'),
        (2, "{\n"),
        (2, '{"now":1.0,"event":"Sneezed"}\n'),
        (2, '{"now":1.0,"event":"MarkHeard","number":3}\n'),
    ],
)
def test_a_line_that_is_wrong_is_named(number: int, line: str) -> None:
    lines = a_question().lines
    lines[number - 1] = line
    with pytest.raises(TraceError, match=f"line {number}"):
        read_trace(lines)
