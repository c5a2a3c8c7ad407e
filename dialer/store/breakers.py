"""Circuit breakers in the ledger, shared by all processes. Rows in, values out; what follows from a failure, the caller decides.

Times are the database's: whoever reads them may stand on another machine than who wrote them.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from dialer.domain.breaker import MEMORY, Breaker, BreakerState, Cause
from dialer.store.database import Connection, Pool
from dialer.store.rows import Row, all_rows
from dialer.store.transaction import Transaction
from dialer.store.written import written

HELD: Final = """
select b.*, clock_timestamp() as now from breakers b
where b.key = any($1::text[]) and b.state <> 'closed' order by b.key for update"""
BEGIN: Final = "insert into breakers (key) values ($1) on conflict do nothing"
LOCK: Final = "select b.*, clock_timestamp() as now from breakers b where b.key = $1 for update"
WRITE: Final = """
update breakers
set state = $2, cause = $3, failures = $4, offenders = $5, failed_at = $6, opened_at = $7, probe_at = $8, probe = $9
where key = $1"""
CLOSE: Final = """
delete from breakers where key = any($1::text[]) and ($2::bool or cause is distinct from 'endings')
returning key, opened_at, clock_timestamp() as now"""
EASE: Final = """
update scopes set eased_at = clock_timestamp()
where key in (select key from scopes where key = any($1::text[]) order by key for update skip locked)"""
RETRY: Final = """
update breakers set probe_at = least(probe_at, clock_timestamp())
where key = any($1::text[]) and state <> 'closed' and cause = 'config' returning key"""
FORGET: Final = """
delete from breakers where state = 'closed' and (failed_at is null or failed_at < clock_timestamp() - $1::interval)"""
SET_BACK: Final = """
update breakers set opened_at = clock_timestamp(), probe_at = clock_timestamp()
where opened_at > clock_timestamp() + interval '1 second'"""
PROVEN: Final = """
select b.key from breakers b join call_attempts a on a.id = b.probe
where b.state = 'half_open' and b.cause = 'endings' and (a.ringing_at is not null or a.fault in ('none', 'callee'))"""


@dataclass(frozen=True, slots=True)
class Closed:
    """A breaker that is no more. `seconds` it was open, None where failures had only been counted."""

    key: str
    seconds: float | None


async def change(pool: Pool, key: str, turn: Callable[[Breaker, datetime], Breaker]) -> tuple[Breaker, Breaker]:
    """What was and what became of it, under its lock. `turn` gets the database's time."""
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute(BEGIN, key)
        row = await connection.fetchrow(LOCK, key)
        assert row is not None
        was = _breaker(row)
        became = turn(was, row["now"])
        await _write(connection, key, became)
        return was, became


async def take(
    pool: Pool, keys: Collection[str], turn: Callable[[Breaker, datetime], Breaker | None]
) -> tuple[dict[str, Breaker], bool]:
    """Those of these breakers that are open, and whether `turn` made something of every one of them, which then is written: all
    or nothing."""
    async with pool.acquire() as connection, connection.transaction():
        rows = await connection.fetch(HELD, list(keys))
        became = {row["key"]: turn(_breaker(row), row["now"]) for row in rows}
        taken = {key: each for key, each in became.items() if each is not None}
        if len(taken) < len(became):
            return {row["key"]: _breaker(row) for row in rows}, False
        for key, each in taken.items():
            await _write(connection, key, each)
        return taken, True


async def close(pool: Pool, keys: Collection[str], *, proven: bool = False) -> list[Closed]:
    """Those that are closed now, whose calls begin slowly. One that opened because accepted calls failed needs to be `proven`
    well by a call's ending."""
    rows = await pool.fetch(CLOSE, list(keys), proven)
    if opened := [r["key"] for r in rows if r["opened_at"]]:
        await pool.execute(EASE, opened)
    return [Closed(r["key"], (r["now"] - r["opened_at"]).total_seconds() if r["opened_at"] else None) for r in rows]


async def retry_now(pool: Pool, keys: Collection[str]) -> list[str]:
    """Let those of these that wait for another configuration be tried at once; which."""
    return [r["key"] for r in await pool.fetch(RETRY, list(keys))]


async def all_of(pool: Pool) -> dict[str, Breaker]:
    """Every breaker that is open or counts failures, after those were forgotten whose failures are too old to count. One that was
    opened in the future, for the database's clock was set back since, is due for its probe: it would wait that much longer."""
    await pool.execute(FORGET, MEMORY)
    await pool.execute(SET_BACK)
    return {r["key"]: _breaker(r) for r in await pool.fetch("select * from breakers")}


async def proven(pool: Pool) -> list[str]:
    """Keys of half-open breakers whose probe's phone rang, or would have: a breaker that opened because all calls failed."""
    return [r["key"] for r in await pool.fetch(PROVEN)]


async def holding(on: Transaction, keys: Collection[str]) -> list[Row]:
    """The open ones of these: `cause`, `probe_at`, and whether it is time for a probe (`due`)."""
    statement = written("""
        select cause, probe_at, probe_at <= clock_timestamp() as due from breakers
        where key = any(:keys) and state <> 'closed' order by probe_at desc""")
    return all_rows(await on.execute(statement, {"keys": list(keys)}))


def _breaker(row: Mapping[str, Any]) -> Breaker:
    return Breaker(
        BreakerState(row["state"]),
        Cause(row["cause"]) if row["cause"] else None,
        row["failures"],
        tuple(row["offenders"]),
        row["failed_at"],
        row["opened_at"],
        row["probe_at"],
        row["probe"],
    )


async def _write(connection: Connection, key: str, b: Breaker) -> None:
    values = (b.state, b.cause, b.failures, list(b.offenders), b.failed_at, b.opened_at, b.probe_at, b.probe)
    await connection.execute(WRITE, key, *values)
