"""Runs a whole SQL file inside the migration's transaction.

asyncpg prepares what SQLAlchemy hands it, and a prepared statement is one command; the driver's own `execute` without
arguments takes a script.
"""

from __future__ import annotations

from pathlib import Path

from alembic import op
from sqlalchemy.util import await_only


def run_sql(name: str) -> None:
    connection = op.get_bind()
    connection.exec_driver_sql("select 1")  # opens the transaction, which the driver begins lazily
    driver = connection.connection.driver_connection
    assert driver is not None
    await_only(driver.execute((Path(__file__).parent / "versions" / name).read_text(encoding="utf-8")))
