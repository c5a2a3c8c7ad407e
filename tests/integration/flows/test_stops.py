"""After the answer to a "no", no call starts: by the carrier's clock, while everything is running."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace

import pytest

from dialer.app import api_context
from dialer.domain.fence import FENCE_SECONDS
from dialer.flows.campaigns.edit import edit_campaign
from dialer.flows.campaigns.run import run_campaign
from dialer.flows.campaigns.stop import InFlight, cancel_campaign, pause_campaign, resume_campaign
from dialer.flows.contacts import change
from dialer.flows.voices import change_assistant, change_number
from tests.support.carrier import eventually, quick
from tests.support.engine import Engine, engine
from tests.support.laws import carrier_agrees, laws_hold, nothing_left
from tests.support.ledger import seed

CALLS = 40


async def dialling(e: Engine, calls: int = CALLS) -> None:
    await eventually(lambda: len(e.carrier.journal.entries) >= calls, 60)


def started_after(e: Engine, moment: float) -> int:
    return sum(entry.accepted > moment for entry in e.carrier.journal.entries.values())


async def quiet(e: Engine) -> None:
    """Nothing is under way any more."""
    await e.until("select count(*) = 0 from call_attempts where ended_at is null")


@pytest.mark.parametrize("stop", [pause_campaign, cancel_campaign])
async def test_no_call_starts_after_a_pause_or_cancel_was_answered(database_url: str, redis_url: str, stop: object) -> None:
    async with engine(database_url, redis_url, quick()) as e:
        s = await seed(e.pool, contacts=400, concurrency=20)
        means = api_context(e.house, e.trunks)
        await dialling(e)
        await stop(means, s.team, "test", s.campaign)  # type: ignore[operator]
        answered = time.time()
        await quiet(e)
        await asyncio.sleep(0.3)  # long enough for a call that should not be; there is nothing to wait for
        assert started_after(e, answered) == 0
        await laws_hold(e.pool)
        await carrier_agrees(e.pool, e.carrier)


async def test_a_paused_campaign_goes_on_where_it_stopped_and_skips_nobody(database_url: str, redis_url: str) -> None:
    async with engine(database_url, redis_url, quick()) as e:
        s = await seed(e.pool, contacts=150, concurrency=20)
        means = api_context(e.house, e.trunks)
        await dialling(e)
        await pause_campaign(means, s.team, "test", s.campaign)
        await resume_campaign(means, s.team, "test", s.campaign)
        await e.until("select status = 'completed' from campaigns")
        assert await e.pool.fetchval("select count(*) from campaign_contacts where outcome = 'answered' and attempts = 1") == 150
        await nothing_left(e.pool)
        await laws_hold(e.pool)


async def test_a_cancel_that_hangs_up_ends_every_call(database_url: str, redis_url: str) -> None:
    from adapters.simulated.carrier.script import Span

    async with engine(database_url, redis_url, quick(talk=Span(600, 600))) as e:
        s = await seed(e.pool, contacts=30, concurrency=10)
        await e.until("select count(*) = 10 from call_attempts where state = 'answered'")
        await cancel_campaign(api_context(e.house, e.trunks), s.team, "test", s.campaign, InFlight.HANG_UP)
        await quiet(e)
        assert e.carrier.journal.live == 0
        await laws_hold(e.pool)


async def test_who_said_no_is_not_called_after_the_answer(database_url: str, redis_url: str) -> None:
    async with engine(database_url, redis_url, quick()) as e:
        s = await seed(e.pool, contacts=120, concurrency=5)
        means = api_context(e.house, e.trunks)
        await dialling(e, 10)
        rows = await e.pool.fetch("select contact_id, to_number from campaign_contacts order by to_number desc limit 30")
        answered: dict[str, float] = {}

        async def refuse(contact: str, number: str) -> None:
            await change(means, s.team, "test", contact, {"do_not_call": True})
            answered[number] = time.time()

        await asyncio.gather(*(refuse(r["contact_id"], r["to_number"]) for r in rows))
        await e.until("select status = 'completed' from campaigns")
        late = [c for c in e.carrier.journal.entries.values() if c.to in answered and c.accepted > answered[c.to]]
        assert late == []
        called = {c.to for c in e.carrier.journal.entries.values()}
        skipped = await e.pool.fetch(
            "select to_number from campaign_contacts where status = 'skipped' and outcome = 'do_not_call'"
        )
        assert {r["to_number"] for r in skipped} == set(answered) - called
        await laws_hold(e.pool)


async def test_a_lowered_cap_holds_from_the_next_dial_on(database_url: str, redis_url: str) -> None:
    async with engine(database_url, redis_url, quick()) as e:
        s = await seed(e.pool, contacts=300, concurrency=30)
        means = api_context(e.house, e.trunks)
        await dialling(e, 60)
        await edit_campaign(means, s.team, "test", s.campaign, {"max_concurrent_calls": 4})
        await e.until("select count(*) <= 4 from call_attempts where ended_at is null")  # what was released before is over
        most = 0
        async with asyncio.timeout(60):
            while not await e.pool.fetchval("select status = 'completed' from campaigns"):
                most = max(most, e.carrier.journal.live)
        assert most <= 4
        await nothing_left(e.pool)
        await laws_hold(e.pool)


@pytest.mark.parametrize("status", ["paused", "running"])
@pytest.mark.parametrize(
    "changes", [{"call_window_end": "09:01"}, {"max_concurrent_calls": 1}, {"max_concurrent_calls": 2}], ids=str
)
async def test_an_edit_beside_a_stop_waits_out_the_fence_too(
    database_url: str, redis_url: str, changes: dict[str, object], status: str
) -> None:
    """Found by the state machine: a dial past the fence went out after the answer to an edit that had nothing to stop: a pause
    or the same edit had stopped it, and was waiting for the fence."""
    waited = []

    async def note(seconds: float) -> None:
        waited.append(seconds)

    async with engine(database_url, redis_url, quick(), running=False) as e:
        s = await seed(e.pool, contacts=1, concurrency=2, status="draft")
        await e.pool.execute("update campaigns set status = 'running'")
        await e.pool.execute("update campaigns set status = $1 where status <> $1", status)
        await edit_campaign(replace(api_context(e.house, e.trunks), pause=note), s.team, "test", s.campaign, changes)
    assert waited == [FENCE_SECONDS]


async def test_who_may_not_speak_any_more_is_answered_after_the_fence(database_url: str, redis_url: str) -> None:
    waited = []

    async def note(seconds: float) -> None:
        waited.append(seconds)

    async with engine(database_url, redis_url, quick(), running=False) as e:
        s = await seed(e.pool, contacts=1)
        means = replace(api_context(e.house, e.trunks), pause=note)
        number, assistant = await e.pool.fetchrow("select n.id, a.id from phone_numbers n, assistants a")
        await change_assistant(means, s.team, "test", assistant, {"name": "Ada"})
        assert waited == []
        for changes in ({"outbound_enabled": False}, {"max_concurrent_calls": 1}):
            await change_assistant(means, s.team, "test", assistant, changes)
        for changed in ({"status": "inactive"}, {"max_concurrent_calls": 1}):
            await change_number(means, s.team, "test", number, changed)
    assert waited == [FENCE_SECONDS] * 4


async def test_a_run_with_a_limit_starts_so_many_calls_and_pauses(database_url: str, redis_url: str) -> None:
    async with engine(database_url, redis_url, quick(answer=0.2)) as e:
        s = await seed(e.pool, contacts=100, concurrency=10, status="draft")
        done = await run_campaign(api_context(e.house, e.trunks), s.team, "test", s.campaign, max_calls=17)
        assert done.started == 10
        await e.until("select status = 'paused' and pause_reason = 'run_limit' from campaigns")
        assert len(e.carrier.journal.entries) == 17, "retries count"
        await nothing_left(e.pool)
        await laws_hold(e.pool)
