"""What stands in a call's book in the end."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from telephony_agent.core.events import EndReason
from telephony_agent.live.call_book import outcome_record
from telephony_agent.live.sales_desk import SalesDesk, outcome_of
from telephony_agent.sales.lead import Consent, ConsentBasis
from telephony_agent.store import Consent as ConsentRecord
from tests.loopback.agent import PLAYBOOK


def test_the_consent_to_a_call_is_written_with_its_outcome() -> None:
    given_at = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)
    desk = SalesDesk(PLAYBOOK)
    setting = desk.setting("+12125550199")
    outcome = outcome_of(desk.guide(setting), setting, EndReason.CALLER)
    assert outcome_record(outcome).consent is None
    agreed = replace(outcome, consent=Consent(ConsentBasis.WRITTEN, "Yes, call me.", given_at))
    assert outcome_record(agreed).consent == ConsentRecord("written", "Yes, call me.", given_at)
