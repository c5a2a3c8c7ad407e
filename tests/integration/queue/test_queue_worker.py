from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from dialer.queue import DoorbellWorker, Job, JobQueue, Retry, close, connect, func
from dialer.queue.connection import BoundedRedis
from tests.integration.queue.conftest import Eventually, Working
from tests.support.valkey import Valkey

Ctx = dict[str, Any]


async def left(redis: BoundedRedis) -> set[str]:
    """Keys of jobs that are not done."""
    keys: list[bytes] = await redis.keys("*")  # type: ignore[assignment]
    return {key.decode() for key in keys} - {"q:wake"}


async def nothing_left(redis: BoundedRedis) -> bool:
    return not await left(redis)


async def test_a_job_runs_with_arqs_context_and_leaves_nothing_behind(
    redis: BoundedRedis, working: Working, eventually: Eventually
) -> None:
    seen: list[tuple[Ctx, str]] = []

    async def dial(ctx: Ctx, attempt: str) -> None:
        seen.append((ctx, attempt))

    async with working(redis, dial=dial, options={"ctx": {"book": "a book"}}):
        assert await JobQueue(redis, "q").enqueue([Job("dial", {"attempt": "call_1"}, "call_1")]) == 1
        await eventually(lambda: nothing_left(redis))
    ((ctx, attempt),) = seen
    assert (attempt, ctx["job_id"], ctx["job_try"], ctx["book"]) == ("call_1", "call_1", 1, "a book")
    assert abs(datetime.now(UTC) - ctx["enqueue_time"]) < timedelta(seconds=5)


async def test_an_idle_worker_is_woken_not_polling(redis: BoundedRedis, working: Working, eventually: Eventually) -> None:
    started: dict[str, float] = {}

    async def dial(ctx: Ctx) -> None:
        started[ctx["job_id"]] = time.monotonic()

    async with working(redis, dial=dial):
        await asyncio.sleep(0.1)
        before = (await redis.info("stats"))["total_commands_processed"]
        await asyncio.sleep(1)
        assert (await redis.info("stats"))["total_commands_processed"] - before < 12
        latencies = []
        for i in range(20):
            began = time.monotonic()
            await JobQueue(redis, "q").enqueue([Job("dial", {}, f"call_{i}")])
            await eventually(lambda i=i: f"call_{i}" in started)
            latencies.append(started[f"call_{i}"] - began)
    assert sorted(latencies)[10] < 0.1


async def test_never_more_than_max_jobs_at_once_and_never_one_job_twice(
    redis: BoundedRedis, shared_valkey: Valkey, working: Working, eventually: Eventually
) -> None:
    runs: Counter[str] = Counter()
    now, most = {0: 0, 1: 0}, {0: 0, 1: 0}
    other = connect(shared_valkey.url)

    def counted(worker: int) -> Any:
        async def dial(ctx: Ctx) -> None:
            runs[ctx["job_id"]] += 1
            now[worker] += 1
            most[worker] = max(most[worker], now[worker])
            await asyncio.sleep(0.002)
            now[worker] -= 1

        return dial

    await JobQueue(redis, "q").enqueue([Job("dial", {}, f"call_{i}") for i in range(1000)])
    async with working(redis, dial=counted(0), options={"max_jobs": 7}), working(other, dial=counted(1), options={"max_jobs": 3}):
        await eventually(lambda: nothing_left(redis), 20)
    assert set(runs.values()) == {1} and len(runs) == 1000
    assert most == {0: 7, 1: 3}
    await close(other)


async def test_what_a_full_worker_cannot_take_wakes_another(
    redis: BoundedRedis, shared_valkey: Valkey, working: Working, eventually: Eventually
) -> None:
    other = connect(shared_valkey.url)
    running: set[str] = set()
    release = asyncio.Event()

    async def dial(ctx: Ctx) -> None:
        running.add(ctx["job_id"])
        await release.wait()

    async with working(redis, dial=dial, options={"max_jobs": 1}), working(other, dial=dial, options={"max_jobs": 1}):
        await asyncio.sleep(0.1)
        await JobQueue(redis, "q").enqueue([Job("dial", {}, f"call_{i}") for i in range(2)])
        await eventually(lambda: len(running) == 2, 1)
        release.set()
    await close(other)


