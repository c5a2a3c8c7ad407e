"""Stock arq on the same queue: its producer, its worker, its tools."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest_asyncio
from arq.connections import ArqRedis, RedisSettings, create_pool
from arq.jobs import Job as StockJob
from arq.jobs import JobStatus
from arq.worker import Worker
from arq.worker import func as stock_func

from dialer.queue import Job, JobQueue, Retry
from dialer.queue.connection import BoundedRedis
from dialer.queue.payload import deserialize, serialize
from tests.integration.queue.conftest import Eventually, Working
from tests.support.valkey import Valkey

Ctx = dict[str, Any]


@pytest_asyncio.fixture
async def stock(redis: BoundedRedis, shared_valkey: Valkey) -> AsyncIterator[ArqRedis]:
    pool = await create_pool(
        RedisSettings.from_dsn(shared_valkey.url),
        job_serializer=serialize,
        job_deserializer=deserialize,
        default_queue_name="q",
    )
    yield pool
    await pool.aclose()


@asynccontextmanager
async def stock_working(shared_valkey: Valkey, dial: Any) -> AsyncIterator[Worker]:
    worker = Worker(
        [stock_func(dial, name="dial")],
        queue_name="q",
        redis_settings=RedisSettings.from_dsn(shared_valkey.url),
        handle_signals=False,
        poll_delay=0.02,
        keep_result=0,
        job_serializer=serialize,
        job_deserializer=deserialize,
    )
    run = asyncio.ensure_future(worker.async_run())
    yield worker
    worker.allow_pick_jobs = False
    await asyncio.gather(*worker.tasks.values())
    run.cancel()
    await asyncio.gather(run, return_exceptions=True)
    await worker.close()


async def test_a_stock_producers_job_runs_here(
    redis: BoundedRedis, stock: ArqRedis, working: Working, eventually: Eventually
) -> None:
    seen: list[tuple[str, int, int]] = []

    async def dial(ctx: Ctx, attempt: str, n: int) -> None:
        seen.append((attempt, n, ctx["job_try"]))

    async with working(redis, dial=dial):
        await asyncio.sleep(0.1)  # it is idle: without a push the job must be found by looking
        job = await stock.enqueue_job("dial", "call_1", n=7, _job_id="call_1")
        assert job is not None
        await stock.enqueue_job("dial", "call_2", n=8, _job_id="call_2", _job_try=2)
        await eventually(lambda: len(seen) == 2)
    assert sorted(seen) == [("call_1", 7, 1), ("call_2", 8, 2)]


async def test_our_job_runs_in_a_stock_worker(redis: BoundedRedis, shared_valkey: Valkey, eventually: Eventually) -> None:
    seen: list[str] = []

    async def dial(ctx: Ctx, attempt: str) -> None:
        seen.append(attempt)

    async with stock_working(shared_valkey, dial):
        await JobQueue(redis, "q").enqueue([Job("dial", {"attempt": "call_1"}, "call_1")])
        await eventually(lambda: seen == ["call_1"])
        await eventually(lambda: is_empty(redis))


async def test_stock_tools_see_our_jobs(redis: BoundedRedis, stock: ArqRedis, working: Working, eventually: Eventually) -> None:
    release = asyncio.Event()

    async def dial(ctx: Ctx, attempt: str) -> None:
        await release.wait()

    await JobQueue(redis, "q").enqueue([Job("dial", {"attempt": "call_1"}, "call_1")])
    job = StockJob("call_1", stock, "q", deserialize)
    (definition,) = await stock.queued_jobs()
    assert (definition.function, definition.kwargs, definition.job_id) == ("dial", {"attempt": "call_1"}, "call_1")
    assert await job.status() == JobStatus.queued
    async with working(redis, dial=dial):

        async def has(status: JobStatus) -> bool:
            return await job.status() == status

        await eventually(lambda: has(JobStatus.in_progress))
        assert await stock.enqueue_job("dial", _job_id="call_1") is None
        release.set()
        await eventually(lambda: has(JobStatus.not_found))


async def test_both_kinds_of_worker_on_one_queue_run_every_job_once(
    redis: BoundedRedis, shared_valkey: Valkey, working: Working, eventually: Eventually
) -> None:
    ours, theirs = Counter[str](), Counter[str]()

    def counting(runs: Counter[str]) -> Any:
        async def dial(ctx: Ctx) -> None:
            runs[ctx["job_id"]] += 1
            await asyncio.sleep(0.02)

        return dial

    async with stock_working(shared_valkey, counting(theirs)), working(redis, dial=counting(ours), options={"max_jobs": 4}):
        await JobQueue(redis, "q").enqueue([Job("dial", {}, f"call_{i}") for i in range(300)])
        await eventually(lambda: len(ours | theirs) == 300, 10)
        await eventually(lambda: is_empty(redis))
    assert set((ours + theirs).values()) == {1}
    assert ours and theirs


async def test_a_job_that_a_stock_worker_runs_is_left_to_it_and_keeps_nobody_busy(
    redis: BoundedRedis, working: Working, eventually: Eventually
) -> None:
    ran: list[str] = []

    async def dial(ctx: Ctx) -> None:
        ran.append(ctx["job_id"])
        if ctx["job_try"] == 1:
            raise Retry(defer=0.01)

    await JobQueue(redis, "q").enqueue([Job("dial", {}, f"call_{i}") for i in range(50)])
    for i in range(50):
        await redis.psetex(f"arq:in-progress:call_{i}", 400, b"1")
    async with working(redis, dial=dial, options={"max_jobs": 3}):
        await JobQueue(redis, "q").enqueue([Job("dial", {}, "free")])
        await eventually(lambda: ran == ["free", "free"], 1)
        before = (await redis.info("stats"))["total_commands_processed"]
        await asyncio.sleep(0.1)
        assert (await redis.info("stats"))["total_commands_processed"] - before < 30
        await eventually(lambda: len(ran) == 102)  # the stock worker died: its keys ran out


async def is_empty(redis: BoundedRedis) -> bool:
    return await redis.zcard("q") == 0
