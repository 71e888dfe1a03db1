"""Leads as the API takes and shows them."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

from telephony_agent.sales.lead import ConsentBasis
from telephony_agent.store import Consent, LeadDraft, LeadRecord


def _known_zone(zone: str) -> str:
    try:
        if zone:
            ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError(f"{zone!r} is no time zone; write it like Europe/Berlin") from error
    return zone


Text = Annotated[str, StringConstraints(strip_whitespace=True, max_length=2000)]
Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
Zone = Annotated[Text, AfterValidator(_known_zone)]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid")


class ConsentBody(_Model):
    """On what basis a person may be called: what kind, in which words, since when."""

    basis: ConsentBasis
    text: Text = ""
    at: AwareDatetime | None = None

    @property
    def at_utc(self) -> datetime | None:
        """Since when, as the store tells it."""
        return self.at.astimezone(UTC) if self.at is not None else None


class LeadBody(_Model):
    """A person to be called, as somebody enters it. The phone is in E.164; the zone is IANA's name."""

    name: Name
    phone: Name
    company: Text = ""
    role: Text = ""
    email: Text = ""
    zone: Zone = ""
    source: Text = ""
    language: Text = ""
    consent: ConsentBody | None = None
    budget: Text = ""
    authority: Text = ""
    need: Text = ""
    timing: Text = ""
    interest: Text = ""
    objections: tuple[Text, ...] = Field((), max_length=100)
    notes: Text = ""
    extra: dict[Name, Text] = Field({}, max_length=100)

    def draft(self) -> LeadDraft:
        """Return it as the store takes it."""
        consent = self.consent
        return LeadDraft(
            **self.model_dump(exclude={"consent"}),
            consent=Consent(consent.basis.value, consent.text, consent.at_utc) if consent else None,
        )


class LeadQuery(_Model):
    """Which leads are wanted. ``text`` is looked for in name, company, e-mail and number."""

    text: str | None = None
    source: str | None = None
    last_outcome: str | None = None
    do_not_call: bool | None = None
    callback_until: AwareDatetime | None = None
    cursor: str | None = None
    limit: int = 50


class ImportQuery(_Model):
    """``source`` is for the rows that name none."""

    source: Text = ""


class ConsentAnswer(BaseModel):
    """A consent as it is stored."""

    basis: str
    text: str
    at: datetime | None


class CallbackAnswer(BaseModel):
    """When a lead expects us. ``at`` is absolute, ``zone`` is how the person thinks of it."""

    action: str
    at: datetime | None
    zone: str


class LeadAnswer(BaseModel):
    """A lead as it is stored, with what came of the calls so far."""

    id: int
    name: str
    phone: str
    company: str
    role: str
    email: str
    zone: str
    source: str
    language: str
    consent: ConsentAnswer | None
    budget: str
    authority: str
    need: str
    timing: str
    interest: str
    objections: tuple[str, ...]
    notes: str
    extra: dict[str, str]
    created_at: datetime
    updated_at: datetime
    last_outcome: str
    next_callback: CallbackAnswer | None
    do_not_call: bool

    @classmethod
    def of(cls, record: LeadRecord) -> Self:
        """Return the answer for a record."""
        told = asdict(record)
        return cls.model_validate({**told.pop("draft"), **told})


class LeadPage(BaseModel):
    """Some of the leads; ``next_cursor`` asks for those after them and is null on the last page."""

    leads: tuple[LeadAnswer, ...]
    next_cursor: str | None


class RefusedRowAnswer(BaseModel):
    """A row of the file that became no lead, and why; to be mended and imported again."""

    line: int
    values: tuple[str, ...]
    reason: str


class ImportAnswer(BaseModel):
    """What became of a file: the new leads in its order, and the refused rows."""

    added: tuple[int, ...]
    refused: tuple[RefusedRowAnswer, ...]
