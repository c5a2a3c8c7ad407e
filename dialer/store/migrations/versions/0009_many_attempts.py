"""The number of an attempt may grow beyond 32,767: those that were recalled count too."""

from __future__ import annotations

from dialer.store.migrations.script import run_sql

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_sql("0009_many_attempts.sql")


def downgrade() -> None:
    raise NotImplementedError("schemas only grow: the version before this one runs on this schema too")
