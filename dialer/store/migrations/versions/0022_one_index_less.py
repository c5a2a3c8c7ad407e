"""One index of enrolments less. The text is plain SQL, beside this file."""

from __future__ import annotations

from dialer.store.migrations.script import run_sql

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_sql("0022_one_index_less.sql")


def downgrade() -> None:
    raise NotImplementedError("schemas only grow: the version before this one runs on this schema too")
