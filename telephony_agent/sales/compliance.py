"""May this number be dialled now? Every doubt is a no, with its reason.

The checks, in their order: the number is the lead's own, not on the do-not-call list, a number at all and no premium
number, of a country that is allowed, with a consent that suffices, not called too often today, and within the calling
hours of the called party. Without a zone in the lead, every zone that the number may be in must agree on the hours; so
a number without a place (a toll-free number) may be called only when it is day in all its country.

The hours are those of the Telemarketing Sales Rule (16 CFR 310.4(c)). This helps to keep the law; it is no advice.
"""

from __future__ import annotations

from collections.abc import Container, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

import phonenumbers
from phonenumbers import timezone

from telephony_agent.sales.lead import ConsentBasis, Lead

_OPENING_TRIES = 6
"""Steps from one zone's opening to another's, until all are open at once or never will be."""
_COSTLY = frozenset(
    {
        phonenumbers.PhoneNumberType.PREMIUM_RATE,
        phonenumbers.PhoneNumberType.SHARED_COST,
        phonenumbers.PhoneNumberType.PAGER,
    }
)


class Reason(StrEnum):
    """Why a number may be dialled, or may not."""

    ALLOWED = "allowed"
    NOT_THE_LEADS = "not_the_leads"
    NOT_A_NUMBER = "not_a_number"
    DO_NOT_CALL = "do_not_call"
    COUNTRY = "country"
    PREMIUM = "premium"
    NO_CONSENT = "no_consent"
    TOO_MANY_ATTEMPTS = "too_many_attempts"
    UNKNOWN_ZONE = "unknown_zone"
    OUTSIDE_HOURS = "outside_hours"


