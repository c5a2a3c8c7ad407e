"""A trunk in a storm calls everybody's number invalid: no contact is killed by it, also of those who were called before anybody
could know, and nobody is called again whom something forbids to call."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest

from adapters.events import CallEvent, Fault, Outcome, Phase
from dialer.flows.breakers import Breakers
from dialer.flows.follow import Follower
from dialer.flows.storms import Storms
from dialer.store import attempts, claims, storms
from tests.support.carrier import quick
from tests.support.engine import TRUNK, Engine, engine
from tests.support.laws import laws_hold, nothing_left
from tests.support.ledger import Seed, seed

KEY = f"trunk:{TRUNK}"
OPEN_END: dict[str, object] = {"no_auto_complete": True}
"""Of a campaign that does not come to its end when all its contacts have."""
FAILED = "select count(*) from campaign_contacts where status = 'failed'"


def another(e: Engine) -> Follower:
    """What a process that has heard nothing yet follows with."""
    return Follower(e.pool, e.house.settler, Breakers(e.pool, e.house.ringer, e.house.clock))


async def called(e: Engine, s: Seed) -> list[str]:
    """Calls that the carrier was asked for, as far as the ledger knows: all that are due, in the order of their numbers."""
    await e.pool.execute("update campaign_contacts set next_attempt_at = now() where status = 'pending'")
    await e.book.run(s.campaign)
    await e.pool.execute("update call_attempts set state = 'placing', placing_at = now() where state = 'queued'")
    await e.pool.execute("update campaign_contacts set status = 'calling', last_attempt_at = now() where status = 'queued'")
    live = "select id from call_attempts where ended_at is null and campaign_id = $1 order by to_number"
    return [r["id"] for r in await e.pool.fetch(live, s.campaign)]


def told(attempt: str, outcome: Outcome | None = Outcome.INVALID_NUMBER, phase: Phase = Phase.ENDED) -> CallEvent:
    return CallEvent(phase, datetime.now(UTC), attempt, "ref", f"{phase} {outcome} of {attempt}", outcome=outcome)


async def believed(e: Engine, calls: Sequence[str]) -> None:
    """Each of them was called invalid, and no process heard of enough of them to wonder."""
    for call in calls:
        await another(e).follow(TRUNK, [told(call)])
    assert await e.pool.fetchval("select count(*) from call_attempts where id = any($1) and fault = 'number'", calls) == len(
        calls
    )


async def storm(e: Engine, calls: Sequence[str]) -> None:
    await storms.note(e.pool, TRUNK, calls, e.house.clock.now())


async def of(e: Engine, call: str) -> dict[str, Any]:
    """The enrolment that was called."""
    return dict(
        await e.pool.fetchrow(
            "select t.* from campaign_contacts t join call_attempts a on a.campaign_contact_id = t.id where a.id = $1", call
        )
    )


async def lines(e: Engine, entity: str) -> list[tuple[str | None, str, str | None]]:
    rows = await e.pool.fetch("select before, after, reason from history where entity_id = $1 order by id", entity)
    return [(r["before"], r["after"], r["reason"]) for r in rows]


async def test_a_trunk_that_calls_every_number_invalid_kills_nobody_and_all_are_reached_once_it_is_well(
    database_url: str, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dialer.domain.retry.EXCUSED_FIRST_SECONDS", 0.05)
    async with engine(database_url, redis_url, quick(answer=0.0, invalid=1.0)) as e:
        s = await seed(e.pool, contacts=60, concurrency=8)
        await e.until("select state <> 'closed' and cause = 'endings' from breakers where key = $1", KEY)
        await e.until("select count(*) = 0 from call_attempts where ended_at is null")
        await e.until(f"select ({FAILED}) = 0")
        assert await e.pool.fetchval("select max(attempts) from campaign_contacts") == 0
        e.carrier.script = quick()
        await e.pool.execute("update breakers set probe_at = now()")
        await e.until("select status = 'completed' from campaigns where id = $1", s.campaign)
        assert await e.pool.fetchval("select count(*) from campaign_contacts where outcome = 'answered' and attempts = 1") == 60
        assert await e.pool.fetchval("select count(*) from call_attempts where fault = 'number'") == 0
        reached = [entry.to for entry in e.carrier.journal.entries.values() if entry.answered_by == "human"]
        assert len(reached) == len(set(reached)) == 60
        await nothing_left(e.pool)
        await laws_hold(e.pool)


async def test_what_one_process_sees_brings_back_whom_others_believed_dead_also_afterwards(
    database_url: str, redis_url: str
) -> None:
    async with engine(database_url, redis_url, quick(), running=False) as e:
        s = await seed(e.pool, contacts=11, concurrency=11)
        calls = await called(e, s)
        one, other = another(e), another(e)
        for call in calls[:4]:
            await other.follow(TRUNK, [told(call)])
        for call in calls[4:9]:
            await one.follow(TRUNK, [told(call)])
        assert await e.pool.fetchval("select state from breakers where cause = 'endings'") == "open", "one has seen five"
        assert await e.pool.fetchval(FAILED) == 8
        await e.sweeper.sweep()
        assert await e.pool.fetchval(FAILED) == 0
        await e.pool.execute("update storms set until = now() - interval '1 second'")
        await e.sweeper.sweep()
        await another(e).follow(TRUNK, [told(calls[9])])
        assert await e.pool.fetchval(FAILED) == 1, "a third one knows of nothing"
        await e.sweeper.sweep()
        assert await e.pool.fetchval(FAILED) == 0, "the trunk has not proven itself yet"
        rows = await e.pool.fetch("select status, attempts, excused, outcome, reason from campaign_contacts where excused > 0")
        assert {tuple(r)[:4] for r in rows} == {("pending", 0, 1, "error")} and len(rows) == 10
        rows = await e.pool.fetch("select outcome, fault, counted, reason from call_attempts where state = 'ended'")
        assert {tuple(r)[:3] for r in rows} == {("unreachable", "trunk", False)}
        assert await lines(e, calls[0]) == [
            (None, "queued", None),
            ("queued", "placing", None),
            ("placing", "ended", "invalid_number"),
            ("ended", "ended", "storm"),
        ]
        assert (await lines(e, (await of(e, calls[0]))["id"]))[-2:] == [
            ("calling", "failed", "invalid_number"), ("failed", "pending", "storm"),
        ]  # fmt: skip
        waits = (await of(e, calls[0]))["next_attempt_at"] - datetime.now(UTC)
        assert timedelta(0) < waits <= timedelta(seconds=5)
        await e.house.breakers.close([KEY], proven=True)
        await e.pool.execute("update storms set until = now() - interval '1 second'")
        await e.sweeper.sweep()
        assert await e.pool.fetchval("select count(*) from storms") == 0
        await another(e).follow(TRUNK, [told(calls[10])])
        await e.sweeper.sweep()
        assert (await of(e, calls[10]))["outcome"] == "invalid_number", "it is well, and believed again"
        await laws_hold(e.pool)


async def test_nobody_comes_back_against_whom_something_speaks(database_url: str, redis_url: str) -> None:
    async with engine(database_url, redis_url, quick(), running=False) as e:
        s = await seed(e.pool, contacts=8, concurrency=8, settings=OPEN_END)
        ending = await seed(e.pool, contacts=1, prefix="+4940")
        expiring = await seed(e.pool, contacts=1, prefix="+4941", settings=OPEN_END)
        cancelled = await seed(e.pool, contacts=1, prefix="+4942", settings=OPEN_END)
        calls = await called(e, s)
        said, listed, put_off, erased, renumbered, asked, tried, free = calls
        [done], [old], [stopped] = await called(e, ending), await called(e, expiring), await called(e, cancelled)
        await believed(e, [*calls, done, old, stopped])
        person = "(select contact_id from call_attempts where id = $1)"
        number = "(select to_number from call_attempts where id = $1)"
        enrolment = "(select campaign_contact_id from call_attempts where id = $1)"
        await e.pool.execute(f"update contacts set do_not_call = true where id = {person}", said)
        await e.pool.execute(f"insert into suppressions (scope, phone_number) select 'global', {number}", listed)
        later = datetime.now(UTC) + timedelta(hours=1)
        await e.pool.execute(
            f"insert into suppressions (scope, phone_number, expires_at) select 'global', {number}, $2", put_off, later
        )
        await e.pool.execute(f"update contacts set phone = null where id = {person}", erased)
        await e.pool.execute(f"update contacts set phone = '+4930999999' where id = {person}", renumbered)
        await e.pool.execute(
            f"""update campaign_contacts set status = 'pending', completed_at = null, callback_at = $2, callback_missed = 'skip',
                usual_priority = 0, priority = 100, next_attempt_at = $2, reason = 'callback' where id = {enrolment}""",
            asked, later,
        )  # fmt: skip
        await e.pool.execute(
            f"update campaign_contacts set excused = 19, excused_day = current_date where id = {enrolment}", tried
        )
        await e.until("select status = 'completed' from campaigns where id = $1", ending.campaign)
        await e.pool.execute(
            "update campaigns set settings = settings || '{\"contact_expiry_days\": 1}', rules_version = 2 where id = $1",
            expiring.campaign,
        )
        await e.pool.execute(
            "update campaign_contacts set created_at = now() - interval '2 days' where campaign_id = $1", expiring.campaign
        )
        await e.pool.execute("update campaigns set status = 'cancelled', completed_at = now() where id = $1", cancelled.campaign)
        await storm(e, [free])
        assert await Storms(e.pool, e.house.ringer).clear_up(e.house.clock.now()) == 3

        stay = {
            said: "do_not_call",
            listed: "suppressed",
            erased: "no_phone",
            tried: "trunk_failures",
            done: "storm",
            old: "expired",
            stopped: "storm",
        }
        for call, why in stay.items():
            found = await of(e, call)
            assert (found["status"], found["outcome"], found["reason"], found["attempts"]) == ("failed", "error", why, 0)
            assert (await lines(e, found["id"]))[-1] == ("failed", "failed", why)
        for call in (put_off, renumbered, free):
            found = await of(e, call)
            assert (found["status"], found["outcome"], found["reason"], found["attempts"]) == ("pending", "error", "storm", 0)
        assert (await of(e, put_off))["next_attempt_at"] == later
        assert (await of(e, renumbered))["to_number"] == "+4930999999"
        found = await of(e, asked)
        assert (found["status"], found["callback_at"], found["priority"], found["attempts"]) == ("pending", later, 100, 0)
        assert await e.pool.fetchval("select status from campaigns where id = $1", ending.campaign) == "completed"
        assert await e.pool.fetchval("select count(*) from call_attempts where fault = 'number'") == 0, "no number is dead"
        await laws_hold(e.pool)


async def test_what_says_no_at_the_same_moment_is_heard_and_several_sweeps_bring_back_once(
    database_url: str, redis_url: str
) -> None:
    async with engine(database_url, redis_url, quick(), running=False) as e:
        s = await seed(e.pool, contacts=6, concurrency=6, settings=OPEN_END)
        calls = await called(e, s)
        await believed(e, calls)
        await storm(e, calls)
        refused = (await of(e, calls[0]))["contact_id"]
        async with e.pool.acquire() as other, other.transaction():
            await other.execute("update contacts set do_not_call = true where id = $1", refused)
            first = asyncio.create_task(Storms(e.pool, e.house.ringer).clear_up(e.house.clock.now()))
            await e.until(
                """select exists (select from pg_stat_activity where wait_event_type = 'Lock')
                   or exists (select from campaign_contacts where status = 'pending')"""
            )
        sweeps = [first, *(asyncio.create_task(Storms(e.pool, e.house.ringer).clear_up(e.house.clock.now())) for _ in range(3))]
        await asyncio.gather(*sweeps)
        await e.sweeper.sweep()
        assert (await of(e, calls[0]))["reason"] == "do_not_call"
        rows = await e.pool.fetch("select status, attempts, excused from campaign_contacts order by status")
        assert [tuple(r) for r in rows] == [("failed", 0, 1), *[("pending", 0, 1)] * 5]
        assert await e.pool.fetchval("select count(*) from history where entity = 'contact' and reason = 'storm'") == 5
        await laws_hold(e.pool)


async def test_a_campaign_does_not_end_with_those_whom_a_storm_took(database_url: str, redis_url: str) -> None:
    async with engine(database_url, redis_url, quick(), running=False) as e:
        s, lost = await seed(e.pool, contacts=3), await seed(e.pool, contacts=1, prefix="+4940")
        calls, [last] = await called(e, s), await called(e, lost)
        await e.pool.execute("update contacts set do_not_call = true where phone like '+4940%'")
        await storm(e, calls)
        await believed(e, [*calls, last])
        assert await claims.rest(e.pool, [s.campaign, lost.campaign], datetime.now(UTC)) == {}
        await e.sweeper.sweep()
        assert await e.pool.fetchval("select count(*) from campaign_contacts where status = 'pending'") == 3
        rows = await e.pool.fetch("select id, status from campaigns")
        assert {r["id"]: r["status"] for r in rows} == {s.campaign: "running", lost.campaign: "completed"}
        await laws_hold(e.pool)


async def test_nobody_is_called_again_for_a_storm_that_was_none(database_url: str, redis_url: str) -> None:
    """The ledger itself refuses it."""
    async with engine(database_url, redis_url, quick(), running=False) as e:
        s = await seed(e.pool, contacts=1)
        await believed(e, await called(e, s))
        with pytest.raises(asyncpg.CheckViolationError, match="called to the end"):
            await e.pool.execute("update campaign_contacts set status = 'pending', completed_at = null, reason = 'storm'")


async def test_the_first_of_two_numbers_is_dead_no_longer_and_the_second_is_called_first(
    database_url: str, redis_url: str
) -> None:
    async with engine(database_url, redis_url, quick(), running=False) as e:
        s = await seed(e.pool, contacts=2, settings=OPEN_END | {"use_secondary_phone": True})
        await e.pool.execute(
            """update contacts set phone_secondary = '+4940' || right(phone, 8);
               update contacts set second_place_set_id = place_set_id"""
        )
        both, one = await called(e, s)
        await believed(e, [both, one])
        again = await called(e, s)
        waiting = (await of(e, both))["to_number"]
        await believed(e, again[:1])
        assert (await of(e, both))["status"] == "failed", "of neither number there is anybody"
        assert (await of(e, one))["status"] == "calling" and waiting.startswith("+4940")
        await storm(e, [both])
        await e.sweeper.sweep()
        found = await of(e, both)
        assert (found["status"], found["attempts"], found["excused"]) == ("pending", 0, 2)
        found = await of(e, one)
        assert (found["status"], found["attempts"]) == ("calling", 0)
        await another(e).follow(TRUNK, [told(again[1], Outcome.NO_ANSWER)])
        found = await of(e, one)
        assert (found["status"], found["to_number"][:5], found["attempts"]) == ("pending", "+4930", 1), "they take turns again"
        await laws_hold(e.pool)


async def test_what_rang_and_what_was_unknown_or_blocked_stay_as_they_are(database_url: str, redis_url: str) -> None:
    async with engine(database_url, redis_url, quick(), running=False) as e:
        s = await seed(e.pool, contacts=3)
        rang, unknown, blocked = await called(e, s)
        await another(e).follow(TRUNK, [told(rang, None, Phase.RINGING), told(rang)])
        await another(e).follow(TRUNK, [told(unknown, Outcome.UNKNOWN)])
        await another(e).follow(TRUNK, [told(unknown)])
        await another(e).follow(TRUNK, [replace(told(blocked, Outcome.BLOCKED), fault=Fault.NUMBER)])
        await storm(e, [rang, unknown, blocked])
        await e.sweeper.sweep()
        for call, outcome in {rang: "invalid_number", unknown: "invalid_number", blocked: "error"}.items():
            found = await of(e, call)
            assert (found["status"], found["outcome"], found["attempts"]) == ("failed", outcome, 1)
        assert await e.pool.fetchval("select count(*) from call_attempts where fault = 'number'") == 3
        await laws_hold(e.pool)


async def test_a_number_that_is_called_invalid_storm_after_storm_is_believed_the_fourth_time(
    database_url: str, redis_url: str
) -> None:
    async with engine(database_url, redis_url, quick(), running=False) as e:
        s = await seed(e.pool, contacts=1, settings=OPEN_END)
        for times in range(4):
            [call] = await called(e, s)
            await believed(e, [call])
            await storm(e, [call])
            await e.sweeper.sweep()
            found = await of(e, call)
            assert (found["status"], found["excused"]) == (("pending", times + 1) if times < 3 else ("failed", 3))
            await e.pool.execute("update call_attempts set placing_at = placing_at - interval '1 hour'; delete from storms")
        assert (found["outcome"], found["attempts"]) == ("invalid_number", 1)
        await laws_hold(e.pool)


async def test_a_storm_that_shows_in_what_the_sweep_follows_is_noted_too(database_url: str, redis_url: str) -> None:
    async with engine(database_url, redis_url, quick(), running=False) as e:
        s = await seed(e.pool, contacts=6, concurrency=6)
        calls = await called(e, s)
        await attempts.turn(e.pool, [], [(TRUNK, told(call)) for call in calls], datetime.now(UTC))
        await e.pool.execute("update call_events set received_at = received_at - interval '5 seconds'")
        await e.sweeper.sweep()
        assert await e.pool.fetchval("select count(*) from storms") == 1
        await e.sweeper.sweep()
        assert await e.pool.fetchval("select count(*) from campaign_contacts where status = 'pending' and attempts = 0") == 6
        await laws_hold(e.pool)


async def test_what_a_carrier_in_a_storm_was_not_certain_of_is_no_first_of_two(database_url: str, redis_url: str) -> None:
    """A number that is perhaps invalid is believed dead when that is said twice: a storm's word is none of the two."""
    async with engine(database_url, redis_url, quick(), running=False) as e:
        s = await seed(e.pool, contacts=1)
        [call] = await called(e, s)
        doubt = replace(told(call), fault=Fault.CALLEE)
        await another(e).follow(TRUNK, [doubt])
        was = await of(e, call)
        assert (was["status"], was["attempts"], was["reason"]) == ("pending", 1, "perhaps_invalid")
        await storm(e, [call])
        for _ in range(2):
            await e.sweeper.sweep()
        row = await e.pool.fetchrow("select outcome, fault, reason, counted from call_attempts where id = $1", call)
        assert tuple(row) == ("unreachable", "trunk", "storm", False)
        now = await of(e, call)
        assert (now["status"], now["attempts"], now["excused"]) == ("pending", 0, 1)
        await e.pool.execute("delete from storms")
        await e.pool.execute("update call_attempts set claimed_at = claimed_at - interval '24 hours'")
        [again] = await called(e, s)
        await another(e).follow(TRUNK, [replace(told(again), fault=Fault.CALLEE)])
        now = await of(e, again)
        assert (now["status"], now["attempts"], now["reason"]) == ("pending", 1, "perhaps_invalid"), "said once"
        await laws_hold(e.pool)


async def test_who_had_only_one_attempt_is_called_again_though_the_carrier_was_not_certain(
    database_url: str, redis_url: str
) -> None:
    async with engine(database_url, redis_url, quick(), running=False) as e:
        s = await seed(e.pool, contacts=1, max_attempts=1)
        [call] = await called(e, s)
        await another(e).follow(TRUNK, [replace(told(call), fault=Fault.CALLEE)])
        assert (await of(e, call))["status"] == "failed"
        await storm(e, [call])
        await e.sweeper.sweep()
        now = await of(e, call)
        assert (now["status"], now["attempts"]) == ("pending", 0)
        await laws_hold(e.pool)
