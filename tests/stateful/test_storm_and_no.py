"""A "no" against a storm's contact that comes back, in every order of the two and at once: after its answer nobody is dialled."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from datetime import timedelta

import pytest

from dialer.domain.errors import Conflict
from dialer.domain.fence import FENCE_SECONDS
from dialer.flows import callbacks
from dialer.store import storms
from tests.stateful.rest import come_to_rest
from tests.stateful.test_no_is_heard import A_LITTLE, NO, WHO, only_one, queued
from tests.stateful.world import World
from tests.support.engine import TRUNK
from tests.support.laws import laws_hold

WHEN = ("before", "beside", "after")
"""The "no", as to the sweep that brings back."""


async def called_invalid(w: World) -> None:
    """The one number is called invalid and believed, and then it is known that the trunk says so of all."""
    await only_one(w)
    process = w.processes[0]
    await w.tick(process)
    [attempt] = await queued(w)
    await w.take(process, [attempt])
    await w.transmit(attempt, "", "invalid", 2.0)
    await w.finish(attempt)
    await w.wait(3)
    await w.tell(process, [(w.entries()[0], "ended")], together=False)
    assert await w.pool.fetchval("select outcome from campaign_contacts where status = 'failed'") == "invalid_number"
    await storms.note(w.pool, TRUNK, [attempt], w.moment.now())


@pytest.mark.parametrize("no", NO)
async def test_nobody_comes_back_to_be_dialled_after_the_answer(
    worlds: Callable[[], AbstractAsyncContextManager[World]], no: str
) -> None:
    for when in WHEN:
        async with worlds() as w:
            await called_invalid(w)
            process, other = w.processes
            if when == "after":
                await process.sweeper.sweep()
            asked = other.ask(NO[no](w, other.api))
            (task, _), *_ = await asyncio.gather(asked, *([process.sweeper.sweep()] if when == "beside" else []))
            await w.wait(FENCE_SECONDS + A_LITTLE)
            await task
            for seconds in (0, 60):
                await w.wait(seconds)
                await process.sweeper.sweep()
                await w.tick(process)
                going = await w.take(process, await queued(w))
                rows = await w.pool.fetch("select to_number from call_attempts where id = any($1)", going)
                assert [r["to_number"] for r in rows] in ([], ["+493099999999"] if no == "another number" else []), when
                await laws_hold(w.pool)
            assert await w.pool.fetchval("select count(*) from call_attempts where fault = 'number'") == 0


async def test_whoever_waits_for_a_callback_by_then_waits_for_it_still(
    worlds: Callable[[], AbstractAsyncContextManager[World]],
) -> None:
    for when in WHEN:
        async with worlds() as w:
            await called_invalid(w)
            process, other = w.processes
            at = w.moment.now() + timedelta(hours=1)
            if when == "after":
                await process.sweeper.sweep()
            asked = callbacks.call_back(other.api, w.team, "test", w.campaigns[0], w.people[WHO], at)
            agreed, *_ = await asyncio.gather(
                asked, *([process.sweeper.sweep()] if when == "beside" else []), return_exceptions=True
            )
            assert not isinstance(agreed, BaseException) or (isinstance(agreed, Conflict) and when != "after")
            await process.sweeper.sweep()
            row = await w.pool.fetchrow(
                "select status, attempts, callback_at from campaign_contacts where contact_id = $1 and campaign_id = $2",
                w.people[WHO], w.campaigns[0],
            )  # fmt: skip
            assert tuple(row) == ("pending", 0, None if isinstance(agreed, Conflict) else at), when
            w.promises.callbacks[w.campaigns[0], w.people[WHO]] = [(at, None)]
            await come_to_rest(w, Counter(w.carrier.requests))
