from __future__ import annotations

from datetime import datetime

import pytest

from dialer.queue import Job, JobQueue, RateBuckets, connect


def test_a_deferred_job_needs_a_time_zone() -> None:
    with pytest.raises(ValueError, match="time zone"):
        Job("dial", {}, "call_1", defer_until=datetime(2030, 1, 1))


def test_a_job_may_be_tried_once_at_least() -> None:
    with pytest.raises(ValueError, match="max_tries"):
        Job("dial", {}, "call_1", max_tries=0)


def test_a_url_must_be_one_of_redis() -> None:
    with pytest.raises(ValueError, match="redis://"):
        connect("http://localhost")


async def test_a_payload_that_json_cannot_carry_is_refused_before_redis_is_asked() -> None:
    queue = JobQueue(connect("redis://127.0.0.1:1"), "q")
    with pytest.raises(TypeError):
        await queue.enqueue([Job("dial", {"what": object()}, "call_1")])


@pytest.mark.parametrize("rate", [0, -1, float("inf"), float("nan")])
async def test_a_rate_is_a_positive_number(rate: float) -> None:
    with pytest.raises(ValueError, match="per_second"):
        await RateBuckets(connect("redis://127.0.0.1:1")).take("trunk:x", rate)


async def test_at_least_one_token_is_asked_for() -> None:
    with pytest.raises(ValueError, match="n is 0"):
        await RateBuckets(connect("redis://127.0.0.1:1")).take("trunk:x", 1, 0)


@pytest.mark.parametrize("wait", [-1, 61])
def test_the_longest_wait_is_bounded(wait: float) -> None:
    with pytest.raises(ValueError, match="max_wait"):
        RateBuckets(connect("redis://127.0.0.1:1"), max_wait=wait)
