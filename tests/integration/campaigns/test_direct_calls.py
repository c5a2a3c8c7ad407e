"""POST /calls: one call now, by the rules that hold for every call; and nothing is kept of one that may not be made."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from adapters.events import Outcome
from dialer.flows.release import LedgerBook, RulesReader
from dialer.store import claims, direct
from scheduler.planner import plan
from tests.support.api import Answer, Api, fresh_team
from tests.support.desk import AUCKLAND, TRUNK, Desk, new_assistant, new_number
from tests.support.laws import laws_hold
from tests.support.story import end_all

CALLS = "/api/crm/calls"
BERLINER, KIWI = "+4930901820", "+6421100001"
TABLES = ("campaigns", "campaign_contacts", "call_attempts", "scopes", "history", "lanes", "campaign_tallies", "contacts")


async def ask(desk: Desk, number: str = BERLINER, **body: Any) -> Answer:
    return await desk.api.post(CALLS, {"assistantId": desk.assistant, "toNumber": number} | body)


async def called(desk: Desk, number: str = BERLINER, **body: Any) -> dict[str, Any]:
    answer = await ask(desk, number, **body)
    assert answer.status == 200, answer.text
    call: dict[str, Any] = answer.json["call"]
    return call


async def everything(desk: Desk) -> list[Any]:
    return [await desk.pool.fetch(f"select * from {table} order by 1, 2") for table in TABLES]


async def refused(desk: Desk, reason: str, until: str | None, number: str = BERLINER, **body: Any) -> str:
    """The sentence of a refusal that left nothing behind."""
    before = await everything(desk)
    answer = await ask(desk, number, **body)
    assert (answer.status, answer.json["waiting_for"]["reason"], answer.json["waiting_for"]["until"]) == (409, reason, until)
    assert await everything(desk) == before
    return str(answer.json["error"])


async def campaign_of(desk: Desk, call: str) -> str:
    found: str = await desk.pool.fetchval("select campaign_id from call_attempts where id = $1", call)
    return found


async def look(desk: Desk) -> None:
    """The scheduler looks at everything once, and the sweep passes."""
    book = LedgerBook(desk.pool, desk.api.context.ringer, desk.clock, [TRUNK], RulesReader(desk.pool))
    await book.release(plan(await book.snapshot(None)))
    running = [r["id"] for r in await desk.pool.fetch("select id from campaigns where status = 'running'")]
    await claims.rest(desk.pool, running, desk.clock.now())
    await direct.give_up(desk.pool, desk.clock.now())


async def test_a_call_is_queued_at_once_and_its_job_is_enqueued(desk: Desk) -> None:
    call = await called(desk, metadata={"order": 7})
    assert {name: call[name] for name in ("kind", "status", "to_number", "from_number", "attempt_no", "metadata")} == {
        "kind": "direct",
        "status": "queued",
        "to_number": BERLINER,
        "from_number": "+493012345",
        "attempt_no": 1,
        "metadata": {"order": 7},
    }
    assert (call["campaign_id"], call["campaign_contact_id"]) == (None, None)
    assert [turn["actor"].split("_")[0] for turn in call["history"]] == ["key:key"]
    assert await desk.api.context.ringer._jobs._redis.zcard("dialer:test") == 1
    assert (await desk.api.get(f"{CALLS}/{call['id']}")).json["call"] == call


async def test_a_stranger_becomes_a_contact_and_is_found_again(desk: Desk) -> None:
    call = await called(desk)
    contact = (await desk.api.get(f"/api/crm/contacts/{call['contact_id']}")).json["contact"]
    assert (contact["phone"], contact["source"], contact["campaign_history"]) == (BERLINER, "call", [])
    await end_all(desk, Outcome.ANSWERED)
    again = await called(desk)
    assert again["contact_id"] == call["contact_id"]


async def test_a_known_contact_is_called_also_at_its_second_number(desk: Desk) -> None:
    [known] = await desk.people(1, phone_secondary=BERLINER)
    call = await called(desk, contactId=known)
    assert (call["contact_id"], call["to_number"]) == (known, BERLINER)
    await end_all(desk, Outcome.BUSY)
    assert (await called(desk))["contact_id"] == known
    answer = await ask(desk, "+4930901821", contactId=known)
    assert (answer.status, list(answer.faults)) == (400, ["toNumber"])


async def test_it_completes_when_the_call_ends_and_is_never_called_twice(desk: Desk) -> None:
    call = await called(desk)
    campaign = await campaign_of(desk, call["id"])
    await end_all(desk, Outcome.NO_ANSWER)
    await look(desk)
    assert await desk.pool.fetchval("select status from campaigns where id = $1", campaign) == "completed"
    shown = (await desk.api.get(f"{CALLS}/{call['id']}")).json["call"]
    assert (shown["status"], shown["outcome"]) == ("ended", "no_answer")
    desk.clock.advance(7200)
    await look(desk)
    assert await desk.pool.fetchval("select count(*) from call_attempts") == 1


async def test_lists_and_doors_of_campaigns_know_nothing_of_it(desk: Desk) -> None:
    call = await called(desk)
    campaign = await campaign_of(desk, call["id"])
    listed = (await desk.api.get("/api/crm/campaigns", teamId=desk.api.team, deleted="include")).json
    assert (listed["campaigns"], listed["count"]) == ([], 0)
    for method, path in (("GET", ""), ("GET", "/dashboard"), ("GET", "/contacts"), ("POST", "/pause"), ("POST", "/run")):
        assert (await desk.api.send(method, f"/api/crm/campaigns/{campaign}{path}")).status == 404
    calls = (await desk.api.get(CALLS, teamId=desk.api.team, contactId=call["contact_id"])).json
    assert [(c["id"], c["kind"]) for c in calls["calls"]] == [(call["id"], "direct")]


async def test_what_a_call_uses_cannot_be_deleted_while_it_lasts(desk: Desk) -> None:
    call = await called(desk)
    assert (await desk.api.delete(f"/api/crm/contacts/{call['contact_id']}")).status == 409
    assert (await desk.api.delete(f"/api/crm/assistants/{desk.assistant}")).status == 409
    assert (await desk.api.delete(f"/api/crm/phone-numbers/{desk.number}")).status == 409
    await end_all(desk, Outcome.ANSWERED)
    await look(desk)
    assert (await desk.api.delete(f"/api/crm/contacts/{call['contact_id']}")).status == 200
    assert (await desk.api.get(f"{CALLS}/{call['id']}")).status == 200


async def test_the_window_is_the_callees_own(desk: Desk) -> None:
    """Noon UTC on a Monday: one in the morning in Auckland."""
    said = await refused(desk, "window", "2026-01-05T19:00:00Z", KIWI)
    assert said == "The number cannot be called now: outside the call window until 2026-01-05T19:00:00Z."
    desk.clock.advance(7 * 3600)
    await called(desk, KIWI)


async def test_the_contacts_own_zone_comes_before_its_numbers(desk: Desk) -> None:
    [traveller] = await desk.people(1, AUCKLAND, phone=BERLINER)
    await refused(desk, "window", "2026-01-05T19:00:00Z", contactId=traveller)
    await refused(desk, "window", "2026-01-05T19:00:00Z")


async def test_who_said_no_is_not_called(desk: Desk) -> None:
    [no] = await desk.people(1, phone=BERLINER, do_not_call=True)
    [other] = await desk.people(1, phone=BERLINER)
    await refused(desk, "do_not_call", None, contactId=no)
    await refused(desk, "do_not_call", None)
    await called(desk, contactId=other)


async def test_who_said_no_with_the_second_number_is_not_called(desk: Desk) -> None:
    await desk.people(1, phone_secondary=BERLINER, do_not_call=True)
    await refused(desk, "do_not_call", None)


@pytest.mark.parametrize(("expires", "until"), [(None, None), ("2026-01-05T13:00:00Z", "2026-01-05T13:00:00Z")])
async def test_a_suppressed_number_is_not_called(desk: Desk, expires: str | None, until: str | None) -> None:
    body = {"teamId": desk.api.team, "scope": "team", "phoneNumber": BERLINER, "expiresAt": expires}
    assert (await desk.api.post("/api/crm/suppressions", body)).status == 200
    await refused(desk, "suppressed", until)


async def test_no_free_slot(desk: Desk) -> None:
    await desk.pool.execute("update teams set max_concurrent_calls = 1")
    await called(desk)
    answer = await ask(desk, "+4930901821")
    assert (answer.status, answer.json["waiting_for"]["reason"]) == (409, "no_free_slot")
    assert await desk.pool.fetchval("select count(*) from campaigns") == 1


async def test_a_number_in_another_call_is_busy(desk: Desk) -> None:
    campaign = (await desk.campaign(await desk.people(1, phone=BERLINER)))["id"]
    await desk.run(campaign)
    answer = await ask(desk)
    assert (answer.status, answer.json["waiting_for"]) == (409, {"reason": "number_busy", "until": None})


async def test_a_campaign_waits_for_a_number_in_a_direct_call(desk: Desk) -> None:
    [known] = await desk.people(1, phone=BERLINER)
    await called(desk, contactId=known)
    campaign = (await desk.campaign([known], status="running"))["id"]
    assert (await desk.look(campaign))["waiting_for"]["reason"] == "number_busy"


async def test_caller_ids(desk: Desk) -> None:
    second = await new_number(desk.pool, desk.api.team, desk.assistant, "+493012346")
    assert (await called(desk, fromNumber="+493012346"))["from_number"] == "+493012346"
    other = await new_assistant(desk.pool, desk.api.team)
    await new_number(desk.pool, desk.api.team, other, "+493012347")
    await new_number(desk.pool, desk.api.team, desk.assistant, "+493012348", status="inactive")
    to = "+4930901821"
    assert [(await ask(desk, to, fromNumber=n)).status for n in ("+493012347", "+493012348", "+493012349")] == [409, 409, 404]
    assert (await ask(desk, to, fromNumber="12")).status == 400
    lonely = await new_assistant(desk.pool, desk.api.team)
    assert (await ask(desk, to, assistantId=lonely)).status == 409
    await desk.pool.execute("update phone_numbers set daily_limit = 1")
    await desk.pool.execute("update scopes set day = '2026-01-05', day_used = 1 where key = $1", f"number:{second}")
    await refused(desk, "caller_ids_exhausted", "2026-01-06T00:00:00Z", to, fromNumber="+493012346")


async def test_an_assistant_that_may_not_call_out(desk: Desk) -> None:
    await desk.pool.execute("update assistants set outbound_enabled = false")
    await refused(desk, "trunk_config", None)


async def test_a_carrier_that_does_not_take_calls(desk: Desk) -> None:
    opened = """insert into breakers (key, state, cause, opened_at, probe_at)
                values ('trunk:sim', 'open', 'config', now(), '2100-01-01Z')"""
    await desk.pool.execute(opened)
    await refused(desk, "trunk_config", None)
    await desk.pool.execute("update breakers set cause = 'trunk'")
    await refused(desk, "trunk_breaker", "2100-01-01T00:00:00Z")
    await desk.pool.execute("update breakers set probe_at = now()")
    await called(desk)


@pytest.mark.parametrize("number", ["911", "112", "+19005550123", "+1415", "hello", "", "+490000"])
async def test_numbers_that_are_never_dialled(desk: Desk, number: str) -> None:
    before = await everything(desk)
    answer = await ask(desk, number)
    assert (answer.status, list(answer.faults)) == (400, ["toNumber"])
    assert await everything(desk) == before


async def test_foreign_names_do_not_exist(desk: Desk, stranger: Api) -> None:
    [known] = await desk.people(1)
    foreign = await new_assistant(desk.pool, stranger.team)
    theirs = await new_number(desk.pool, stranger.team, foreign, "+493012399")
    assert theirs
    assert (await ask(desk, assistantId=foreign)).status == 404
    assert (await ask(desk, fromNumber="+493012399")).status == 404
    body = {"assistantId": foreign, "toNumber": "+493020100001", "contactId": known}
    assert (await stranger.post(CALLS, body)).status == 404
    assert (await ask(desk, teamId=stranger.team)).status == 403
    assert (await ask(desk, teamId=desk.api.team)).status == 200


async def test_a_key_needs_the_scope(desk: Desk) -> None:
    _, key = await fresh_team(desk.api.context.database, "Readers", ("calls:read", "campaigns:run"))
    body = {"assistantId": desk.assistant, "toNumber": BERLINER}
    assert (await desk.api.using(key).post(CALLS, body)).status == 403


@pytest.mark.parametrize("stop", ["do_not_call", "suppressed", "stale"])
async def test_what_was_taken_back_is_not_called_later(desk: Desk, stop: str) -> None:
    """A direct call is made now or not: its window may open again, a suppression may end, and still nobody rings."""
    call = await called(desk)
    campaign = await campaign_of(desk, call["id"])
    if stop == "do_not_call":
        await desk.api.patch(f"/api/crm/contacts/{call['contact_id']}", {"doNotCall": True})
    elif stop == "suppressed":
        expires = (desk.clock.now() + timedelta(hours=1)).isoformat()
        body = {"teamId": desk.api.team, "scope": "team", "phoneNumber": BERLINER, "expiresAt": expires}
        assert (await desk.api.post("/api/crm/suppressions", body)).status == 200
    else:
        await desk.recall(call["id"], "stale")
    assert (await desk.api.get(f"{CALLS}/{call['id']}")).json["call"]["status"] == "recalled"
    assert await desk.place(campaign) == []
    for _ in range(3):
        desk.clock.advance(3600)
        await look(desk)
    assert await desk.pool.fetchval("select count(*) from call_attempts") == 1
    assert await desk.pool.fetchval("select status from campaigns where id = $1", campaign) in ("cancelled", "completed")
    assert await desk.pool.fetchval("select coalesce(sum(pending), 0) from lanes") == 0
    await laws_hold(desk.pool)
    assert (await desk.api.delete(f"/api/crm/contacts/{call['contact_id']}")).status == 200


async def test_one_that_failed_by_the_trunks_fault_is_over_too(desk: Desk) -> None:
    call = await called(desk)
    await end_all(desk, Outcome.UNREACHABLE)
    await look(desk)
    assert await desk.pool.fetchval("select status from campaigns") == "cancelled"
    assert (await desk.api.get(f"{CALLS}/{call['id']}")).json["call"]["outcome"] == "error"


async def test_the_placing_is_fenced_like_any_other(desk: Desk) -> None:
    call = await called(desk)
    campaign = await campaign_of(desk, call["id"])
    await desk.pool.execute("insert into suppressions (scope, phone_number) values ('global', $1)", BERLINER)
    assert await desk.place(campaign) == []
