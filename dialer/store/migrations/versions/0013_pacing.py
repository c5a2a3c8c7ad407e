"""When a campaign or a trunk begins anew, and the semaphore of all calls. The text is plain SQL, beside this file."""

from __future__ import annotations

from dialer.store.migrations.script import run_sql

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_sql("0013_pacing.sql")


def downgrade() -> None:
    raise NotImplementedError("schemas only grow: the version before this one runs on this schema too")