async def test_an_id_is_refused_while_it_runs_and_welcome_afterwards(
    redis: BoundedRedis, working: Working, eventually: Eventually
) -> None:
    release, runs = asyncio.Event(), []

    async def dial(ctx: Ctx) -> None:
        runs.append(ctx["job_id"])
        await release.wait()

    queue, job = JobQueue(redis, "q"), [Job("dial", {}, "call_1")]
    async with working(redis, dial=dial):
        await queue.enqueue(job)
        await eventually(lambda: len(runs) == 1)
        assert await queue.enqueue(job) == 0
        release.set()
        await eventually(lambda: nothing_left(redis))
        assert await queue.enqueue(job) == 1
        await eventually(lambda: len(runs) == 2)


async def test_a_deferred_job_runs_when_it_is_due(redis: BoundedRedis, working: Working, eventually: Eventually) -> None:
    ran: list[datetime] = []

    async def dial(ctx: Ctx) -> None:
        ran.append(datetime.now(UTC))

    async with working(redis, dial=dial):
        due = datetime.now(UTC) + timedelta(seconds=0.7)
        await JobQueue(redis, "q").enqueue([Job("dial", {}, "call_1", defer_until=due)])
        before = (await redis.info("stats"))["total_commands_processed"]
        await eventually(lambda: bool(ran))
        assert (await redis.info("stats"))["total_commands_processed"] - before < 40
    assert timedelta(seconds=-0.002) <= ran[0] - due < timedelta(seconds=0.3)


async def test_retry_runs_again_until_the_tries_are_used_up(
    redis: BoundedRedis, working: Working, eventually: Eventually, caplog: pytest.LogCaptureFixture
) -> None:
    tries: dict[str, list[int]] = {"a": [], "b": []}

    async def dial(ctx: Ctx) -> None:
        tries[ctx["job_id"]].append(ctx["job_try"])
        raise Retry(defer=0.01)

    async with working(redis, dial=dial, options={"max_tries": 3}) as worker:
        await JobQueue(redis, "q").enqueue([Job("dial", {}, "a"), Job("dial", {}, "b", max_tries=2)])
        await eventually(lambda: worker.refused == 2)
    assert tries == {"a": [1, 2, 3], "b": [1, 2]}
    assert await left(redis) == {"q:dead"}


async def test_a_failing_and_an_overlong_job_are_logged_and_not_run_again(
    redis: BoundedRedis, working: Working, eventually: Eventually, caplog: pytest.LogCaptureFixture
) -> None:
    async def fail(ctx: Ctx) -> None:
        raise LookupError("on purpose")

    async def hang(ctx: Ctx) -> None:
        await asyncio.Event().wait()

    async with working(redis, fail=fail, hang=hang, options={"job_timeout": 0.05}) as worker:
        await JobQueue(redis, "q").enqueue([Job("fail", {}, "a"), Job("hang", {}, "b"), Job("fail", {"no": "such"}, "c")])
        await eventually(lambda: nothing_left(redis))
        assert (worker.failed, worker.complete, worker.running) == (3, 0, 0)
    assert {record.getMessage().split(": ")[-1] for record in caplog.records} == {"LookupError", "TimeoutError", "TypeError"}


async def test_a_job_whose_own_work_was_cancelled_is_tried_again_within_bounds(
    redis: BoundedRedis, working: Working, eventually: Eventually
) -> None:
    async def dial(ctx: Ctx) -> None:
        raise asyncio.CancelledError

    async with working(redis, dial=dial, options={"max_tries": 2}) as worker:
        await JobQueue(redis, "q").enqueue([Job("dial", {}, "a")])
        await eventually(lambda: worker.refused == 1)
        assert worker.retried == 2


