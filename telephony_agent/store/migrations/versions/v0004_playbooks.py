"""A call and a campaign may have a playbook of their own; whoever takes them up later needs it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Keep playbooks; calls and campaigns of earlier versions name none."""
    op.create_table(
        "playbooks",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("added_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_playbooks"),
    )
    # Without constraints: SQLite would have to copy the tables, and a playbook is only deleted once nobody names it.
    for table in ("calls", "campaigns"):
        op.add_column(table, sa.Column("playbook_id", sa.Text(), nullable=False, server_default=""))


def downgrade() -> None:
    """Forget them."""
    for table in ("campaigns", "calls"):
        op.drop_column(table, "playbook_id")
    op.drop_table("playbooks")
