"""Alembic's entry: it migrates over the connection that ``store.database`` hands it, inside that transaction."""

from __future__ import annotations

from alembic import context

from telephony_agent.store.tables import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    render_as_batch=True,  # SQLite alters a table only by making it anew.
)
context.run_migrations()
