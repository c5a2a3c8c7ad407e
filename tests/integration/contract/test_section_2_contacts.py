"""Section 2 of the contract: contacts (the import of files has tests of its own)."""

from __future__ import annotations

from typing import Any

import pytest

from dialer.domain.fence import FENCE_SECONDS
from tests.support.api import Api
from tests.support.contract import CAMPAIGNS, CONTACT, CONTACTS, company, contact, given, listed, refused
from tests.support.desk import Desk

SENT: dict[str, Any] = {
    "firstName": "Zoë", "lastName": "Ångström", "email": "zoe@example.com", "phone": "+1 415 555 2671",
    "phoneSecondary": "+49 30 123456", "jobTitle": "CTO", "region": "US-CA", "leadStatus": "my own word", "source": "fair",
    "timezone": "America/Los_Angeles", "preferredContactMethod": "phone", "doNotCall": True, "notes": "likes tea",
    "customFields": {"shoeSize": {"eu": 41}}, "tags": ["vip", "new"],
}  # fmt: skip
ANSWERED: dict[str, Any] = {
    "first_name": "Zoë", "last_name": "Ångström", "email": "zoe@example.com", "phone": "+14155552671",
    "phone_secondary": "+4930123456", "job_title": "CTO", "region": "US-CA", "lead_status": "my own word", "source": "fair",
    "timezone": "America/Los_Angeles", "preferred_contact_method": "phone", "do_not_call": True, "notes": "likes tea",
    "custom_fields": {"shoeSize": {"eu": 41}}, "tags": ["vip", "new"],
}  # fmt: skip
CLEARED: dict[str, Any] = {
    **dict.fromkeys(ANSWERED), "first_name": "Ann", "last_name": "Lee", "lead_status": "new", "do_not_call": False,
    "custom_fields": {}, "tags": [],
}  # fmt: skip


# Request → response fields


async def test_every_field_is_answered_under_its_snake_case_name(api: Api) -> None:
    acme = await company(api)
    made = given(await api.post(CONTACTS, {"teamId": api.team, "companyId": acme["id"], **SENT}), "contact", CONTACT)
    assert made.items() >= ANSWERED.items()
    assert (made["team_id"], made["company_id"], made["last_contacted_at"]) == (api.team, acme["id"], None)
    assert made["company"] == {"id": acme["id"], "name": "Acme"}


async def test_only_team_and_names_are_required_and_the_rest_has_its_default(api: Api) -> None:
    refused(await api.post(CONTACTS, {}), 400, "teamId", "firstName", "lastName")
    made = given(await api.post(CONTACTS, {"teamId": api.team, "firstName": "Ann", "lastName": "Lee"}), "contact", CONTACT)
    assert made.items() >= {**CLEARED, "company_id": None, "company": None, "last_contacted_at": None}.items()


async def test_null_is_the_same_as_not_sent(api: Api) -> None:
    nulls = dict.fromkeys((*SENT, "companyId", "campaignId")) | {"firstName": "Ann", "lastName": "Lee"}
    made = given(await api.post(CONTACTS, {"teamId": api.team, **nulls}), "contact", CONTACT)
    assert made.items() >= CLEARED.items()


async def test_a_company_must_be_of_the_same_team(api: Api, stranger: Api) -> None:
    theirs = (await company(stranger))["id"]
    mine = await contact(api)
    body = {"teamId": api.team, "firstName": "A", "lastName": "B", "companyId": theirs}
    assert theirs in refused(await api.post(CONTACTS, body), 404)
    refused(await api.patch(f"{CONTACTS}/{mine['id']}", {"companyId": theirs}), 404)


@pytest.mark.parametrize(
    "word", ["new", "contacted", "qualified", "unqualified", "converted", "customer", "churned", "dnc", "else"]
)
async def test_the_lead_status_is_a_free_string(api: Api, word: str) -> None:
    assert (await contact(api, leadStatus=word))["lead_status"] == word


