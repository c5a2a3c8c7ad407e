"""What a carrier tells, in every order and as often as it likes, comes to what it comes to in order and once."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from itertools import permutations
from typing import Any

from adapters.events import CallEvent, Outcome, Phase
from tests.stateful.world import World
from tests.support.engine import TRUNK
from tests.support.laws import laws_hold

ORDER = (Phase.RINGING, Phase.ANSWERED, Phase.CLASSIFIED, Phase.ENDED, Phase.RESULT)
OF_ATTEMPT = "state, outcome, fault, cause, provider_ref, ringing_at, answered_at, ended_at, counted, result"
OF_ENROLMENT = "status, outcome, attempts, excused, completed_at is not null as completed"


def story(attempt: str, at: datetime) -> list[CallEvent]:
    """Five facts about one call, a second apart."""

    def told(n: int, phase: Phase, **more: Any) -> CallEvent:
        return CallEvent(phase, at + timedelta(seconds=n), attempt, f"ref of {attempt}", f"{attempt}:{n}", **more)

    return [
        told(1, Phase.RINGING),
        told(2, Phase.ANSWERED),
        told(3, Phase.CLASSIFIED, outcome=Outcome.MACHINE),
        told(4, Phase.ENDED, outcome=Outcome.ANSWERED),
        told(5, Phase.RESULT, data={"summary": "left a message"}),
    ]


async def placed(w: World, count: int) -> list[str]:
    """So many attempts that the carrier was asked for, as far as the ledger knows, in a campaign wide enough."""
    process = w.processes[0]
    await w.pool.execute("update scopes set cap = null")
    await w.pool.execute(
        "update campaigns set call_window_start = '00:00', call_window_end = '24:00', max_concurrent_calls = 500"
    )
    await w.pool.execute(
        """with person as (insert into contacts (team_id, first_name, last_name, phone, timezone, place_set_id, place_source)
             select $1, 'Ada', n::text, '+4989100' || (1000 + n), 'Europe/Berlin',
                    (select id from place_sets where zones = '{Europe/Berlin}'), 'contact'
             from generate_series(1, $3::int) n returning *)
           insert into campaign_contacts (campaign_id, team_id, contact_id, status, to_number, place_set_id)
             select $2, team_id, id, 'pending', phone, place_set_id from person""",
        w.team, w.campaigns[0], count,
    )  # fmt: skip
    await w.pool.execute(
        "update campaign_contacts set status = 'skipped', completed_at = now() where to_number not like '+4989%'"
    )
    await w.tick(process)
    now = w.moment.now()
    await w.pool.execute("update call_attempts set state = 'placing', placing_at = $1 where state = 'queued'", now)
    await w.pool.execute("update campaign_contacts set status = 'calling', last_attempt_at = $1 where status = 'queued'", now)
    return [r["id"] for r in await w.pool.fetch("select id from call_attempts order by to_number")]


async def how_it_stands(w: World, attempt: str) -> tuple[Any, ...]:
    """Attempt and enrolment, the id and times of the call made those of a call like any other."""
    row = await w.pool.fetchrow(f"select {OF_ATTEMPT} from call_attempts where id = $1", attempt)
    enrolment = await w.pool.fetchrow(
        f"""select {OF_ENROLMENT} from campaign_contacts
            where id = (select campaign_contact_id from call_attempts where id = $1)""", attempt,
    )  # fmt: skip
    return (*(str(value).replace(attempt, "…") for value in row.values()), *enrolment.values())


async def test_all_orders_of_five_events_each_told_three_times_end_as_the_one_in_order(w: World) -> None:
    """Half of them told three times through, half each fact three times running. The semaphores are the count of live attempts
    after every fact, so a slot is given back once."""
    orders = list(permutations(range(5)))
    ways = [order * 3 for order in orders] + [tuple(n for n in order for _ in range(3)) for order in orders]
    attempts = await placed(w, len(ways))
    assert len(attempts) == 2 * 120
    facts = [story(attempt, w.moment.now()) for attempt in attempts]
    for turn in range(15):
        told = [fact[way[turn]] for way, fact in zip(ways, facts, strict=True)]
        await asyncio.gather(*(w.processes[turn % 2].follower.follow(TRUNK, [event]) for event in told))
        await laws_hold(w.pool)
    wanted = await how_it_stands(w, attempts[0])
    assert (ways[0][:5], *wanted[:2]) == ((0, 1, 2, 3, 4), "ended", "machine")
    wrong = {
        way: stands for way, attempt in zip(ways, attempts, strict=True) if (stands := await how_it_stands(w, attempt)) != wanted
    }
    assert not wrong, f"{len(wrong)} ways end otherwise than {wanted}, the first of them: {next(iter(wrong.items()))}"
    ends = [
        r["entity_id"] for r in await w.pool.fetch("select entity_id from history where after = 'ended' and before <> 'ended'")
    ]
    assert sorted(ends) == sorted(attempts), "an attempt ends once"
    assert await w.pool.fetchval("select sum(active) from scopes") == 0
