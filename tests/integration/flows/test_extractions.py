"""What a call told of its contact is written to it: once, beside the calls, and never over what a person wrote."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from datetime import timedelta
from typing import Any

import pytest

from adapters.events import CallEvent, Outcome, Phase
from dialer.domain import extracted
from dialer.flows import extractions as flow
from dialer.flows.extractions import Extractions
from dialer.store import attempts, extractions
from dialer.store.database import Database
from tests.support.carrier import quick
from tests.support.desk import TRUNK, Desk, open_desk
from tests.support.endings import bring, end
from tests.support.engine import engine
from tests.support.laws import carrier_agrees, laws_hold, nothing_left
from tests.support.ledger import seed

CRM = "/api/crm"
TOLD: Mapping[str, Any] = {"email": "ada@example.com", "size": "41", "leadStatus": "qualified", "phone": "+493020999999"}


@pytest.fixture
async def desk(database: Database, redis_url: str) -> AsyncIterator[Desk]:
    async with open_desk(database, redis_url) as opened:
        for key, kind, may in (("size", "number", True), ("fan", "boolean", True), ("secret", "text", False)):
            body = {"teamId": opened.api.team, "key": key, "label": key, "type": kind, "extractable": may}
            assert (await opened.api.post(f"{CRM}/custom-fields", body)).status == 200
        yield opened
    await laws_hold(database.pool)


async def say(desk: Desk, call: str, told: Any, *, key: str = "r", seconds: float = 0, phase: Phase = Phase.RESULT) -> None:
    at = desk.clock.now() + timedelta(seconds=seconds)
    event = CallEvent(phase, at, call, "ref", f"{call}-{key}", data={"extracted": told})
    await attempts.turn(desk.pool, [], [(TRUNK, event)], desk.clock.now())


async def judge(desk: Desk) -> int:
    return await Extractions(desk.pool, desk.clock).judge()


async def one_call(desk: Desk, person: str) -> str:
    """A call to this person that is placed."""
    campaign = (await desk.campaign([person], status="running", maxConcurrentCalls=1))["id"]
    assert len(await desk.api.context.release(campaign)) == 1
    [call] = await desk.place(campaign)
    return call


async def contact(desk: Desk, person: str) -> dict[str, Any]:
    found: dict[str, Any] = (await desk.api.get(f"{CRM}/contacts/{person}")).json["contact"]
    return found


async def verdicts(desk: Desk, call: str) -> dict[str, str | None]:
    shown = (await desk.api.get(f"{CRM}/calls/{call}")).json["call"]["extracted_fields"]
    return {line["name"]: line["verdict"] for line in shown}


async def audited(desk: Desk) -> list[Any]:
    rows = await desk.pool.fetch("select actor, entity_id, detail from audit where action = 'contact.told' order by id")
    return [tuple(row) for row in rows]


async def patch(desk: Desk, person: str, fields: Mapping[str, Any]) -> None:
    answer = await desk.api.patch(f"{CRM}/contacts/{person}", fields)
    assert answer.status == 200, answer.text


async def test_the_named_fields_of_the_contact_change_and_nothing_else(desk: Desk) -> None:
    people = await desk.people(2, notes="seen", custom_fields='{"old": 1}', phone_secondary="+493020888888")
    call = await one_call(desk, people[0])
    tables = ("contacts", "campaign_contacts", "call_attempts", "suppressions", "scopes", "history", "lanes", "campaigns")
    everything = " union all ".join(f"select '{t}', to_jsonb(x) from {t} x" for t in tables)
    before = [tuple(row) for row in await desk.pool.fetch(f"select * from ({everything}) y order by 1, 2")]
    await say(desk, call, TOLD)
    assert await verdicts(desk, call) == dict.fromkeys(TOLD)
    desk.clock.advance(9)
    assert await judge(desk) == 1
    after = [tuple(row) for row in await desk.pool.fetch(f"select * from ({everything}) y order by 1, 2")]
    now = next(row for table, row in after if table == "contacts" and row["id"] == people[0])
    then = next(row for table, row in before if table == "contacts" and row["id"] == people[0])
    assert {name for name in now if now[name] != then[name]} == {"email", "lead_status", "custom_fields", "told", "updated_at"}
    assert (now["email"], now["lead_status"], now["custom_fields"]) == ("ada@example.com", "qualified", {"old": 1, "size": 41})
    others = [[each for each in rows if each[1].get("id") != people[0]] for rows in (before, after)]
    assert others[0] == others[1]
    shown = (await desk.api.get(f"{CRM}/calls/{call}")).json["call"]["extracted_fields"]
    assert {"name": "size", "field": "customFields.size", "verdict": "applied", "message": None} in shown
    assert {"name": "phone", "field": None, "verdict": "protected_field", "message": None} in shown
    assert await audited(desk) == [("call", people[0], {"call": call, "fields": ["customFields.size", "email", "leadStatus"]})]


async def test_told_again_or_in_parts_it_is_written_once(desk: Desk) -> None:
    [person] = await desk.people(1)
    call = await one_call(desk, person)
    await say(desk, call, {"size": 41})
    assert (await judge(desk), await judge(desk)) == (1, 0)
    await say(desk, call, {"size": 41})
    await say(desk, call, {"size": 41}, key="again", seconds=5)
    await say(desk, call, {"fan": True}, key="more", seconds=6)
    await say(desk, call, {"size": 40}, key="from before", seconds=-5)
    assert (await judge(desk), await judge(desk)) == (1, 0)
    assert (await contact(desk, person))["custom_fields"] == {"size": 41, "fan": True}
    assert [row[2]["fields"] for row in await audited(desk)] == [["customFields.size"], ["customFields.fan"]]
    assert await verdicts(desk, call) == {"size": "applied", "fan": "applied"}


async def test_parts_are_shown_together(desk: Desk) -> None:
    [person] = await desk.people(1)
    campaign = (await desk.campaign([person], status="running"))["id"]
    await desk.run(campaign)
    [call] = await desk.place(campaign)
    await end(desk, call, campaign, Outcome.ANSWERED)
    for part in ({"size": 41, "odd": 1}, {"fan": "yes", "odd": 2}):
        await bring(desk, call, campaign, {"extracted": part})
    assert (await desk.api.get(f"{CRM}/calls/{call}")).json["call"]["extracted"] == {"size": 41, "fan": "yes", "odd": 2}


@pytest.mark.parametrize("told", [{}, ["email"], "email", None, 5])
async def test_what_names_nothing_is_not_looked_at(desk: Desk, told: Any) -> None:
    call = await one_call(desk, (await desk.people(1))[0])
    await say(desk, call, told)
    await say(desk, call, {"size": 1}, key="early", phase=Phase.CLASSIFIED)
    assert await desk.pool.fetchval("select count(*) from extractions") == 0
    assert await verdicts(desk, call) == {}


@pytest.mark.parametrize(
    ("was", "wrote", "verdict", "left"),
    [
        ({}, {"email": "own@example.com"}, "kept", "own@example.com"),
        ({"email": "old@example.com"}, {"email": None}, "cleared", None),
        ({"email": "old@example.com"}, {"jobTitle": "Admiral"}, "kept", "old@example.com"),
        ({}, {"jobTitle": "Admiral"}, "applied", "ada@example.com"),
    ],
)
async def test_what_a_person_wrote_or_emptied_stays(desk: Desk, was: Any, wrote: Any, verdict: str, left: Any) -> None:
    [person] = await desk.people(1)
    await patch(desk, person, was)
    desk.clock.advance(60)
    call = await one_call(desk, person)
    await patch(desk, person, wrote)
    await say(desk, call, {"email": "ada@example.com"})
    await judge(desk)
    assert await verdicts(desk, call) == {"email": verdict}
    assert (await contact(desk, person))["email"] == left


async def test_a_custom_field_that_a_person_changed_or_took_away_stays_so(desk: Desk) -> None:
    [person] = await desk.people(1)
    call = await one_call(desk, person)
    await say(desk, call, {"size": 41, "fan": True})
    await judge(desk)
    await patch(desk, person, {"customFields": {"size": 40}})
    await say(desk, call, {"size": 42, "fan": False}, key="more", seconds=1)
    await judge(desk)
    assert (await contact(desk, person))["custom_fields"] == {"size": 40}
    assert await verdicts(desk, call) == {"size": "kept", "fan": "cleared"}


async def test_whoever_writes_without_a_word_is_a_person_too(desk: Desk) -> None:
    """An import, or a process of the version before."""
    [person] = await desk.people(1)
    call = await one_call(desk, person)
    await say(desk, call, {"email": "ada@example.com"})
    await judge(desk)
    await desk.pool.execute("update contacts set email = 'own@example.com'")
    await say(desk, call, {"email": "second@example.com"}, key="more", seconds=1)
    await judge(desk)
    assert (await contact(desk, person))["email"] == "own@example.com"


async def test_a_person_who_writes_at_the_same_time_comes_before_or_after(desk: Desk) -> None:
    [person] = await desk.people(1)
    call = await one_call(desk, person)
    await say(desk, call, {"email": "ada@example.com"})
    async with desk.pool.acquire() as other, other.transaction():
        await other.execute("select from contacts for update")
        assert await judge(desk) == 0, "it does not wait"
        await other.execute("update contacts set email = 'own@example.com', updated_at = $1", desk.clock.now())
    assert await judge(desk) == 1
    assert (await contact(desk, person))["email"] == "own@example.com"


async def test_what_a_carrier_tells_meanwhile_does_not_wait(desk: Desk) -> None:
    """Half a minute of lock waits would be half a minute in which nothing is written; a hot statement waits 200 ms at most."""
    [person] = await desk.people(1)
    call = await one_call(desk, person)
    await say(desk, call, {"size": 41})
    async with desk.pool.acquire() as judging, judging.transaction():
        assert await extractions.hold(judging, call)
        assert len(await extractions.tellings(judging, call)) == 1
        await say(desk, call, {"size": 42}, key="more", seconds=1)
    assert await judge(desk) == 1
    assert (await contact(desk, person))["custom_fields"] == {"size": 42}


async def test_two_schedulers_write_it_once(desk: Desk) -> None:
    people = await desk.people(4)
    calls = [await one_call(desk, person) for person in people]
    for call in calls:
        await say(desk, call, {"size": 41})
    done = await asyncio.gather(*(judge(desk) for _ in range(3)))
    assert sum(done) == 4
    assert len(await audited(desk)) == 4


async def test_nobody_comes_back_who_was_erased(desk: Desk) -> None:
    [person] = await desk.people(1)
    call = await one_call(desk, person)
    await say(desk, call, {"email": "ada@example.com"})
    await judge(desk)
    await desk.pool.execute("update campaign_contacts set status = 'calling'")
    await desk.pool.execute("update call_attempts set ended_at = now(), state = 'ended', outcome = 'busy', fault = 'callee'")
    await desk.pool.execute("update campaign_contacts set status = 'failed', completed_at = now()")
    await say(desk, call, {"email": "new@example.com", "size": 1}, key="more", seconds=1)
    assert (await desk.api.delete(f"{CRM}/contacts/{person}")).status == 200
    erased = await desk.pool.fetchrow("select * from contacts")
    assert await judge(desk) == 1
    assert await desk.pool.fetchrow("select * from contacts") == erased
    assert erased is not None and (erased["email"], erased["told"]) == (None, {})
    assert await verdicts(desk, call) == {"email": "erased", "size": "erased"}


async def test_another_teams_definitions_do_not_count(desk: Desk) -> None:
    await desk.pool.execute(
        """with t as (insert into teams (name) values ('other') returning id)
           insert into custom_fields (team_id, key, label, type, extractable) select id, 'theirs', 'x', 'text', true from t"""
    )
    call = await one_call(desk, (await desk.people(1))[0])
    await say(desk, call, {"theirs": "x", "secret": "x"})
    await judge(desk)
    assert await verdicts(desk, call) == {"theirs": "unknown_field", "secret": "not_extractable"}


async def test_what_cannot_be_judged_holds_up_nothing_behind_it(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    people = await desk.people(2)
    calls = [await one_call(desk, person) for person in people]
    for call in calls:
        await say(desk, call, {"size": 41})
    real = extracted.judge

    def broken(call: extracted.Call, *rest: Any) -> extracted.Judgement:
        if call.id == calls[0]:
            raise RuntimeError("broken")
        return real(call, *rest)

    monkeypatch.setattr(flow, "AT_ONCE", 1)
    monkeypatch.setattr(extracted, "judge", broken)
    assert await judge(desk) == 1
    assert [await verdicts(desk, call) for call in calls] == [{"size": None}, {"size": "applied"}]


async def test_what_the_people_of_a_campaign_tell_is_theirs(database_url: str, redis_url: str) -> None:
    script = quick(answer=0.6, extracted={"leadStatus": ("qualified", "unqualified"), "size": (40, 41), "odd": ("x",)})
    async with engine(database_url, redis_url, script) as e:
        where = await seed(e.pool, contacts=30, concurrency=8, max_attempts=1)
        field = "insert into custom_fields (team_id, key, label, type, extractable) values ($1, 'size', 's', 'number', true)"
        await e.pool.execute(field, where.team)
        await e.until("select status = 'completed' from campaigns where id = $1", where.campaign)
        told = {each.to: each for each in e.carrier.journal.entries.values() if each.answered_by == "human"}
        assert len(told) > 9
        await e.until("select count(*) = $1 from extractions where judged_at is not null", len(told))
        found = await e.pool.fetch("select phone, lead_status, custom_fields from contacts")
        assert {each.to: each.extracted for each in told.values()} == {
            row["phone"]: {"leadStatus": row["lead_status"], **row["custom_fields"], "odd": "x"}
            for row in found
            if row["custom_fields"]
        }
        assert all(row["lead_status"] == "new" for row in found if row["phone"] not in told)
        await nothing_left(e.pool)
        await laws_hold(e.pool)
        await carrier_agrees(e.pool, e.carrier)