WRONG: list[tuple[str, Any]] = [
    ("firstName", ""), ("firstName", "  "), ("firstName", None), ("firstName", "x" * 201), ("lastName", None),
    ("email", "nobody"),
    ("email", "a@b c"), ("phone", "12"), ("phoneSecondary", "+1 415 555 2671 ext 5"), ("region", "California"),
    ("region", "us-ca"), ("timezone", "Mars/Olympus"), ("doNotCall", "true"), ("doNotCall", 1), ("customFields", []),
    ("customFields", "x"), ("customFields", {"a": float("nan")}), ("customFields", {"a": "x" * 70_000}), ("tags", "vip"),
    ("tags", {"a": 1}), ("tags", ["x"] * 101), ("notes", "x" * 20_001), ("source", "x" * 501), ("companyId", 7),
    ("companyId", ""),
    ("campaignPriority", 100), ("campaignPriority", -1), ("campaignId", ["x"]),
]  # fmt: skip


@pytest.mark.parametrize(("field", "value"), WRONG)
async def test_a_value_of_the_wrong_kind_is_a_400_that_names_its_field(shut: Desk, field: str, value: Any) -> None:
    refused(await shut.api.post(CONTACTS, {"teamId": shut.api.team, "firstName": "A", "lastName": "B", field: value}), 400, field)


async def test_custom_fields_are_kept_as_they_are(api: Api) -> None:
    odd = {"aB": {"c_d": [None, True, 1.5, 10**300, -(2**70), "", "🂡"]}, "": {}, "id": "x"}
    assert (await contact(api, customFields=odd))["custom_fields"] == odd


# POST


async def test_post_with_a_campaign_enrols_at_once(desk: Desk) -> None:
    campaign = (await desk.campaign())["id"]
    body = {"teamId": desk.api.team, "firstName": "A", "lastName": "B", "phone": "+14155552671"}
    answer = await desk.api.post(CONTACTS, {**body, "campaignId": campaign, "campaignPriority": 99})
    assert answer.json.keys() == {"success", "contact", "campaign_enrollment"}
    [member] = await desk.members(campaign)
    assert answer.json["campaign_enrollment"] == {"campaign_contact_id": member["id"], "status": "pending"}
    assert (member["priority"], member["contact"]["id"]) == (99, answer.json["contact"]["id"])


async def test_the_enrolment_of_who_may_not_be_called_says_skipped(desk: Desk) -> None:
    campaign = (await desk.campaign())["id"]
    for more in ({"phone": "+14155552671", "doNotCall": True}, {}):
        body = {"teamId": desk.api.team, "firstName": "A", "lastName": "B", "campaignId": campaign, **more}
        assert (await desk.api.post(CONTACTS, body)).json["campaign_enrollment"]["status"] == "skipped"


async def test_a_campaign_that_is_foreign_or_has_ended_refuses_the_contact_as_a_whole(desk: Desk, stranger: Api) -> None:
    open_, ended = (await desk.campaign())["id"], (await desk.campaign(status="cancelled"))["id"]
    body = {"firstName": "A", "lastName": "B"}
    refused(await stranger.post(CONTACTS, {**body, "teamId": stranger.team, "campaignId": open_}), 404)
    refused(await desk.api.post(CONTACTS, {**body, "teamId": desk.api.team, "campaignId": ended}), 409)
    assert await desk.pool.fetchval("select count(*) from contacts") == 0


# GET list

FILTERS: list[tuple[dict[str, str], set[str]]] = [
    ({}, {"Ann", "Bob", "Cyd"}),
    ({"search": "ANN"}, {"Ann"}),
    ({"search": "lee"}, {"Ann", "Bob"}),
    ({"search": "n LEE"}, {"Ann"}),
    ({"search": "cyd@EX"}, {"Cyd"}),
    ({"search": "100% c"}, set()),
    ({"search": "Lee +1"}, set()),
    ({"search": "com"}, {"Cyd"}),
    ({"search": "99999"}, set()),
    ({"search": "5552672"}, {"Bob"}),
    ({"search": "00%"}, {"Cyd"}),
    ({"search": "nn_lee"}, set()),
    ({"search": "\\ann"}, set()),
    ({"leadStatus": "qualified"}, {"Bob"}),
    ({"leadStatus": "qual"}, set()),
    ({"doNotCall": "true"}, {"Cyd"}),
    ({"doNotCall": "false"}, {"Ann", "Bob"}),
    ({"hasPhone": "true"}, {"Ann", "Bob"}),
    ({"hasPhone": "false"}, {"Cyd"}),
    ({"tag": "vip"}, {"Ann"}),
    ({"tag": "VIP"}, set()),
    ({"companyId": "comp_nobody"}, set()),
    ({"hasPhone": "true", "search": "lee", "doNotCall": "false", "tag": "vip"}, {"Ann"}),
]


