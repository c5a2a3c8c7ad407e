"""Many suppressions at once: what `suppressions` does for one number, in statements that take a whole piece of a list.

Rows in, rows out, no decisions. A piece is handed over as JSON, because a temporary table would need rights that a request has
not.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, and_, literal, select, tuple_

from dialer.store.callable_numbers import OF_ENROLLED
from dialer.store.database import Database
from dialer.store.rows import Row, all_rows
from dialer.store.suppressions import STOP, WHOM_NEXT, Scope
from dialer.store.tables import suppressions
from dialer.store.transaction import Transaction, reading
from dialer.store.written import written

PAGE: Final = 2_000
"""Rows of an export that are read together."""


@dataclass(frozen=True, slots=True)
class Where:
    """Where the entries of a list hold: nowhere else than in this team unless global."""

    scope: Scope
    team: str | None
    campaign: str | None

    def values(self) -> dict[str, Any]:
        return {"scope": self.scope, "team": self.team, "campaign": self.campaign}


@dataclass(frozen=True, slots=True)
class Listed:
    """One number of a list, in E.164; `expires_at` None = for ever."""

    number: str
    reason: str | None
    source: str | None
    expires_at: datetime | None


def as_json(piece: Sequence[Listed]) -> str:
    return json.dumps(
        [
            {"number": e.number, "reason": e.reason, "source": e.source, "until": e.expires_at and e.expires_at.isoformat()}
            for e in piece
        ]
    )


_LISTED: Final = "jsonb_to_recordset(cast(:piece as jsonb)) as s(number text, reason text, source text, until timestamptz)"

# An import never makes a "no" shorter: of two ends the later one holds, and for ever is the latest. Ordered: no deadlock between
# two imports.
PUT: Final = f"""
with put as (
  insert into suppressions as e (scope, team_id, campaign_id, phone_number, reason, source, expires_at)
    select :scope, cast(:team as text), cast(:campaign as text), s.number, s.reason, s.source, s.until
    from {_LISTED} order by s.number
  on conflict (phone_number, scope, coalesce(team_id, ''), coalesce(campaign_id, '')) do update set
    reason = coalesce(excluded.reason, e.reason), source = coalesce(excluded.source, e.source),
    expires_at = case when e.expires_at is not null and excluded.expires_at is not null
      then greatest(e.expires_at, excluded.expires_at) end
  returning phone_number, expires_at, xmax = 0 as born
)
select phone_number as number, expires_at, born from put
"""


async def put(on: Transaction, where: Where, piece: Sequence[Listed]) -> tuple[int, list[Listed]]:
    """Add numbers, each once in the piece; how many are new, and all of them with the end that holds now."""
    rows = (await on.execute(written(PUT), where.values() | {"piece": as_json(piece)})).all()
    held = [Listed(row.number, None, None, row.expires_at) for row in rows]
    return sum(row.born for row in rows), held


def _reached(where: Where) -> str:
    """The contacts `p` and enrolments `t` that a piece concerns, from its numbers by the index of contacts.

    In this order also while the tables have no statistics (`offset 0`): Postgres believes then that a campaign has few contacts,
    and would go through all that there are for each number.
    """
    either = ("phone", "phone_secondary")
    all_of_them = " union all ".join(f"select *, {name} as number from contacts where {name} is not null" for name in either)
    of_these = " union all ".join(f"select * from contacts where {name} = s.number and team_id = :team" for name in either)
    people = (
        f"join ({all_of_them}) p on p.number = s.number" if where.team is None else f"cross join lateral ({of_these} offset 0) p"
    )
    in_campaign = "" if where.campaign is None else "and t.campaign_id = :campaign"
    return f"""{_LISTED} {people}
      cross join lateral (select t.* from campaign_contacts t where t.contact_id = p.id {in_campaign} offset 0) t"""


def _told(where: Where, piece: Sequence[Listed]) -> dict[str, Any]:
    named = {"team": where.team, "campaign": where.campaign}
    return {name: value for name, value in named.items() if value is not None} | {"piece": as_json(piece)}


async def stop_calling(
    on: Transaction, where: Where, piece: Sequence[Listed], campaigns: Collection[str], held: Collection[str], now: datetime
) -> tuple[int, list[str]]:
    """Enrolments of these numbers that wait in `campaigns` call the contact's other number, if they may, or are skipped or, until
    the entry's end, put off; how many, and the other unfinished campaigns in which such wait. `held`: the scopes that are locked;
    a queued attempt that holds another one is left to the fence."""
    statement = written(f"""
        with gone as (
          update call_attempts a set state = 'recalled', ended_at = :now, reason = 'suppressed'
          from {_LISTED}
          where a.ended_at is null and a.state = 'queued' and a.to_number = s.number and a.campaign_id = any(:campaigns)
            and a.scopes <@ cast(:held as text[])
          returning a.campaign_contact_id as id
        ), waits as materialized (
          select {WHOM_NEXT}, t.campaign_id, t.status = 'pending' and t.campaign_id = any(:campaigns) as stands
          from {_reached(where)}
            join campaigns c on c.id = t.campaign_id and c.status not in ('completed', 'cancelled') {OF_ENROLLED}
          where (t.status = 'pending' and t.to_number = s.number) or t.status = 'queued'
        ), stopped as (
          select id, number, place, until, ends from waits where stands
          union all
          select {WHOM_NEXT}
          from gone join campaign_contacts t using (id) join contacts p on p.id = t.contact_id
            join campaigns c on c.id = t.campaign_id {OF_ENROLLED}
        ), moved as ({STOP} returning 1)
        select (select count(*) from moved) as stopped,
          array(select distinct campaign_id from waits where campaign_id <> all(:campaigns)) as others
    """)
    values = _told(where, piece) | {"campaigns": list(campaigns), "held": list(held), "now": now}
    row = (await on.execute(statement, values)).one()
    return row.stopped, row.others


async def pages(database: Database, where: Where | None, team: str | None) -> AsyncIterator[list[Row]]:
    """Entries newest first, page by page: of a team (its campaigns' too) or, with `team` None, the global ones. `where` narrows
    it to a scope and a campaign."""
    c = suppressions.c
    wanted = [c.team_id.is_(None) if team is None else c.team_id == team]
    if where is not None:
        wanted.append(c.scope == where.scope)
        if where.campaign is not None:
            wanted.append(c.campaign_id == where.campaign)
    behind: list[ColumnElement[bool]] = []
    while True:
        page = select(suppressions).where(and_(*wanted, *behind)).order_by(c.created_at.desc(), c.id.desc()).limit(PAGE)
        async with reading(database, for_all=team is None) as on:
            rows = all_rows(await on.execute(page))
        if rows:
            yield rows
        if len(rows) < PAGE:
            return
        last = rows[-1]
        behind = [
            tuple_(c.created_at, c.id) < tuple_(literal(last["created_at"], c.created_at.type), literal(last["id"], c.id.type))
        ]
