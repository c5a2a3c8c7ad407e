"""A "no" against a claim and a dial, in every order of the three: after its answer nothing starts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Coroutine
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest

from dialer.api.context import ApiContext
from dialer.domain.fence import FENCE_SECONDS
from dialer.flows.campaigns.edit import edit_campaign
from dialer.flows.campaigns.stop import cancel_campaign, pause_campaign
from dialer.flows.contacts import change
from dialer.flows.suppressions import suppress
from dialer.store.suppressions import Entry
from tests.stateful import judge
from tests.stateful.rest import come_to_rest
from tests.stateful.world import World
from tests.support.laws import laws_hold

WHO = 0  # somebody in Berlin, where the first campaign's window is open
A_LITTLE = 0.01


def a_number(w: World, written: str) -> str:
    return written.format(rest=w.promises.numbers[w.people[WHO]].removeprefix("+4930"))


def on_a_list(scope: Any, written: str) -> Callable[[World, ApiContext], Coroutine[Any, Any, Any]]:
    return lambda w, api: suppress(
        api,
        "test",
        Entry(
            scope, None if scope == "global" else w.team, w.campaigns[0] if scope == "campaign" else None, a_number(w, written)
        ),
    )


def settings(w: World, api: ApiContext, **changed: object) -> Coroutine[Any, Any, Any]:
    return edit_campaign(api, w.team, "test", w.campaigns[0], {"settings": changed})


async def expired(w: World, api: ApiContext) -> None:
    """Whoever was enrolled two days ago has waited too long."""
    await w.pool.execute("update campaign_contacts set created_at = created_at - interval '2 days'")
    await settings(w, api, contactExpiryDays=1)


NO: dict[str, Callable[[World, ApiContext], Coroutine[Any, Any, Any]]] = {
    "do not call": lambda w, api: change(api, w.team, "test", w.people[WHO], {"do_not_call": True}),
    "another number": lambda w, api: change(api, w.team, "test", w.people[WHO], {"phone": "+493099999999"}),
    "suppressed for all": on_a_list("global", "+4930{rest}"),
    "suppressed for the team": on_a_list("team", "+4930{rest}"),
    "suppressed for the campaign": on_a_list("campaign", "+4930{rest}"),
    "spelled without a plus": on_a_list("team", "004930{rest}"),
    "spelled with blanks": on_a_list("team", " +49 30 {rest} "),
    "spelled as in the country": on_a_list("team", "(030) {rest}"),
    "pause": lambda w, api: pause_campaign(api, w.team, "test", w.campaigns[0]),
    "cancel": lambda w, api: cancel_campaign(api, w.team, "test", w.campaigns[0]),
    "another window": lambda w, api: edit_campaign(
        api, w.team, "test", w.campaigns[0], {"call_window_start": "06:00", "call_window_end": "07:00"}
    ),
    "a holiday": lambda w, api: settings(w, api, holidayCalendar={"dates": [w.moment.now().date().isoformat()]}),
    "an end that comes before the phone would stop to ring": lambda w, api: settings(
        w, api, scheduledEndAt=(w.moment.now() + judge.MARGIN).isoformat()
    ),
    "an expiry": expired,
}
WHEN = ("before the claim", "between claim and fence", "between fence and transmission", "after the transmission")


async def only_one(w: World) -> None:
    """Nobody but WHO waits, and only in the first campaign."""
    await w.pool.execute(
        "update campaign_contacts set next_attempt_at = now() + interval '1 year' where contact_id <> $1 or campaign_id <> $2",
        w.people[WHO], w.campaigns[0],
    )  # fmt: skip


async def queued(w: World) -> list[str]:
    return [r["id"] for r in await w.pool.fetch("select id from call_attempts where state = 'queued'")]


@pytest.mark.parametrize("no", NO)
async def test_no_dial_starts_after_the_answer(worlds: Callable[[], AbstractAsyncContextManager[World]], no: str) -> None:
    for when in WHEN:
        for answered in (True, False):
            async with worlds() as w:
                await no_dial_after(w, no, when, answered)


async def no_dial_after(w: World, no: str, when: str, answered: bool) -> None:
    await only_one(w)
    process, other = w.processes
    number = w.promises.numbers[w.people[WHO]]
    going: list[str] = []
    for step in WHEN:
        if step == when:
            task, until = await other.ask(NO[no](w, other.api))
            assert not task.done() and until == w.moment.monotonic() + FENCE_SECONDS, "it is answered after the fence"
            await w.wait(FENCE_SECONDS + A_LITTLE if answered else FENCE_SECONDS - A_LITTLE)
            if answered:
                await task
        match step:
            case "before the claim":
                await w.tick(process)
            case "between claim and fence":
                going = await w.take(process, await queued(w))
            case "between fence and transmission":
                for attempt in going:
                    await w.transmit(attempt, "", "busy", 2.0)
    late = (
        when == "between fence and transmission" and not answered
    )  # it was through the fence before the no: it may still go out
    calls = [1 if late or when == "after the transmission" else 0] * 2
    assert [
        sum(e.to == number for e in w.entries()),
        w.carrier.requests.total() - sum(e.to != number for e in w.entries()),
    ] == calls, when
    for attempt in going:
        await w.finish(attempt)
    await laws_hold(w.pool)
    await w.wait(60)
    await w.tick(
        process
    )  # and nothing is dialled later: what waits is withdrawn, or waits for another time, or has another number
    rows = await w.pool.fetch("select to_number from call_attempts where id = any($1)", await w.take(process, await queued(w)))
    assert [r["to_number"] for r in rows] in ([], ["+493099999999"] if no == "another number" else []), when
    await laws_hold(w.pool)


async def test_a_cap_that_was_lowered_holds_for_what_was_released_before(w: World) -> None:
    """By the carrier's count: with two calls up and two released, nothing starts under a cap of two, nor of one."""
    process, other = w.processes
    campaign = w.campaigns[1]
    await w.pool.execute(
        "update campaign_contacts set next_attempt_at = now() + interval '1 year' where campaign_id <> $1", campaign
    )
    await w.pool.execute("update campaigns set max_concurrent_calls = 4 where id = $1", campaign)
    await w.pool.execute("update scopes set cap = null where key not like 'campaign:%'")
    await w.tick(process)
    up, held, waiting = (await queued(w))[:2], (await queued(w))[2:3], (await queued(w))[3:]
    for attempt in await w.take(process, up):
        await w.transmit(attempt, "", "human", 200.0)
        await w.finish(attempt)
    assert await w.take(process, held) == held
    task, _ = await other.ask(edit_campaign(other.api, w.team, "test", campaign, {"max_concurrent_calls": 2}))
    await w.wait(FENCE_SECONDS + A_LITTLE)
    await task
    assert await w.take(process, waiting) == []
    await w.transmit(held[0], "", "human", 200.0)
    await w.finish(held[0])
    assert (w.carrier.journal.live, w.carrier.requests.total()) == (2, 2)
    await w.wait(2)
    await w.tick(process)
    assert await queued(w) == [], "two are up, and two is the cap"
    await laws_hold(w.pool)


