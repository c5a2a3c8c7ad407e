"""Section 1 of the contract: conventions."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from dialer.api.errors import MOST_BODY
from dialer.flows import teams
from tests.support.api import Api
from tests.support.contract import (
    ASSISTANTS,
    CAMPAIGNS,
    COMPANIES,
    CONTACTS,
    NUMBERS,
    OUTBOUND,
    SUPPRESSIONS,
    contact,
    creations,
    given,
    listed,
    refused,
)
from tests.support.desk import Desk

LISTS = {
    CONTACTS: "contacts", COMPANIES: "companies", ASSISTANTS: "assistants", NUMBERS: "phone_numbers", OUTBOUND: "assistants",
    SUPPRESSIONS: "suppressions", CAMPAIGNS: "campaigns",
}  # fmt: skip
JSON = {"content-type": "application/json"}


# base


async def test_the_openapi_document_and_its_pages_need_no_key(api: Api) -> None:
    nobody = api.using(None)
    assert (await nobody.get("/openapi.json")).json["openapi"].startswith("3.")
    assert "text/html" in (await nobody.get("/docs")).headers["content-type"]


# auth


async def test_a_key_comes_as_bearer_or_as_x_api_key(api: Api) -> None:
    for headers in ({"authorization": f"Bearer {api.key}"}, {"x-api-key": api.key or ""}):
        answer = await api.using(None).send("GET", CONTACTS, query={"teamId": api.team}, headers=headers)
        assert answer.status == 200


async def test_no_key_or_a_bad_one_is_a_401_that_says_unauthorized(api: Api) -> None:
    for key in (None, "", "tk_live_" + "x" * 43, "Basic"):
        assert refused(await api.using(key).get(CONTACTS, teamId=api.team), 401) == "Unauthorized"


async def test_keys_look_like_tk_live_and_are_stored_as_sha_256_only(desk: Desk) -> None:
    assert re.fullmatch(r"tk_(live|test)_\S{40,}", desk.api.key or "")
    stored = await desk.pool.fetchrow("select * from api_keys limit 1")
    assert stored is not None
    assert len(stored["key_hash"]) == 32
    assert (desk.api.key or "") not in str(dict(stored))


SCOPED = [
    ("contacts:read", "GET", CONTACTS), ("contacts:read", "GET", COMPANIES), ("contacts:read", "GET", SUPPRESSIONS),
    ("contacts:write", "POST", CONTACTS), ("contacts:write", "POST", COMPANIES), ("contacts:write", "POST", SUPPRESSIONS),
    ("campaigns:read", "GET", CAMPAIGNS), ("campaigns:read", "GET", ASSISTANTS), ("campaigns:read", "GET", NUMBERS),
    ("campaigns:read", "GET", OUTBOUND), ("campaigns:write", "POST", CAMPAIGNS), ("campaigns:write", "POST", ASSISTANTS),
    ("campaigns:write", "POST", NUMBERS), ("campaigns:run", "POST", CAMPAIGNS + "/camp_x/run"),
    ("campaigns:run", "POST", CAMPAIGNS + "/camp_x/pause"), ("campaigns:run", "POST", CAMPAIGNS + "/camp_x/resume"),
    ("campaigns:run", "POST", CAMPAIGNS + "/camp_x/cancel"),
]  # fmt: skip
ALL_SCOPES = (
    "contacts:read",
    "contacts:write",
    "campaigns:read",
    "campaigns:write",
    "campaigns:run",
    "calls:read",
    "calls:create",
)


async def key_with(api: Api, *scopes: str) -> Api:
    key, _ = await teams.create_key(
        api.context.database, team_id=api.team, name="narrow", scopes=scopes, now=api.context.clock.now()
    )
    return api.using(key)


async def test_a_key_may_only_what_its_scopes_say(desk: Desk) -> None:
    for scope, method, path in SCOPED:
        new = creations(desk)
        body = {"teamId": desk.api.team, **new[path]} if method == "POST" and path in new else None
        query = {"teamId": desk.api.team} if method == "GET" else {}
        without = await key_with(desk.api, *(s for s in ALL_SCOPES if s != scope), "admin")
        assert scope in refused(await without.send(method, path, body, query=query), 403)
        may = await key_with(desk.api, scope)
        assert (await may.send(method, path, body, query=query)).status in (200, 404), (scope, method, path)


@pytest.mark.parametrize("status", ["running", "paused", "cancelled"])
async def test_starting_and_stopping_by_an_edit_needs_the_scope_of_run(desk: Desk, status: str) -> None:
    campaign = (await desk.campaign())["id"]
    writer = await key_with(desk.api, "campaigns:write")
    assert "campaigns:run" in refused(await writer.patch(f"{CAMPAIGNS}/{campaign}", {"status": status}), 403)
    assert (await desk.look(campaign))["status"] == "draft"


# bodies


async def test_requests_are_camel_case_and_responses_snake_case(api: Api) -> None:
    made = await contact(api, jobTitle="CTO", customFields={"keptAs": "is"})
    assert (made["job_title"], made["custom_fields"]) == ("CTO", {"keptAs": "is"})
    assert not [name for name in made if name != name.lower()]


async def test_snake_case_is_accepted_in_requests_too(desk: Desk) -> None:
    for path, body in creations(desk).items():
        snake = {re.sub("[A-Z]", lambda letter: "_" + letter[0].lower(), name): value for name, value in body.items()}
        answer = await desk.api.post(path, {"team_id": desk.api.team, **snake})
        assert answer.status == 200, answer.text
    assert (await desk.api.get(CONTACTS, team_id=desk.api.team, lead_status="new")).json["count"] == 1


async def test_unknown_request_fields_are_a_400_that_names_them(desk: Desk) -> None:
    for path, body in creations(desk).items():
        refused(await desk.api.post(path, {"teamId": desk.api.team, **body, "colour": 1, "Size": 2}), 400, "colour", "Size")
    for path in LISTS:
        refused(await desk.api.get(path, teamId=desk.api.team, colour="red"), 400, "colour")


async def test_a_field_in_both_spellings_is_refused(api: Api) -> None:
    refused(
        await api.post(CONTACTS, {"teamId": api.team, "firstName": "A", "first_name": "B", "lastName": "C"}), 400, "first_name"
    )


async def test_a_parameter_given_twice_is_refused(api: Api, stranger: Api) -> None:
    refused(await api.get(CONTACTS, teamId=[stranger.team, api.team]), 400, "teamId")
    refused(await api.get(CONTACTS, teamId=api.team, limit=["1", "1"]), 400, "limit")


NOT_JSON = [b"", b"{", b"\xff", b'{"teamId": "\xff"}', b"[]", b"null", b"7", b"[" * 100_000, b'{"a":' * 5000 + b"1" + b"}" * 5000]


async def test_a_body_that_is_no_json_object_is_a_400(api: Api) -> None:
    for body in NOT_JSON:
        refused(await api.send("POST", CONTACTS, body, headers=JSON), 400)


@pytest.mark.parametrize("value", ["3", 3.5, True, None, [], {}, float("nan"), float("inf"), 10**400, -1, 0])
async def test_numbers_are_numbers(shut: Desk, value: Any) -> None:
    body = {"teamId": shut.api.team, **creations(shut)[CAMPAIGNS], "maxConcurrentCalls": value}
    refused(await shut.api.post(CAMPAIGNS, body), 400, "maxConcurrentCalls")


async def test_a_number_of_thousands_of_digits_is_a_400(api: Api) -> None:
    refused(await api.send("POST", CONTACTS, b'{"campaignPriority": ' + b"9" * 5000 + b"}", headers=JSON), 400)


@pytest.mark.parametrize("text", ["a\x00b", "\ud800", "\udc00 alone", "x" * 20_001])
async def test_text_that_cannot_be_kept_is_a_400(shut: Desk, text: str) -> None:
    team = {"teamId": shut.api.team}
    for path, body in creations(shut).items():
        name = next((name for name in ("name", "firstName", "adapter") if name in body), "reason")
        refused(await shut.api.post(path, {**team, **body, name: text}), 400, name)
    refused(await shut.api.post(CONTACTS, {**team, "firstName": "A", "lastName": "B", "tags": [text]}), 400, "tags.0")
    if len(text) < 100:
        for field in ({text: 1}, {"a": [{"b": text}]}):
            answer = await shut.api.post(CONTACTS, {**team, "firstName": "A", "lastName": "B", "customFields": field})
            refused(answer, 400, "customFields")


async def test_a_nul_in_an_address_is_a_400(api: Api) -> None:
    refused(await api.get(CONTACTS + "/cont_\x00"), 400)
    refused(await api.get(CONTACTS, teamId=api.team, search="a\x00"), 400)


# success and lists


async def test_success_is_an_envelope_with_one_resource_and_status_200_also_on_create(desk: Desk) -> None:
    names = {CONTACTS: "contact", COMPANIES: "company", ASSISTANTS: "assistant", NUMBERS: "phone_number",
             SUPPRESSIONS: "suppression", CAMPAIGNS: "campaign"}  # fmt: skip
    for path, body in creations(desk).items():
        made = given(await desk.api.post(path, {"teamId": desk.api.team, **body}), names[path])
        if path != SUPPRESSIONS:
            assert given(await desk.api.get(f"{path}/{made['id']}"), names[path])["id"] == made["id"]


async def test_a_list_says_count_limit_and_offset_with_50_and_0_by_default(api: Api) -> None:
    for path, resources in LISTS.items():
        answer = await api.get(path, teamId=api.team)
        assert listed(answer, resources) is not None
        assert (answer.json["limit"], answer.json["offset"]) == (50, 0)


async def test_the_limit_is_at_most_500(api: Api) -> None:
    for path in LISTS:
        assert (await api.get(path, teamId=api.team, limit=500)).json["limit"] == 500
        refused(await api.get(path, teamId=api.team, limit=501), 400, "limit")


@pytest.mark.parametrize("value", ["0", "-1", "x", "", "5.0", "1_0", " 5", "+5", "9" * 5000, "٥"])
async def test_paging_is_whole_numbers_in_digits(shut: Desk, value: str) -> None:
    refused(await shut.api.get(CONTACTS, teamId=shut.api.team, limit=value), 400, "limit")
    if value != "0":
        refused(await shut.api.get(CONTACTS, teamId=shut.api.team, offset=value), 400, "offset")


async def test_the_count_is_of_all_before_paging_and_pages_meet(api: Api) -> None:
    made = [(await contact(api))["id"] for _ in range(5)]
    pages = [await api.get(CONTACTS, teamId=api.team, limit=2, offset=offset) for offset in (0, 2, 4, 6)]
    assert [page.json["count"] for page in pages] == [5, 5, 5, 5]
    assert [each["id"] for page in pages for each in page.json["contacts"]] == made[::-1]


async def test_the_order_of_every_list_is_documented(api: Api) -> None:
    paths = (await api.get("/openapi.json")).json["paths"]
    for path in LISTS:
        assert "newest first" in paths[path]["get"]["summary"], path
    assert "priority" in paths[CAMPAIGNS + "/{id}/contacts"]["get"]["summary"]


# errors


async def test_a_missing_team_is_a_400_and_a_foreign_one_a_403(desk: Desk, stranger: Api) -> None:
    for path in LISTS:
        refused(await desk.api.get(path), 400, "teamId")
        refused(await desk.api.get(path, teamId=stranger.team), 403)
    for path, body in creations(desk).items():
        refused(await desk.api.post(path, body), 400, "teamId")
        refused(await desk.api.post(path, {"teamId": stranger.team, **body}), 403)
        refused(await desk.api.post(path, {"teamId": 7, **body}), 400, "teamId")


async def test_another_teams_resource_is_a_404_and_never_a_403(desk: Desk, stranger: Api) -> None:
    for path, body in creations(desk).items():
        made = await desk.api.post(path, {"teamId": desk.api.team, **body})
        id = next(part["id"] for part in made.json.values() if isinstance(part, dict))
        answers = [await stranger.delete(f"{path}/{id}")]
        if path != SUPPRESSIONS:
            answers += [await stranger.get(f"{path}/{id}"), await stranger.patch(f"{path}/{id}", {})]
            answers += [await stranger.put(f"{path}/{id}", {})]
        for answer in answers:
            refused(answer, 404)


async def test_an_id_of_the_wrong_kind_or_of_any_length_is_a_404(desk: Desk) -> None:
    id = (await contact(desk.api))["id"]
    for path in creations(desk):
        if path not in (CONTACTS, SUPPRESSIONS):
            refused(await desk.api.get(f"{path}/{id}"), 404)
        refused(await desk.api.delete(f"{path}/{'x' * 5000}"), 404)


async def test_unknown_addresses_are_a_404(api: Api) -> None:
    for path in ("/api/crm/nowhere", CONTACTS + "/", "/api/crm", CONTACTS + "/cont_x/notes"):
        refused(await api.get(path), 404)


async def test_methods_an_address_does_not_know_are_a_405_that_names_the_others(api: Api) -> None:
    for method in ("OPTIONS", "TRACE", "DELETE", "PATCH"):
        answer = await api.send(method, CONTACTS)
        refused(answer, 405)
        assert answer.headers["allow"] == "GET, HEAD, POST"


async def test_head_is_answered_as_get_without_the_body(desk: Desk) -> None:
    id = (await contact(desk.api))["id"]
    paths = (
        f"{CONTACTS}/{id}",
        f"{CONTACTS}/cont_x",
        f"{CAMPAIGNS}?teamId={desk.api.team}",
        CAMPAIGNS,
        "/openapi.json",
        "/healthz",
    )
    for path in (*paths, f"{CONTACTS}/import", "/nowhere"):
        bare, _, query = path.partition("?")
        asked = dict(pair.split("=") for pair in query.split("&") if pair)
        got, head = [await desk.api.send(method, bare, query=asked) for method in ("GET", "HEAD")]
        assert (head.status, head.body) == (got.status, b""), path
        told = {name: value for name, value in got.headers.items() if name not in ("x-request-id", "date")}
        assert told.items() <= head.headers.items()
    assert (await desk.api.using(None).send("HEAD", f"{CONTACTS}/{id}")).status == 401
    assert (await desk.api.send("HEAD", f"{CAMPAIGNS}/camp_x/pause")).headers["allow"] == "POST"


async def test_a_body_too_large_is_a_413(api: Api) -> None:
    refused(await api.send("POST", CONTACTS, b'{"notes":"' + b"x" * MOST_BODY + b'"}'), 413)


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "application/xml", ""])
async def test_a_body_of_another_type_is_a_415(desk: Desk, kind: str) -> None:
    campaign = (await desk.campaign())["id"]
    body = json.dumps({"teamId": desk.api.team, "firstName": "A", "lastName": "B"}).encode()
    for path in (CONTACTS, f"{CAMPAIGNS}/{campaign}/run", f"{CAMPAIGNS}/{campaign}/pause"):
        refused(await desk.api.send("POST", path, body, headers={"content-type": kind}), 415)


async def test_a_fault_of_ours_carries_a_request_id_and_leaks_nothing(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(*_: object, **__: object) -> None:
        raise RuntimeError("a secret detail")

    monkeypatch.setattr("dialer.flows.companies.listing", broken)
    answer = await api.get(COMPANIES, teamId=api.team)
    said = refused(answer, 500)
    assert answer.json["request_id"] in said
    assert "secret" not in answer.text


async def test_422_is_never_promised(api: Api) -> None:
    document = (await api.get("/openapi.json")).json
    assert not [1 for path in document["paths"].values() for each in path.values() if "422" in each["responses"]]