@dataclass(frozen=True, slots=True)
class DialPolicy:
    """What the owner allows. Hours are local to the called party: from ``opens``, before ``closes``."""

    opens: time = time(8)
    closes: time = time(21)
    attempts_per_day: int = 3
    countries: frozenset[str] = frozenset({"US"})
    """ISO codes of the countries that may be called."""
    consents: frozenset[ConsentBasis] = frozenset({ConsentBasis.WRITTEN})
    """The bases of consent that suffice."""
    premium_prefixes: tuple[str, ...] = ("+1900", "+1976")
    """E.164 prefixes that are refused beside what the numbering plans call premium."""


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether to dial, the reason, and a sentence for a person."""

    reason: Reason
    detail: str = ""

    @property
    def allowed(self) -> bool:
        """Whether the number may be dialled."""
        return self.reason is Reason.ALLOWED


def may_dial(
    lead: Lead, number: str, now: datetime, policy: DialPolicy, attempts_today: int, do_not_call: Container[str]
) -> Decision:
    """Decide whether to dial a lead.

    Args:
        lead: whom to call.
        number: what would be dialled, E.164.
        now: the present, aware.
        policy: what the owner allows.
        attempts_today: how often the lead was dialled today, in the called party's zone.
        do_not_call: the numbers never to be dialled, E.164.

    Raises:
        ValueError: ``now`` is naive.
    """
    if now.utcoffset() is None:
        raise ValueError("now: must be aware of its zone")
    if number != lead.phone:
        return Decision(Reason.NOT_THE_LEADS, "only the lead's own number is dialled")
    # Before everything that could fail: a number on the list is refused as that, whatever else is wrong.
    if number in do_not_call:
        return Decision(Reason.DO_NOT_CALL, "the number is on the do-not-call list")
    return (
        _refuse_number(number, policy)
        or _refuse_lead(lead, now, policy, attempts_today)
        or _refuse_hour(lead.zone, number, now, policy)
        or Decision(Reason.ALLOWED)
    )


def _refuse_number(number: str, policy: DialPolicy) -> Decision | None:
    try:
        parsed = phonenumbers.parse(number)
    except phonenumbers.NumberParseException:
        return Decision(Reason.NOT_A_NUMBER, "write + and the country code, such as +15005550006")
    if phonenumbers.number_type(parsed) in _COSTLY or number.startswith(policy.premium_prefixes):
        return Decision(Reason.PREMIUM, "premium numbers are never dialled")
    if not phonenumbers.is_valid_number(parsed):
        return Decision(Reason.NOT_A_NUMBER, "the numbering plan has no such number")
    country = phonenumbers.region_code_for_number(parsed)
    if country not in policy.countries:
        return Decision(
            Reason.COUNTRY, f"{country or 'its country'} is not among {', '.join(sorted(policy.countries))}"
        )
    return None


def _refuse_lead(lead: Lead, now: datetime, policy: DialPolicy, attempts_today: int) -> Decision | None:
    if lead.consent is None or lead.consent.basis not in policy.consents:
        there = lead.consent.basis if lead.consent else "none"
        return Decision(Reason.NO_CONSENT, f"consent: {there}; needed: {' or '.join(sorted(policy.consents))}")
    if lead.consent.given_at > now:
        return Decision(Reason.NO_CONSENT, "the consent lies in the future")
    if attempts_today >= policy.attempts_per_day:
        return Decision(Reason.TOO_MANY_ATTEMPTS, f"{attempts_today} today, {policy.attempts_per_day} allowed")
    return None


def next_opening(zone: str, number: str, now: datetime, policy: DialPolicy) -> datetime | None:
    """Return the first moment from ``now`` on at which the calling hours let a number be dialled (UTC).

    None where there is none: the zone isn't known, or it is never day in all zones that the number may be in.
    """
    zones = _zones(zone, number)
    moment = now
    for _ in range(_OPENING_TRIES):
        refused = _refuse_hour(zone, number, moment, policy)
        if refused is None:
            return moment.astimezone(UTC)
        if refused.reason is not Reason.OUTSIDE_HOURS:
            return None
        moment = max(_opening(ZoneInfo(name), moment, policy) for name in zones)
    return None


def next_day(zone: str, number: str, now: datetime, policy: DialPolicy) -> datetime | None:
    """Return when a number may be dialled on the next day there: the first opening after its midnight (UTC)."""
    zones = _zones(zone, number)
    if _refuse_hour(zone, number, now, policy) is not None and next_opening(zone, number, now, policy) is None:
        return None
    days = [(ZoneInfo(name), now.astimezone(ZoneInfo(name)).date() + timedelta(days=1)) for name in zones]
    midnight = max(datetime.combine(day, time(), there) for there, day in days)
    return next_opening(zone, number, midnight, policy)


def _opening(zone: ZoneInfo, moment: datetime, policy: DialPolicy) -> datetime:
    """Return when the hours of a zone are or become open: this moment, later today, or tomorrow."""
    local = moment.astimezone(zone)
    if policy.opens <= local.time() < policy.closes:
        return moment
    day = local.date() + timedelta(days=local.time() >= policy.opens)
    return datetime.combine(day, policy.opens, zone).astimezone(UTC)


def _zones(zone: str, number: str) -> list[str]:
    """Return the zones that a number may be in: the lead's, or all that its prefix allows; none if it is no number."""
    try:
        return [zone] if zone else list(timezone.time_zones_for_number(phonenumbers.parse(number)))
    except phonenumbers.NumberParseException:
        return []


def _refuse_hour(zone: str, number: str, now: datetime, policy: DialPolicy) -> Decision | None:
    zones = _zones(zone, number)
    try:
        hours = {name: now.astimezone(ZoneInfo(name)).time() for name in zones}
    except (KeyError, OSError, ValueError):
        hours = {}
    if not hours or timezone.UNKNOWN_TIMEZONE in hours:
        return Decision(Reason.UNKNOWN_ZONE, "give the lead its zone, such as America/New_York")
    outside = _outside(hours.items(), policy)
    if outside:
        return Decision(Reason.OUTSIDE_HOURS, f"it is {hours[outside]:%H:%M} in {outside}")
    return None


def _outside(hours: Iterable[tuple[str, time]], policy: DialPolicy) -> str:
    return next((name for name, at in hours if not policy.opens <= at < policy.closes), "")
