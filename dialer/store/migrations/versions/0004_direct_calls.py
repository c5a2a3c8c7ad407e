"""Direct calls: a campaign of one that lists leave out. The text is plain SQL, beside this file."""

from __future__ import annotations

from dialer.store.migrations.script import run_sql

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_sql("0004_direct_calls.sql")


def downgrade() -> None:
    raise NotImplementedError("direct calls cannot be told from campaigns any more: restore a backup instead")
