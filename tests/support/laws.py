"""The laws, as code: what must hold after every run, judged by the carrier's journal and the ledger, never by our counters."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable

from adapters.simulated.carrier.journal import Entry
from adapters.simulated.carrier.server import Carrier
from dialer.store import recount
from dialer.store.database import Pool
from scheduler.frequency import FrequencyCap


async def laws_hold(pool: Pool, lowered: Collection[str] = ()) -> None:
    """The laws of the ledger alone; they hold at every instant. `lowered`: scopes whose cap was lowered, which ends no call."""
    assert await recount.scopes(pool) == [], "a semaphore is not the count of its live attempts"
    campaigns = [r["id"] for r in await pool.fetch("select id from campaigns")]
    assert await recount.tallies(pool, campaigns) == [], "a tally is not what the rows say"
    over = await pool.fetch("select key from scopes where active > cap and key <> all($1::text[])", list(lowered))
    assert over == [], "over a cap"
    late_lanes = await pool.fetch(
        """select l.campaign_id from lanes l where l.pending > 0 and l.next_due > (
             select min(t.next_attempt_at) from campaign_contacts t where t.status = 'pending' and t.campaign_id = l.campaign_id
               and t.place_set_id = l.place_set_id and t.priority = l.priority)"""
    )
    assert late_lanes == [], "a lane sleeps although somebody in it is due"
    wrong_lanes = await pool.fetch(
        """select l.campaign_id, l.pending, count(t.id) from lanes l left join campaign_contacts t on t.status = 'pending'
             and t.campaign_id = l.campaign_id and t.place_set_id = l.place_set_id and t.priority = l.priority
           group by l.campaign_id, l.place_set_id, l.priority, l.pending having count(t.id) <> l.pending"""
    )
    assert wrong_lanes == [], "a lane does not hold as many as it says"
    assert await pool.fetch(
        """select t.id from campaign_contacts t where (t.status in ('queued', 'calling')) <> exists (
             select from call_attempts a where a.campaign_contact_id = t.id and a.ended_at is null)"""
    ) == [], "an enrolment is in a call without a live attempt, or has one without being so"  # fmt: skip
    assert await pool.fetch(
        """select t.id from campaign_contacts t
           where t.attempts <> (select count(*) from call_attempts a where a.campaign_contact_id = t.id and a.counted)"""
    ) == [], "attempts counted are not the endings that count"  # fmt: skip
    assert await pool.fetch(
        """select c.id from campaigns c join campaign_contacts t on t.campaign_id = c.id
           where c.status = 'completed' and t.status in ('pending', 'queued', 'calling')"""
    ) == [], "a completed campaign has something open"  # fmt: skip
    assert await pool.fetch(
        """select a.id from call_attempts a where a.state <> (
             select h.after from history h where h.entity_id = a.id order by h.id desc limit 1)"""
    ) == [], "the history does not end where the attempt stands"  # fmt: skip
    assert await pool.fetch(
        """select entity_id from (
             select entity_id, before, lag(after) over (partition by entity_id order by id) as was from history) turns
           where before is distinct from was"""
    ) == [], "a turn does not begin where the one before it ended"  # fmt: skip


async def nothing_left(pool: Pool) -> None:
    """After a campaign came to its end: nothing is live, nothing holds a slot."""
    assert await pool.fetchval("select count(*) from call_attempts where ended_at is null") == 0, "an attempt never ended"
    assert await pool.fetchval("select coalesce(sum(active), 0) from scopes") == 0, "a slot leaked"


async def carrier_agrees(pool: Pool, carrier: Carrier) -> None:
    """Every call the carrier had was one placed attempt, and nobody was called twice for one."""
    await books_agree(pool, carrier.journal.entries.values())
    assert max(carrier.requests.values(), default=0) <= 1, "the carrier was asked twice for one attempt"
    assert carrier.journal.summary().dialled_twice == 0, "somebody was called while in a call"


async def books_agree(pool: Pool, entries: Iterable[Entry]) -> None:
    """The same, of the calls alone."""
    attempts = [entry.attempt for entry in entries]
    assert len(attempts) == len(set(attempts)), "the carrier had two calls for one attempt"
    placed = {r["id"] for r in await pool.fetch("select id from call_attempts where placing_at is not null")}
    assert set(attempts) <= placed, "a call without a committed intent"


def too_often(entries: Iterable[Entry], cap: FrequencyCap) -> list[str]:
    """The attempts that called a number or person to which the cap let no further call, by the carrier's books. Of several
    contacts who are one person nobody knows but by their number."""
    calls: defaultdict[str, list[Entry]] = defaultdict(list)
    for entry in sorted(entries, key=lambda entry: entry.accepted):
        calls[entry.to if cap.per == "number" else entry.labels["contact"]].append(entry)
    found = []
    for whose in calls.values():
        for n, call in enumerate(whose):
            since = call.accepted - cap.hours * 3600
            before = [e for e in whose[:n] if e.accepted > since]
            if cap.counts == "conversations":
                spoken = [e.answered for e in whose[:n] if e.answered_by == "human" and e.answered is not None]
                if sum(since < at <= call.accepted for at in spoken) >= cap.calls:
                    found.append(call.attempt)
            elif len(before) >= cap.calls:
                found.append(call.attempt)
    return found
