""" "Do not call me again", said in a call: heard in the commit that keeps what the carrier told, and by every campaign."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncIterator, Mapping
from datetime import timedelta
from typing import Any

import pytest

from adapters.events import CallEvent, Phase
from adapters.simulated.carrier.journal import Entry
from dialer.domain.fence import FENCE_SECONDS
from dialer.flows.opt_outs import OptOuts
from dialer.store import attempts
from dialer.store.database import Database
from tests.support.carrier import quick
from tests.support.crossed import crossed
from tests.support.desk import TRUNK, Desk, open_desk
from tests.support.engine import engine
from tests.support.laws import carrier_agrees, laws_hold, nothing_left

NO: Mapping[str, Any] = {"do_not_call": True}
DELIVERY = 2.0
"""Seconds from the carrier's telling to our commit, at the most; a callback that is not heard is looked up later."""


@pytest.fixture
async def desk(database: Database, redis_url: str) -> AsyncIterator[Desk]:
    async with open_desk(database, redis_url) as opened:
        yield opened
    await laws_hold(database.pool)


async def say(desk: Desk, call: str, data: Mapping[str, Any] = NO, *, key: str = "r", phase: Phase = Phase.RESULT) -> None:
    """What the carrier told is written, and nothing is made of it: a locked scope, or a worker that died."""
    event = CallEvent(phase, desk.clock.now(), call, "ref", f"{call}-{key}", data=data)
    await attempts.turn(desk.pool, [], [(TRUNK, event)], desk.clock.now())


async def sweep(desk: Desk) -> int:
    """The sweep after the fence."""
    await desk.pool.execute("update opt_outs set created_at = created_at - $1::interval", timedelta(seconds=FENCE_SECONDS))
    context = desk.api.context
    return await OptOuts(context.database, context.ringer, desk.clock).withdraw()


async def one_call(desk: Desk, people: list[str], **settings: Any) -> str:
    """A campaign of these people; the first of its calls is placed."""
    campaign = (await desk.campaign(people, status="running", maxConcurrentCalls=1, settings=settings))["id"]
    assert len(await desk.api.context.release(campaign)) == 1
    [call] = await desk.place(campaign)
    return call


async def entries(desk: Desk) -> list[tuple[Any, ...]]:
    rows = await desk.pool.fetch(
        "select scope, team_id, phone_number, reason, source, expires_at from suppressions order by phone_number"
    )
    return [tuple(row) for row in rows]


async def test_it_is_on_the_list_and_at_the_contact_when_what_was_told_is_committed(desk: Desk) -> None:
    people = await desk.people(2)
    call = await one_call(desk, people)
    await say(desk, call)
    assert await entries(desk) == [("team", desk.api.team, "+493020100001", "opt_out", f"call {call}", None)]
    assert [r["do_not_call"] for r in await desk.pool.fetch("select do_not_call from contacts order by phone")] == [True, False]
    noted = await desk.pool.fetch("select action, actor, detail->>'call' as call from audit where actor = 'call' order by id")
    assert [tuple(row) for row in noted] == [("suppression.added", "call", call), ("contact.do_not_call", "call", call)]


async def test_whoever_is_claimed_elsewhere_is_not_dialled(desk: Desk) -> None:
    """Another person of the same number, whom another campaign has claimed already when it is said."""
    [one] = await desk.people(1)
    call = await one_call(desk, [one])
    await desk.pool.execute("update call_attempts set ended_at = now(), state = 'ended', outcome = 'busy', fault = 'callee'")
    await desk.pool.execute("update campaign_contacts set status = 'failed', completed_at = now()")
    same = await desk.people(1)
    other = (await desk.campaign(same, status="running"))["id"]
    assert len(await desk.api.context.release(other)) == 1
    await say(desk, call)
    assert await desk.place(other) == []


async def test_the_sweep_takes_them_out_of_every_campaign_and_ends_those_without_anybody_else(desk: Desk) -> None:
    people = await desk.people(2)
    call = await one_call(desk, people[:1])
    alone, both = [(await desk.campaign(some, status="running"))["id"] for some in (people[:1], people)]
    await say(desk, call, phase=Phase.CLASSIFIED)
    assert (await desk.members(alone))[0]["waiting_for"]["reason"] == "do_not_call"
    assert await sweep(desk) == 1
    assert [(row["status"], row["outcome"]) for row in await desk.members(alone)] == [("skipped", "do_not_call")]
    assert [row["status"] for row in await desk.members(both)] == ["skipped", "pending"]
    assert [(await desk.look(id))["status"] for id in (alone, both)] == ["completed", "running"]
    assert await sweep(desk) == 0, "it is looked at once"


