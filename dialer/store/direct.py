"""Direct calls: campaigns of one. Rows in, rows out, no decisions.

A direct call is released once. Its run is spent one call further than there is anything to spend, so that an attempt which is
taken back leaves nothing to release again: what could not be called when somebody asked for it is not called later.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, cast

from sqlalchemy import update

from dialer.store import campaigns
from dialer.store.database import Connection, Pool
from dialer.store.statements import fetch
from dialer.store.tables import scopes
from dialer.store.transaction import Transaction
from dialer.store.written import written


async def open_one(on: Transaction, values: Mapping[str, Any], now: datetime) -> str:
    """A running campaign for one call; its id. `values` are columns."""
    campaign = await campaigns.add(on, {**values, "kind": "direct", "status": "draft"})
    await campaigns.change(on, campaign, now, {"status": "running", "started_at": now})
    return campaign


async def enrol(on: Transaction, campaign: str, team: str, contact: str, number: str, place_set: int, now: datetime) -> str:
    """The contact as the one whom the campaign calls, at this number; the enrolment's id."""
    statement = written("""
        insert into campaign_contacts
          (campaign_id, team_id, contact_id, status, to_number, place_set_id, next_attempt_at, created_at)
        values (:campaign, :team, :contact, 'pending', :number, :place_set, :now, :now) returning id""")
    values = {"campaign": campaign, "team": team, "contact": contact, "number": number, "place_set": place_set, "now": now}
    born: str = (await on.execute(statement, values)).scalar_one()
    return born


async def spend(on: Transaction, campaign: str) -> None:
    """After its release: nothing of it is released again, not even what is taken back."""
    await on.execute(update(scopes).where(scopes.c.key == f"campaign:{campaign}").values(budget=-1))


async def connection_of(on: Transaction) -> Connection:
    """The driver's own connection of a transaction."""
    connection: Any = (await on.get_raw_connection()).driver_connection
    return cast(Connection, connection)


async def hot(on: Transaction) -> Pool:
    """The transaction's own connection for the hot statements: what they read and write is this transaction's."""
    await on.execute(written("set local jit = off"))  # compiling a hot statement takes longer than running it
    return cast(Pool, await connection_of(on))  # as far as a statement is concerned


async def give_up(pool: Pool, now: datetime) -> list[str]:
    """Cancel direct calls that have nothing under way and were not made: taken back, or failed through no fault of the callee.
    Their contacts are skipped, so that no lane keeps them."""
    stuck = """
        c.kind = 'direct' and c.status in ('running', 'paused') and s.active = 0 and s.key = 'campaign:' || c.id
        and exists (select from campaign_contacts t where t.campaign_id = c.id and t.status = 'pending')"""
    found = [r["id"] for r in await pool.fetch(f"select c.id from campaigns c, scopes s where {stuck}")]
    if not found:
        return []
    async with pool.acquire() as connection, connection.transaction():
        await fetch(connection, "lock_scopes", [f"campaign:{campaign}" for campaign in sorted(found)])
        rows = await connection.fetch(
            f"""update campaigns c set status = 'cancelled', pause_reason = null, completed_at = $2, updated_at = $2
                from scopes s where c.id = any($1::text[]) and {stuck} returning c.id""",
            found,
            now,
        )
        ended = [r["id"] for r in rows]
        await connection.execute(
            """update campaign_contacts set status = 'skipped', reason = 'not_called', completed_at = $2
               where campaign_id = any($1::text[]) and status = 'pending'""",
            ended,
            now,
        )
    return ended
