"""A call may owe the webhook two things: its hand-over to a person, and its outcome."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Let each kind of delivery be owed once a call; what is owed already are outcomes."""
    with op.batch_alter_table("deliveries") as table:
        table.add_column(sa.Column("kind", sa.Text(), nullable=False, server_default="outcome"))
        table.drop_constraint("uq_deliveries_call_id", type_="unique")
        table.create_unique_constraint("uq_deliveries_call_id_kind", ["call_id", "kind"])


def downgrade() -> None:
    """Forget the hand-overs that are owed."""
    op.execute("DELETE FROM deliveries WHERE kind <> 'outcome'")
    with op.batch_alter_table("deliveries") as table:
        table.drop_constraint("uq_deliveries_call_id_kind", type_="unique")
        table.create_unique_constraint("uq_deliveries_call_id", ["call_id"])
        table.drop_column("kind")
