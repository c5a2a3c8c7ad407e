"""Frequency caps: of teams, and what calls to a number or person they count. The text is plain SQL, beside this file."""

from __future__ import annotations

from dialer.store.migrations.script import run_sql

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_sql("0018_frequency_caps.sql")


def downgrade() -> None:
    raise NotImplementedError("schemas only grow: the version before this one runs on this schema too")