async def test_one_that_was_said_a_moment_ago_waits_for_what_was_decided_before(desk: Desk) -> None:
    await say(desk, await one_call(desk, await desk.people(1)))
    context = desk.api.context
    assert await OptOuts(context.database, context.ringer, desk.clock).withdraw() == 0
    assert await sweep(desk) == 1


async def test_the_second_number_is_not_called_either(desk: Desk) -> None:
    people = await desk.people(1, phone_secondary="+493020999999", second_place_set_id="1")
    call = await one_call(desk, people, useSecondaryPhone=True)
    await say(desk, call)
    other = (await desk.campaign(people, status="running", settings={"useSecondaryPhone": True}))["id"]
    assert [(row["status"], row["outcome"]) for row in await desk.members(other)] == [("skipped", "do_not_call")]


async def test_an_entry_that_would_have_expired_holds_for_ever(desk: Desk) -> None:
    call = await one_call(desk, await desk.people(1))
    body = {"teamId": desk.api.team, "scope": "team", "phoneNumber": "+493020100001", "expiresAt": "2026-01-06T00:00:00Z"}
    await desk.api.post("/api/crm/suppressions", body)
    await say(desk, call)
    assert [row[-1] for row in await entries(desk)] == [None]


async def test_whoever_is_allowed_calls_again_is_not_overruled_by_the_carriers_repetition(desk: Desk) -> None:
    people = await desk.people(1)
    call = await one_call(desk, people)
    await say(desk, call)
    await sweep(desk)
    [entry] = await desk.pool.fetch("select id from suppressions")
    assert (await desk.api.delete(f"/api/crm/suppressions/{entry['id']}")).status in (200, 204)
    assert (await desk.api.patch(f"/api/crm/contacts/{people[0]}", {"doNotCall": False})).status == 200
    await say(desk, call)
    await say(desk, call, key="told in other words")
    assert await entries(desk) == []


@pytest.mark.parametrize("data", [{"do_not_call": False}, {"do_not_call": "no"}, {"do_not_call": None}, {}])
async def test_nothing_else_is_a_no(desk: Desk, data: Mapping[str, Any]) -> None:
    await say(desk, await one_call(desk, await desk.people(1)), data)
    assert await entries(desk) == []


async def test_another_team_is_not_concerned(desk: Desk) -> None:
    people = await desk.people(1)
    call = await one_call(desk, people)
    await desk.pool.execute("with t as (insert into teams (name) values ('other') returning id) "
        "insert into contacts (team_id, first_name, last_name, phone, place_set_id, place_source) "
        "select t.id, 'A', 'B', '+493020100001', c.place_set_id, 'contact' from t, contacts c")  # fmt: skip
    await say(desk, call)
    assert await desk.pool.fetchval("select count(*) from contacts where do_not_call") == 1


async def test_by_the_carriers_books_nobody_is_called_after_it(database_url: str, redis_url: str) -> None:
    """The same people in two campaigns at once; half of those who answer say no."""
    async with engine(database_url, redis_url, quick(answer=0.7, opt_out=0.5)) as e:
        await crossed(e.pool, numbers=30, people=1, campaigns=2, concurrency=15, caps=[], max_attempts=3)
        await e.until("select count(*) = 2 from campaigns where status = 'completed'")
        calls: defaultdict[str, list[Entry]] = defaultdict(list)
        for entry in sorted(e.carrier.journal.entries.values(), key=lambda entry: entry.accepted):
            calls[entry.to].append(entry)
        said = {to: entry.resulted for to, of in calls.items() for entry in of if entry.opted_out}
        assert len(said) > 5
        assert not [c for to, at in said.items() if at for c in calls[to] if c.accepted > at + DELIVERY + FENCE_SECONDS]
        assert {r["phone_number"] for r in await e.pool.fetch("select phone_number from suppressions")} == set(said)
        skipped = await e.pool.fetchval("select count(*) from campaign_contacts where status = 'skipped'")
        assert skipped == await e.pool.fetchval(
            """select count(*) from campaign_contacts t join contacts p on p.id = t.contact_id
               where p.do_not_call and t.outcome = 'do_not_call'"""
        )
        assert skipped > 0
        await nothing_left(e.pool)
        await laws_hold(e.pool)
        await carrier_agrees(e.pool, e.carrier)


async def test_who_says_no_and_is_not_reached_by_the_next_try_is_not_tried_again(desk: Desk) -> None:
    """Told in the middle of a call whose end would bring a retry."""
    call = await one_call(desk, await desk.people(1))
    await say(desk, call, phase=Phase.ANSWERED)
    stand = (await attempts.standing(desk.pool, [call], desk.clock.now()))[call].standing
    assert stand.do_not_call
    assert stand.next(desk.clock.now()) is None
