"""Other services ask through the queue, with nothing but stock arq and JSON; what they ask is done by the flows of HTTP."""

from __future__ import annotations

import asyncio
import json
import pickle
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest
from arq.connections import ArqRedis, RedisSettings, create_pool

from dialer.flows.requests import Desk as Means
from dialer.flows.ring import QUEUE
from dialer.queue import DoorbellWorker, close, connect
from dialer.store.database import Database
from dialer.worker import FUNCTIONS, REQUEST_QUEUE, REQUESTS
from tests.support.desk import Desk, open_desk
from tests.support.laws import laws_hold


@dataclass
class Door:
    """A worker for the requests of others, and a producer that knows nothing of this project."""

    desk: Desk
    worker: DoorbellWorker
    stock: ArqRedis

    async def ask(self, function: str, *args: Any, **kwargs: Any) -> None:
        """Enqueue and wait until it is no more in the queue."""
        before = self.worker.complete + self.worker.refused
        await self.stock.enqueue_job(function, *args, **kwargs)
        await self.until(lambda: self.worker.complete + self.worker.refused > before)

    async def until(self, holds: Any) -> None:
        async with asyncio.timeout(10):
            while not holds():  # noqa: ASYNC110 - the worker has no event for this
                await asyncio.sleep(0.01)

    async def dead(self) -> list[dict[str, Any]]:
        await asyncio.sleep(0.05)
        return [json.loads(letter) for letter in await self.stock.lrange(f"{REQUEST_QUEUE}:dead", 0, -1)]


def as_documented(job: dict[str, Any]) -> bytes:
    return json.dumps({**job, "v": 1}).encode()


@pytest.fixture
async def door(database: Database, redis_url: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Door]:
    monkeypatch.setattr("dialer.queue.worker.BLOCK_SECONDS", 0.1)  # a stock producer rings no bell: its jobs are found by looking
    async with open_desk(database, redis_url) as desk:
        context = desk.api.context
        means = Means(
            database=database,
            clock=desk.clock,
            ringer=context.ringer,
            trunks=context.trunks,
            pause=context.pause,
            release=context.release,
            preview=context.preview,
        )
        redis = connect(redis_url)
        stock = await create_pool(
            RedisSettings.from_dsn(redis_url),
            job_serializer=as_documented,
            job_deserializer=json.loads,
            default_queue_name=REQUEST_QUEUE,
        )
        worker = DoorbellWorker(redis, REQUESTS, queue_name=REQUEST_QUEUE, ctx={"desk": means})
        async with asyncio.TaskGroup() as tasks:
            run = tasks.create_task(worker.run())
            yield Door(desk, worker, stock)
            await worker.drain(1)
            await run
        await stock.aclose()
        await close(redis)
    await laws_hold(database.pool)


async def test_a_campaign_is_run_as_by_http(door: Door) -> None:
    campaign = (await door.desk.campaign(await door.desk.people(5)))["id"]
    await door.ask("run_campaign", campaign_id=campaign, max_calls=2, idempotency_key="k1")
    assert (await door.desk.look(campaign))["status"] == "running"
    assert await queued(door, campaign) == 2
    assert await door.desk.pool.fetchval("select budget from scopes where key = $1", f"campaign:{campaign}") == 0
    assert (
        await door.desk.pool.fetchval("select actor from history where entity = 'campaign' and after = 'running'")
        == "job:run_campaign"
    )


async def test_a_key_is_carried_out_once(door: Door) -> None:
    campaign = (await door.desk.campaign(await door.desk.people(5)))["id"]
    for _ in range(3):
        await door.ask("run_campaign", campaign, 1, "k1")
    assert await queued(door, campaign) == 1
    assert (door.worker.complete, door.worker.refused) == (3, 0)
    await door.ask("run_campaign", campaign, 4, "k1")
    assert await queued(door, campaign) == 1
    assert "used for another request" in (await door.dead())[0]["why"]


