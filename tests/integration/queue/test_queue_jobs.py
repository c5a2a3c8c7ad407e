from __future__ import annotations

import asyncio
import signal
from datetime import UTC, datetime, timedelta

import pytest

from dialer.queue import Job, JobQueue, QueueUnavailable, close, connect
from dialer.queue.connection import BoundedRedis
from tests.support.valkey import Valkey


def jobs(count: int) -> list[Job]:
    return [Job("dial", {"attempt": f"call_{i}"}, f"call_{i}") for i in range(count)]


async def test_a_batch_is_one_round_trip(redis: BoundedRedis) -> None:
    queue = JobQueue(redis, "q")
    await queue.enqueue(jobs(1))
    calls = (await redis.info("commandstats"))["cmdstat_evalsha"]["calls"]
    assert await queue.enqueue(jobs(1500)) == 1499
    assert (await redis.info("commandstats"))["cmdstat_evalsha"]["calls"] == calls + 1
    assert await redis.zcard("q") == 1500


async def test_an_id_that_is_queued_is_refused(redis: BoundedRedis) -> None:
    queue = JobQueue(redis, "q")
    assert await queue.enqueue(jobs(3)) == 3
    assert await queue.enqueue(jobs(5)) == 2
    assert await queue.enqueue(jobs(5)) == 0
    assert await queue.enqueue(jobs(1) * 2) == 0


async def test_an_id_twice_in_one_batch_is_one_job(redis: BoundedRedis) -> None:
    assert await JobQueue(redis, "q").enqueue(jobs(1) * 3) == 1


async def test_concurrent_producers_of_the_same_ids_add_up_to_one_job_each(redis: BoundedRedis) -> None:
    queue = JobQueue(redis, "q")
    assert sum(await asyncio.gather(*(queue.enqueue(jobs(50)) for _ in range(10)))) == 50


async def test_nothing_is_nothing(redis: BoundedRedis) -> None:
    assert await JobQueue(redis, "q").enqueue([]) == 0
    assert await redis.dbsize() == 0


async def test_a_record_is_kept_for_a_day_past_its_due_time(redis: BoundedRedis) -> None:
    await JobQueue(redis, "q").enqueue([Job("dial", {}, "now"), Job("dial", {}, "later", datetime.now(UTC) + timedelta(days=3))])
    day = 86_400_000
    assert day - 5_000 < await redis.pttl("arq:job:now") <= day
    assert 4 * day - 5_000 < await redis.pttl("arq:job:later") <= 4 * day


async def test_one_token_wakes_one_worker_however_many_jobs_come(redis: BoundedRedis) -> None:
    queue = JobQueue(redis, "q")
    await queue.enqueue(jobs(10))
    await queue.enqueue(jobs(20))
    assert await redis.llen("q:wake") == 1


async def test_redis_away_is_said_in_our_words_and_jobs_can_be_enqueued_when_it_is_back(own_valkey: Valkey) -> None:
    redis = connect(own_valkey.url)
    queue = JobQueue(redis, "q")
    assert await queue.enqueue(jobs(1)) == 1
    own_valkey.stop(signal.SIGKILL)
    with pytest.raises(QueueUnavailable, match="enqueueing jobs"):
        await queue.enqueue(jobs(2))
    own_valkey.start()
    assert await queue.enqueue(jobs(2)) in (1, 2)  # a killed server may have lost its last second
    await close(redis)
