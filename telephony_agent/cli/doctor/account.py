"""The checks of settings and account: what is set, the clock, the credentials, the number's configuration."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import Enum
from typing import Any

import httpx
from pydantic import SecretStr
from pydantic_settings import BaseSettings

from telephony_agent.carrier.carrier import PhoneNumber
from telephony_agent.carrier.twilio_http import HttpLimits
from telephony_agent.carrier.twilio_rest import CLOCK_SLACK_S, Patience, TwilioCarrier
from telephony_agent.cli.doctor.finding import Finding, ok, warning, wrong
from telephony_agent.cli.doctor.patient import Patient
from telephony_agent.cli.number import STATUS_PATH, VOICE_PATH
from telephony_agent.cli.setting_names import defaults, misspelt, names_given
from telephony_agent.errors import CarrierRejected, CarrierUnreachable, SettingError
from telephony_agent.settings import Settings
from telephony_agent.telemetry import mask_number

WRONG_CLOCK_S = 60.0
LIMITS = HttpLimits(connect_s=4.0, answer_s=6.0)
PATIENCE = Patience(pauses_s=(0.5,))
_NUMBER = re.compile(r"\+\d{7,15}")
_NAME = re.compile(r"([A-Z][A-Z0-9_]+)=")


def readable_settings() -> tuple[Settings, tuple[str, ...]]:
    """Read the settings, the wrong ones at their defaults; return them and what was wrong, a line each.

    Raises:
        SettingError: a setting is wrong even at its default, as others want it.
    """
    replaced: dict[str, Any] = {}
    problems: list[str] = []
    while True:
        try:
            return Settings(**replaced), tuple(problems)
        except SettingError as error:
            name = found[1] if (found := _NAME.match(str(error))) else ""
            known = defaults()
            if name in replaced or name not in known:
                raise
            problems.append(str(error))
            replaced[name] = known[name]


def _sections(settings: Settings) -> Iterator[BaseSettings]:
    return (value for value in vars(settings).values() if isinstance(value, BaseSettings))


async def settings(patient: Patient) -> Finding:
    """Tell what is set, secrets masked, and what is wrong with it."""
    server, tokens = patient.settings.server, patient.settings.twilio.auth_tokens
    if patient.problems:
        return wrong("; ".join(patient.problems), "correct these variables in .env or the environment")
    if not tokens and not server.allow_unsigned:
        fix = "TWILIO_AUTH_TOKEN=<the auth token on the front page of Twilio's console>"
        return wrong("TWILIO_AUTH_TOKEN is not set: no request of Twilio's could be told from anybody's", fix)
    if unknown := misspelt(names_given()):
        return warning("; ".join(unknown), "correct or remove these variables in .env or the environment")
    told = ", ".join(f"{name}={value}" for name, value in _chosen(patient.settings)) or "all at their defaults"
    if server.allow_unsigned:
        return warning(f"signatures are not checked; {told}", "AGENT_ALLOW_UNSIGNED=false")
    return ok(told)


def _chosen(settings: Settings) -> Iterator[tuple[str, str]]:
    for section in _sections(settings):
        for name in sorted(section.model_fields_set):
            yield f"{section.model_config['env_prefix']}{name}".upper(), _masked(getattr(section, name))


def _masked(value: Any) -> str:
    match value:
        case SecretStr():
            return "(secret)" if value.get_secret_value() else "(empty)"
        case Enum():
            return str(value.value)
        case str() if value.startswith("AC") and len(value) > 8:
            return f"AC…{value[-4:]}"
        case _:
            return _NUMBER.sub(lambda match: mask_number(match[0]), str(value))


async def clock(patient: Patient) -> Finding:
    """Compare this machine's clock with Twilio's, by the date of whatever its API answers."""
    url = patient.settings.server.twilio_api_url
    try:
        async with httpx.AsyncClient(timeout=LIMITS.connect_s) as client:
            asked = datetime.now(UTC)
            answer = await client.get(url)
            now = asked + (datetime.now(UTC) - asked) / 2
    except httpx.HTTPError as error:
        patient.online = False
        fix = "connect this machine to the network (proxy, firewall, DNS), then run doctor again"
        return warning(f"{url} can't be reached ({type(error).__name__})", fix)
    patient.online = True
    try:
        skew_s = (now - parsedate_to_datetime(answer.headers.get("date", ""))).total_seconds()
    except (TypeError, ValueError):
        return warning("Twilio's answer has no date to compare with", "compare this machine's clock by hand")
    seen = f"{abs(skew_s):.0f} s {'ahead of' if skew_s > 0 else 'behind'} Twilio's"
    fix = "sudo timedatectl set-ntp true" if shutil.which("timedatectl") else "synchronise the clock (chrony, ntpd)"
    if abs(skew_s) > WRONG_CLOCK_S:
        return wrong(f"{seen}: calling hours and callbacks are kept by it", fix)
    # The date has whole seconds.
    return warning(seen, fix) if abs(skew_s) > CLOCK_SLACK_S + 1 else ok("within seconds of Twilio's")


async def account(patient: Patient) -> Finding:
    """Ask Twilio for the account's numbers."""
    try:
        carrier = TwilioCarrier(
            patient.settings.twilio, patient.settings.server.twilio_api_url, limits=LIMITS, patience=PATIENCE
        )
    except SettingError as error:
        fix = "TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN, both from the front page of Twilio's console, in .env"
        return wrong(str(error), fix)
    try:
        patient.numbers = await carrier.numbers()
    except CarrierRejected as error:
        fix = "copy TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN again from the front page of Twilio's console"
        return wrong(str(error), fix)
    except CarrierUnreachable as error:
        return warning(str(error), "connect this machine to the network (proxy, firewall, DNS), then run doctor again")
    finally:
        await carrier.aclose()
    return ok(f"Twilio accepts the credentials; numbers: {len(patient.numbers)}")


