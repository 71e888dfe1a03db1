"""The first tables. A migration is history: it names no model, since those go on changing."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_MOMENT = sa.DateTime(timezone=True)
_TABLES = ("compliance", "deliveries", "events", "phrases", "turns", "calls", "attempts", "leads", "do_not_call")


def upgrade() -> None:
    """Make every table."""
    _people()
    _calls()
    _what_was_said()
    _owed()


def downgrade() -> None:
    """Drop every table."""
    for table in _TABLES:
        op.drop_table(table)


def _texts(*names: str) -> list[sa.Column[Any]]:
    return [sa.Column(name, sa.Text(), nullable=False) for name in names]


def _texts_or_none(*names: str) -> list[sa.Column[Any]]:
    return [sa.Column(name, sa.Text()) for name in names]


def _moments(*names: str) -> list[sa.Column[Any]]:
    return [sa.Column(name, _MOMENT, nullable=False) for name in names]


def _moments_or_none(*names: str) -> list[sa.Column[Any]]:
    return [sa.Column(name, _MOMENT) for name in names]


def _json(*names: str) -> list[sa.Column[Any]]:
    return [sa.Column(name, sa.JSON(), nullable=False) for name in names]


def _integers(*names: str) -> list[sa.Column[Any]]:
    return [sa.Column(name, sa.Integer(), autoincrement=False, nullable=False) for name in names]


def _key() -> sa.Column[Any]:
    return sa.Column("id", sa.Integer(), nullable=False)


def _lead_id() -> sa.Column[Any]:
    return sa.Column("lead_id", sa.Integer())


def _lead_key(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(["lead_id"], ["leads.id"], name=f"fk_{table}_lead_id", ondelete="SET NULL")


def _call_key(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(["call_id"], ["calls.id"], name=f"fk_{table}_call_id", ondelete="CASCADE")


def _index(table: str, *columns: str) -> None:
    op.create_index(f"ix_{table}_{'_'.join(columns)}", table, list(columns))


def _people() -> None:
    op.create_table(
        "leads",
        _key(),
        *_texts("phone", "name", "company", "role", "email", "zone", "source", "language"),
        *_texts_or_none("consent_basis"),
        *_texts("consent_text"),
        *_moments_or_none("consent_at"),
        *_texts("budget", "authority", "need", "timing", "interest"),
        *_json("objections"),
        *_texts("notes"),
        *_json("extra"),
        *_texts("last_outcome"),
        *_texts_or_none("callback_action"),
        *_moments_or_none("callback_at"),
        *_texts("callback_zone"),
        *_moments("created_at", "updated_at"),
        sa.PrimaryKeyConstraint("id", name="pk_leads"),
        sa.UniqueConstraint("phone", name="uq_leads_phone"),
    )
    op.create_table(
        "do_not_call",
        *_texts("number"),
        *_moments("added_at"),
        *_texts("source"),
        sa.PrimaryKeyConstraint("number", name="pk_do_not_call"),
    )
    op.create_table(
        "attempts",
        *_texts("call_id"),
        _lead_id(),
        *_texts("number"),
        sa.Column("day", sa.Date(), nullable=False),
        *_moments("at"),
        _lead_key("attempts"),
        sa.PrimaryKeyConstraint("call_id", name="pk_attempts"),
    )
    _index("attempts", "number", "day")
    _index("attempts", "lead_id", "day")


def _calls() -> None:
    op.create_table(
        "calls",
        *_texts("id"),
        *_texts_or_none("call_sid"),
        *_texts("server", "direction", "channel", "number", "our_number"),
        _lead_id(),
        *_moments("started_at"),
        *_moments_or_none("answered_at", "ended_at"),
        sa.Column("opted_out", sa.Boolean(), nullable=False),
        *_texts_or_none("disposition", "line_result"),
        *_texts("summary"),
        *_json("slots"),
        *_texts_or_none("next_action"),
        *_moments_or_none("next_at"),
        *_texts("next_zone"),
        *_texts_or_none("consent_basis"),
        *_texts("consent_text"),
        *_moments_or_none("consent_at"),
        _lead_key("calls"),
        sa.PrimaryKeyConstraint("id", name="pk_calls"),
        sa.UniqueConstraint("call_sid", name="uq_calls_call_sid"),
    )
    _index("calls", "disposition")
    _index("calls", "lead_id")
    _index("calls", "number")
    _index("calls", "started_at", "id")


def _what_was_said() -> None:
    op.create_table(
        "turns",
        *_texts("call_id"),
        *_integers("number"),
        *_texts("input", "transcript", "reply", "reply_heard"),
        sa.Column("interrupted", sa.Boolean(), nullable=False),
        *_integers("started_ms", "ended_ms"),
        *_json("timings"),
        _call_key("turns"),
        sa.PrimaryKeyConstraint("call_id", "number", name="pk_turns"),
    )
    op.create_table(
        "phrases",
        *_texts("call_id"),
        *_integers("position", "turn"),
        *_texts("text", "heard"),
        _call_key("phrases"),
        sa.PrimaryKeyConstraint("call_id", "position", name="pk_phrases"),
    )
    op.create_table(
        "events",
        *_texts("call_id"),
        *_integers("position"),
        *_moments("at"),
        *_texts("kind"),
        *_json("data"),
        _call_key("events"),
        sa.PrimaryKeyConstraint("call_id", "position", name="pk_events"),
    )


def _owed() -> None:
    op.create_table(
        "deliveries",
        _key(),
        *_texts("call_id"),
        *_json("payload"),
        *_integers("attempts"),
        *_moments("next_try_at"),
        *_texts("last_error"),
        _call_key("deliveries"),
        sa.PrimaryKeyConstraint("id", name="pk_deliveries"),
        sa.UniqueConstraint("call_id", name="uq_deliveries_call_id"),
    )
    _index("deliveries", "next_try_at")
    op.create_table(
        "compliance",
        *_integers("seq"),
        *_moments("at"),
        *_texts("kind", "facts"),
        *_texts_or_none("personal_digest"),
        *_texts("previous_hash", "hash"),
        *_texts_or_none("number", "call_id", "details", "salt"),
        sa.PrimaryKeyConstraint("seq", name="pk_compliance"),
    )
    _index("compliance", "number")
    _index("compliance", "call_id")
