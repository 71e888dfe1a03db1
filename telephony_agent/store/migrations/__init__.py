"""Alembic migrations of the store; they run when it opens."""