async def test_get_is_filtered(api: Api) -> None:
    acme = await company(api)
    await contact(api, phone="+14155552671", tags=["vip"], companyId=acme["id"])
    await contact(api, firstName="Bob", phone="+14155552672", leadStatus="qualified")
    await contact(api, firstName="Cyd", lastName="100%", email="cyd@example.com", doNotCall=True)
    for query, names in [*FILTERS, ({"companyId": acme["id"]}, {"Ann"})]:
        answer = await api.get(CONTACTS, teamId=api.team, **query)
        found = listed(answer, "contacts")
        assert (query, {each["first_name"] for each in found}, answer.json["count"]) == (query, names, len(names))
        assert all(each.keys() == CONTACT for each in found)


@pytest.mark.parametrize(("name", "value"), [("doNotCall", "yes"), ("doNotCall", "True"), ("hasPhone", "1"), ("hasPhone", "")])
async def test_flags_in_a_query_are_true_or_false(shut: Desk, name: str, value: str) -> None:
    refused(await shut.api.get(CONTACTS, teamId=shut.api.team, **{name: value}), 400, name)


# GET, PUT, PATCH, DELETE of one


async def test_the_detail_adds_the_newest_20_enrolments(desk: Desk) -> None:
    made = await contact(desk.api, phone="+14155552671")
    campaigns = [(await desk.campaign([made["id"]]))["id"] for _ in range(21)]
    seen = given(await desk.api.get(f"{CONTACTS}/{made['id']}"), "contact", CONTACT | {"campaign_history"})
    history = seen.pop("campaign_history")
    assert seen == made
    assert [each["campaign_id"] for each in history] == campaigns[:0:-1]
    assert history[0].keys() == {
        "campaign_id", "campaign_name", "campaign_status", "campaign_contact_id", "status", "outcome", "attempts",
        "last_attempt_at",
        "completed_at", "created_at",
    }  # fmt: skip


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
async def test_put_and_patch_are_both_partial(api: Api, method: str) -> None:
    made = await contact(api, **SENT)
    changed = given(await api.send(method, f"{CONTACTS}/{made['id']}", {"jobTitle": "CEO"}), "contact", CONTACT)
    assert {name for name in made if made[name] != changed[name]} == {"job_title", "updated_at"}
    again = given(await api.send(method, f"{CONTACTS}/{made['id']}", {}), "contact", CONTACT)
    assert {name for name in made if changed[name] != again[name]} <= {"updated_at"}


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
async def test_null_clears(api: Api, method: str) -> None:
    made = await contact(api, companyId=(await company(api))["id"], **SENT)
    nulls = dict.fromkeys((*SENT, "companyId")) | {"firstName": "Ann", "lastName": "Lee"}
    changed = given(await api.send(method, f"{CONTACTS}/{made['id']}", nulls), "contact", CONTACT)
    assert changed.items() >= {**CLEARED, "company_id": None, "company": None}.items()


async def test_a_name_cannot_be_cleared_and_the_team_not_changed(api: Api) -> None:
    path = f"{CONTACTS}/{(await contact(api))['id']}"
    for body in ({"firstName": None}, {"lastName": " "}, {"teamId": api.team}, {"id": "x"}, {"campaignId": "x"}):
        refused(await api.patch(path, body), 400, next(iter(body)))


@pytest.mark.parametrize("status", ["draft", "scheduled", "running", "paused"])
async def test_delete_is_409_while_an_enrolment_waits_in_a_campaign_that_is_not_over(desk: Desk, status: str) -> None:
    [person] = await desk.people(1)
    campaign = (await desk.campaign([person], scheduledStartAt="2026-02-01T10:00:00Z"))["id"]
    if status != "scheduled":
        given(await desk.api.patch(f"{CAMPAIGNS}/{campaign}", {"status": status}), "campaign")
    refused(await desk.api.delete(f"{CONTACTS}/{person}"), 409)
    given(await desk.api.patch(f"{CAMPAIGNS}/{campaign}", {"status": "cancelled"}), "campaign")
    assert (await desk.api.delete(f"{CONTACTS}/{person}")).json == {"success": True}