async def test_the_same_key_at_the_same_time_is_carried_out_once(door: Door) -> None:
    campaign = (await door.desk.campaign())["id"]
    (contact,) = await door.desk.people(1)
    for _ in range(10):
        await door.stock.enqueue_job("dial_contact", campaign, contact, 9, "k1")
    await door.until(lambda: door.worker.complete == 10)
    assert [row["priority"] for row in await door.desk.members(campaign)] == [9]


async def test_a_key_used_here_is_used_up_for_http_and_the_other_way_round(door: Door) -> None:
    api, campaign = door.desk.api, (await door.desk.campaign(await door.desk.people(1)))["id"]
    await door.ask("run_campaign", campaign, None, "k1")
    answer = await api.send("POST", f"/api/crm/campaigns/{campaign}/run", {}, headers={"idempotency-key": "k1"})
    assert answer.status == 409
    paused = await api.send("POST", f"/api/crm/campaigns/{campaign}/pause", None, headers={"idempotency-key": "k2"})
    assert paused.status == 200
    await door.ask("run_campaign", campaign, None, "k2")
    assert (await door.desk.look(campaign))["status"] == "paused"
    assert len(await door.dead()) == 1


async def test_a_contact_is_enrolled_with_its_priority_and_due_at_once(door: Door) -> None:
    first, second = await door.desk.people(2)
    campaign = (await door.desk.campaign([first]))["id"]
    await door.ask("dial_contact", campaign_id=campaign, contact_id=second, priority=50, idempotency_key="k1")
    row = (await door.desk.members(campaign))[0]
    assert (row["contact"]["id"], row["status"], row["priority"]) == (second, "pending", 50)
    assert row["next_attempt_at"] == "2026-01-05T12:00:00Z"
    await door.ask("dial_contact", campaign, first, 99, "k2")  # enrolled already: stays as it is
    assert [row["priority"] for row in await door.desk.members(campaign)] == [50, 0]


async def test_all_rules_apply_to_a_contact_that_is_asked_for(door: Door) -> None:
    (refuser,) = await door.desk.people(1, do_not_call=True)
    campaign = (await door.desk.campaign(status="running"))["id"]
    await door.ask("dial_contact", campaign, refuser, 99, "k1")
    assert [row["status"] for row in await door.desk.members(campaign)] == ["skipped"]


async def test_what_cannot_be_done_is_refused_with_a_dead_letter(door: Door) -> None:
    (contact,) = await door.desk.people(1)
    stranger = await door.desk.pool.fetchval("insert into teams (name) values ('S') returning id")
    await door.desk.pool.execute("update contacts set team_id = $1 where id = $2", stranger, contact)
    campaign = (await door.desk.campaign())["id"]
    ended = (await door.desk.campaign(status="cancelled"))["id"]
    asked: list[tuple[str, tuple[Any, ...], str]] = [
        ("run_campaign", ("camp_none", None, "k1"), "there is no such campaign"),
        ("run_campaign", (ended, None, "k2"), "cancelled"),
        ("run_campaign", (campaign, "3", "k3"), "Expected `int"),
        ("run_campaign", (campaign,), "missing required field"),
        ("dial_contact", (campaign, contact, 1, "k4"), "no such contact"),
        ("dial_contact", (campaign, "cont_none", 1, "k5"), "no such contact"),
        ("dial_contact", (campaign, contact, 100, "k6"), "priority"),
        ("place", ("call_1", campaign, "sim"), "no such function"),
        ("erase_everything", (), "no such function"),
    ]
    for function, args, _ in asked:
        await door.ask(function, *args)
    await door.stock.enqueue_job("run_campaign", campaign_id=campaign, max_calls=1, idempotency_key="k7", colour="red")
    letters = [letter["why"] for letter in reversed(await door.dead())]
    assert len(letters) >= len(asked)
    for letter, (function, _, why) in zip(letters, asked, strict=False):
        assert why in letter, function
    await door.until(lambda: door.worker.refused == len(asked) + 1)
    assert "unknown field `colour`" in (await door.dead())[0]["why"]
    assert (await door.desk.look(campaign))["status"] == "draft"
    assert await door.desk.pool.fetchval("select count(*) from receipts") == 0  # each may be sent again, corrected