async def test_a_late_event_of_an_attempt_touches_nothing_of_the_next_one(w: World) -> None:
    await only_one(w)
    process, other = w.processes
    attempts = []
    for _ in range(2):
        await w.tick(process)
        [attempt] = await queued(w)
        attempts.append(attempt)
        await w.take(process, [attempt])
        await w.transmit(attempt, "", "busy" if len(attempts) == 1 else "human", 30.0)
        await w.finish(attempt)
        await w.wait(3)
        if len(attempts) == 1:
            await w.tell(process, [(w.entries()[0], "ended")], together=False)
    first, second = attempts
    assert (await w.attempt(first))["state"] == "ended" and (await w.attempt(second))["state"] == "placing"
    before = (
        await w.attempt(second),
        await w.pool.fetch("select * from scopes order by key"),
        await w.pool.fetch("select * from campaign_contacts"),
    )
    for who in (process, other):
        await w.tell(who, [(w.entries()[0], "ended")] * 2, together=True)
    after = (
        await w.attempt(second),
        await w.pool.fetch("select * from scopes order by key"),
        await w.pool.fetch("select * from campaign_contacts"),
    )
    assert after == before
    assert w.carrier.journal.live == 1
    await laws_hold(w.pool)
    await judge.slots_are_held(w)
    await come_to_rest(w, Counter(w.carrier.requests))
