"""Reading a campaign's books after the fact."""

from __future__ import annotations

from dialer.store.database import Pool
from dialer.store.places import COLUMNS, place_of
from scheduler.places import Place

_CALLS = "from call_attempts where campaign_id = $1 and state = 'ended' and placing_at is not null"


async def calls_by_outcome(pool: Pool, campaign: str) -> tuple[dict[str, int], int]:
    """Calls that are over, by the carrier's outcome, and how many people they went to. Recalled attempts were no calls."""
    rows = await pool.fetch(f"select outcome, count(*) as n {_CALLS} group by 1", campaign)
    people = await pool.fetchval(f"select count(distinct contact_id) {_CALLS}", campaign)
    return {r["outcome"]: r["n"] for r in rows}, people


async def enrolments_open(pool: Pool, campaign: str) -> int:
    """Contacts of the campaign that are not in a final state."""
    n: int = await pool.fetchval(
        "select count(*) from campaign_contacts where campaign_id = $1 and status in ('pending', 'queued', 'calling')", campaign
    )
    return n


async def places_of_numbers(pool: Pool, campaign: str) -> dict[str, Place]:
    """Number → where its phone may ring."""
    rows = await pool.fetch(
        f"""select t.to_number, {COLUMNS} from campaign_contacts t join place_sets z on z.id = t.place_set_id
            where t.campaign_id = $1""",
        campaign,
    )
    return {r["to_number"]: place_of(r) for r in rows if r["to_number"] is not None}


async def team_of_campaign(pool: Pool, campaign: str) -> str | None:
    """Whose campaign it is, for commands that know only its id."""
    team: str | None = await pool.fetchval("select team_id from campaigns where id = $1 and kind = 'campaign'", campaign)
    return team
