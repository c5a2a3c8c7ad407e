"""API keys in the ledger. A key itself is never here, only its SHA-256."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import RowMapping, insert, select, update

from dialer.domain.keys import ApiKey, Caller
from dialer.store.database import Pool
from dialer.store.tables import api_keys
from dialer.store.transaction import Transaction

COLUMNS = (
    api_keys.c.id,
    api_keys.c.team_id,
    api_keys.c.name,
    api_keys.c.prefix,
    api_keys.c.scopes,
    api_keys.c.expires_at,
    api_keys.c.revoked_at,
    api_keys.c.created_at,
)
FIND = """
select id, team_id, scopes from api_keys
where key_hash = $1 and revoked_at is null and (expires_at is null or expires_at > $2)
"""


async def find(pool: Pool, key_hash: bytes, now: datetime) -> Caller | None:
    """Whose key this is, if it is valid at `now`. Asked for every request, so that a revocation holds at once everywhere."""
    row = await pool.fetchrow(FIND, key_hash, now)
    return None if row is None else Caller(row["id"], row["team_id"], frozenset(row["scopes"]))


async def still_good(pool: Pool, key_id: str, now: datetime) -> bool:
    """Whether a key that was good before is valid at `now`: for answers that take longer than a moment."""
    found = "select 1 from api_keys where id = $1 and revoked_at is null and (expires_at is null or expires_at > $2)"
    return await pool.fetchval(found, key_id, now) is not None


async def add(
    on: Transaction, *, team_id: str, name: str, key_hash: bytes, prefix: str, scopes: Sequence[str], expires_at: datetime | None
) -> ApiKey:
    values = {
        "team_id": team_id,
        "name": name,
        "key_hash": key_hash,
        "prefix": prefix,
        "scopes": list(scopes),
        "expires_at": expires_at,
    }
    rows = await on.execute(insert(api_keys).values(values).returning(*COLUMNS))
    return _key(rows.mappings().one())


async def of_team(on: Transaction, team_id: str) -> list[ApiKey]:
    """Newest first, revoked and expired ones too."""
    rows = await on.execute(
        select(*COLUMNS).where(api_keys.c.team_id == team_id).order_by(api_keys.c.created_at.desc(), api_keys.c.id.desc())
    )
    return [_key(row) for row in rows.mappings()]


async def revoke(on: Transaction, key_id: str, now: datetime) -> ApiKey | None:
    """None when there is no such key or it was revoked before."""
    change = update(api_keys).where(api_keys.c.id == key_id, api_keys.c.revoked_at.is_(None)).values(revoked_at=now)
    row = (await on.execute(change.returning(*COLUMNS))).mappings().one_or_none()
    return None if row is None else _key(row)


def _key(row: RowMapping) -> ApiKey:
    return ApiKey(**{**row, "scopes": tuple(row["scopes"])})