async def test_pickle_a_wrong_version_and_rubbish_end_nothing(door: Door, redis_url: str) -> None:
    campaign = (await door.desk.campaign(await door.desk.people(1)))["id"]
    rubbish = [
        pickle.dumps({"t": None, "f": "run_campaign", "a": (campaign, None, "k"), "k": {}, "et": 1}),
        json.dumps({"f": "run_campaign", "a": [campaign, None, "k"], "k": {}, "et": 1, "t": None}).encode(),
        json.dumps({"v": 2, "f": "run_campaign", "a": [campaign, None, "k"], "k": {}, "et": 1, "t": None}).encode(),
        b"\xff\x00",
        b"[" * 100_000,
        b"",
    ]
    for n, record in enumerate(rubbish):
        await door.stock.set(f"arq:job:bad{n}", record)
        await door.stock.zadd(REQUEST_QUEUE, {f"bad{n}": 1})
    await door.until(lambda: door.worker.refused == len(rubbish))
    assert (await door.desk.look(campaign))["status"] == "draft"
    await door.ask("run_campaign", campaign, None, "k")
    assert (await door.desk.look(campaign))["status"] == "running"


async def test_while_postgres_is_away_a_request_waits(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    campaign = (await door.desk.campaign(await door.desk.people(1)))["id"]
    from dialer.store import campaigns

    asked, team_of = asyncio.Event(), campaigns.team_of

    async def away(*_: Any) -> str:
        asked.set()
        raise ConnectionRefusedError

    monkeypatch.setattr(campaigns, "team_of", away)
    await door.stock.enqueue_job("run_campaign", campaign, None, "k1")
    await asyncio.wait_for(asked.wait(), 5)
    monkeypatch.setattr(campaigns, "team_of", team_of)
    await door.until(lambda: door.worker.complete == 1)
    assert (door.worker.retried, door.worker.refused) == (1, 0)
    assert (await door.desk.look(campaign))["status"] == "running"


async def test_a_fault_of_ours_is_a_dead_letter_and_not_forgotten(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(*_: Any) -> str:
        raise RuntimeError("a secret detail")

    monkeypatch.setattr("dialer.store.campaigns.team_of", broken)
    await door.ask("run_campaign", "camp_1", None, "k1")
    (letter,) = await door.dead()
    assert letter["why"] == "failed: RuntimeError"


async def test_a_forged_dial_job_with_rubbish_in_it_harms_no_other(door: Door, redis_url: str) -> None:
    """On the queue of dial jobs itself: attempts of one batch share a statement, so one that is no text would fail them all."""
    placed: list[str] = []

    class Placer:
        async def place(self, attempt: str, campaign: str, trunk: str, calls_per_second: float | None) -> None:
            placed.append(attempt)

    redis = connect(redis_url)
    worker = DoorbellWorker(redis, FUNCTIONS, queue_name=QUEUE, ctx={"placer": Placer()})
    forged: list[tuple[Any, ...]] = [(7, "camp_1", "sim"), ({}, "camp_1", "sim"), ("call\x00", "camp_1", "sim"), ("call_1",)]
    for args in forged:
        await door.stock.enqueue_job("place", *args, _queue_name=QUEUE)
    await door.stock.enqueue_job("run_campaign", "camp_1", None, "k", _queue_name=QUEUE)
    await door.stock.enqueue_job("place", "call_1", "camp_1", "sim", _queue_name=QUEUE)
    async with asyncio.TaskGroup() as tasks:
        run = tasks.create_task(worker.run())
        await door.until(lambda: worker.refused + worker.complete == len(forged) + 2)
        await worker.drain(1)
        await run
    await close(redis)
    assert placed == ["call_1"] and worker.refused == len(forged) + 1


async def queued(door: Door, campaign: str) -> int:
    found: int = await door.desk.pool.fetchval(
        "select count(*) from call_attempts where campaign_id = $1 and state = 'queued'", campaign
    )
    return found
