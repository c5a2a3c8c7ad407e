"""Circuit breakers of trunks and campaigns."""

from __future__ import annotations

from dialer.store.migrations.script import run_sql

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_sql("0007_breakers.sql")


def downgrade() -> None:
    raise NotImplementedError("schemas only grow")
