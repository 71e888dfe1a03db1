"""A lead of the store's as the sales side knows it."""

from __future__ import annotations

from telephony_agent.sales.lead import Bant, Consent, ConsentBasis, Lead
from telephony_agent.store import Consent as StoredConsent
from telephony_agent.store import LeadRecord


def lead_of(record: LeadRecord) -> Lead:
    """Return a stored lead. A consent without its words or its moment is none: it could not be shown to anybody.

    Raises:
        LeadError: what somebody entered can't be used; the message names the field.
    """
    draft = record.draft
    return Lead(
        name=draft.name,
        phone=draft.phone,
        company=draft.company,
        role=draft.role,
        email=draft.email,
        zone=draft.zone,
        source=draft.source,
        consent=_consent(draft.consent),
        bant=Bant(draft.budget, draft.authority, draft.need, draft.timing),
        notes=draft.notes,
        language=draft.language or "en",
    )


def _consent(consent: StoredConsent | None) -> Consent | None:
    if consent is None or not consent.text.strip() or consent.at is None or consent.basis not in set(ConsentBasis):
        return None
    return Consent(ConsentBasis(consent.basis), consent.text, consent.at)
