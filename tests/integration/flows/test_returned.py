"""An ending that was decided before a "no" and is written after it: nobody waits for a retry when the no is answered."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from io import BytesIO
from typing import Any

import pytest

from adapters.events import CallEvent, Outcome, Phase
from dialer.api.context import ApiContext
from dialer.domain.attempt import fold
from dialer.domain.campaign import rules_of
from dialer.domain.conclude import conclude
from dialer.flows.contacts import change
from dialer.flows.importing.options import ImportOptions
from dialer.flows.importing.run import import_contacts
from dialer.flows.suppression_lists import ListOptions, import_suppressions
from dialer.flows.suppressions import suppress
from dialer.store import attempts, claims
from dialer.store.database import Database
from dialer.store.suppression_lists import Where
from dialer.store.suppressions import Entry
from tests.support.desk import Desk, open_desk
from tests.support.laws import laws_hold

NUMBER = "+493020100001"


@pytest.fixture
async def desk(database: Database, redis_url: str) -> AsyncIterator[Desk]:
    async with open_desk(database, redis_url) as opened:
        yield opened
    await laws_hold(database.pool)


def _list(scope: Any) -> Callable[[ApiContext, str, str], Awaitable[Any]]:
    return lambda means, team, contact: suppress(means, "test", Entry(scope, None if scope == "global" else team, None, NUMBER))


def _people(mode: Any) -> Callable[[ApiContext, str, str], Awaitable[Any]]:
    file = f"firstName,lastName,phone,doNotCall\nGiven,Name,{NUMBER},true\n".encode()
    return lambda means, team, contact: import_contacts(
        means, team, "test", BytesIO(file), ImportOptions(duplicate_mode=mode), name="people.csv"
    )


NO: dict[str, Callable[[ApiContext, str, str], Awaitable[Any]]] = {
    "flag": lambda means, team, contact: change(means, team, "test", contact, {"do_not_call": True}),
    "list": _list("team"),
    "list for all": _list("global"),
    "file": lambda means, team, contact: import_suppressions(
        means, "test", Where("team", team, None), BytesIO(f"phone_number\n{NUMBER}\n".encode()), ListOptions()
    ),
    "people": _people("update"),
}


@pytest.mark.parametrize("no", NO)
async def test_a_retry_that_was_decided_before_a_no_does_not_wait_when_the_no_is_answered(desk: Desk, no: str) -> None:
    [contact, other] = await desk.people(2)
    campaign = (await desk.campaign([contact, other], maxAttemptsPerContact=3))["id"]
    assert (await desk.run(campaign))["started"] == 2
    calls = await desk.place(campaign)
    at = desk.clock.now()
    rules = rules_of((await claims.rules(desk.pool, [campaign]))[0])
    stands = await attempts.standing(desk.pool, calls, at)
    turns = []
    for call in calls:
        told = [CallEvent(Phase.ENDED, at, call, "ref", f"{call}-1", outcome=Outcome.BUSY)]
        standing = stands[call].standing
        turn = conclude(standing, fold(standing.progress, told), rules, at)
        assert turn is not None
        turns.append(turn)

    async def written_meanwhile(_seconds: float) -> None:
        assert len(await attempts.turn(desk.pool, turns, [], at)) == 2
        assert [m["status"] for m in await desk.members(campaign)] == ["pending", "pending"]

    await NO[no](replace(desk.api.context, pause=written_meanwhile), desk.api.team, contact)
    seen = {m["contact"]["id"]: (m["status"], m["outcome"]) for m in await desk.members(campaign)}
    assert seen == {contact: ("skipped", "do_not_call"), other: ("pending", "busy")}