MALFORMED = {
    b"rubbish": b"\x80\x04\x95 pickle",
    b"version": b'{"v":2,"f":"dial","k":{},"a":[],"t":null,"et":1}',
    b"function": b'{"v":1,"f":"nobody knows","k":{},"a":[],"t":null,"et":1}',
    b"huge time": b'{"v":1,"f":"dial","k":{},"a":[],"t":null,"et":99999999999999999}',
    b"\xff\xfe not text": b"{",
    b"expired": None,
}


async def test_malformed_jobs_are_refused_with_a_dead_letter_and_the_others_run(
    redis: BoundedRedis, working: Working, eventually: Eventually, caplog: pytest.LogCaptureFixture
) -> None:
    ran: list[str] = []

    async def dial(ctx: Ctx) -> None:
        ran.append(ctx["job_id"])

    for id_, record in MALFORMED.items():
        if record is not None:
            await redis.set(b"arq:job:" + id_, record)
        await redis.zadd("q", {id_: 1})
    await redis.rpush("arq:job:a list", "x")
    await redis.zadd("q", {"a list": 1})
    await redis.rpush("arq:retry:good", "x")
    async with working(redis, dial=dial) as worker:
        await JobQueue(redis, "q").enqueue([Job("dial", {}, "good")])
        await eventually(lambda: worker.refused == len(MALFORMED) + 1 and worker.complete == 1)
        await eventually(lambda: is_left(redis, {"q:dead"}))
    letters = [json.loads(letter) for letter in await redis.lrange("q:dead", 0, -1)]
    assert {letter["id"] for letter in letters} == {*(id_.decode(errors="replace") for id_ in MALFORMED), "a list"}
    assert all(letter["why"] and letter["at"] > 1 for letter in letters)
    assert ran == ["good"]
    assert sum("refused" in record.getMessage() for record in caplog.records) == len(letters)


async def is_left(redis: BoundedRedis, keys: set[str]) -> bool:
    return await left(redis) == keys


async def test_dead_letters_are_bounded(redis: BoundedRedis, working: Working, eventually: Eventually) -> None:
    async def dial(ctx: Ctx) -> None: ...

    await redis.zadd("q", {f"expired {i}": 1 for i in range(1300)})
    async with working(redis, dial=dial) as worker:
        await eventually(lambda: worker.refused == 1300, 10)
        await eventually(lambda: is_left(redis, {"q:dead"}))
    assert await redis.llen("q:dead") == 1000


async def test_drain_takes_nothing_more_and_lets_running_jobs_finish(
    redis: BoundedRedis, working: Working, eventually: Eventually
) -> None:
    release, started, done = asyncio.Event(), [], []

    async def dial(ctx: Ctx) -> None:
        started.append(ctx["job_id"])
        await release.wait()
        done.append(ctx["job_id"])

    queue = JobQueue(redis, "q")
    async with working(redis, dial=dial) as worker, asyncio.TaskGroup() as tasks:
        await queue.enqueue([Job("dial", {}, "early")])
        await eventually(lambda: started == ["early"])
        drain = tasks.create_task(worker.drain(5))
        await asyncio.sleep(0)
        await queue.enqueue([Job("dial", {}, "late")])
        await asyncio.sleep(0.1)
        release.set()
        assert await drain == 0
    assert started == done == ["early"]
    assert await redis.zscore("q", "early") is None
    assert await redis.zscore("q", "late") is not None


async def test_drain_puts_back_what_does_not_finish_and_another_worker_runs_it_at_once(
    redis: BoundedRedis, shared_valkey: Valkey, working: Working, eventually: Eventually
) -> None:
    other = connect(shared_valkey.url)
    tries: list[int] = []

    async def hang(ctx: Ctx) -> None:
        tries.append(ctx["job_try"])
        await asyncio.Event().wait()

    async def dial(ctx: Ctx) -> None:
        tries.append(ctx["job_try"])

    async with working(redis, dial=hang, options={"job_timeout": 60}) as worker:
        await JobQueue(redis, "q").enqueue([Job("dial", {}, "call_1")])
        await eventually(lambda: tries == [1])
        async with working(other, dial=dial):
            began = time.monotonic()
            assert await worker.drain(0.2) == 1
            await eventually(lambda: tries == [1, 1], 1)  # a try that was taken away does not count
            assert time.monotonic() - began < 0.6
            await eventually(lambda: nothing_left(redis))
    await close(other)


