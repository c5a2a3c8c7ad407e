"""Between the claim and the dial: whatever says no meanwhile is heard, and nothing is placed twice."""

from __future__ import annotations

import asyncio
import time

import pytest

from adapters.simulated.carrier.script import Faults
from dialer.domain.fence import FENCE_SECONDS
from dialer.domain.machine import AttemptState
from dialer.flows.place import Placer
from dialer.flows.recall import refuse
from dialer.flows.ring import QUEUE
from dialer.queue import RateBuckets
from dialer.store.claims import Claimed
from scheduler.planner import plan
from tests.support.carrier import quick
from tests.support.engine import Engine, engine
from tests.support.laws import laws_hold
from tests.support.ledger import Seed, seed

NO = {
    "do_not_call": (
        "update contacts set do_not_call = true where id = (select contact_id from call_attempts where id = $1)",
        ("skipped", "do_not_call", "do_not_call"),
    ),
    "team suppression": (
        """insert into suppressions (scope, team_id, phone_number)
           select 'team', team_id, to_number from call_attempts where id = $1""",
        ("skipped", "do_not_call", "suppressed"),
    ),
    "global suppression": (
        "insert into suppressions (scope, phone_number) select 'global', to_number from call_attempts where id = $1",
        ("skipped", "do_not_call", "suppressed"),
    ),
    "campaign suppression": (
        """insert into suppressions (scope, team_id, campaign_id, phone_number)
           select 'campaign', team_id, campaign_id, to_number from call_attempts where id = $1""",
        ("skipped", "do_not_call", "suppressed"),
    ),
    "pause": (
        """update campaigns set status = 'paused', pause_reason = 'user'
           where id = (select campaign_id from call_attempts where id = $1)""",
        ("pending", None, "paused"),
    ),
    "cancel": (
        """update campaigns set status = 'cancelled', completed_at = now()
           where id = (select campaign_id from call_attempts where id = $1)""",
        ("pending", None, "ended"),
    ),
    "another window": (
        """update campaigns set rules_version = rules_version + 1,
             call_window_start = to_char(now() at time zone 'Europe/Berlin' + interval '2 hours', 'HH24:MI'),
             call_window_end = to_char(now() at time zone 'Europe/Berlin' + interval '3 hours', 'HH24:MI')
           where id = (select campaign_id from call_attempts where id = $1)""",
        ("pending", None, "window"),
    ),
    "caller ID taken away": (
        "update phone_numbers set status = 'inactive' where id = (select number_id from call_attempts where id = $1)",
        ("pending", None, "caller_ids_exhausted"),
    ),
    "caller ID rests": (
        """update phone_numbers set resting_until = now() + interval '1 hour', resting_reason = 'blocked'
           where id = (select number_id from call_attempts where id = $1)""",
        ("pending", None, "caller_ids_exhausted"),
    ),
    "assistant switched off": (
        "update assistants set outbound_enabled = false where id = (select assistant_id from call_attempts where id = $1)",
        ("pending", None, "trunk_config"),
    ),
    "window over": ("update call_attempts set not_after = now() - interval '1 second' where id = $1", ("pending", None, "stale")),
    "cap lowered": (
        "update scopes set cap = 0 where key = (select 'campaign:' || campaign_id from call_attempts where id = $1)",
        ("pending", None, "stale"),
    ),
    "claim too old": (
        "update call_attempts set claimed_at = now() - interval '3 seconds' where id = $1",
        ("pending", None, "stale"),
    ),
}


async def released(e: Engine, s: Seed) -> list[Claimed]:
    return await e.book.run(s.campaign)


