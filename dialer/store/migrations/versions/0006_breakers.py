"""Circuit breakers of trunks and campaigns."""

from __future__ import annotations

from dialer.store.migrations.script import run_sql

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_sql("0006_breakers.sql")


def downgrade() -> None:
    raise NotImplementedError("schemas only grow")
