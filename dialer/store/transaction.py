"""The transactions that people cause: whatever history they write says by whom, and what a request does stays in its team.

The door of the API puts the caller's team around a request (`within`). Every transaction that begins inside runs as the role
`dialer_api` with that team set, so that row-level security shows it nothing of another team; both end with the transaction,
however it ends, so a pooled connection carries nothing into the next request. Outside (command line, engine) there is no team,
and the daemon's own role sees all of them. What has an idempotency key is receipted in its transaction.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar
from typing import Final, TypeAlias

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from dialer.store import receipts
from dialer.store.database import Database

Transaction: TypeAlias = AsyncConnection

_team: ContextVar[str | None] = ContextVar("team", default=None)

ACTOR: Final = "select set_config('dialer.actor', :actor, true)"
WALL: Final = "select set_config('dialer.team', :team, true), set_config('role', 'dialer_api', true)"
PLANNED_NOW: Final = "set_config('plan_cache_mode', 'force_custom_plan', true)"
"""What is read behind the wall is planned for the tables as they are. The wall adds the team to every look-up, and while a table
is small the team's index is as good as any: a plan kept from then, until there are statistics, reads all of the team for one row
(500 ms while a team's first million contacts is imported). Writing keeps its plans: to plan the check of a foreign key for each
row takes longer than all the rest."""


@contextmanager
def within(team: str) -> Iterator[None]:
    """What begins inside is done for this team alone, in tasks that are started inside too."""
    token = _team.set(team)
    try:
        yield
    finally:
        _team.reset(token)


@asynccontextmanager
async def transaction(database: Database, actor: str, *, for_all: bool = False) -> AsyncIterator[Transaction]:
    """Commits at the end, rolls back on an exception. `actor` is who is to blame: `key:key_…`, `cli`. `for_all`: of what belongs
    to no team and holds for all of them, whatever team asks; whoever sets it has made sure that this one may."""
    team = None if for_all else _team.get()
    async with database.engine.begin() as connection:
        if team is None:
            await connection.execute(text(ACTOR), {"actor": actor})
        else:
            await connection.execute(text(f"{WALL}, set_config('dialer.actor', :actor, true)"), {"team": team, "actor": actor})
        async with receipts.kept_with(connection):
            yield connection


@asynccontextmanager
async def reading(database: Database, *, for_all: bool = False) -> AsyncIterator[Transaction]:
    """One snapshot for several reads; writes nothing. `for_all` as in `transaction`."""
    team = None if for_all else _team.get()
    async with database.engine.connect() as connection:
        await connection.execution_options(isolation_level="REPEATABLE READ")
        if team is not None:
            await connection.execute(text(f"{WALL}, {PLANNED_NOW}"), {"team": team})
        yield connection
