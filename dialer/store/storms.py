"""Storms in the ledger: what was seen, the calls that were believed meanwhile, and the contacts that these have ended.

Rows in, rows out, no decisions. Whoever corrects holds the campaign's lock, in a statement before.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from dialer.store.callable_numbers import OF_ENROLLED
from dialer.store.database import Connection, Pool
from dialer.store.rows import Row
from dialer.store.statements import fetch

# In the order in which an enrolment locks them. Whoever says no at the same moment, also in a call, which takes no lock but that
# of the row it writes, is read afterwards, or waits.
HOLD = """
select p.id from campaign_contacts t join contacts p on p.id = t.contact_id where t.id = any($1::text[])
order by p.created_at, p.id for share of p
"""
# A statement of its own, which sees whatever was committed before the contacts were held.
FOUND = f"""
select t.id, t.status, t.attempts, t.attempt_seq, t.excused_day, t.excused, t.created_at, p.do_not_call, n.number,
       n.place, n.until
from campaign_contacts t join contacts p on p.id = t.contact_id join campaigns c on c.id = t.campaign_id
  {OF_ENROLLED.replace(":now", "$2")}
where t.id = any($1::text[])
"""
CORRECT = """
update campaign_contacts t
set attempts = t.attempts - w.counted, excused = case when t.excused_day = $8::date then t.excused + w.calls else w.calls end,
    excused_day = $8, outcome = case when w.why is null then t.outcome else 'error' end, reason = coalesce(w.why, t.reason),
    status = case when w.at is null then t.status else 'pending' end,
    completed_at = case when w.at is null then t.completed_at end,
    next_attempt_at = coalesce(w.at, t.next_attempt_at), to_number = case when w.at is null then t.to_number else w.number end,
    place_set_id = case when w.at is null then t.place_set_id else w.place end
from unnest($1::text[], $2::int[], $3::int[], $4::text[], $5::timestamptz[], $6::text[], $7::int[])
  as w(id, calls, counted, why, at, number, place)
where t.id = w.id
"""
# While its breaker is open for its endings, a trunk has not proven itself.
PROLONG = """
update storms w set until = clock_timestamp() + interval '60 seconds'
where exists (select from breakers b where b.key = 'trunk:' || w.trunk and b.state <> 'closed' and b.cause = 'endings')
"""
# What it took is back; what could not be brought back in ten minutes stays. One that would last longer than any was noted before
# the clock was set back.
END = """
delete from storms w
where w.until not between clock_timestamp() and clock_timestamp() + interval '61 seconds'
  and (w.trunk not in (select trunk from stormed)
       or w.until not between clock_timestamp() - interval '10 minutes' and clock_timestamp() + interval '61 seconds')
returning trunk
"""


@dataclass(frozen=True, slots=True)
class Struck:
    """What was corrected of an enrolment: `calls`, those of them that were `counted`, and the number of the `newest`."""

    calls: int
    counted: int
    newest: int


@dataclass(frozen=True, slots=True)
class Correction:
    """What becomes of it. `why` None: it was not ended by what was corrected, and stays where it is; `at` None: it stays at its
    end; else it waits until then to be called at `number`, which rings at `place`."""

    enrolment: str
    struck: Struck
    why: str | None = None
    at: datetime | None = None
    number: str | None = None
    place: int | None = None


async def note(pool: Pool, trunk: str, suspects: Collection[str], now: datetime) -> None:
    """The trunk is at fault itself, say the endings of these attempts."""
    await fetch(pool, "note_storm", trunk, sorted(suspects), now)


async def stormed(pool: Pool, most: int) -> dict[str, list[str]]:
    """Calls to be corrected: campaign id → attempts."""
    found: defaultdict[str, list[str]] = defaultdict(list)
    for r in await fetch(pool, "stormed", most):
        found[r["campaign_id"]].append(r["id"])
    return found


async def blame(connection: Connection, attempts: Collection[str]) -> dict[str, Struck]:
    """Correct these calls of one campaign; by enrolment, what was. One that was corrected meanwhile is passed over."""
    struck: dict[str, Struck] = {}
    for r in await fetch(connection, "blame_trunk", list(attempts)):
        was = struck.get(r["enrolment"], Struck(0, 0, 0))
        struck[r["enrolment"]] = Struck(was.calls + 1, was.counted + r["counted"], max(was.newest, r["attempt_no"]))
    return struck


async def found(connection: Connection, enrolments: Collection[str], now: datetime) -> Sequence[Row]:
    """How they stand, with the `number` to call, its `place`, and `until` when it is suppressed; their contacts are held."""
    await connection.fetch(HOLD, list(enrolments))
    return [dict(row) for row in await connection.fetch(FOUND, list(enrolments), now)]


async def correct(connection: Connection, corrections: Sequence[Correction], now: datetime) -> None:
    columns = (
        [c.enrolment for c in corrections], [c.struck.calls for c in corrections], [c.struck.counted for c in corrections],
        [c.why for c in corrections], [c.at for c in corrections], [c.number for c in corrections],
        [c.place for c in corrections],
    )  # fmt: skip
    await connection.execute(CORRECT, *columns, now.astimezone(UTC).date())


async def end(pool: Pool) -> list[str]:
    """Forget the storms that are over; the trunks."""
    await pool.execute(PROLONG)
    return [r["trunk"] for r in await pool.fetch(END)]


def excused_today(row: Mapping[str, object], now: datetime) -> int:
    """How many failures that were not the callee's the enrolment has had on the UTC day of `now`."""
    today = now.astimezone(UTC).date()
    count = row["excused"] if row["excused_day"] == today else 0
    assert isinstance(count, int)
    return count