@pytest.mark.parametrize("no", NO)
async def test_after_a_no_nothing_is_dialled(database_url: str, redis_url: str, no: str) -> None:
    statement, (status, outcome, reason) = NO[no]
    async with engine(database_url, redis_url, quick(), running=False) as e:
        s = await seed(e.pool, contacts=1)
        [claimed] = await released(e, s)
        await e.pool.execute(statement, claimed.attempt)
        await e.placer.place(claimed.attempt, claimed.campaign, claimed.trunk)
        assert not e.carrier.journal.entries
        row = await e.pool.fetchrow("select status, outcome, attempts from campaign_contacts")
        assert (row["status"], row["outcome"], row["attempts"]) == (status, outcome, 0)
        told = tuple(await e.pool.fetchrow("select state, reason from call_attempts"))
        assert told == (AttemptState.RECALLED, reason)
        await laws_hold(e.pool)


async def test_a_job_that_runs_twice_dials_once(database_url: str, redis_url: str) -> None:
    """Also where both ask for their leave in one batch, which gathers while another one is under way."""
    async with engine(database_url, redis_url, quick(), running=False) as e:
        s = await seed(e.pool, contacts=2)
        other, twice = await released(e, s)
        placer = Placer(e.pool, e.house.settler, RateBuckets(e.house.redis), e.trunks, e.house.breakers, e.house.clock, first=10)
        e.duties.start("fence of many at once", placer.run_fence())
        e.duties.start("accepted of many at once", placer.run_accepted())
        await asyncio.gather(*(placer.place(c.attempt, c.campaign, c.trunk) for c in (other, *[twice] * 5)))
        assert sorted(entry.attempt for entry in e.carrier.journal.entries.values()) == sorted([other.attempt, twice.attempt])
        await laws_hold(e.pool)


async def test_a_job_that_runs_again_while_its_call_is_being_placed_dials_nobody(database_url: str, redis_url: str) -> None:
    async with engine(database_url, redis_url, quick(faults=Faults(callback_lost=1.0)), running=False) as e:
        s = await seed(e.pool, contacts=1)
        [claimed] = await released(e, s)
        for _ in range(3):
            await e.placer.place(claimed.attempt, claimed.campaign, claimed.trunk)
        assert len(e.carrier.journal.entries) == 1
        assert await e.pool.fetchval("select state from call_attempts") == AttemptState.PLACING
        await laws_hold(e.pool)


