"""The plan of a campaign: who is next and when, and what follows from a call or a refusal."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telephony_agent.sales.campaign import (
    NO_PLACE,
    Again,
    CampaignError,
    CampaignPlan,
    Dial,
    Finished,
    Pace,
    Refused,
    RetryRules,
    Wait,
    after_refusal,
    too_many_abandoned,
)
from telephony_agent.sales.compliance import DialPolicy, next_day, next_opening
from telephony_agent.sales.lead import Lead

NOON = datetime(2026, 3, 2, 17, 0, tzinfo=UTC)
"""In New York."""
NEW_YORK, LOS_ANGELES = "America/New_York", "America/Los_Angeles"
NUMBER = "+12125550142"
LEAD = Lead("Anna Miller", NUMBER, zone=NEW_YORK)
POLICY = DialPolicy()


def after(**elapsed: float) -> datetime:
    return NOON + timedelta(**elapsed)


def plan(*leads: int, per_s: float = 1.0, at_once: int = 0, pace: Pace | None = None) -> CampaignPlan:
    return CampaignPlan([(lead, NOON) for lead in leads], per_s=per_s, at_once=at_once, pace=pace or Pace())


def dials(campaign: CampaignPlan, now: datetime) -> int:
    step = campaign.next(now)
    assert isinstance(step, Dial)
    return step.lead_id


# The order and the pace


def test_leads_are_dialled_in_their_order_one_a_second() -> None:
    campaign = plan(7, 3)
    assert dials(campaign, NOON) == 7
    assert campaign.next(after(seconds=0.5)) == Wait(after(seconds=1))
    assert dials(campaign, after(seconds=1)) == 3


def test_who_is_due_sooner_comes_first() -> None:
    campaign = plan(1)
    assert dials(campaign, NOON) == 1
    campaign.again(1, after(minutes=15))
    campaign.again(2, after(minutes=5))
    assert campaign.next(after(minutes=1)) == Wait(after(minutes=5))
    assert dials(campaign, after(minutes=20)) == 2


def test_a_turn_that_led_to_no_call_costs_no_second() -> None:
    campaign = plan(1, 2)
    assert campaign.next(NOON) == Dial(1)
    campaign.not_dialled(1, NOON, after(hours=8))
    assert campaign.next(NOON) == Dial(2)
    campaign.not_dialled(2, NOON, None)
    assert campaign.next(NOON) == Wait(after(hours=8))


def test_a_turn_that_is_given_back_late_takes_nobody_elses() -> None:
    pace = Pace()
    first, second = plan(1, 3, pace=pace), plan(2, pace=pace)
    assert first.next(NOON) == Dial(1)
    assert second.next(after(seconds=1)) == Dial(2)
    first.not_dialled(1, NOON, None)
    assert first.next(after(seconds=1)) == Wait(after(seconds=2))


def test_no_more_are_live_than_may_be() -> None:
    campaign = plan(1, 2, per_s=100, at_once=1)
    assert dials(campaign, NOON) == 1
    assert campaign.next(after(minutes=1)) == Wait(None)
    campaign.over(1)
    assert dials(campaign, after(minutes=1)) == 2


def test_calls_of_the_last_life_count_as_live() -> None:
    campaign = plan(1, at_once=1)
    campaign.taken(9)
    assert campaign.next(NOON) == Wait(None)


def test_campaigns_of_one_server_share_their_pace() -> None:
    pace = Pace()
    first, second = plan(1, pace=pace), plan(2, pace=pace)
    assert dials(first, NOON) == 1
    assert second.next(NOON) == Wait(after(seconds=1))


def test_a_clock_that_was_set_back_holds_nobody_up() -> None:
    campaign = CampaignPlan([(1, after(hours=-2)), (2, after(hours=-2))], per_s=1.0, at_once=0, pace=Pace())
    assert dials(campaign, NOON) == 1
    assert campaign.next(after(hours=-1)) == Wait(after(hours=-1, seconds=1))
    assert dials(campaign, after(hours=-1, seconds=1)) == 2


def test_without_a_place_nobody_is_dialled_until_a_call_is_over() -> None:
    campaign = plan(1, 2)
    assert dials(campaign, NOON) == 1
    campaign.hold(after(seconds=30), NO_PLACE)
    assert campaign.next(after(seconds=2)) == Wait(after(seconds=30))
    campaign.place_free()
    assert dials(campaign, after(seconds=2)) == 2


def test_the_end_of_a_call_brings_no_day_that_is_used_up_back() -> None:
    campaign = plan(1, 2)
    assert dials(campaign, NOON) == 1
    campaign.hold(after(hours=1), "daily_cap")
    campaign.place_free()
    assert campaign.next(after(seconds=2)) == Wait(after(hours=1))


def test_it_is_finished_when_nobody_waits_and_no_call_is_live() -> None:
    campaign = plan(1)
    assert dials(campaign, NOON) == 1
    assert campaign.next(NOON) == Wait(None)
    campaign.over(1)
    assert campaign.next(NOON) == Finished()


@given(
    results=st.lists(st.integers(0, 5), max_size=60),
    leads=st.integers(1, 8),
    at_once=st.integers(0, 3),
)
def test_whatever_happens_nobody_is_dialled_while_they_are_live_and_all_come_to_an_end(
    results: list[int], leads: int, at_once: int
) -> None:
    campaign, now = plan(*range(leads), at_once=at_once), NOON
    live: set[int] = set()
    over: set[int] = set()
    last: datetime | None = None
    while not isinstance(step := campaign.next(now), Finished):
        match step:
            case Dial(lead_id=lead):
                assert lead not in live | over
                assert last is None or now - last >= timedelta(seconds=1)
                live.add(lead)
                last = now
                assert not at_once or len(live) <= at_once
            case Wait(until=datetime() as until):
                assert until > now
                now = until
            case Wait(until=None):
                lead = min(live)
                live.remove(lead)
                if results and (minutes := results.pop()):
                    campaign.again(lead, now + timedelta(minutes=minutes))
                else:
                    campaign.over(lead)
                    over.add(lead)
    assert over == set(range(leads))


# What follows from a call


@pytest.mark.parametrize(
    ("result", "waits"),
    [
        ("busy", [15, 15, 15, None]),
        ("no_answer", [120, 120, None]),
        ("failed", [60, None]),
        ("voicemail", [1440, None]),
        ("answered", [None]),
        ("abandoned", [None]),
    ],
)
def test_who_was_not_reached_is_called_again_but_not_for_ever(result: str, waits: list[int | None]) -> None:
    rules = RetryRules()
    for times, minutes in enumerate(waits, start=1):
        assert rules.again_at(result, times, NOON) == (after(minutes=minutes) if minutes else None)


def test_rules_are_changed_one_by_one() -> None:
    rules = RetryRules().changed(["busy:30s:9", "failed:never", "abandoned:3d"])
    assert rules.again_at("busy", 9, NOON) == after(seconds=30)
    assert rules.again_at("failed", 1, NOON) is None
    assert rules.again_at("abandoned", 1, NOON) == after(days=3)
    assert rules.again_at("no_answer", 2, NOON) == after(hours=2)
    assert RetryRules.from_data(rules.as_data()) == rules


@pytest.mark.parametrize("text", ["busy", "busy:15", "busy:15m:x", "nobody:1h", "answered:1h:1", "busy:-1m", ""])
def test_what_is_no_rule_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(CampaignError, match="write busy:15m:3"):
        RetryRules().changed([text])


@pytest.mark.parametrize(
    ("answered", "abandoned", "too_many"),
    [(1, 0, False), (1, 1, False), (20, 1, False), (20, 2, True), (66, 2, True), (67, 2, False), (100, 4, True)],
)
def test_more_than_three_in_a_hundred_are_too_many_and_one_alone_is_an_accident(
    answered: int, abandoned: int, too_many: bool
) -> None:
    assert too_many_abandoned(answered, abandoned) is too_many


# What follows from a refusal


def test_outside_the_hours_a_lead_waits_for_their_opening() -> None:
    night = after(hours=12)
    assert after_refusal("outside_hours", LEAD, night, POLICY) == Again(datetime(2026, 3, 3, 13, 0, tzinfo=UTC))


@pytest.mark.parametrize("reason", ["attempts", "too_many_attempts"])
def test_who_was_called_too_often_today_waits_for_tomorrow(reason: str) -> None:
    assert after_refusal(reason, LEAD, NOON, POLICY) == Again(datetime(2026, 3, 3, 13, 0, tzinfo=UTC))


@pytest.mark.parametrize(("reason", "seconds"), [("no_place", 5), ("store", 30), ("daily_cap", 3600)])
def test_what_says_nothing_of_the_lead_is_tried_again_soon(reason: str, seconds: int) -> None:
    assert after_refusal(reason, LEAD, NOON, POLICY) == Again(after(seconds=seconds))


@pytest.mark.parametrize("reason", ["do_not_call", "no_consent", "premium", "country", "unknown_zone", "unknown_lead"])
def test_what_the_law_refuses_is_refused_for_good(reason: str) -> None:
    assert after_refusal(reason, LEAD, NOON, POLICY) == Refused()


def test_hours_that_never_open_are_refused_for_good() -> None:
    never = DialPolicy(opens=time(9), closes=time(9))
    assert after_refusal("outside_hours", LEAD, NOON, never) == Refused()
    assert after_refusal("attempts", LEAD, NOON, never) == Refused()


# The hours


def test_open_hours_open_now() -> None:
    assert next_opening(NEW_YORK, NUMBER, NOON, POLICY) == NOON


def test_hours_open_later_today_or_tomorrow() -> None:
    early, late = datetime(2026, 3, 2, 11, 30, tzinfo=UTC), datetime(2026, 3, 3, 2, 0, tzinfo=UTC)
    assert next_opening(NEW_YORK, NUMBER, early, POLICY) == datetime(2026, 3, 2, 13, 0, tzinfo=UTC)
    assert next_opening(NEW_YORK, NUMBER, late, POLICY) == datetime(2026, 3, 3, 13, 0, tzinfo=UTC)


def test_summer_time_is_the_zones_own() -> None:
    night = datetime(2026, 3, 8, 6, 0, tzinfo=UTC)
    assert next_opening(NEW_YORK, NUMBER, night, POLICY) == datetime(2026, 3, 8, 12, 0, tzinfo=UTC)


def test_a_number_that_may_be_anywhere_waits_until_it_is_day_everywhere() -> None:
    opens = next_opening("", "+18005550142", NOON, POLICY)
    assert opens is not None
    assert opens > NOON, "it is night in Hawaii"
    assert next_opening("", "+18005550142", opens - timedelta(seconds=1), POLICY) == opens


@pytest.mark.parametrize(("zone", "number"), [("Nowhere/Land", NUMBER), ("", "no number")])
def test_unknown_hours_never_open(zone: str, number: str) -> None:
    assert next_opening(zone, number, NOON, POLICY) is None
    assert next_day(zone, number, NOON, POLICY) is None


@given(minutes=st.integers(0, 60 * 24 * 400), zone=st.sampled_from([NEW_YORK, LOS_ANGELES, "Pacific/Honolulu", ""]))
def test_the_next_opening_is_open_and_the_moment_before_it_is_not(minutes: int, zone: str) -> None:
    now = after(minutes=minutes)
    opens = next_opening(zone, NUMBER, now, POLICY)
    assert opens is not None
    assert next_opening(zone, NUMBER, opens, POLICY) == opens
    assert opens == now or next_opening(zone, NUMBER, opens - timedelta(seconds=1), POLICY) == opens
    day = next_day(zone, NUMBER, now, POLICY)
    assert day is not None
    assert timedelta(0) < day - now < timedelta(hours=38)
