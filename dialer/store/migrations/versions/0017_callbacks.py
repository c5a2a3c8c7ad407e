"""Callbacks at a time that was asked for. The text is plain SQL, beside this file."""

from __future__ import annotations

from dialer.store.migrations.script import run_sql

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_sql("0017_callbacks.sql")


def downgrade() -> None:
    raise NotImplementedError("schemas only grow: the version before this one runs on this schema too")
