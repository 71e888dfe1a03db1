"""The tables, as SQLAlchemy's typed models. The package's docstring says what each is for; migrations make them."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any, ClassVar

from sqlalchemy import JSON, Date, DateTime, Dialect, ForeignKey, Index, MetaData, Text, UniqueConstraint
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.types import TypeDecorator


class UtcTime(TypeDecorator[datetime]):
    """A moment: aware on our side, UTC in the database. SQLite knows no zones, so we keep them away from it."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Refuse a time that doesn't say which moment it means."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a time without a zone can't be stored")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Give UTC back."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Base(DeclarativeBase):
    """The models' base: names of constraints are fixed, so that a migration can drop what another made."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map: ClassVar[dict[Any, Any]] = {
        str: Text(),
        datetime: UtcTime(),
        date: Date(),
        dict[str, Any]: JSON(),
        list[str]: JSON(),
    }


class LeadRow(Base):
    """A person to be called."""

    __tablename__ = "leads"

    id: Mapped[int] = mapped_column(primary_key=True)
    phone: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    company: Mapped[str]
    role: Mapped[str]
    email: Mapped[str]
    zone: Mapped[str]
    source: Mapped[str]
    language: Mapped[str]
    consent_basis: Mapped[str | None]
    consent_text: Mapped[str]
    consent_at: Mapped[datetime | None]
    budget: Mapped[str]
    authority: Mapped[str]
    need: Mapped[str]
    timing: Mapped[str]
    interest: Mapped[str]
    objections: Mapped[list[str]]
    notes: Mapped[str]
    extra: Mapped[dict[str, Any]]
    last_outcome: Mapped[str]
    callback_action: Mapped[str | None]
    callback_at: Mapped[datetime | None]
    callback_zone: Mapped[str]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]


class DoNotCallRow(Base):
    """A number that is never dialled."""

    __tablename__ = "do_not_call"

    number: Mapped[str] = mapped_column(primary_key=True)
    added_at: Mapped[datetime]
    source: Mapped[str]


class AttemptRow(Base):
    """One dial, on the day it was where the phone rang. It outlives its lead: the number counts too."""

    __tablename__ = "attempts"
    __table_args__ = (Index(None, "number", "day"), Index(None, "lead_id", "day"))

    call_id: Mapped[str] = mapped_column(primary_key=True)
    lead_id: Mapped[int | None] = mapped_column(ForeignKey("leads.id", ondelete="SET NULL"))
    number: Mapped[str]
    day: Mapped[date]
    at: Mapped[datetime]


class CallRow(Base):
    """A call; live as long as ``disposition`` is NULL, and that column is written once."""

    __tablename__ = "calls"
    __table_args__ = (Index(None, "started_at", "id"),)

    id: Mapped[str] = mapped_column(primary_key=True)
    call_sid: Mapped[str | None] = mapped_column(unique=True)
    server: Mapped[str]
    direction: Mapped[str]
    channel: Mapped[str]
    number: Mapped[str] = mapped_column(index=True)
    our_number: Mapped[str]
    lead_id: Mapped[int | None] = mapped_column(ForeignKey("leads.id", ondelete="SET NULL"), index=True)
    started_at: Mapped[datetime]
    answered_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    opted_out: Mapped[bool]
    disposition: Mapped[str | None] = mapped_column(index=True)
    line_result: Mapped[str | None]
    summary: Mapped[str]
    slots: Mapped[dict[str, Any]]
    next_action: Mapped[str | None]
    next_at: Mapped[datetime | None]
    next_zone: Mapped[str]
    consent_basis: Mapped[str | None]
    consent_text: Mapped[str]
    consent_at: Mapped[datetime | None]
    playbook_id: Mapped[str] = mapped_column(server_default="")


class PlaybookRow(Base):
    """A playbook that calls were made by; its id is made of its text."""

    __tablename__ = "playbooks"

    id: Mapped[str] = mapped_column(primary_key=True)
    text: Mapped[str]
    added_at: Mapped[datetime]


class TurnRow(Base):
    """One turn of a call."""

    __tablename__ = "turns"

    call_id: Mapped[str] = mapped_column(ForeignKey("calls.id", ondelete="CASCADE"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    input: Mapped[str]
    transcript: Mapped[str]
    reply: Mapped[str]
    reply_heard: Mapped[str]
    interrupted: Mapped[bool]
    started_ms: Mapped[int]
    ended_ms: Mapped[int]
    timings: Mapped[dict[str, Any]]


class PhraseRow(Base):
    """One line of the heard ledger."""

    __tablename__ = "phrases"

    call_id: Mapped[str] = mapped_column(ForeignKey("calls.id", ondelete="CASCADE"), primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    turn: Mapped[int]
    text: Mapped[str]
    heard: Mapped[str]


class EventRow(Base):
    """Something that happened in a call."""

    __tablename__ = "events"

    call_id: Mapped[str] = mapped_column(ForeignKey("calls.id", ondelete="CASCADE"), primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    at: Mapped[datetime]
    kind: Mapped[str]
    data: Mapped[dict[str, Any]]


class DeliveryRow(Base):
    """An outcome, or a hand-over, for the owner's webhook: kept until it is delivered, then forgotten."""

    __tablename__ = "deliveries"
    __table_args__ = (UniqueConstraint("call_id", "kind"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    call_id: Mapped[str] = mapped_column(ForeignKey("calls.id", ondelete="CASCADE"))
    kind: Mapped[str]
    payload: Mapped[dict[str, Any]]
    attempts: Mapped[int]
    next_try_at: Mapped[datetime] = mapped_column(index=True)
    last_error: Mapped[str]


class ComplianceRow(Base):
    """One entry of the compliance log. ``facts`` is the very text that was hashed."""

    __tablename__ = "compliance"

    seq: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    at: Mapped[datetime]
    kind: Mapped[str]
    facts: Mapped[str]
    personal_digest: Mapped[str | None]
    previous_hash: Mapped[str]
    hash: Mapped[str]
    number: Mapped[str | None] = mapped_column(index=True)
    call_id: Mapped[str | None] = mapped_column(index=True)
    details: Mapped[str | None]
    salt: Mapped[str | None]


class CampaignRow(Base):
    """A campaign: leads to be dialled one after another. Its counts are those of the period since ``period_from``."""

    __tablename__ = "campaigns"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    server: Mapped[str]
    state: Mapped[str] = mapped_column(index=True)
    reason: Mapped[str]
    per_s: Mapped[float]
    at_once: Mapped[int]
    retries: Mapped[dict[str, Any]]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    period_from: Mapped[datetime]
    answered: Mapped[int]
    abandoned: Mapped[int]
    playbook_id: Mapped[str] = mapped_column(server_default="")


class CampaignLeadRow(Base):
    """A lead in a campaign. ``call_id`` is its latest call's; ``results`` counts its calls by their line result."""

    __tablename__ = "campaign_leads"
    __table_args__ = (Index(None, "campaign_id", "position"),)

    campaign_id: Mapped[int] = mapped_column(ForeignKey("campaigns.id", ondelete="CASCADE"), primary_key=True)
    lead_id: Mapped[int] = mapped_column(ForeignKey("leads.id", ondelete="CASCADE"), primary_key=True, index=True)
    position: Mapped[int]
    state: Mapped[str]
    call_id: Mapped[str | None]
    next_at: Mapped[datetime | None]
    results: Mapped[dict[str, Any]]
    line_result: Mapped[str | None]
    disposition: Mapped[str | None]
    reason: Mapped[str]
    detail: Mapped[str]
    updated_at: Mapped[datetime]