@pytest.mark.parametrize("placed", [False, True])
async def test_delete_is_409_while_queued_or_calling(desk: Desk, placed: bool) -> None:
    [person] = await desk.people(1)
    campaign = (await desk.campaign([person]))["id"]
    await desk.run(campaign)
    if placed:
        await desk.place(campaign)
    assert (await desk.members(campaign))[0]["status"] == ("calling" if placed else "queued")
    refused(await desk.api.delete(f"{CONTACTS}/{person}"), 409)


async def test_delete_is_allowed_for_skipped_ones_and_for_those_in_a_deleted_draft(desk: Desk) -> None:
    """Nothing can be taken out of a campaign that was put away, so it must not hold anybody."""
    [skipped], [drafted] = await desk.people(1, do_not_call=True), await desk.people(1, prefix="+493021")
    await desk.campaign([skipped])
    draft = (await desk.campaign([drafted]))["id"]
    given(await desk.api.delete(f"{CAMPAIGNS}/{draft}"), "campaign")
    for person in (skipped, drafted):
        assert (await desk.api.delete(f"{CONTACTS}/{person}")).json == {"success": True}


async def test_a_no_outlives_the_contact(desk: Desk) -> None:
    """Whoever has the number of somebody who said no and was deleted is not called; one who did not say it leaves no trace."""
    [no] = await desk.people(1, do_not_call=True, phone_secondary="+493020200001")
    [other] = await desk.people(1, phone="+493020300001")
    ends = {"teamId": desk.api.team, "scope": "team", "phoneNumber": "+493020100001", "reason": "by mail"}
    assert (await desk.api.post("/api/crm/suppressions", ends | {"expiresAt": "2026-02-01T10:00:00Z"})).status == 200
    desk.api.waits.seconds.clear()
    for person in (no, other):
        assert (await desk.api.delete(f"{CONTACTS}/{person}")).json == {"success": True}
    assert desk.api.waits.seconds == [FENCE_SECONDS]
    kept = (await desk.api.get("/api/crm/suppressions", teamId=desk.api.team)).json["suppressions"]
    assert {(s["phone_number"], s["scope"], s["reason"], s["expires_at"]) for s in kept} == {
        ("+493020100001", "team", "by mail", None),
        ("+493020200001", "team", "do not call", None),
    }
    campaign = (await desk.campaign(await desk.people(1), status="running"))["id"]
    assert [row["waiting_for"]["reason"] for row in await desk.members(campaign)] == ["suppressed"]


async def test_a_deleted_contact_is_gone_from_everywhere(desk: Desk, api: Api) -> None:
    [person] = await desk.people(1)
    await desk.campaign([person], status="cancelled")
    path = f"{CONTACTS}/{person}"
    assert (await api.delete(path)).json == {"success": True}
    for answer in (await api.get(path), await api.patch(path, {"notes": "x"}), await api.put(path, {}), await api.delete(path)):
        refused(answer, 404)
    assert (await api.get(CONTACTS, teamId=api.team)).json["count"] == 0
    other = (await desk.campaign())["id"]
    answer = await api.post(f"{CAMPAIGNS}/{other}/contacts", {"contactIds": [person]})
    assert (answer.json["added"], [each["contact_id"] for each in answer.json["invalid"]]) == (0, [person])


async def test_do_not_call_takes_effect_at_once_for_calls_not_yet_placed(desk: Desk) -> None:
    waiting, queued, called = await desk.people(3)
    campaign = (await desk.campaign([called, queued, waiting], maxConcurrentCalls=2))["id"]
    await desk.run(campaign, maxCalls=1)
    await desk.place(campaign)
    await desk.run(campaign)
    for person in (waiting, queued, called):
        assert given(await desk.api.patch(f"{CONTACTS}/{person}", {"doNotCall": True}), "contact")["do_not_call"] is True
    assert desk.api.waits.seconds == [FENCE_SECONDS] * 3
    seen = {each["contact"]["id"]: (each["status"], each["outcome"]) for each in await desk.members(campaign)}
    assert seen == {waiting: ("skipped", "do_not_call"), queued: ("skipped", "do_not_call"), called: ("calling", None)}
    assert await desk.place(campaign) == []
