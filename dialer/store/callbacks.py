"""Callbacks in the ledger: where they can be, the turn into one and out of it, and what was asked for in calls.

Rows in, rows out, no decisions. Whoever writes holds the campaign's lock, in a statement before; then no scheduler claims the
enrolment meanwhile. On a plain connection, for requests and for the sweep.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from dialer.domain.callback import PRIORITY, Back, Scheduled
from dialer.store.callable_numbers import OF_ENROLLED
from dialer.store.database import Connection, Pool
from dialer.store.places import COLUMNS
from dialer.store.rows import Row
from dialer.store.statements import fetch

# The contact is locked as an enrolment locks it: whoever says no at the same moment is read before it or waits for it.
FOUND = f"""
select t.id, t.contact_id, t.status, t.outcome, t.attempts, t.last_attempt_at, t.next_attempt_at, t.created_at, t.callback_at,
       t.callback_missed, p.do_not_call, n.number, n.place, n.until, {COLUMNS}
from campaign_contacts t join contacts p on p.id = t.contact_id join campaigns c on c.id = t.campaign_id
  {OF_ENROLLED.replace(":now", "$3")} left join place_sets z on z.id = n.place
where t.campaign_id = $1 and (t.id = $2 or t.contact_id = $2) for key share of p
"""
SCHEDULE = """
update campaign_contacts t
set status = 'pending', reason = 'callback', completed_at = null, next_attempt_at = $2, callback_at = $2, callback_until = $3,
    callback_missed = $4, usual_priority = coalesce(t.usual_priority, t.priority), priority = $5, to_number = $6,
    place_set_id = $7
where t.id = $1 and t.status in ('pending', 'completed', 'failed') returning t.id
"""
# What waits for a callback that is no more: `wanted` says which, and where to.
GIVE_UP = """
update campaign_contacts t
set status = w.status, reason = w.reason, completed_at = case when w.status <> 'pending' then $5::timestamptz end,
    next_attempt_at = coalesce(w.at, t.next_attempt_at), priority = t.usual_priority, usual_priority = null, callback_at = null,
    callback_until = null, callback_missed = null
from unnest($1::text[], $2::text[], $3::text[], $4::timestamptz[]) as w(id, status, reason, at)
where t.id = w.id and t.waiting and t.callback_at is not null and ($6 or t.callback_until <= $5) returning t.id
"""


async def lock(connection: Connection, campaigns: Collection[str]) -> None:
    await fetch(connection, "lock_scopes", [f"campaign:{campaign}" for campaign in sorted(campaigns)])


async def found(connection: Connection, campaign: str, who: str, now: datetime) -> Row | None:
    """An enrolment by its own id or its contact's: how it stands, the `number` to call it at, that number's `place` and `zones`,
    and `until` when it is suppressed."""
    row = await connection.fetchrow(FOUND, campaign, who, now)
    return None if row is None else dict(row)


async def campaign(connection: Connection, id: str) -> Row:
    """A campaign's row, as it stands under its lock."""
    row = await connection.fetchrow(
        """select c.*, t.policy_packs as team_policy_packs, t.frequency_caps as team_caps
           from campaigns c join teams t on t.id = c.team_id where c.id = $1""",
        id,
    )
    assert row is not None  # no campaign is deleted from the ledger
    return dict(row)


async def schedule(connection: Connection, enrolment: str, number: str, place: int, agreed: Scheduled) -> bool:
    """Wait for a callback; False where the enrolment is in a call or was taken out."""
    row = await connection.fetchrow(SCHEDULE, enrolment, agreed.at, agreed.until, agreed.missed, PRIORITY, number, place)
    return row is not None


async def give_up(connection: Connection, backs: Sequence[tuple[str, Back]], now: datetime, *, withdrawn: bool) -> list[str]:
    """Take callbacks of enrolments that wait back, of those whose time is over or (`withdrawn`) of any; which they were."""
    ids, where = [id for id, _ in backs], [each for _, each in backs]
    columns = ([each.status for each in where], [each.reason for each in where], [each.at for each in where])
    return [r["id"] for r in await connection.fetch(GIVE_UP, ids, *columns, now, withdrawn)]


async def missed(pool: Pool, now: datetime, most: int) -> list[Row]:
    """Enrolments that wait for a callback whose time is over."""
    return [dict(row) for row in await fetch(pool, "missed_callbacks", now, most)]


async def asks(pool: Pool, most: int) -> list[Row]:
    """What was asked for in calls that are over, and not judged: `attempt_id`, `campaign_id`, `enrolment`, `result`,
    `outcome`."""
    return [dict(row) for row in await fetch(pool, "callback_asks", most)]


async def judged(connection: Connection, attempt: str, verdict: str, at: datetime | None, now: datetime) -> bool:
    """Note what became of what was asked for; False when somebody else has."""
    done: Any = await connection.fetchrow(
        """update callback_asks set judged_at = $4, verdict = $2, callback_at = $3
           where attempt_id = $1 and judged_at is null returning attempt_id""",
        attempt, verdict, at, now,
    )  # fmt: skip
    return done is not None
