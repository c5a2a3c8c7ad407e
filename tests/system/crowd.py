"""Very many campaigns with very many contacts, written straight into the ledger.

The triggers of `contacts` and `campaign_contacts` would take longer than a scenario may. They sleep meanwhile, what they keep is
written in one statement for all, and the indexes are built when everything is there; `tests.support.laws` tells whether that
came out right. Left out is `contact_search`, which lists read and nothing that dials.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import asyncpg

from tests.support.engine import TRUNK

TEAMS: Final = 100
LARGE_EVERY: Final = 100
"""One campaign in so many is large: together these have as many contacts as all the others."""
MOST_AT_ONCE: Final = 3
"""The caps of the campaigns are 1 to this many calls."""
ZONES: Final = ("Europe/Berlin", "Europe/Paris")
"""Their clocks always show the same. Half of each campaign's contacts are in either, so it has two lanes."""
OPEN: Final = timedelta(hours=6)
TABLES: Final = ("contacts", "campaign_contacts", "history")

_SECONDARY: Final = """
select i.indexrelid::regclass::text as name, pg_get_indexdef(i.indexrelid) as definition from pg_index i
where i.indrelid = any($1::text[]::regclass[]) and not exists (select from pg_constraint c where c.conindid = i.indexrelid)
"""

# Numbers ascend with campaigns, and ids with numbers: so that a key is only ever added at the end of its index.
_CROWD: Final = f"""
create temporary table crowd on commit drop as
  select *, sum(size) over (order by k) - size as first from (
    select k, 'camp_' || lpad(k::text, 6, '0') as id, k % {TEAMS} as t,
           greatest(1, $2::int / 2 / greatest(1, case when k % {LARGE_EVERY} = 0 then $1::int / {LARGE_EVERY}
                                                      else $1::int - $1::int / {LARGE_EVERY} end)) as size
    from generate_series(0, $1::int - 1) k) each
"""

_GROUND: Final = (
    f"insert into teams (id, name) select 'team_' || t, 'Team ' || t from generate_series(0, {TEAMS - 1}) t",
    f"""insert into assistants (id, team_id, name, adapter)
          select 'asst_' || t, 'team_' || t, 'Ada', '{TRUNK}' from generate_series(0, {TEAMS - 1}) t""",
    f"""insert into phone_numbers (id, team_id, phone_number, assistant_id, adapter)
          select 'num_' || t || '_' || n, 'team_' || t, '+49301' || lpad(t::text, 4, '0') || n, 'asst_' || t, '{TRUNK}'
          from generate_series(0, {TEAMS - 1}) t, generate_series(1, 2) n""",
    f"""insert into campaigns (id, team_id, assistant_id, name, from_number_ids, max_concurrent_calls, max_attempts_per_contact)
          select id, 'team_' || t, 'asst_' || t, 'Campaign ' || k, array['num_' || t || '_1', 'num_' || t || '_2'],
                 1 + k % {MOST_AT_ONCE}, 1 from crowd""",
    "set local session_replication_role = replica",
)

_PEOPLE: Final = (
    """insert into contacts (id, team_id, first_name, last_name, phone, place_set_id, place_source)
         select 'cont_' || lpad(to_hex(n), 32, '0'), 'team_' || t, 'Given', 'Name ' || n, '+49' || (1000000000 + n),
                ($1::int[])[1 + n % 2], 'number'
         from (select * from crowd order by k) c, generate_series(first::bigint, first::bigint + size - 1) n""",
    """insert into campaign_contacts (id, campaign_id, team_id, contact_id, status, to_number, place_set_id)
         select 'cc_' || lpad(to_hex(n), 32, '0'), c.id, 'team_' || t, 'cont_' || lpad(to_hex(n), 32, '0'), 'pending',
                '+49' || (1000000000 + n), ($1::int[])[1 + n % 2]
         from (select * from crowd order by k) c, generate_series(first::bigint, first::bigint + size - 1) n""",
)

_KEPT: Final = (
    """insert into history (entity, entity_id, campaign_id, after, actor)
         select 'contact', id, campaign_id, status, 'engine' from campaign_contacts""",
    """insert into campaign_tallies (campaign_id, status, outcome, called, n)
         select campaign_id, status, '', false, count(*) from campaign_contacts group by 1, 2""",
    """insert into lanes (campaign_id, place_set_id, priority, pending, next_due)
         select campaign_id, place_set_id, priority, count(*), min(next_attempt_at) from campaign_contacts group by 1, 2, 3""",
)


async def gather(url: str, *, campaigns: int, contacts: int) -> int:
    """`campaigns` drafts with about `contacts` people, each due once from now on. How many people there are."""
    connection = await asyncpg.connect(url)
    try:
        async with connection.transaction():
            await connection.execute("truncate contacts, campaign_contacts, history cascade")  # so that filling them needs no log
            await connection.execute(_CROWD, campaigns, contacts)
            for statement in _GROUND:
                await connection.execute(statement)
            rows = await connection.fetch(
                "insert into place_sets (zones) select array[zone] from unnest($1::text[]) zone returning id", list(ZONES)
            )
            indexes = await connection.fetch(_SECONDARY, list(TABLES))
            for each in indexes:
                await connection.execute(f"drop index {each['name']}")
            for statement in _PEOPLE:
                await connection.execute(statement, [row["id"] for row in rows])
            for statement in _KEPT:
                await connection.execute(statement)
            await connection.execute("set local maintenance_work_mem = '512MB'")
            for each in indexes:
                await connection.execute(each["definition"])
        await connection.execute("vacuum analyze")
        people: int = await connection.fetchval("select sum(n) from campaign_tallies")
        return people
    finally:
        await connection.close()


async def run_all(url: str, opens: datetime) -> None:
    """All of them run, and may call from `opens` on (whole seconds) for `OPEN`, by the clock of `ZONES`."""
    local = opens.astimezone(ZoneInfo(ZONES[0]))
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(
            "update campaigns set status = 'running', started_at = now(), call_window_start = $1, call_window_end = $2",
            f"{local:%H:%M:%S}",
            f"{local + OPEN:%H:%M:%S}",
        )
    finally:
        await connection.close()


async def pause_all(url: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute("update campaigns set status = 'paused' where status = 'running'")
    finally:
        await connection.close()
