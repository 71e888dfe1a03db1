"""Days and times as they are spoken, on Tuesday, November 24, 2026, ten in the morning in New York."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telephony_agent.sales.moments import Moment, read_moment
from telephony_agent.sales.words import tokens

NOW = datetime(2026, 11, 24, 15, 0, tzinfo=UTC)
ZONE = "America/New_York"


@pytest.mark.parametrize(
    ("text", "starts"),
    [
        ("next tuesday at half past three", "2026-12-01T15:30:00-05:00"),
        ("tomorrow afternoon", "2026-11-25T14:00:00-05:00"),
        ("Thursday at 3:30 p.m.", "2026-11-26T15:30:00-05:00"),
        ("Thursday at 3 pm", "2026-11-26T15:00:00-05:00"),
        ("the day after tomorrow at noon", "2026-11-26T12:00:00-05:00"),
        ("December first at ten", "2026-12-01T10:00:00-05:00"),
        ("the first of december", "2026-12-01T10:00:00-05:00"),
        ("December 1st at eleven thirty", "2026-12-01T11:30:00-05:00"),
        ("on the fifth at two o'clock", "2026-12-05T14:00:00-05:00"),
        ("in two weeks", "2026-12-08T10:00:00-05:00"),
        ("in three days at nine in the morning", "2026-11-27T09:00:00-05:00"),
        ("in twenty minutes", "2026-11-24T10:20:00-05:00"),
        ("in half an hour", "2026-11-24T10:30:00-05:00"),
        ("in two hours", "2026-11-24T12:00:00-05:00"),
        ("Friday at quarter to five", "2026-11-27T16:45:00-05:00"),
        ("tonight at eight", "2026-11-24T20:00:00-05:00"),
        ("next Tuesday", "2026-12-01T10:00:00-05:00"),
        ("Monday morning", "2026-11-30T10:00:00-05:00"),
        ("Wednesday at seven in the evening", "2026-11-25T19:00:00-05:00"),
        ("January fifth at ten", "2027-01-05T10:00:00-05:00"),
        ("not Tuesday but Thursday at eleven", "2026-11-26T11:00:00-05:00"),
    ],
)
def test_a_spoken_time_becomes_absolute(text: str, starts: str) -> None:
    reading = read_moment(tokens(text), NOW, ZONE)
    assert not reading.doubtful
    assert reading.moment.starts is not None
    assert reading.moment.starts.isoformat() == starts


def test_next_tuesday_is_the_one_of_next_week_and_tuesday_the_first_after_today() -> None:
    monday = datetime(2026, 11, 30, 15, 0, tzinfo=UTC)
    assert read_moment(["tuesday"], monday, ZONE).moment.day == datetime(2026, 12, 1, tzinfo=UTC).date()
    assert read_moment(["next", "tuesday"], monday, ZONE).moment.day == datetime(2026, 12, 8, tzinfo=UTC).date()


@pytest.mark.parametrize(
    "text", ["Tuesday or Wednesday", "Tuesday at two or three", "today at nine", "at ten or at eleven"]
)
def test_two_times_and_a_past_one_are_in_doubt(text: str) -> None:
    assert read_moment(tokens(text), NOW, ZONE, bare_hour=True).doubtful


@pytest.mark.parametrize(
    "text",
    [
        "last Tuesday",
        "every Monday",
        "before Friday",
        "anything but Friday",
        "next week",
        "good morning",
        "twelve people",
        "three thirty",
        "five five five zero one four two",
        "we may come",
        "the second time",
        "February thirtieth",
        "",
    ],
)
def test_what_names_no_time_to_meet_is_none(text: str) -> None:
    moment = read_moment(tokens(text), NOW, ZONE).moment
    assert (moment.day, moment.at, moment.part) == (None, None, None)


def test_a_bare_hour_is_a_time_only_where_one_was_asked_for() -> None:
    assert (
        read_moment(tokens("three thirty"), NOW, ZONE, bare_hour=True).moment.in_words() == "at 3:30 in the afternoon"
    )
    assert read_moment(tokens("five five five"), NOW, ZONE, bare_hour=True).moment.at is None


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("next tuesday at half past three", "Tuesday, December 1, at 3:30 in the afternoon"),
        ("tomorrow at noon", "Wednesday, November 25, at noon"),
        ("tomorrow at eight in the morning", "Wednesday, November 25, at 8 in the morning"),
        ("Friday at seven in the evening", "Friday, November 27, at 7 in the evening"),
        ("Friday afternoon", "Friday, November 27, in the afternoon"),
        ("Friday", "Friday, November 27"),
    ],
)
def test_a_moment_is_read_out_in_full(text: str, words: str) -> None:
    assert read_moment(tokens(text), NOW, ZONE).moment.in_words() == words


def test_newer_words_replace_only_what_they_name() -> None:
    old = read_moment(tokens("Tuesday at three thirty pm"), NOW, ZONE).moment
    assert old.merged(read_moment(["thursday"], NOW, ZONE).moment).in_words() == (
        "Thursday, November 26, at 3:30 in the afternoon"
    )
    assert old.merged(read_moment(tokens("at four"), NOW, ZONE).moment).in_words() == (
        "Tuesday, December 1, at 4 in the afternoon"
    )


def test_a_day_is_meant_in_the_callers_zone() -> None:
    late = datetime(2026, 11, 25, 3, 0, tzinfo=UTC)  # still Tuesday in New York
    assert str(read_moment(["tomorrow"], late, ZONE).moment.day) == "2026-11-25"
    assert str(read_moment(["tomorrow"], late, "Europe/Madrid").moment.day) == "2026-11-26"


@given(st.lists(st.sampled_from("next tuesday at half past three in two weeks the first of may ten pm".split())))
def test_any_words_are_read_without_exception(words: list[str]) -> None:
    assert isinstance(read_moment(words, NOW, ZONE, bare_hour=True).moment, Moment)


@given(st.text(), st.datetimes(min_value=datetime(2000, 1, 1), max_value=datetime(2100, 1, 1)))
def test_any_text_at_any_time_is_read_without_exception(text: str, at: datetime) -> None:
    read_moment(tokens(text), at.replace(tzinfo=UTC), ZONE, bare_hour=True)
