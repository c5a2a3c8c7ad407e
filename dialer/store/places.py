"""Place sets: every distinct place that contacts may be at, each once, never changed, never deleted.

Written outside anybody's transaction, so that a long one neither hides a set from others nor takes it back. In a row, `zones` and
`regions` are the candidates side by side, and the first zone once more: the version before knew places by their zones alone, and
would else take a set for one of its own. Such a set of its has no regions.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from dialer.store.database import Pool
from scheduler.places import Candidate, Place

_WANTED = "unnest($1::text[], $2::text[], $3::text[]) w(zones, regions, told_by)"
READ = f"""
select p.id, p.zones, p.regions, p.told_by from {_WANTED}
  join place_sets p on p.zones = w.zones::text[] and p.regions = w.regions::text[] and p.told_by = w.told_by"""
ADD = f"""
insert into place_sets (zones, regions, told_by) select w.zones::text[], w.regions::text[], w.told_by from {_WANTED}
on conflict do nothing"""

COLUMNS = "z.zones, z.regions, z.told_by"
"""What `place_of` reads of a row, where place_sets is called z."""


async def place_set_ids(pool: Pool, places: Collection[Place]) -> dict[Place, int]:
    """Each place with the id of its set; a new one is added."""
    found = await _read(pool, list(dict.fromkeys(places)))
    if new := [place for place in dict.fromkeys(places) if place not in found]:
        await pool.execute(ADD, *_columns(new))
        found |= await _read(pool, new)
    return found


def place_of(row: Mapping[str, Any]) -> Place:
    """The place of a row."""
    regions = row["regions"] or [""] * len(row["zones"])
    return Place(tuple(map(Candidate, row["zones"], regions)), row["told_by"])


async def _read(pool: Pool, places: Sequence[Place]) -> dict[Place, int]:
    return {place_of(row): row["id"] for row in await pool.fetch(READ, *_columns(places))}


def _columns(places: Sequence[Place]) -> tuple[list[str], list[str], list[str]]:
    """As Postgres writes arrays, since arrays of different lengths cannot be sent in one."""
    zones = [[each.zone for each in (*place.candidates, *place.candidates[:1])] for place in places]
    regions = [[each.region for each in place.candidates] for place in places]
    return list(map(_literal, zones)), list(map(_literal, regions)), [place.source for place in places]


def _literal(texts: Sequence[str]) -> str:
    """Neither zones nor regions hold a quote."""
    return "{" + ",".join(f'"{text}"' for text in texts) + "}"
