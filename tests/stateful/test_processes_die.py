"""A process dies at each point at which it can: the next ones bring every call to its one true end."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

import pytest

from tests.stateful.rest import come_to_rest
from tests.stateful.world import World
from tests.support.laws import carrier_agrees, laws_hold
from tests.support.line import Mishap

Worlds = Callable[[], AbstractAsyncContextManager[World]]

# The fault points of a dial, and of what is told about it. "sending" and "sent" lie on both sides of the transmission.
DIAL = ("claim:before", "claim:after", "place:before", "place:after", "sending", "sent", "accepted:before", "accepted:after")
FAILED = ("standing:after", "turn:before", "turn:after")
UNKNOWN = ("standing:after", "advance:before", "advance:after")
TOLD = ("standing:after", "turn:before", "turn:after")


async def dial(w: World, dies: str, mishap: Mishap = "") -> bool:
    """One contact is released, dialled and busy; whether the process died on the way."""
    process = w.processes[0]
    if await w.tick(process, dies if dies.startswith("claim") else ""):
        return True
    [attempt] = [r["id"] for r in await w.pool.fetch("select id from call_attempts where state = 'queued'")]
    if not await w.take(process, [attempt], dies=dies if dies.startswith("place") else ""):
        return True
    if dies == "sending":
        await w.kill(process)
        return True
    await w.transmit(attempt, mishap, "busy", 2.0)
    if dies == "sent":
        await w.kill(process)
        return True
    return await w.finish(attempt, dies)


async def one_slot(w: World) -> None:
    await w.pool.execute("update scopes set cap = 1 where key like 'trunk:%'")


@pytest.mark.parametrize(
    ("points", "mishap"), [(DIAL, ""), (UNKNOWN, "error_after"), (FAILED, "refuse_429"), (FAILED, "not_reached")]
)
async def test_a_death_during_a_dial_loses_nobody_and_dials_nobody_twice(
    worlds: Worlds, points: tuple[str, ...], mishap: Mishap
) -> None:
    for dies in points:
        async with worlds() as w:
            await one_slot(w)
            assert await dial(w, dies, mishap), f"nothing comes to {dies}"
            await laws_hold(w.pool)
            await come_to_rest(w, Counter(w.carrier.requests))
            await carrier_agrees(w.pool, w.carrier)
            talked = Counter((e.campaign, e.labels["contact"]) for e in w.entries() if e.answered_by == "human")
            assert set(talked) == w.promises.enrolled and set(talked.values()) == {1}, f"died at {dies}"


async def test_a_death_while_an_event_is_written_neither_loses_nor_repeats_its_meaning(worlds: Worlds) -> None:
    for dies in TOLD:
        async with worlds() as w:
            await one_slot(w)
            await dial(w, "")
            await w.wait(3)
            [call] = w.entries()
            assert await w.tell(w.processes[0], [(call, "ended")], together=False, dies=dies), f"nothing comes to {dies}"
            await laws_hold(w.pool)
            ended = await w.pool.fetchval("select count(*) from call_attempts where outcome = 'busy' and counted")
            assert ended == (1 if dies == "turn:after" else 0)
            await w.tell(w.processes[0], [(call, "ended")], together=False)  # the carrier got no answer, and tells it again
            assert await w.pool.fetchval("select count(*) from call_attempts where outcome = 'busy' and counted") == 1
            assert await w.pool.fetchval("select sum(attempts) from campaign_contacts") == 1
            assert await w.pool.fetchval("select sum(active) from scopes") == 0
            await laws_hold(w.pool)


async def test_a_process_whose_store_is_gone_stops_when_it_is_told_to(w: World) -> None:
    """Also in the middle of a decision: what fails then does not take the place of the cancellation."""
    await one_slot(w)
    await dial(w, "")
    await w.wait(3)
    async with asyncio.timeout(5):
        assert await w.tell(w.processes[0], [(w.entries()[0], "ended")], together=False, dies="standing:after")
