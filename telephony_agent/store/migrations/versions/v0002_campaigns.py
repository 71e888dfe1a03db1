"""The campaigns, and the leads in each."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

_MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Make both tables."""
    op.create_table(
        "campaigns",
        sa.Column("id", sa.Integer(), nullable=False),
        *_columns(sa.Text(), "name", "server", "state", "reason"),
        *_columns(sa.Double(), "per_s"),
        *_columns(sa.Integer(), "at_once"),
        *_columns(sa.JSON(), "retries"),
        *_columns(_MOMENT, "created_at", "updated_at", "period_from"),
        *_columns(sa.Integer(), "answered", "abandoned"),
        sa.PrimaryKeyConstraint("id", name="pk_campaigns"),
    )
    op.create_index("ix_campaigns_state", "campaigns", ["state"])
    op.create_table(
        "campaign_leads",
        sa.Column("campaign_id", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("lead_id", sa.Integer(), nullable=False, autoincrement=False),
        *_columns(sa.Integer(), "position"),
        *_columns(sa.Text(), "state"),
        *_columns(sa.Text(), "call_id", nullable=True),
        *_columns(_MOMENT, "next_at", nullable=True),
        *_columns(sa.JSON(), "results"),
        *_columns(sa.Text(), "line_result", "disposition", nullable=True),
        *_columns(sa.Text(), "reason", "detail"),
        *_columns(_MOMENT, "updated_at"),
        sa.PrimaryKeyConstraint("campaign_id", "lead_id", name="pk_campaign_leads"),
        sa.ForeignKeyConstraint(
            ["campaign_id"], ["campaigns.id"], name="fk_campaign_leads_campaign_id", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["lead_id"], ["leads.id"], name="fk_campaign_leads_lead_id", ondelete="CASCADE"),
    )
    op.create_index("ix_campaign_leads_campaign_id_position", "campaign_leads", ["campaign_id", "position"])
    op.create_index("ix_campaign_leads_lead_id", "campaign_leads", ["lead_id"])


def downgrade() -> None:
    """Drop both tables."""
    op.drop_table("campaign_leads")
    op.drop_table("campaigns")


def _columns(kind: sa.types.TypeEngine[Any], *names: str, nullable: bool = False) -> list[sa.Column[Any]]:
    return [sa.Column(name, kind, nullable=nullable) for name in names]
