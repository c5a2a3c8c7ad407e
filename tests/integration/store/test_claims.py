"""The claim under concurrency: never over a cap, never the same person twice, nobody stalled by one stuck row."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime

import asyncpg
import pytest

from dialer.domain.attempt import Progress, Turn
from dialer.domain.machine import AttemptState, ContactStatus
from dialer.flows.release import LedgerBook, RulesReader
from dialer.store import attempts, claims
from dialer.store.claims import Claimed
from dialer.store.database import LOCK_WAIT_MS, Database
from scheduler.clock import SystemClock
from scheduler.planner import plan
from tests.support.books import Deaf, book
from tests.support.engine import TRUNK
from tests.support.laws import laws_hold
from tests.support.ledger import seed


@pytest.fixture
async def trunk(database: Database) -> None:
    await claims.declare_trunks(database.pool, {TRUNK: None})


async def end(database: Database, claimed: list[Claimed]) -> None:
    """As if the calls had been refused: every slot goes back."""
    now = datetime.now(UTC)
    stands = await attempts.standing(database.pool, [c.attempt for c in claimed], now)
    gone = Progress(AttemptState.RECALLED, ended_at=now)
    turns = [
        Turn(c.attempt, c.campaign, stands[c.attempt].standing.scopes, AttemptState.QUEUED, None, gone,
             enrolment=ContactStatus.PENDING, next_at=now)
        for c in claimed
    ]  # fmt: skip
    left = {t.attempt: t for t in turns}
    while left:
        for won in await attempts.turn(database.pool, list(left.values()), (), now):
            del left[won.attempt]


async def test_a_claim_takes_what_the_slots_allow_in_order_of_priority(database: Database, trunk: None) -> None:
    s = await seed(database.pool, contacts=12, concurrency=5)
    await database.pool.execute("update campaign_contacts set priority = 9 where to_number like '%003' or to_number like '%011'")
    first = await book(database).run(s.campaign)
    assert len(first) == 5
    assert {c.to_number[-3:] for c in first} >= {"003", "011"}
    assert {c.from_number for c in first} == {"+49301234000", "+49301234001"}, "the caller IDs take turns"
    assert await book(database).run(s.campaign) == []
    await laws_hold(database.pool)


async def test_eight_schedulers_at_once_never_go_over_a_cap_nor_claim_anybody_twice(database: Database, trunk: None) -> None:
    for n in range(4):
        await seed(database.pool, contacts=60, concurrency=4, prefix=f"+4930{n}")
    await database.pool.execute("update scopes set cap = 9 where key = 'trunk:sim'")
    over = 0

    async def scheduler() -> None:
        nonlocal over
        own = book(database)
        for _ in range(12):
            snapshot = await own.snapshot(None)
            taken = [c for r in plan(snapshot).releases for c in await own.run(r.campaign)]
            rows = await database.pool.fetch("select active, cap from scopes where cap is not null")
            over += sum(r["active"] > r["cap"] for r in rows)
            await end(database, taken)

    await asyncio.gather(*(scheduler() for _ in range(8)))
    assert over == 0
    assert await database.pool.fetchval("select count(*) from call_attempts") > 0
    assert await database.pool.fetchval("select sum(active) from scopes") == 0
    await laws_hold(database.pool)


@pytest.mark.parametrize(
    ("meanwhile", "left"),
    [
        ("update scopes set cap = 2 where key = 'trunk:sim'", 2),
        ("insert into scopes (key, cap) values ('fleet', 2)", 2),
        ("update campaigns set status = 'paused', pause_reason = 'user'", 0),
        ("update campaigns set rules_version = rules_version + 1, call_window_end = '00:10'", 0),
    ],
    ids=["cap", "fleet", "pause", "rules"],
)
async def test_a_claim_obeys_what_holds_when_it_is_made(database: Database, trunk: None, meanwhile: str, left: int) -> None:
    """Not what it was planned by: between the two somebody may have said no."""
    await seed(database.pool, contacts=5)
    own = book(database)
    planned = plan(await own.snapshot(None))
    await database.pool.execute(meanwhile)
    await own.release(planned)
    assert await database.pool.fetchval("select count(*) from call_attempts") == left
    await laws_hold(database.pool)


async def test_a_contact_that_somebody_holds_is_passed_over(database: Database, trunk: None) -> None:
    s = await seed(database.pool, contacts=3)
    async with database.pool.acquire() as connection, connection.transaction():
        held = await connection.fetchval(
            "select to_number from campaign_contacts order by next_attempt_at, id limit 1 for update"
        )
        [claimed] = await asyncio.gather(book(database).run(s.campaign), return_exceptions=True)
    assert isinstance(claimed, list), "the claim stood still behind it"
    assert len(claimed) == 2 and held not in {c.to_number for c in claimed}
    assert [c.to_number for c in await book(database).run(s.campaign)] == [held]
    await laws_hold(database.pool)


async def test_only_a_release_of_which_nobody_is_told_leaves_the_disk_to_the_placing(database: Database, trunk: None) -> None:
    told = await seed(database.pool, contacts=2)
    await seed(database.pool, contacts=2, prefix="+4989")
    show = "show synchronous_commit"
    async with database.pool.acquire() as connection:
        always = await connection.fetchval(show)
        own = LedgerBook(connection, Deaf(), SystemClock(), [TRUNK], RulesReader(database.pool))  # type: ignore[arg-type]
        async with connection.transaction():
            assert await own.run(told.campaign)
            assert await connection.fetchval(show) == always
        async with connection.transaction():
            await own.release(plan(await own.snapshot(None)))
            assert await connection.fetchval(show) == "off"
        assert await connection.fetchval(show) == always
    assert await database.pool.fetchval("select count(*) from call_attempts") == 4


async def test_a_number_that_is_live_elsewhere_waits_and_does_not_block_the_line(database: Database, trunk: None) -> None:
    one = await seed(database.pool, contacts=1)
    [live] = await book(database).run(one.campaign)
    other = await seed(database.pool, contacts=3, concurrency=3)  # another team, the same numbers: one of them is on the trunk
    claimed = await book(database).run(other.campaign)
    assert live.to_number not in {c.to_number for c in claimed} and len(claimed) == 2
    row = await database.pool.fetchrow(
        """select status, reason, next_attempt_at > now() as later from campaign_contacts
           where campaign_id = $1 and to_number = $2""",
        other.campaign,
        live.to_number,
    )
    assert tuple(row) == ("pending", "number_busy", True)
    await laws_hold(database.pool)


async def test_a_stuck_campaign_stalls_nobody_else(database: Database, trunk: None) -> None:
    stuck = await seed(database.pool, contacts=5)
    free = await seed(database.pool, contacts=5, prefix="+4989")
    async with database.pool.acquire() as connection, connection.transaction():
        await connection.fetch("select from scopes where key = $1 for update", f"campaign:{stuck.campaign}")
        started = time.monotonic()
        own = book(database)
        locked = await own.release(plan(await own.snapshot(None)))
        assert time.monotonic() - started < 1
        assert locked.locked == {f"campaign:{stuck.campaign}"}
        assert await database.pool.fetchval("select count(*) from call_attempts where campaign_id = $1", free.campaign) == 5
    assert len(await book(database).run(stuck.campaign)) == 5, "and it goes on as soon as it is free"
    await laws_hold(database.pool)


async def test_a_campaign_that_stays_locked_is_waited_for_once_and_not_in_every_round(database: Database, trunk: None) -> None:
    stuck = await seed(database.pool, contacts=5)
    own = book(database)
    async with database.pool.acquire() as connection, connection.transaction():
        await connection.fetch("select from scopes where key = $1 for update", f"campaign:{stuck.campaign}")
        await own.release(plan(await own.snapshot(None)))
        free = await seed(database.pool, contacts=5, prefix="+4989")
        started = time.monotonic()
        locked = await own.release(plan(await own.snapshot(None)))
        assert time.monotonic() - started < LOCK_WAIT_MS / 1000
        assert locked.locked == {f"campaign:{stuck.campaign}"}
        assert await database.pool.fetchval("select count(*) from call_attempts where campaign_id = $1", free.campaign) == 5
    assert not (await own.release(plan(await own.snapshot(None)))).locked
    assert await database.pool.fetchval("select count(*) from call_attempts where campaign_id = $1", stuck.campaign) == 5


async def test_a_lane_is_not_read_in_vain_until_somebody_is_due(database: Database, trunk: None) -> None:
    s = await seed(database.pool, contacts=2)
    await database.pool.execute("update campaign_contacts set next_attempt_at = now() + interval '1 hour'")
    own = book(database)
    await own.release(plan(await own.snapshot(None)))
    assert (await own.snapshot(None)).campaigns == ()
    await laws_hold(database.pool)
    await database.pool.execute(
        "update campaign_contacts set next_attempt_at = now() - interval '1 second' where to_number like '%1'"
    )
    assert len(await own.run(s.campaign)) == 1
    await laws_hold(database.pool)


async def test_a_run_with_a_limit_ends_in_a_pause_and_recalls_give_back(database: Database, trunk: None) -> None:
    s = await seed(database.pool, contacts=5)
    await database.pool.execute("update scopes set budget = 2 where key = $1", f"campaign:{s.campaign}")
    taken = await book(database).run(s.campaign)
    assert len(taken) == 2
    await end(database, taken[:1])
    again = await book(database).run(s.campaign)
    assert len(again) == 1, "a recalled attempt was no call"
    await database.pool.execute("update call_attempts set state = 'placing', placing_at = now() where ended_at is null")
    for attempt in (taken[1], again[0]):
        await database.pool.execute(
            """with done as (
                 update call_attempts set state = 'ended', outcome = 'human', ended_at = now(), counted = true where id = $1
                 returning campaign_contact_id)
               update campaign_contacts set status = 'calling' where id = (select campaign_contact_id from done)""",
            attempt.attempt,
        )
        await database.pool.execute(
            """update campaign_contacts
               set status = 'completed', outcome = 'answered', attempts = 1, completed_at = now() where id = $1""",
            attempt.enrolment,
        )
    assert await claims.rest(database.pool, [s.campaign], datetime.now(UTC)) == {s.campaign: "paused"}
    assert await database.pool.fetchval("select pause_reason from campaigns") == "run_limit"
    await laws_hold(database.pool)


async def test_a_caller_id_that_has_made_its_calls_of_the_day_rests(database: Database, trunk: None) -> None:
    s = await seed(database.pool, contacts=6, numbers=1)
    await database.pool.execute("update phone_numbers set daily_limit = 2")
    assert len(await book(database).run(s.campaign)) == 2
    assert await book(database).run(s.campaign) == []
    await database.pool.execute("update scopes set day = day - 1 where day_limit is not null")
    assert len(await book(database).run(s.campaign)) == 2, "the next day it may again"


@pytest.mark.parametrize(
    "statement",
    [
        "update call_attempts set state = 'answered'",
        "update call_attempts set state = 'ended', outcome = 'human', ended_at = now()",
        "update campaign_contacts set status = 'calling' where status = 'pending'",
        "update campaign_contacts set status = 'completed', completed_at = now() where status = 'pending'",
        """update campaigns set status = 'completed', completed_at = now();
           update campaigns set status = 'running', completed_at = null""",
        """insert into call_attempts (id, team_id, campaign_id, campaign_contact_id, contact_id, attempt_no, trunk, assistant_id,
             number_id, to_number, from_number, state, scopes, rules_version, not_after, ring_seconds, limit_seconds, claimed_at)
           select 'x', team_id, campaign_id, campaign_contact_id, contact_id, attempt_no, trunk, assistant_id,
             number_id, to_number, from_number, state, scopes, rules_version, not_after, ring_seconds, limit_seconds, claimed_at
           from call_attempts""",
    ],
)
async def test_the_ledger_refuses_what_breaks_a_law(database: Database, trunk: None, statement: str) -> None:
    s = await seed(database.pool, contacts=2, concurrency=1)
    assert len(await book(database).run(s.campaign)) == 1
    with pytest.raises((asyncpg.CheckViolationError, asyncpg.UniqueViolationError)):
        await database.pool.execute(statement)
    await laws_hold(database.pool)


ONE_LIVE_ATTEMPT = {
    "one_live_attempt_per_enrolment": ("campaign_contact_id",),
    "one_live_attempt_per_contact": ("contact_id",),
    "one_live_attempt_per_team_and_number": ("team_id", "to_number"),
    "one_live_attempt_per_trunk_and_number": ("trunk", "to_number"),
}


@pytest.mark.parametrize("law", ONE_LIVE_ATTEMPT)
async def test_nobody_is_in_two_calls_at_once(database: Database, trunk: None, law: str) -> None:
    """A second live attempt that is like the first in nothing but what the law is about."""
    first, other = await seed(database.pool, contacts=1), await seed(database.pool, contacts=1, prefix="+4989")
    for each in (first, other):
        assert len(await book(database).run(each.campaign)) == 1
    rows = await database.pool.fetch("select campaign_id, to_jsonb(a) as row from call_attempts a")
    known = {r["campaign_id"]: r["row"] for r in rows}
    await database.pool.execute(
        "update call_attempts set state = 'recalled', ended_at = now() where campaign_id = $1", other.campaign
    )
    same = {column: known[first.campaign][column] for column in ONE_LIVE_ATTEMPT[law]}
    second = known[other.campaign] | {"id": "call_second", "attempt_no": 2, "trunk": "another"} | same
    columns = ", ".join(second.keys() - {"called_at"})  # which is worked out
    insert = f"insert into call_attempts ({columns}) select {columns} from jsonb_populate_record(null::call_attempts, $1)"
    with pytest.raises(asyncpg.UniqueViolationError) as refused:
        await database.pool.execute(insert, second)
    assert refused.value.constraint_name == law


async def test_who_is_written_while_a_claim_waits_for_its_locks_is_claimed_whole(database: Database, trunk: None) -> None:
    """The rows that the claim has read by then are older than those it moves."""
    s = await seed(database.pool, contacts=12, concurrency=12)
    own = book(database)
    made = plan(await own.snapshot(None))
    async with database.pool.acquire() as on, on.transaction():
        await on.execute("select from scopes where key = $1 for update", f"campaign:{s.campaign}")
        claiming = asyncio.create_task(own.release(made))
        waiting = "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"
        while not await database.pool.fetchval(waiting):
            assert not claiming.done()
            await asyncio.sleep(0.01)
        await on.execute("update campaign_contacts set reason = 'written'")
    await claiming
    assert await database.pool.fetchval("select count(*) from campaign_contacts where status = 'queued'") == 12
    await laws_hold(database.pool)


async def test_a_turn_that_expected_something_else_is_lost(database: Database, trunk: None) -> None:
    """Two who saw the same and decided differently: the first is written, the second is told so."""
    s = await seed(database.pool, contacts=1)
    [claimed] = await book(database).run(s.campaign)
    now = datetime.now(UTC)
    placed = Progress(AttemptState.PLACING)
    gone = Progress(AttemptState.RECALLED, ended_at=now)
    scopes = (await attempts.standing(database.pool, [claimed.attempt], now))[claimed.attempt].standing.scopes
    seen = (claimed.attempt, s.campaign, scopes, AttemptState.QUEUED, None)
    first = Turn(*seen, gone, enrolment=ContactStatus.PENDING, next_at=now)
    second = Turn(*seen, placed)
    assert [won.attempt for won in await attempts.turn(database.pool, [first], (), now)] == [claimed.attempt]
    assert await attempts.turn(database.pool, [first], (), now) == [], "nor is the same one written again"
    assert await attempts.turn(database.pool, [second], (), now) == []
    assert await database.pool.fetchval("select count(*) from history where entity_id = $1", claimed.attempt) == 2
    await laws_hold(database.pool)


async def taken_out(database: Database, count: int) -> None:
    await database.pool.execute(
        """update campaign_contacts set status = 'skipped', completed_at = now() where id in (
             select id from campaign_contacts where status = 'pending' order by next_attempt_at, id limit $1)""",
        count,
    )


async def read(on: asyncpg.Connection) -> int:
    """Entries of the lanes' index that `on` and others have read so far."""
    await on.execute("select pg_stat_force_next_flush()")
    n: int = await on.fetchval("select idx_tup_read from pg_stat_user_indexes where indexrelname = 'campaign_contacts_lane'")
    return n


