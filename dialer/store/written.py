"""Written statements for what people cause, where the query builder would hide more than it says."""

from __future__ import annotations

from sqlalchemy import DateTime, TextClause, bindparam, text

TIMES = ("now", "since", "until")


def written(sql: str) -> TextClause:
    """A statement whose parameters named in `TIMES` are instants: left alone, SQLAlchemy would send them without their zone."""
    clause = text(sql)
    return clause.bindparams(*(bindparam(name, type_=DateTime(timezone=True)) for name in TIMES if f":{name}" in sql))