async def test_a_full_worker_drains_within_its_time(redis: BoundedRedis, working: Working, eventually: Eventually) -> None:
    async def hang(ctx: Ctx) -> None:
        await asyncio.Event().wait()

    async with working(redis, hang=hang, options={"max_jobs": 2}) as worker:
        await JobQueue(redis, "q").enqueue([Job("hang", {}, f"call_{i}") for i in range(3)])
        await eventually(lambda: worker.running == 2)
        began = time.monotonic()
        assert await worker.drain(0.1) == 2
        assert time.monotonic() - began < 0.5
    assert await redis.zcount("q", "-inf", (await redis.time())[0] * 1000 + 1000) == 3


async def test_an_idle_worker_drains_in_no_time(redis: BoundedRedis) -> None:
    async def dial(ctx: Ctx) -> None: ...

    worker = DoorbellWorker(redis, [func(dial, name="dial")], queue_name="q")
    async with asyncio.TaskGroup() as tasks:
        run = tasks.create_task(worker.run())
        await asyncio.sleep(0.1)
        began = time.monotonic()
        assert sum(await asyncio.gather(worker.drain(5), worker.drain(5))) == 0
        await run
        assert time.monotonic() - began < 0.1
    with pytest.raises(RuntimeError, match="make a new one"):
        await worker.run()


async def test_a_worker_drained_before_it_began_takes_nothing(redis: BoundedRedis) -> None:
    async def dial(ctx: Ctx) -> None: ...

    worker = DoorbellWorker(redis, [func(dial, name="dial")], queue_name="q")
    await JobQueue(redis, "q").enqueue([Job("dial", {}, "call_1")])
    assert await worker.drain(5) == 0
    await worker.run()
    assert worker.complete == 0


async def test_whenever_drain_comes_no_job_is_left_locked(redis: BoundedRedis) -> None:
    async def dial(ctx: Ctx) -> None:
        await asyncio.sleep(0)

    for steps in range(40):
        worker = DoorbellWorker(redis, [func(dial, name="dial")], queue_name="q")
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(worker.run())
            await asyncio.sleep(0.003)
            await JobQueue(redis, "q").enqueue([Job("dial", {}, f"call_{steps}")])
            for _ in range(steps):
                await asyncio.sleep(0)
            await worker.drain(0)
        assert not await redis.keys("arq:in-progress:*")
        assert (await redis.llen("q:wake") == 1) or not await redis.zcard("q")


async def test_a_job_that_resists_being_cancelled_does_not_hold_up_drain(
    redis: BoundedRedis, eventually: Eventually, caplog: pytest.LogCaptureFixture
) -> None:
    release, started = asyncio.Event(), asyncio.Event()

    async def stubborn(ctx: Ctx) -> None:
        started.set()
        try:
            await release.wait()
        except asyncio.CancelledError:
            await release.wait()

    worker = DoorbellWorker(redis, [func(stubborn, name="stubborn")], queue_name="q")
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(worker.run())
        await JobQueue(redis, "q").enqueue([Job("stubborn", {}, "call_1")])
        await started.wait()
        await worker.drain(0)
        assert worker.running == 1
        assert "resists" in caplog.text
        assert await redis.get("arq:in-progress:call_1") is not None  # not put back: it still runs
        release.set()


async def test_a_cancelled_worker_cancels_its_jobs_puts_them_back_and_ends_cancelled(
    redis: BoundedRedis, eventually: Eventually
) -> None:
    cancelled: list[str] = []
    started = asyncio.Event()

    async def dial(ctx: Ctx) -> None:
        started.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.append(ctx["job_id"])
            raise

    run = asyncio.ensure_future(DoorbellWorker(redis, [func(dial, name="dial")], queue_name="q").run())
    await JobQueue(redis, "q").enqueue([Job("dial", {}, "call_1")])
    await started.wait()
    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run
    assert cancelled == ["call_1"]
    assert await redis.exists("arq:in-progress:call_1") == 0
    assert await redis.zscore("q", "call_1") is not None
