"""Place sets: every distinct set of zones that contacts may be in, each once, never changed, never deleted.

Written outside anybody's transaction, so that a long one neither hides a set from others nor takes it back.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from dialer.store.database import Pool

READ = "select id, zones from place_sets where zones in (select z::text[] from unnest($1::text[]) z)"
ADD = "insert into place_sets (zones) select z::text[] from unnest($1::text[]) z on conflict do nothing"


async def place_set_ids(pool: Pool, sets: Collection[tuple[str, ...]]) -> dict[tuple[str, ...], int]:
    """Each set of zone names (sorted; empty = unknown) with its id; a new set is added."""
    found = await _read(pool, sorted(set(sets)))
    if new := sorted(set(sets) - found.keys()):
        await pool.execute(ADD, _literals(new))
        found |= await _read(pool, new)
    return found


async def _read(pool: Pool, sets: Sequence[tuple[str, ...]]) -> dict[tuple[str, ...], int]:
    return {tuple(row["zones"]): row["id"] for row in await pool.fetch(READ, _literals(sets))}


def _literals(sets: Sequence[tuple[str, ...]]) -> list[str]:
    """As Postgres writes arrays, since arrays of different lengths cannot be sent in one. Zone names need no quotes."""
    return ["{" + ",".join(zones) + "}" for zones in sets]
