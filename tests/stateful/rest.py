"""How a story ends: nobody asks for anything any more, the carrier is well, and time goes on."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta

from dialer.flows.campaigns.edit import edit_campaign
from tests.stateful import judge
from tests.stateful.world import World
from tests.support.laws import carrier_agrees, laws_hold, nothing_left

ROUNDS = 40
"""How often everybody who is due is called at the end, at the most: as many as there are people and attempts, and more where
frequency caps make them wait for each other."""


async def come_to_rest(w: World, known: Counter[str]) -> None:
    """Every process dies in the middle of what it does; the next ones find the rest out from ledger and carrier. A campaign that
    runs comes to its end; one that does not keeps its people as they are."""
    for process in list(w.processes):
        await w.kill(process)
    w.line.blind = False
    await settle(w)
    await _at_rest(w, known)
    for campaign in w.campaigns:
        if await _status(w, campaign) == "running":
            w.promises.windows[campaign], w.promises.caps[campaign] = [("00:00", "24:00")], [4]
            wide = {"call_window_start": "00:00", "call_window_end": "24:00", "max_concurrent_calls": 4}
            task, until = await w.processes[0].ask(edit_campaign(w.processes[0].api, w.team, "test", campaign, wide))
            w.promises.hold(w.processes[0], (task, until), "rest", lambda: None)
    await w.wait(1)
    for _ in range(ROUNDS):
        if not await _call_everybody(w, known):
            break
    for process in w.processes:
        assert await process.sweeper.recount() == 0, "a recount disagrees at rest"
    await _at_rest(w, known)
    for campaign in w.campaigns:
        waiting = await _waiting(w, campaign)  # nobody at all: a campaign from which everybody was taken out is no completed one
        assert not waiting or await _status(w, campaign) != "running", f"a campaign does not come to its end: {waiting}"


async def settle(w: World) -> None:
    """Until nothing is live: the fence, the sweep, the end of every call, a look at the carrier."""
    for seconds in (3, 12, 45, 300, 400, 700):
        await w.wait(seconds)
        for process in w.processes:
            await w.do(process, process.sweeper.sweep())
            await w.do(process, process.reconciler.sweep())
        if not await w.pool.fetchval("select count(*) from call_attempts where ended_at is null"):
            return


async def _call_everybody(w: World, known: Counter[str]) -> bool:
    """Time goes on to when somebody is due and no breaker waits for a probe, and all are called. False when nobody waits."""
    due: datetime | None = await w.pool.fetchval(
        """select greatest(min(t.next_attempt_at), (select max(probe_at) from breakers))
           from campaign_contacts t join campaigns c on c.id = t.campaign_id join scopes s on s.key = 'campaign:' || c.id
           where t.status = 'pending' and c.status = 'running' and s.budget is distinct from 0"""
    )
    if due is None:
        return False
    await w.wait(max((due - w.moment.now()) / timedelta(seconds=1), 0) + 1)
    for process in w.processes:
        await w.tick(process)
        queued = [r["id"] for r in await w.pool.fetch("select id from call_attempts where state = 'queued'")]
        for attempt in await w.take(process, queued):
            await w.transmit(attempt, "", "human", 2.0)
            await judge.transmissions(w, known)
            await w.finish(attempt)
    await settle(w)
    return True


async def _at_rest(w: World, known: Counter[str]) -> None:
    await judge.transmissions(w, known)
    await nothing_left(w.pool)
    await laws_hold(w.pool)  # nothing is live, so nothing is over a cap that was lowered
    await carrier_agrees(w.pool, w.carrier)
    await judge.at_rest(w)
    await judge.nobody_lost(w)


async def _status(w: World, campaign: str) -> str:
    status: str = await w.pool.fetchval("select status from campaigns where id = $1", campaign)
    return status


async def _waiting(w: World, campaign: str) -> list[tuple[object, ...]]:
    rows = await w.pool.fetch("select status, reason, next_attempt_at from campaign_contacts where campaign_id = $1", campaign)
    return [tuple(row) for row in rows]
