"""The ledger: tables, laws, triggers. The text is plain SQL, beside this file."""

from __future__ import annotations

from dialer.store.migrations.script import run_sql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_sql("0001_ledger.sql")


def downgrade() -> None:
    raise NotImplementedError("the first migration has nothing to go back to: drop the database instead")
