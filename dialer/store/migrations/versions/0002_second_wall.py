"""The second wall: row-level security for what requests cause, and lists that stay quick behind it; in plain SQL beside this."""

from __future__ import annotations

from dialer.store.migrations.script import run_sql

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_sql("0002_second_wall.sql")


def downgrade() -> None:
    raise NotImplementedError("the wall is not taken down: restore the backup made before the upgrade instead")
