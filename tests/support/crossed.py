"""People who share few numbers, all of them in many campaigns of one team: whoever calls calls the same ones."""

from __future__ import annotations

from dialer.store.database import Pool
from tests.support.ledger import Seed, seed


async def crossed(
    pool: Pool, *, numbers: int, people: int, campaigns: int, concurrency: int, caps: list[object], max_attempts: int = 50
) -> tuple[Seed, list[str]]:
    """`people` at each of `numbers`, enrolled in each of `campaigns`, which run; the first campaign's seed, and all their ids.
    The team has these frequency caps."""
    first = await seed(pool, contacts=0, concurrency=concurrency, max_attempts=max_attempts)
    async with pool.acquire() as on, on.transaction():
        await on.execute("update teams set frequency_caps = $2 where id = $1", first.team, caps)
        others = await on.fetch(
            """insert into campaigns (team_id, assistant_id, name, status, from_number_ids, call_window_start, call_window_end,
                 max_concurrent_calls, max_attempts_per_contact, retry_delay_minutes)
               select team_id, assistant_id, name || ' ' || n, 'draft', from_number_ids, call_window_start, call_window_end,
                 max_concurrent_calls, max_attempts_per_contact, 0
               from campaigns, generate_series(2, $2::int) n where id = $1 returning id""",
            first.campaign, campaigns,
        )  # fmt: skip
        ids = [first.campaign, *(r["id"] for r in others)]
        await on.execute(
            """insert into contacts (team_id, first_name, last_name, phone, place_set_id, place_source)
               select $1, 'Given', 'Name ' || n || ' ' || p, '+4930' || (20000000 + n),
                 (select id from place_sets where zones = '{Europe/Berlin}'), 'number'
               from generate_series(1, $2::int) n, generate_series(1, $3::int) p""",
            first.team, numbers, people,
        )  # fmt: skip
        await on.execute(
            """insert into campaign_contacts (campaign_id, team_id, contact_id, status, to_number, place_set_id)
               select c, team_id, id, 'pending', phone, place_set_id from unnest($1::text[]) c, contacts where team_id = $2""",
            ids, first.team,
        )  # fmt: skip
        await on.execute(
            "update campaigns set status = 'running', started_at = now() where id = any($1) and status = 'draft'", ids
        )
    return first, ids