@pytest.mark.usefixtures("anew")
async def test_under_an_old_snapshot_a_claim_does_not_read_what_was_done_with_before_the_last_one(
    database: Database, trunk: None
) -> None:
    s = await seed(database.pool, contacts=3000, concurrency=1000)
    async with database.pool.acquire() as old, database.pool.acquire() as on, old.transaction(isolation="repeatable_read"):
        await old.fetchval("select count(*) from campaign_contacts")
        await taken_out(database, 2000)
        own = LedgerBook(on, Deaf(), SystemClock(), [TRUNK], RulesReader(database.pool))  # type: ignore[arg-type]
        reads = []
        for cap in (10, 20):
            await database.pool.execute("update scopes set cap = $2 where key = $1", f"campaign:{s.campaign}", cap)
            before = await read(on)
            await own.release(plan(await own.snapshot(None)))
            reads.append(await read(on) - before)
    assert await database.pool.fetchval("select count(*) from call_attempts") == 20
    assert reads[0] >= 2000 > 100 >= reads[1], reads


async def test_who_comes_into_a_lane_before_its_head_is_called_as_soon_as_there_are_fewer_than_slots(
    database: Database, trunk: None
) -> None:
    s = await seed(database.pool, contacts=4, concurrency=2)
    own = book(database)
    await own.release(plan(await own.snapshot(None)))
    late = await database.pool.fetchval("select max(id) from campaign_contacts where status = 'pending'")
    await database.pool.execute("update campaign_contacts set next_attempt_at = '2020-01-01' where id = $1", late)
    await database.pool.execute("update scopes set cap = 4 where key = $1", f"campaign:{s.campaign}")
    await own.release(plan(await own.snapshot(None)))
    await own.release(plan(await own.snapshot(None)))
    assert await database.pool.fetchval("select count(*) from call_attempts") == 4
    await laws_hold(database.pool)


async def test_whoever_asks_for_a_run_is_told_of_all_who_are_due(database: Database, trunk: None) -> None:
    s = await seed(database.pool, contacts=4, concurrency=2)
    own = book(database)
    await own.release(plan(await own.snapshot(None)))
    await database.pool.execute("update campaign_contacts set next_attempt_at = '2020-01-01' where status = 'pending'")
    await database.pool.execute("update scopes set cap = 4 where key = $1", f"campaign:{s.campaign}")
    assert len(await own.run(s.campaign)) == 2
