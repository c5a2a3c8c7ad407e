"""Alembic's entry: the connection comes from `dialer.store.migrate`, which owns it."""

from __future__ import annotations

from alembic import context

from dialer.store.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata, transaction_per_migration=True)
with context.begin_transaction():
    context.run_migrations()
