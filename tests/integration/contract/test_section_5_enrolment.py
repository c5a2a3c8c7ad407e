"""Section 5 of the contract: POST, GET and DELETE …/{id}/contacts."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.api import Answer, Api
from tests.support.contract import CAMPAIGNS, MEMBER, PERSON, company, given, refused
from tests.support.desk import AUCKLAND, Desk

EVERYBODY = {"mode": "all_eligible"}


def url(campaign: str) -> str:
    return f"{CAMPAIGNS}/{campaign}/contacts"


async def enrol(desk: Desk, campaign: str, **body: Any) -> Answer:
    return await desk.api.post(url(campaign), body)


def sums(answer: Answer) -> tuple[int, int, list[Any]]:
    """Added, skipped and invalid of an answer that is exact."""
    assert answer.status == 200, answer.text
    assert answer.json.keys() == {"success", "added", "skipped", "invalid", "message"}
    assert answer.json["success"] is True and answer.json["message"]
    return answer.json["added"], answer.json["skipped"], answer.json["invalid"]


# POST: contactIds


async def test_contact_ids_enrol_with_priority_0_by_default(desk: Desk) -> None:
    people = await desk.people(2)
    campaign = (await desk.campaign())["id"]
    assert sums(await enrol(desk, campaign, contactIds=people)) == (2, 0, [])
    assert [(m["contact"]["id"], m["priority"], m["status"]) for m in await desk.members(campaign)] == [
        (person, 0, "pending") for person in people
    ]


@pytest.mark.parametrize("priority", [0, 99])
async def test_the_priority_is_0_to_99(desk: Desk, priority: int) -> None:
    campaign = (await desk.campaign())["id"]
    assert sums(await enrol(desk, campaign, contactIds=await desk.people(1), priority=priority))[0] == 1
    assert [m["priority"] for m in await desk.members(campaign)] == [priority]
    for wrong in (-1, 100, "1", 1.5, None):
        refused(await enrol(desk, campaign, contactIds=["cont_x"], priority=wrong), 400, "priority")


async def test_who_is_no_contact_of_the_team_is_invalid_with_a_reason(desk: Desk, stranger: Api) -> None:
    [person] = await desk.people(1)
    theirs = given(
        await stranger.post("/api/crm/contacts", {"teamId": stranger.team, "firstName": "A", "lastName": "B"}), "contact"
    )
    campaign = (await desk.campaign())["id"]
    unknown = ["cont_nobody", campaign, theirs["id"]]
    added, skipped, invalid = sums(await enrol(desk, campaign, contactIds=[*unknown, person]))
    assert (added, skipped) == (1, 0)
    assert [each["contact_id"] for each in invalid] == unknown
    assert all(each.keys() == {"contact_id", "reason"} and each["reason"] for each in invalid)


async def test_do_not_call_and_no_phone_enrol_as_skipped(desk: Desk) -> None:
    [no], [mute], [fine] = (
        await desk.people(1, do_not_call=True),
        await desk.people(1, phone=None),
        await desk.people(1, prefix="+493021"),
    )
    campaign = (await desk.campaign())["id"]
    assert sums(await enrol(desk, campaign, contactIds=[no, mute, fine])) == (1, 2, [])
    seen = {m["contact"]["id"]: (m["status"], m["outcome"]) for m in await desk.members(campaign)}
    assert seen == {no: ("skipped", "do_not_call"), mute: ("skipped", "invalid_number"), fine: ("pending", None)}


async def test_enrolling_again_changes_nothing(desk: Desk) -> None:
    people = await desk.people(2)
    campaign = (await desk.campaign(people))["id"]
    before = await desk.members(campaign)
    assert sums(await enrol(desk, campaign, contactIds=[*people, people[0]], priority=9)) == (0, 2, [])
    assert sums(await enrol(desk, campaign, audience=EVERYBODY)) == (0, 0, [])
    assert await desk.members(campaign) == before


@pytest.mark.parametrize("ids", [[], [""], [7], "cont_x", ["x" * 101], ["a\x00"], ["\ud800"]])
async def test_contact_ids_are_a_list_of_ids(desk: Desk, ids: Any) -> None:
    answer = await enrol(desk, (await desk.campaign())["id"], contactIds=ids)
    assert answer.status == 400
    assert all(field.startswith("contactIds") for field in answer.faults)


async def test_at_most_100_000_contacts_a_request(desk: Desk) -> None:
    campaign = (await desk.campaign())["id"]
    refused(await enrol(desk, campaign, contactIds=["cont_x"] * 100_001), 400, "contactIds")
    added, skipped, invalid = sums(await enrol(desk, campaign, contactIds=["cont_x"] * 100_000))
    assert (added, skipped, len(invalid)) == (0, 0, 1)


# POST: contact


async def test_contact_creates_and_enrols(desk: Desk) -> None:
    campaign = (await desk.campaign())["id"]
    body = {"firstName": "Grace", "lastName": "Hopper", "phone": "+49 30 201234567", "timezone": "Europe/Berlin"}
    assert sums(await enrol(desk, campaign, contact=body, priority=3)) == (1, 0, [])
    assert sums(await enrol(desk, campaign, contact={**body, "teamId": desk.api.team, "phone": None})) == (0, 1, [])
    first, second = await desk.members(campaign)
    assert (first["contact"]["phone"], first["priority"], second["status"]) == ("+4930201234567", 3, "skipped")


async def test_a_contact_that_is_wrong_is_not_created(desk: Desk, stranger: Api) -> None:
    campaign = (await desk.campaign())["id"]
    refused(await enrol(desk, campaign, contact={"firstName": "A"}), 400, "contact.lastName")
    body = {"firstName": "A", "lastName": "B"}
    refused(await enrol(desk, campaign, contact={**body, "phone": "12"}), 400, "phone")
    refused(await enrol(desk, campaign, contact={**body, "nick": "x"}), 400, "contact.nick")
    refused(await enrol(desk, campaign, contact={**body, "teamId": stranger.team}), 403)
    refused(await enrol(desk, campaign, contact={**body, "companyId": (await company(stranger))["id"]}), 404)
    assert await desk.pool.fetchval("select count(*) from contacts") == 0


# POST: audience


async def test_an_audience_is_narrowed_by_every_filter(desk: Desk) -> None:
    acme = (await company(desk.api))["id"]
    await desk.people(1, company_id=acme)
    await desk.people(2, prefix="+493021", email="bob%@b.example")
    await desk.people(3, prefix="+493022", lead_status="qualified")
    await desk.people(4, prefix="+493023", tags="{vip,eu}")
    await desk.people(5, prefix="+493024", tags="{vip}")
    cases: list[tuple[dict[str, Any], int]] = [
        ({"companyId": acme}, 1), ({"search": "bOB%@"}, 2), ({"search": "ob%"}, 2), ({"search": "30221"}, 3),
        ({"leadStatus": "qualified"}, 3),
        ({"tags": ["vip", "eu"]}, 4), ({"tags": ["vip"]}, 9), ({"tags": []}, 15), ({"tags": ["vip"], "search": "3024"}, 5),
        ({}, 15),
    ]  # fmt: skip
    for filters, count in cases:
        campaign = (await desk.campaign())["id"]
        assert (filters, sums(await enrol(desk, campaign, audience={**EVERYBODY, **filters}))) == (filters, (count, 0, []))


async def test_an_audience_leaves_out_who_has_no_phone_or_said_no_unless_asked_for(desk: Desk) -> None:
    await desk.people(1)
    await desk.people(2, phone=None)
    await desk.people(4, prefix="+493021", do_not_call=True)
    cases: list[tuple[dict[str, bool], int]] = [
        ({}, 0), ({"hasPhoneOnly": False}, 2), ({"excludeDnc": False}, 4), ({"hasPhoneOnly": False, "excludeDnc": False}, 6),
    ]  # fmt: skip
    for filters, skipped in cases:
        campaign = (await desk.campaign())["id"]
        assert sums(await enrol(desk, campaign, audience={**EVERYBODY, **filters})) == (1, skipped, [])


async def test_an_audience_is_cut_at_max_to_add_and_goes_on_where_it_ended(desk: Desk) -> None:
    people = sorted(await desk.people(5))
    campaign = (await desk.campaign())["id"]
    for added in (2, 2, 1, 0):
        desk.clock.advance(1)
        assert sums(await enrol(desk, campaign, audience={**EVERYBODY, "maxToAdd": 2})) == (added, 0, [])
    assert [m["contact"]["id"] for m in await desk.members(campaign)] == people


async def test_max_to_add_is_50_000_by_default_and_at_most_100_000(desk: Desk) -> None:
    campaign = (await desk.campaign())["id"]
    for wrong in (0, -1, 100_001, "5", None):
        refused(await enrol(desk, campaign, audience={**EVERYBODY, "maxToAdd": wrong}), 400, "audience.maxToAdd")
    sums(await enrol(desk, campaign, audience={**EVERYBODY, "maxToAdd": 100_000}))
    parameter = (await desk.api.get("/openapi.json")).json["components"]["schemas"]["AudienceBody"]["properties"]["maxToAdd"]
    assert parameter["default"] == 50_000


async def test_an_audience_that_is_wrong_is_refused(desk: Desk, stranger: Api) -> None:
    campaign = (await desk.campaign())["id"]
    refused(await enrol(desk, campaign, audience={}), 400, "audience.mode")
    refused(await enrol(desk, campaign, audience={"mode": "some"}), 400, "audience.mode")
    refused(await enrol(desk, campaign, audience={**EVERYBODY, "colour": 1}), 400, "audience.colour")
    refused(await enrol(desk, campaign, audience={**EVERYBODY, "companyId": (await company(stranger))["id"]}), 404)


# POST: one mode, which states


async def test_one_mode_a_request(desk: Desk) -> None:
    campaign = (await desk.campaign())["id"]
    modes: dict[str, Any] = {"contactIds": ["cont_x"], "contact": {"firstName": "A", "lastName": "B"}, "audience": EVERYBODY}
    for left_out in (*modes, None):
        body = {name: value for name, value in modes.items() if name != left_out}
        answer = await enrol(desk, campaign, **body)
        refused(answer, 400)
        assert answer.json["details"]["formErrors"]
    refused(await enrol(desk, campaign), 400)
    refused(await enrol(desk, campaign, contactIds=None), 400)


@pytest.mark.parametrize(
    ("status", "allowed"), [("draft", True), ("scheduled", True), ("paused", True), ("running", True), ("cancelled", False)]
)
async def test_allowed_in_draft_scheduled_paused_and_running(desk: Desk, status: str, allowed: bool) -> None:
    people = await desk.people(1)
    campaign = (await desk.campaign(scheduledStartAt="2026-02-01T10:00:00Z"))["id"]
    if status != "scheduled":
        given(await desk.api.patch(f"{CAMPAIGNS}/{campaign}", {"status": status}), "campaign")
    bodies: list[dict[str, Any]] = [
        {"contactIds": people},
        {"contact": {"firstName": "A", "lastName": "B"}},
        {"audience": EVERYBODY},
    ]
    for body in bodies:
        answer = await enrol(desk, campaign, **body)
        assert answer.status == 200 if allowed else refused(answer, 409)


async def test_who_joins_a_running_campaign_is_called_without_a_restart(desk: Desk) -> None:
    campaign = (await desk.campaign(status="running"))["id"]
    await desk.api.bell.wait(0.001)
    sums(await enrol(desk, campaign, contactIds=await desk.people(1)))
    assert await desk.api.bell.wait(0.05) == {f"campaign:{campaign}"}
    assert len(await desk.api.context.release(campaign)) == 1


# GET


async def test_a_row_has_these_fields(desk: Desk) -> None:
    campaign = (await desk.campaign(await desk.people(1, email="a@b.example", timezone="Europe/Berlin")))["id"]
    [row] = listed_members(await desk.api.get(url(campaign)))
    assert (row.keys(), row["contact"].keys()) == (MEMBER, PERSON)
    assert row.items() >= {
        "status": "pending", "priority": 0, "attempts": 0, "outcome": None, "last_attempt_at": None, "completed_at": None,
        "next_attempt_at": "2026-01-05T12:00:00Z", "created_at": "2026-01-05T12:00:00Z",
    }.items()  # fmt: skip
    person = {
        "first_name": "Ada",
        "phone": "+493020100001",
        "email": "a@b.example",
        "timezone": "Europe/Berlin",
        "do_not_call": False,
    }
    assert row["contact"].items() >= person.items()


def listed_members(answer: Answer) -> list[Any]:
    assert answer.status == 200, answer.text
    assert answer.json.keys() - {"next_cursor"} == {"success", "contacts", "count", "limit", "offset", "status_counts"}
    found: list[Any] = answer.json["contacts"]
    return found


async def test_the_list_is_paged_filtered_and_counted_by_status(desk: Desk, stranger: Api) -> None:
    people, [no] = await desk.people(3), await desk.people(1, do_not_call=True, prefix="+493021")
    campaign = (await desk.campaign([*people, no], maxConcurrentCalls=1))["id"]
    await desk.run(campaign)
    counts = {"pending": 2, "queued": 1, "calling": 0, "completed": 0, "failed": 0, "skipped": 1}
    cases: list[tuple[dict[str, Any], list[str], int]] = [
        ({}, [*people, no], 4), ({"status": "pending"}, people[1:], 2), ({"status": "skipped"}, [no], 1),
        ({"outcome": "do_not_call"}, [no], 1), ({"outcome": "busy"}, [], 0),
        ({"status": "pending", "outcome": "do_not_call"}, [], 0),
        ({"limit": 2, "offset": 1}, people[1:], 4), ({"teamId": desk.api.team, "limit": 1}, people[:1], 4),
        ({"offset": 9}, [], 4),
    ]  # fmt: skip
    for query, expected, count in cases:
        answer = await desk.api.get(url(campaign), **query)
        assert (query, [m["contact"]["id"] for m in listed_members(answer)], answer.json["count"]) == (query, expected, count)
        assert answer.json["status_counts"] == counts
    for query in ({"status": "asleep"}, {"outcome": "fine"}, {"limit": 501}, {"offset": -1}, {"colour": "red"}):
        refused(await desk.api.get(url(campaign), **query), 400, next(iter(query)))
    refused(await desk.api.get(url(campaign), teamId=stranger.team), 403)
    refused(await stranger.get(url(campaign)), 404)


async def test_the_order_is_priority_descending_then_enrolment(desk: Desk) -> None:
    late, first, urgent = (
        await desk.people(1, AUCKLAND),
        await desk.people(1, prefix="+493021"),
        await desk.people(1, prefix="+493022"),
    )
    campaign = (await desk.campaign())["id"]
    for people, priority in ((first, 0), (late, 0), (urgent, 5)):
        desk.clock.advance(1)
        sums(await enrol(desk, campaign, contactIds=people, priority=priority))
    assert [m["contact"]["id"] for m in await desk.members(campaign)] == [*urgent, *first, *late]


# DELETE


async def remove(desk: Desk, campaign: str, *people: str) -> int:
    answer = await desk.api.delete(url(campaign), {"contactIds": list(people)})
    assert answer.status == 200, answer.text
    assert answer.json.keys() == {"success", "removed", "message"}
    removed: int = answer.json["removed"]
    return removed


async def test_delete_takes_pending_queued_and_skipped_rows_only(desk: Desk) -> None:
    called, queued, pending, other = await desk.people(4)
    [no] = await desk.people(1, do_not_call=True, prefix="+493021")
    campaign = (await desk.campaign([called, queued, pending, other, no], maxConcurrentCalls=2))["id"]
    await desk.run(campaign, maxCalls=1)
    await desk.place(campaign)
    await desk.run(campaign)
    assert await remove(desk, campaign, called, queued, pending, no, "cont_nobody") == 3
    seen = {m["contact"]["id"]: m["status"] for m in await desk.members(campaign)}
    assert seen == {called: "calling", queued: "skipped", other: "pending"}
    assert await desk.place(campaign) == []


async def test_what_was_removed_is_not_removed_again(desk: Desk) -> None:
    people = await desk.people(2)
    campaign = (await desk.campaign(people, maxConcurrentCalls=1))["id"]
    await desk.run(campaign)
    assert await remove(desk, campaign, *people) == 2
    assert await remove(desk, campaign, *people) == 0


async def test_delete_needs_contact_ids_and_a_campaign_of_the_team(desk: Desk, stranger: Api) -> None:
    campaign = (await desk.campaign())["id"]
    refused(await desk.api.delete(url(campaign), {}), 400, "contactIds")
    refused(await desk.api.delete(url(campaign), {"contactIds": []}), 400, "contactIds")
    refused(await desk.api.delete(url(campaign)), 400)
    refused(await stranger.delete(url(campaign), {"contactIds": ["cont_x"]}), 404)
    refused(await desk.api.delete(url("camp_nobody"), {"contactIds": ["cont_x"]}), 404)
