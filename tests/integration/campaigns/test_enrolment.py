"""POST, GET and DELETE of a campaign's contacts."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tests.support.api import Answer, Api
from tests.support.desk import AUCKLAND, BERLIN, MONDAY_NOON, Desk


async def enrol(desk: Desk, campaign: str, **body: Any) -> Answer:
    return await desk.api.post(f"/api/crm/campaigns/{campaign}/contacts", body)


async def suppress(desk: Desk, number: str, **fields: Any) -> Answer:
    answer = await desk.api.post("/api/crm/suppressions", {"teamId": desk.api.team, "phoneNumber": number, **fields})
    assert answer.status == 200, answer.text
    return answer


async def test_contacts_are_enrolled_in_the_order_they_were_named(desk: Desk) -> None:
    people = list(reversed(await desk.people(5)))
    campaign = (await desk.campaign())["id"]
    answer = await enrol(desk, campaign, contactIds=people, priority=7)
    assert answer.json == {"success": True, "added": 5, "skipped": 0, "invalid": [], "message": "5 added."}
    members = await desk.members(campaign)
    assert [m["contact"]["id"] for m in members] == people
    assert {(m["status"], m["priority"], m["attempts"]) for m in members} == {("pending", 7, 0)}
    dues = [m["next_attempt_at"] for m in members]
    assert dues == sorted(dues) and len(set(dues)) == 5


async def test_who_may_not_be_called_is_enrolled_as_skipped(desk: Desk) -> None:
    await suppress(desk, "+493021100001")
    [no] = await desk.people(1, do_not_call=True)
    [mute] = await desk.people(1, phone=None)
    [listed] = await desk.people(1, prefix="+493021")
    [fine] = await desk.people(1, prefix="+493022")
    campaign = (await desk.campaign())["id"]
    answer = await enrol(desk, campaign, contactIds=[no, mute, listed, fine, "cont_nobody"])
    assert (answer.json["added"], answer.json["skipped"]) == (1, 3)
    assert answer.json["invalid"] == [{"contact_id": "cont_nobody", "reason": "there is no such contact"}]
    seen = {m["contact"]["id"]: (m["status"], m["outcome"]) for m in await desk.members(campaign)}
    assert seen == {
        no: ("skipped", "do_not_call"),
        mute: ("skipped", "invalid_number"),
        listed: ("skipped", "do_not_call"),
        fine: ("pending", None),
    }


async def test_a_number_suppressed_for_a_while_is_put_off(desk: Desk) -> None:
    until = MONDAY_NOON + timedelta(days=2)
    await suppress(desk, "+493021100001", expiresAt=until.isoformat())
    campaign = (await desk.campaign(await desk.people(1, prefix="+493021"), status="running"))["id"]
    [member] = await desk.members(campaign)
    assert (member["status"], member["next_attempt_at"]) == ("pending", "2026-01-07T12:00:00Z")
    assert member["waiting_for"] == {"reason": "suppressed", "until": "2026-01-07T12:00:00Z"}


async def test_enrolling_twice_changes_nothing(desk: Desk) -> None:
    people = await desk.people(3)
    campaign = (await desk.campaign(people))["id"]
    before = await desk.members(campaign)
    answer = await enrol(desk, campaign, contactIds=[people[0], people[0], people[1]], priority=9)
    assert (answer.json["added"], answer.json["skipped"]) == (0, 2)
    assert await desk.members(campaign) == before


async def test_a_new_contact_is_created_and_enrolled_at_once_or_not_at_all(desk: Desk) -> None:
    campaign = (await desk.campaign())["id"]
    body = {"firstName": "Grace", "lastName": "Hopper", "phone": "+49 30 201234567"}
    assert (await enrol(desk, campaign, contact=body)).json["added"] == 1
    [member] = await desk.members(campaign)
    assert (member["contact"]["first_name"], member["contact"]["phone"]) == ("Grace", "+4930201234567")
    ended = (await desk.campaign(status="cancelled"))["id"]
    assert (await enrol(desk, ended, contact=body | {"lastName": "Murray"})).status == 409
    assert await desk.pool.fetchval("select count(*) from contacts where last_name = 'Murray'") == 0


async def test_an_audience_is_whoever_matches_and_is_not_enrolled_yet(desk: Desk) -> None:
    company = await desk.pool.fetchval("insert into companies (team_id, name) values ($1, 'Acme') returning id", desk.api.team)
    ours = sorted(await desk.people(4, company_id=company, lead_status="qualified", tags="{vip,eu}"))
    await desk.people(2, prefix="+493021", tags="{vip}")
    await desk.people(2, phone=None, tags="{vip,eu}")
    await desk.people(2, prefix="+493023", tags="{vip,eu}", do_not_call=True)
    campaign = (await desk.campaign())["id"]

    async def added(**filters: Any) -> tuple[int, int]:
        answer = await enrol(desk, campaign, audience={"mode": "all_eligible", **filters})
        assert answer.status == 200, answer.text
        return answer.json["added"], answer.json["skipped"]

    assert await added(search="%") == (0, 0)
    assert await added(tags=["vip", "eu"], maxToAdd=3) == (3, 0)
    assert [m["contact"]["id"] for m in await desk.members(campaign)] == ours[:3]
    name = await desk.pool.fetchval("select upper(last_name) from contacts where id = $1", ours[3])
    assert await added(companyId=company, leadStatus="qualified", search=f"ada {name}") == (1, 0)
    assert await added(companyId=company) == (0, 0)
    assert await added() == (2, 0)
    assert await added(hasPhoneOnly=False, excludeDnc=False) == (0, 4)


@pytest.mark.parametrize("status", ["draft", "running", "paused"])
async def test_allowed_while_the_campaign_may_still_call(desk: Desk, status: str) -> None:
    people = await desk.people(2)
    campaign = (await desk.campaign(people[:1], status=None if status == "draft" else "running"))["id"]
    if status == "paused":
        await desk.api.post(f"/api/crm/campaigns/{campaign}/pause", {})
    await desk.api.bell.wait(0.001)
    assert (await enrol(desk, campaign, contactIds=people[1:])).status == 200
    assert await desk.api.bell.wait(0.05) == ({f"campaign:{campaign}"} if status == "running" else frozenset())


async def test_refused_when_it_has_ended_and_without_exactly_one_mode(desk: Desk, stranger: Api) -> None:
    people = await desk.people(1)
    ended = (await desk.campaign(status="cancelled"))["id"]
    assert (await enrol(desk, ended, contactIds=people)).status == 409
    campaign = (await desk.campaign())["id"]
    audience = {"mode": "all_eligible"}
    bodies: list[dict[str, Any]] = [{}, {"contactIds": people, "audience": audience}, {"contactIds": []}]
    for body in [*bodies, {"contactIds": people, "priority": 100}]:
        assert (await enrol(desk, campaign, **body)).status == 400
    theirs = await stranger.post("/api/crm/companies", {"teamId": stranger.team, "name": "Theirs"})
    company = theirs.json["company"]["id"]
    assert (await enrol(desk, campaign, audience=audience | {"companyId": company})).status == 404
    assert (await desk.look(campaign))["total_contacts"] == 0


async def test_the_list_is_filtered_counted_and_says_what_everybody_waits_for(desk: Desk) -> None:
    here, there = await desk.people(2, BERLIN), await desk.people(2, AUCKLAND, prefix="+6421")
    [no] = await desk.people(1, do_not_call=True, prefix="+493023")
    campaign = (await desk.campaign([*here, *there, no]))["id"]
    assert {m["waiting_for"]["reason"] for m in await desk.members(campaign, status="pending")} == {"not_started"}
    await desk.api.patch(f"/api/crm/campaigns/{campaign}", {"status": "running"})
    url = f"/api/crm/campaigns/{campaign}/contacts"
    everybody = (await desk.api.get(url)).json
    assert everybody["count"] == 5
    assert everybody["status_counts"] == {"pending": 4, "queued": 0, "calling": 0, "completed": 0, "failed": 0, "skipped": 1}
    assert [m["waiting_for"] for m in everybody["contacts"]] == [
        None,
        None,
        {"reason": "window", "until": "2026-01-05T20:00:00Z", "rule": "campaign"},
        {"reason": "window", "until": "2026-01-05T20:00:00Z", "rule": "campaign"},
        {"reason": "do_not_call", "until": None},
    ]
    skipped = (await desk.api.get(url, outcome="do_not_call")).json
    assert (skipped["count"], [m["contact"]["id"] for m in skipped["contacts"]]) == (1, [no])
    page = (await desk.api.get(url, status="pending", limit=2, offset=1)).json
    assert ([m["contact"]["id"] for m in page["contacts"]], page["count"]) == ([here[1], there[0]], 4)
    assert (await desk.api.get(url, status="asleep")).status == 400


async def test_removal_takes_those_who_wait_and_leaves_who_is_being_called(desk: Desk) -> None:
    people = await desk.people(4)
    [no] = await desk.people(1, do_not_call=True, prefix="+493023")
    campaign = (await desk.campaign([*people, no], maxConcurrentCalls=2))["id"]
    await desk.run(campaign, maxCalls=1)
    [called] = await desk.place(campaign)
    await desk.run(campaign)
    states = {m["contact"]["id"]: m["status"] for m in await desk.members(campaign)}
    assert [states[id] for id in people] == ["calling", "queued", "pending", "pending"]
    answer = await desk.api.delete(f"/api/crm/campaigns/{campaign}/contacts", {"contactIds": [*people[:3], no, "cont_nobody"]})
    assert answer.json["removed"] == 3
    assert "2 stayed" in answer.json["message"]
    left = {m["contact"]["id"]: m["status"] for m in await desk.members(campaign)}
    # One that a call was ever released for keeps its row, and its books.
    assert left == {people[0]: "calling", people[1]: "skipped", people[3]: "pending"}
    assert await desk.pool.fetchval("select state from call_attempts where id <> $1", called) == "recalled"