async def test_a_worker_that_slept_behind_the_fence_does_not_dial(
    database_url: str, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with engine(database_url, redis_url, quick(), running=False) as e:
        s = await seed(e.pool, contacts=1)
        [claimed] = await released(e, s)
        monkeypatch.setattr("dialer.flows.place.FENCE_SECONDS", -0.001)  # the fence has passed before the first byte
        await e.placer.place(claimed.attempt, claimed.campaign, claimed.trunk)
        assert not e.carrier.journal.entries
        assert await e.pool.fetchval("select status from campaign_contacts") == "pending"
        await laws_hold(e.pool)


async def test_the_fence_counts_from_before_the_ledger_was_asked(database_url: str, redis_url: str) -> None:
    """Else a no that is committed while the ledger is slow would be answered before the dial it let pass goes out."""
    async with engine(database_url, redis_url, quick(), running=False) as e:
        s = await seed(e.pool, contacts=1)
        [claimed] = await released(e, s)
        await e.pool.execute(
            f"""create function slowly() returns trigger language plpgsql as
                  $$ begin perform pg_sleep({FENCE_SECONDS + 0.1}); return null; end $$;
                create trigger slowly after update on call_attempts execute function slowly()"""
        )
        await e.placer.place(claimed.attempt, claimed.campaign, claimed.trunk)
        assert not e.carrier.journal.entries
        assert await e.pool.fetchval("select array_agg(after order by id) from history where entity = 'attempt'") == [
            "queued", "placing", "recalled",
        ]  # fmt: skip
        await laws_hold(e.pool)


async def test_a_dial_waits_for_its_token(database_url: str, redis_url: str) -> None:
    async with engine(database_url, redis_url, quick(), running=False, calls_per_second=10) as e:
        s = await seed(e.pool, contacts=3)
        began = time.time()
        await asyncio.gather(*(e.placer.place(c.attempt, c.campaign, c.trunk) for c in await released(e, s)))
        dials = sorted(entry.accepted for entry in e.carrier.journal.entries.values())
        assert len(dials) == 3
        early = [n for n, at in enumerate(dials, 1) if at < began + n / 10 - 0.01]
        assert not early, "the first one too: a bucket nobody knows is empty"
        await laws_hold(e.pool)


async def test_a_trunk_at_its_rate_takes_back_nothing(database_url: str, redis_url: str) -> None:
    """What is released in a second gets its tokens in time: whoever is taken back has to wait for another turn."""
    async with engine(database_url, redis_url, quick(), calls_per_second=40) as e:
        s = await seed(e.pool, contacts=120, concurrency=120)
        await e.until("select status = 'completed' from campaigns where id = $1", s.campaign)
        refused = "state = 'recalled' and ended_at < claimed_at + interval '1.8 seconds'"  # later it is a busy machine's doing
        assert await e.pool.fetchval(f"select count(*) from call_attempts where {refused}") == 0
        await laws_hold(e.pool)


async def test_what_was_claimed_and_never_placed_is_taken_back_by_the_sweep(database_url: str, redis_url: str) -> None:
    async with engine(database_url, redis_url, quick(), running=False) as e:
        s = await seed(e.pool, contacts=3)
        assert len(await released(e, s)) == 3
        await e.sweeper.sweep()
        assert await e.pool.fetchval("select count(*) from call_attempts where ended_at is null") == 3, "not before two seconds"
        await e.pool.execute("update call_attempts set claimed_at = claimed_at - interval '3 seconds'")
        await e.sweeper.sweep()
        assert await e.pool.fetchval("select count(*) from call_attempts where ended_at is null") == 0
        assert await e.pool.fetchval("select count(*) from campaign_contacts where status = 'pending' and attempts = 0") == 3
        await laws_hold(e.pool)


async def test_refusing_twice_is_a_lost_race_and_harmless(database_url: str, redis_url: str) -> None:
    async with engine(database_url, redis_url, quick(), running=False) as e:
        s = await seed(e.pool, contacts=1)
        [claimed] = await released(e, s)
        assert await asyncio.gather(*(e.house.settler.settle(claimed.attempt, refuse) for _ in range(4))) == [True] * 4
        assert (
            await e.pool.fetchval("select count(*) from history where entity_id = $1 and after = 'recalled'", claimed.attempt)
            == 1
        )
        await laws_hold(e.pool)


async def test_outside_the_window_nothing_is_released(database_url: str, redis_url: str) -> None:
    async with engine(database_url, redis_url, quick(), running=False) as e:
        now = e.house.clock.now()
        opens, shuts = f"{(now.hour + 3) % 24:02}:00", f"{(now.hour + 4) % 24:02}:00"
        s = await seed(e.pool, contacts=2, window=(opens, shuts), zones=("Etc/UTC",))
        snapshot = await e.book.snapshot(None)
        made = plan(snapshot)
        assert made.releases == () and list(made.shut) == [(s.campaign, snapshot.campaigns[0].lanes[0].place_set)]
        await e.book.release(made)
        assert await released(e, s) == []


async def test_nobody_of_unknown_place_is_called_by_the_contacts_own_clock(database_url: str, redis_url: str) -> None:
    async with engine(database_url, redis_url, quick(), running=False) as e:
        s = await seed(e.pool, contacts=2, zones=())
        assert await released(e, s) == []


async def test_a_number_that_was_changed_meanwhile_is_not_dialled_and_the_new_one_is(database_url: str, redis_url: str) -> None:
    async with engine(database_url, redis_url, quick(), running=False) as e:
        s = await seed(e.pool, contacts=1)
        [claimed] = await released(e, s)
        await e.pool.execute("update contacts set phone = '+4930901820'")
        await e.placer.place(claimed.attempt, claimed.campaign, claimed.trunk)
        assert not e.carrier.journal.entries
        assert await e.pool.fetchval("select to_number from campaign_contacts where status = 'pending'") == "+4930901820"
        await e.pool.execute("update campaign_contacts set next_attempt_at = now()")
        [again] = await released(e, s)
        await e.placer.place(again.attempt, again.campaign, again.trunk)
        assert [entry.to for entry in e.carrier.journal.entries.values()] == ["+4930901820"]
        await laws_hold(e.pool)


async def test_a_phone_that_was_taken_away_meanwhile_skips_its_contact(database_url: str, redis_url: str) -> None:
    async with engine(database_url, redis_url, quick(), running=False) as e:
        s = await seed(e.pool, contacts=1)
        [claimed] = await released(e, s)
        await e.pool.execute("update contacts set phone = null")
        await e.placer.place(claimed.attempt, claimed.campaign, claimed.trunk)
        assert not e.carrier.journal.entries
        assert tuple(await e.pool.fetchrow("select status, outcome, reason from campaign_contacts")) == (
            "skipped",
            "invalid_number",
            "no_phone",
        )
        await laws_hold(e.pool)


async def test_while_redis_is_away_nothing_is_released(
    database_url: str, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dialer.queue import JobQueue, QueueUnavailable

    async def away(*_: object) -> None:
        raise QueueUnavailable("away")

    async with engine(database_url, redis_url, quick(), running=False) as e:
        s = await seed(e.pool, contacts=3, concurrency=1)
        with monkeypatch.context() as patch:
            patch.setattr(JobQueue, "enqueue", away)
            patch.setattr(JobQueue, "waited", away)
            assert len(await released(e, s)) == 1, "the claim that noticed it"
            await e.pool.execute("update call_attempts set claimed_at = claimed_at - interval '3 seconds'")
            await e.sweeper.sweep()
            assert await released(e, s) == []
        assert len(await released(e, s)) == 1
        await laws_hold(e.pool)


async def test_while_no_worker_takes_up_dials_nothing_more_is_claimed(database_url: str, redis_url: str) -> None:
    async with engine(database_url, redis_url, quick(), running=False) as e:
        s = await seed(e.pool, contacts=3, concurrency=1)
        [claimed] = await released(e, s)
        await e.house.redis.zincrby(QUEUE, -3000, claimed.attempt)
        await e.pool.execute("update call_attempts set claimed_at = claimed_at - interval '3 seconds'")
        await e.sweeper.sweep()
        for _ in range(3):
            assert await released(e, s) == []
        assert await e.pool.fetchval("select count(*) from call_attempts") == 1
        assert await e.house.redis.zpopmin(QUEUE), "a worker is back and takes it up"
        assert len(await released(e, s)) == 1
        await laws_hold(e.pool)


async def test_a_forged_job_that_names_another_trunk_dials_nobody(database_url: str, redis_url: str) -> None:
    """Whoever looked for that call later would ask the wrong carrier, find nothing, and dial again."""
    async with engine(database_url, redis_url, quick(), running=False) as e:
        s = await seed(e.pool, contacts=1)
        [claimed] = await released(e, s)
        both = {**e.trunks, "other": e.trunks[claimed.trunk]}
        placer = Placer(e.pool, e.house.settler, RateBuckets(e.house.redis), both, e.house.breakers, e.house.clock)
        e.duties.start("fence of another", placer.run_fence())
        e.duties.start("accepted by another", placer.run_accepted())
        await placer.place(claimed.attempt, claimed.campaign, "other")
        assert not e.carrier.journal.entries
        assert await e.pool.fetchval("select state from call_attempts") == "recalled"
        assert await e.pool.fetchval("select status from campaign_contacts") == "pending"
        await laws_hold(e.pool)
