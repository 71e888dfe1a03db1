"""Gives each call its guide, and writes the record of a call that is over."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Self

import phonenumbers
from phonenumbers import timezone

from telephony_agent.core.events import EndReason
from telephony_agent.sales.disposition import CallEnd, LineResult
from telephony_agent.sales.guide import Guide
from telephony_agent.sales.guide_state import Setting
from telephony_agent.sales.lead import Lead
from telephony_agent.sales.outcome import Outcome, conclude
from telephony_agent.sales.playbook import Playbook
from telephony_agent.sales.rulebook import Rulebook
from telephony_agent.sales.sales_phrases import SalesPhrases, WhisperWords

_ID_LENGTH = 16
_E164 = re.compile(r"\+[1-9]\d{6,14}")
UNKNOWN_ZONE = "UTC"


class SalesDesk:
    """What all calls by one playbook share on the sales side."""

    def __init__(self, playbook: Playbook, *, can_transfer: bool = False, recorded: bool = False) -> None:
        """Read the phrases of the playbook's language.

        Raises:
            PlaybookError: there are none.
        """
        self.playbook = playbook
        self.playbook_text = playbook.as_json()
        self.playbook_id = hashlib.sha256(self.playbook_text.encode()).hexdigest()[:_ID_LENGTH]
        """Of this playbook and no other: it is made of its text."""
        self._phrases = SalesPhrases.shipped(playbook.language)
        self._rules = Rulebook.of(playbook, self._phrases)
        self._can_transfer = can_transfer
        self._recorded = recorded

    def by(self, playbook: Playbook) -> Self:
        """Return a desk like this one, for calls by another playbook.

        Raises:
            PlaybookError: there are no phrases in its language.
        """
        return type(self)(playbook, can_transfer=self._can_transfer, recorded=self._recorded)

    @property
    def recording_notice(self) -> str:
        """What callers are told of the recording; empty where there is none."""
        return (self.playbook.recording_notice or self._phrases.say.recording_notice) if self._recorded else ""

    @property
    def whisper_words(self) -> WhisperWords:
        """The words by which a person is told of a call, in the playbook's language."""
        return self._phrases.whisper

    @property
    def untaken(self) -> str:
        """What a caller is told whose call no person took; empty where there is no person."""
        return self.guide(self.setting("")).nobody_came() if self._can_transfer else ""

    def setting(self, number: str) -> Setting:
        """Return what a call with this party is before it begins; a number that is none stands for nobody's."""
        phone = number if _E164.fullmatch(number) else ""
        lead = Lead(name="unknown", phone=phone)
        return Setting(self.playbook, lead, zone_of(phone), recorded=self._recorded, can_transfer=self._can_transfer)

    def setting_of(self, lead: Lead) -> Setting:
        """Return what a call to a lead is before it begins."""
        setting = self.setting(lead.phone)
        return replace(setting, lead=lead, zone=lead.zone or setting.zone)

    def guide(self, setting: Setting) -> Guide:
        """Return the guide of a new call."""
        return Guide(setting, self._rules)


def guide_of(data: Mapping[str, Any]) -> Guide:
    """Return the guide of a recorded call as it was before the first turn.

    Raises:
        KeyError, ValueError: the data aren't ``Setting.as_data``'s.
    """
    setting = Setting.from_data(data)
    return Guide.of(setting, SalesPhrases.shipped(setting.playbook.language))


def outcome_of(
    guide: Guide,
    setting: Setting,
    reason: EndReason | None,
    line: LineResult | None = None,
    *,
    voicemail_left: bool = False,
) -> Outcome:
    """Return the record of a call that is over.

    Args:
        guide: the call's.
        setting: what the call was before it began.
        reason: why the talk ended; None where no stream ever came.
        line: the carrier's result, where it is known; else that follows from ``reason``.
        voicemail_left: whether a mailbox has our message.
    """
    line = line or (LineResult.FAILED if reason is None else LineResult.ANSWERED)
    end = None if reason is None else CallEnd(reason.value)
    findings = replace(guide.findings, voicemail_left=voicemail_left)
    return conclude(setting.lead, guide.state, findings, line, end)


def zone_of(phone: str) -> str:
    """Return a zone of the number's region; UTC where it isn't known."""
    try:
        zones = timezone.time_zones_for_number(phonenumbers.parse(phone)) if phone else ()
    except phonenumbers.NumberParseException:
        zones = ()
    known = [zone for zone in zones if zone != timezone.UNKNOWN_TIMEZONE]
    return known[0] if known else UNKNOWN_ZONE
