"""What is changed while a campaign runs acts on the next dial: over the whole engine, with a tick so long that only bells can
have done it."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from datetime import timedelta

from dialer.app import api_context
from dialer.flows.campaigns.edit import edit_campaign
from dialer.flows.direct import DirectCall, call_now
from dialer.flows.enrolment import enrol_new
from dialer.settings import DirectCalls
from tests.support.carrier import eventually, quick
from tests.support.engine import Engine, engine
from tests.support.laws import carrier_agrees, laws_hold, nothing_left
from tests.support.ledger import seed

NEVER = 3600.0
"""Seconds of a tick that does not come in a test."""
SOON = 10.0

EVERGREEN: dict[str, object] = {"no_auto_complete": True}
IN_UTC: dict[str, object] = {"use_contact_timezone_for_call_window": False}


def shut(e: Engine) -> dict[str, str]:
    """A window that is shut now and in an hour, in UTC."""
    now = e.house.clock.now()
    start, end = (now + timedelta(hours=h) for h in (3, 4))
    return {"call_window_start": f"{start:%H:%M}", "call_window_end": f"{end:%H:%M}", "call_window_timezone": "UTC"}


async def test_an_evergreen_campaign_stays_running_and_whoever_is_added_is_dialled_at_once(
    database_url: str, redis_url: str
) -> None:
    async with engine(database_url, redis_url, quick(), tick=NEVER) as e:
        s = await seed(e.pool, contacts=0, settings=EVERGREEN)
        means = api_context(e.house, e.trunks)
        for n in range(3):
            person = {"first_name": "Ada", "last_name": "Byron", "phone": f"+4930901820{n}", "timezone": "Europe/Berlin"}
            await enrol_new(means, s.team, "test", s.campaign, person)
            await eventually(lambda n=n: len(e.carrier.journal.entries) == n + 1, SOON)  # type: ignore[misc]
            await e.until("select count(*) = $1 from campaign_contacts where outcome = 'answered'", n + 1)
            await e.sweeper.recount()  # which completes what has come to its end
            assert await e.pool.fetchval("select status from campaigns") == "running", "nobody is left, and it waits for more"
        await nothing_left(e.pool)
        await laws_hold(e.pool)


async def test_a_window_that_is_opened_or_shut_acts_on_the_next_dial(database_url: str, redis_url: str) -> None:
    async with engine(database_url, redis_url, quick(), tick=NEVER) as e:
        s = await seed(e.pool, contacts=300, concurrency=5, settings=IN_UTC)
        means = api_context(e.house, e.trunks)
        await e.pool.execute("update campaigns set call_window_timezone = 'UTC', rules_version = rules_version + 1")
        await edit_campaign(means, s.team, "test", s.campaign, shut(e))
        begun = len(e.carrier.journal.entries)
        await edit_campaign(means, s.team, "test", s.campaign, {"call_window_start": "00:00", "call_window_end": "24:00"})
        await eventually(lambda: len(e.carrier.journal.entries) >= begun + 20, SOON)
        await edit_campaign(means, s.team, "test", s.campaign, shut(e))
        answered = time.time()
        await e.until("select count(*) = 0 from call_attempts where ended_at is null")
        await asyncio.sleep(0.3)  # long enough for a call that should not be; there is nothing to wait for
        assert [c for c in e.carrier.journal.entries.values() if c.accepted > answered] == []
        assert await e.pool.fetchval("select count(*) from campaign_contacts where status = 'pending'") > 0
        await laws_hold(e.pool)
        await carrier_agrees(e.pool, e.carrier)


async def test_more_slots_are_filled_at_once(database_url: str, redis_url: str) -> None:
    from adapters.simulated.carrier.script import Span

    async with engine(database_url, redis_url, quick(talk=Span(600, 600)), tick=NEVER) as e:
        s = await seed(e.pool, contacts=20, concurrency=2)
        await e.house.ringer.wake([f"campaign:{s.campaign}"])
        await eventually(lambda: e.carrier.journal.live == 2, SOON)
        await edit_campaign(api_context(e.house, e.trunks), s.team, "test", s.campaign, {"max_concurrent_calls": 7})
        await eventually(lambda: e.carrier.journal.live == 7, SOON)
        await laws_hold(e.pool)


async def test_fewer_attempts_hold_for_those_who_were_tried_as_often_already(database_url: str, redis_url: str) -> None:
    async with engine(database_url, redis_url, quick(answer=0.0, busy=1.0), tick=0.2) as e:
        s = await seed(e.pool, contacts=10, concurrency=10, status="draft")
        means = api_context(e.house, e.trunks)
        await edit_campaign(means, s.team, "test", s.campaign, {"retry_delay_minutes": 60, "status": "running"})
        await e.until("select count(*) = 10 from campaign_contacts where status = 'pending' and attempts = 1")
        calls = len(e.carrier.journal.entries)
        await edit_campaign(means, s.team, "test", s.campaign, {"max_attempts_per_contact": 1, "retry_delay_minutes": 0})
        await e.pool.execute("update campaign_contacts set next_attempt_at = now() where status = 'pending'")
        rows = await e.pool.fetch("select status, reason from campaign_contacts")
        assert {(r["status"], r["reason"]) for r in rows} == {("failed", "attempts_exhausted")}
        await e.sweeper.recount()
        await e.until("select status = 'completed' from campaigns")
        assert len(e.carrier.journal.entries) == calls
        await laws_hold(e.pool)


async def test_a_shorter_delay_is_that_of_the_next_retry(database_url: str, redis_url: str) -> None:
    async with engine(database_url, redis_url, quick(answer=0.0, busy=1.0), tick=0.2) as e:
        s = await seed(e.pool, contacts=1, status="draft")
        means = api_context(e.house, e.trunks)
        await edit_campaign(means, s.team, "test", s.campaign, {"retry_delay_minutes": 60, "status": "running"})
        await e.until("select status = 'pending' and attempts = 1 from campaign_contacts")
        assert await e.pool.fetchval("select next_attempt_at > now() + interval '59 minutes' from campaign_contacts")
        await e.pool.execute("update campaign_contacts set next_attempt_at = now()")  # the hour passes
        await edit_campaign(means, s.team, "test", s.campaign, {"retry_delay_minutes": 0})
        await e.until("select status = 'completed' from campaigns")
        assert len(e.carrier.journal.entries) == 3, "the third came without any delay"
        await laws_hold(e.pool)


async def test_a_direct_call_is_dialled_by_the_engine_and_completes(database_url: str, redis_url: str) -> None:
    async with engine(database_url, redis_url, quick(), tick=NEVER) as e:
        s = await seed(e.pool, contacts=0, settings=EVERGREEN)
        any_time = e.house.settings.model_copy(update={"direct_calls": DirectCalls(window_start="00:00", window_end="24:00")})
        context = api_context(e.house, e.trunks)
        means = replace(context, settings=any_time)
        asked = DirectCall(assistant=s.assistant, to_number="+4930901820", metadata={"order": 7})
        call = await call_now(means, s.team, "test", asked)
        await eventually(lambda: len(e.carrier.journal.entries) == 1, SOON)
        await e.until("select status = 'completed' from campaigns where kind = 'direct'")
        assert await e.pool.fetchval("select outcome from call_attempts where id = $1", call["id"]) in ("human", "answered")
        await nothing_left(e.pool)
        await laws_hold(e.pool)
        await carrier_agrees(e.pool, e.carrier)


async def test_many_direct_calls_to_one_number_at_once_are_one_call(database_url: str, redis_url: str) -> None:
    from adapters.simulated.carrier.script import Span
    from dialer.domain.errors import NotNow

    async with engine(database_url, redis_url, quick(talk=Span(600, 600)), tick=NEVER) as e:
        s = await seed(e.pool, contacts=0, settings=EVERGREEN)
        any_time = e.house.settings.model_copy(update={"direct_calls": DirectCalls(window_start="00:00", window_end="24:00")})
        context = api_context(e.house, e.trunks)
        means = replace(context, settings=any_time)
        asked = DirectCall(assistant=s.assistant, to_number="+4930901820")
        made = await asyncio.gather(*(call_now(means, s.team, "test", asked) for _ in range(12)), return_exceptions=True)
        assert sum(isinstance(each, dict) for each in made) == 1
        assert {type(each) for each in made if not isinstance(each, dict)} == {NotNow}
        await eventually(lambda: len(e.carrier.journal.entries) == 1, SOON)
        assert await e.pool.fetchval("select count(*) from campaigns where kind = 'direct'") == 1
        assert await e.pool.fetchval("select count(*) from contacts") == 1
        await laws_hold(e.pool)
