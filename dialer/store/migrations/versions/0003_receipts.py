"""Receipts of requests with an idempotency key."""

from __future__ import annotations

from dialer.store.migrations.script import run_sql

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_sql("0003_receipts.sql")


def downgrade() -> None:
    raise NotImplementedError("schemas only grow")