async def number(patient: Patient) -> Finding:
    """Look where the number's calls go."""
    ours = patient.settings.twilio.phone_number
    if not ours:
        return warning("TWILIO_PHONE_NUMBER is not set", "TWILIO_PHONE_NUMBER=<one of `telephony-agent number list`>")
    if patient.numbers is None:
        return warning("not looked at, since the account could not be asked", "see account")
    found = next((item for item in patient.numbers if item.number == ours), None)
    if found is None:
        fix = "TWILIO_PHONE_NUMBER=<one of `telephony-agent number list`>, or buy one with voice in Twilio's console"
        return wrong(f"the account has no number {mask_number(ours)}", fix)
    if not found.can_voice:
        return wrong(f"{mask_number(ours)} takes no calls", "TWILIO_PHONE_NUMBER=<a number with voice>")
    if not patient.settings.server.public_url:
        return warning("not compared, since AGENT_PUBLIC_URL is not set", "see public URL")
    return _compared(found, patient.settings.server.public_url)


def _compared(found: PhoneNumber, base: str) -> Finding:
    route, shown = found.route, mask_number(found.number)
    fix = f"telephony-agent number connect {found.number}"
    if route.application_sid or route.trunk_sid:
        return wrong(f"{shown} belongs to a TwiML application or a trunk, so its voice URL is ignored", fix)
    if (route.voice_url, route.voice_method) != (base + VOICE_PATH, "POST"):
        target = f"to {route.voice_method} {route.voice_url}" if route.voice_url else "nowhere"
        return wrong(f"a call to {shown} goes {target}", fix)
    missing = []
    if not route.fallback_url:
        missing.append("no fallback for when this agent fails")
    if (route.status_url, route.status_method) != (base + STATUS_PATH, "POST"):
        missing.append("no status callback to this agent")
    if missing:
        return warning(f"{shown} rings here, but has {' and '.join(missing)}", fix)
    return ok(f"{shown} rings here, with fallback and status callback")
