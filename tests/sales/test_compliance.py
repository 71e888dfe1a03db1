"""Dialling is allowed only when nothing speaks against it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telephony_agent.sales.compliance import DialPolicy, Reason, may_dial
from telephony_agent.sales.lead import Consent, ConsentBasis, Lead

NOON = datetime(2026, 11, 24, 17, 0, tzinfo=UTC)  # noon in New York, nine in Los Angeles
CONSENT = Consent(ConsentBasis.WRITTEN, "You may call me with an automated voice.", datetime(2026, 1, 5, tzinfo=UTC))
LEAD = Lead("Anna Miller", "+12125550142", consent=CONSENT)
POLICY = DialPolicy()
OFCOM = "+44"
"""Before one of the numbers that Ofcom keeps for films."""


def reason(
    lead: Lead = LEAD,
    *,
    now: datetime = NOON,
    policy: DialPolicy = POLICY,
    attempts: int = 0,
    listed: frozenset[str] = frozenset(),
    number: str = "",
) -> Reason:
    decision = may_dial(lead, number or lead.phone, now, policy, attempts, listed)
    assert decision.allowed is (decision.reason is Reason.ALLOWED)
    assert decision.allowed or decision.detail
    return decision.reason


def to(phone: str, zone: str = "") -> Lead:
    return replace(LEAD, phone=phone, zone=zone)


def test_a_lead_with_consent_is_called_by_day() -> None:
    assert reason() is Reason.ALLOWED


@pytest.mark.parametrize(
    ("hour", "minute", "allowed"),
    [(7, 59, False), (8, 0, True), (20, 59, True), (21, 0, False), (0, 0, False), (3, 0, False)],
)
def test_the_hours_are_those_of_the_called_party(hour: int, minute: int, allowed: bool) -> None:
    local = (
        datetime(2026, 11, 24, hour + 5, minute, tzinfo=UTC)
        if hour < 19
        else datetime(2026, 11, 25, hour - 19, minute, tzinfo=UTC)
    )
    assert (reason(now=local) is Reason.ALLOWED) is allowed


def test_daylight_saving_is_kept() -> None:
    summer = datetime(
        2026, 7, 1, 12, 30, tzinfo=UTC
    )  # half past eight in New York in summer, half past seven in winter
    assert reason(now=summer) is Reason.ALLOWED
    assert reason(now=datetime(2026, 12, 1, 12, 30, tzinfo=UTC)) is Reason.OUTSIDE_HOURS


def test_the_leads_zone_goes_before_the_numbers() -> None:
    assert reason(to("+12125550142", "America/Los_Angeles"), now=NOON - timedelta(hours=2)) is Reason.OUTSIDE_HOURS
    assert reason(to("+12125550142"), now=NOON - timedelta(hours=2)) is Reason.ALLOWED


def test_all_zones_of_a_number_must_agree() -> None:
    idaho = to("+12085550142")  # Boise and Los Angeles
    assert reason(idaho, now=datetime(2026, 11, 24, 15, 30, tzinfo=UTC)) is Reason.OUTSIDE_HOURS
    assert reason(idaho, now=datetime(2026, 11, 24, 16, 30, tzinfo=UTC)) is Reason.ALLOWED


def test_a_number_without_a_place_is_not_called_unless_the_lead_has_a_zone() -> None:
    assert reason(to("+15005550006")) is not Reason.ALLOWED
    assert reason(to("+15005550006", "America/New_York")) is Reason.ALLOWED


def test_an_unknown_zone_means_no_call() -> None:
    satellite = DialPolicy(countries=frozenset({"001"}))
    assert reason(to("+881" + "612345678"), policy=satellite) is Reason.UNKNOWN_ZONE


@pytest.mark.parametrize(
    ("phone", "expected"),
    [
        ("+19005550142", Reason.PREMIUM),
        ("+19765550142", Reason.PREMIUM),
        (OFCOM + "9098790123", Reason.PREMIUM),
        (OFCOM + "2079460123", Reason.COUNTRY),
        ("+18765550142", Reason.COUNTRY),
        ("+1242155", Reason.NOT_A_NUMBER),
        ("+12125550", Reason.NOT_A_NUMBER),
        ("+999555014", Reason.NOT_A_NUMBER),
    ],
)
def test_premium_foreign_and_impossible_numbers_are_refused(phone: str, expected: Reason) -> None:
    assert reason(to(phone, "America/New_York")) is expected


def test_the_do_not_call_list_goes_before_everything_else() -> None:
    refused = replace(LEAD, consent=None)
    assert reason(refused, listed=frozenset({LEAD.phone}), attempts=9) is Reason.DO_NOT_CALL


def test_only_the_leads_own_number_is_dialled() -> None:
    assert reason(number="+12125550143") is Reason.NOT_THE_LEADS


@pytest.mark.parametrize("basis", [ConsentBasis.EXPRESS, ConsentBasis.INQUIRY, ConsentBasis.CUSTOMER])
def test_a_weaker_consent_does_not_suffice_unless_the_policy_says_so(basis: ConsentBasis) -> None:
    lead = replace(LEAD, consent=replace(CONSENT, basis=basis))
    assert reason(lead) is Reason.NO_CONSENT
    assert reason(lead, policy=DialPolicy(consents=frozenset({basis}))) is Reason.ALLOWED


def test_no_consent_and_one_of_tomorrow_are_none() -> None:
    assert reason(replace(LEAD, consent=None)) is Reason.NO_CONSENT
    tomorrow = replace(CONSENT, given_at=NOON + timedelta(days=1))
    assert reason(replace(LEAD, consent=tomorrow)) is Reason.NO_CONSENT


def test_attempts_a_day_are_limited() -> None:
    assert reason(attempts=2) is Reason.ALLOWED
    assert reason(attempts=3) is Reason.TOO_MANY_ATTEMPTS


def test_a_naive_time_is_an_error_of_the_caller() -> None:
    with pytest.raises(ValueError, match="aware"):
        may_dial(LEAD, LEAD.phone, datetime(2026, 11, 24), POLICY, 0, ())


@given(st.datetimes(min_value=datetime(2020, 1, 1), max_value=datetime(2040, 1, 1)))
def test_whenever_a_call_is_allowed_it_is_day_there(at: datetime) -> None:
    now = at.replace(tzinfo=UTC)
    lead = replace(LEAD, consent=replace(CONSENT, given_at=datetime(2019, 1, 1, tzinfo=UTC)))
    if may_dial(lead, lead.phone, now, POLICY, 0, ()).allowed:
        assert 8 <= now.astimezone(ZoneInfo("America/New_York")).hour < 21
