"""A lead is checked when it is made, and each error names the fix."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from telephony_agent.sales.lead import Consent, ConsentBasis, Lead, LeadError


def test_a_lead_needs_no_more_than_a_name_and_a_phone() -> None:
    assert Lead("Anna Miller", "+15005550006").language == "en"


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("name", " ", "name: is empty"),
        ("phone", "555-0142", r"phone: '555-0142' is not in E.164 form; write \+ and the country code"),
        ("phone", "+0155501", r"E\.164"),
        ("email", "anna at example", r"email: .* write name@host\.tld"),
        ("zone", "New York", "zone: 'New York' is not an IANA zone; write for instance America/New_York"),
        ("zone", "../etc/passwd", "zone:"),
        ("zone", "America", "zone:"),
        ("attempts", -1, "attempts: -1 is negative"),
        ("language", "english", "language: 'english' is no language code"),
        ("next_callback", datetime(2026, 12, 1, 15, 30), r"next_callback: .* has no zone"),
    ],
)
def test_a_wrong_field_is_named_with_its_fix(field: str, value: Any, message: str) -> None:
    fields: dict[str, Any] = {"name": "Anna", "phone": "+15005550006", field: value}
    with pytest.raises(LeadError, match=message):
        Lead(**fields)


def test_a_consent_needs_its_words_and_an_absolute_time() -> None:
    with pytest.raises(LeadError, match=r"consent\.text: is empty"):
        Consent(ConsentBasis.WRITTEN, "", datetime(2026, 1, 1, tzinfo=UTC))
    with pytest.raises(LeadError, match=r"consent\.given_at: .* has no zone"):
        Consent(ConsentBasis.WRITTEN, "You may call me.", datetime(2026, 1, 1))
