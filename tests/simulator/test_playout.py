"""Twilio's buffer toward the caller, on a clock of samples."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from telephony_agent.simulator.mulaw import SILENCE
from telephony_agent.simulator.playout import Cleared, Gap, Playout

QUIET = bytes([SILENCE])


def test_audio_plays_from_the_moment_it_comes_and_silence_fills_the_rest() -> None:
    playout = Playout()
    playout.media(100, b"ab")
    playout.advance(105)
    assert playout.heard == QUIET * 100 + b"ab" + QUIET * 3


def test_a_message_sent_in_a_burst_plays_one_after_the_other() -> None:
    playout = Playout()
    playout.media(0, b"ab")
    playout.media(0, b"cd")
    playout.advance(3)
    assert playout.heard == b"abc"
    assert playout.queued == 1


def test_a_mark_comes_back_when_all_before_it_has_played() -> None:
    playout = Playout()
    playout.media(0, b"x" * 160)
    playout.mark(0, "end")
    assert playout.take_echoes(159) == ()
    assert playout.take_echoes(160) == ("end",)


def test_a_mark_on_an_idle_line_comes_back_at_once() -> None:
    playout = Playout()
    playout.mark(7, "now")
    assert playout.take_echoes(7) == ("now",)


def test_marks_come_back_in_the_middle_of_the_audio_that_follows_them() -> None:
    playout = Playout()
    playout.media(0, b"x" * 10)
    playout.mark(0, "one")
    playout.media(0, b"y" * 10)
    playout.mark(0, "two")
    assert playout.take_echoes(15) == ("one",)
    assert playout.take_echoes(100) == ("two",)


def test_clear_forgets_the_audio_and_returns_every_mark_in_order() -> None:
    playout = Playout()
    playout.media(0, b"x" * 10)
    playout.mark(0, "one")
    playout.media(0, b"y" * 10)
    playout.mark(0, "two")
    playout.clear(5)
    assert playout.take_echoes(5) == ("one", "two")
    assert playout.clears == [Cleared(at=5, samples=15)]
    playout.media(6, b"z")
    playout.advance(8)
    assert playout.heard == b"xxxxx" + QUIET + b"z" + QUIET


def test_an_echo_may_come_later_than_the_playout() -> None:
    playout = Playout(echo_delay=40)
    playout.mark(0, "late")
    assert playout.take_echoes(39) == ()
    assert playout.take_echoes(40) == ("late",)


def test_more_than_the_limit_is_discarded_whole() -> None:
    playout = Playout(limit_bytes=10)
    assert playout.media(0, b"x" * 10)
    assert not playout.media(0, b"y")
    assert playout.media(1, b"z")
    playout.advance(20)
    assert bytes(playout.heard).rstrip(QUIET) == b"x" * 10 + b"z"


def test_running_dry_in_a_phrase_is_a_gap_and_between_phrases_is_none() -> None:
    playout = Playout()
    playout.media(0, b"x" * 10)
    playout.media(15, b"x" * 10)
    playout.mark(15, "phrase")
    playout.media(100, b"y" * 10)
    assert playout.gaps == [Gap(at=10, samples=5)]


def test_a_clear_ends_the_phrase() -> None:
    playout = Playout()
    playout.media(0, b"x" * 10)
    playout.clear(20)
    playout.media(50, b"y")
    assert playout.gaps == []


@given(st.lists(st.tuples(st.integers(0, 400), st.sampled_from(["media", "mark", "clear"]), st.binary(max_size=200))))
def test_all_audio_is_heard_cleared_or_queued_and_every_mark_comes_back_once(
    steps: list[tuple[int, str, bytes]],
) -> None:
    playout, now, sent, names = Playout(), 0, 0, []
    for number, (wait, what, data) in enumerate(steps):
        now += wait
        audio = data.replace(QUIET, b"x")
        if what == "media":
            sent += len(audio)
            assert playout.media(now, audio)
        elif what == "mark":
            names.append(str(number))
            playout.mark(now, str(number))
        else:
            playout.clear(now)
    heard = len(playout.heard) - playout.heard.count(QUIET)
    assert sent == heard + sum(clear.samples for clear in playout.clears) + playout.queued
    assert len(playout.heard) == now
    assert list(playout.take_echoes(now + 10**6)) == names
