"""Contacts whose second number has no known place yet: written by a version that knew of no places, or changed by one. Rows in,
rows out, no decisions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dialer.store.database import Pool

UNPLACED = """
select id, timezone, region, phone_secondary from contacts
where phone_secondary is not null and second_place_set_id is null and ($2::text is null or team_id = $2)
order by created_at, id limit $1
"""
# Only where nothing was changed meanwhile. Whom somebody holds is passed over: this waits for nobody.
PLACE = """
with held as (
  select c.id, w.place from contacts c
    join unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::int[]) as w(id, timezone, region, number, place)
      on w.id = c.id
  where (c.phone_secondary, c.timezone, c.region) is not distinct from (w.number, w.timezone, w.region)
    and c.second_place_set_id is null
  order by c.created_at, c.id for no key update of c skip locked
)
update contacts c set second_place_set_id = held.place from held where c.id = held.id returning c.id
"""


@dataclass(frozen=True, slots=True)
class Unplaced:
    contact: str
    timezone: str | None
    region: str | None
    number: str


async def unplaced(pool: Pool, most: int, team: str | None) -> list[Unplaced]:
    """The oldest contacts, of this team (None = of all)."""
    return [Unplaced(*row) for row in await pool.fetch(UNPLACED, most, team)]


async def are_called(pool: Pool, campaign: str) -> bool:
    """Whether this campaign calls second numbers."""
    called = await pool.fetchval("select settings -> 'use_secondary_phone' = 'true' from campaigns where id = $1", campaign)
    return bool(called)


async def place(pool: Pool, them: Sequence[Unplaced], places: Sequence[int]) -> int:
    """Write the place set of each; how many still were as they were read."""
    who, zones = [each.contact for each in them], [each.timezone for each in them]
    columns = (who, zones, [each.region for each in them], [each.number for each in them], list(places))
    return len(await pool.fetch(PLACE, *columns))
