"""Section 4 of the contract: assistants, phone numbers, suppressions."""

from __future__ import annotations

from typing import Any

import pytest

from dialer.domain.fence import FENCE_SECONDS
from tests.support.api import Api
from tests.support.contract import (
    ASSISTANT,
    ASSISTANTS,
    CAMPAIGNS,
    NUMBER,
    NUMBERS,
    OUTBOUND,
    SUPPRESSION,
    SUPPRESSIONS,
    given,
    listed,
    refused,
)
from tests.support.desk import TRUNK, Desk, new_assistant, new_number


async def assistant(api: Api, **fields: Any) -> dict[str, Any]:
    body = {"teamId": api.team, "name": "Ava", "adapter": TRUNK, **fields}
    made: dict[str, Any] = given(await api.post(ASSISTANTS, body), "assistant", ASSISTANT)
    return made


async def number(api: Api, written: str = "(415) 555-2671", **fields: Any) -> dict[str, Any]:
    body = {"teamId": api.team, "phoneNumber": written, "adapter": TRUNK, **fields}
    made: dict[str, Any] = given(await api.post(NUMBERS, body), "phone_number", NUMBER)
    return made


async def suppression(api: Api, written: str = "(415) 555-2671", **fields: Any) -> dict[str, Any]:
    body = {"teamId": api.team, "phoneNumber": written, **fields}
    made: dict[str, Any] = given(await api.post(SUPPRESSIONS, body), "suppression", SUPPRESSION)
    return made


def nulls(*names: str) -> dict[str, Any]:
    return dict.fromkeys(names)


# An assistant is who speaks


async def test_an_assistant_has_these_fields_and_defaults(api: Api) -> None:
    made = await assistant(api)
    defaults = {
        "team_id": api.team, "name": "Ava", "adapter": TRUNK, "external_id": "", "outbound_enabled": True,
        "max_concurrent_calls": None, "voicemail_action": None, "settings": {},
    }  # fmt: skip
    assert made.items() >= defaults.items()
    sent = {"externalId": "agent-1", "outboundEnabled": False, "maxConcurrentCalls": 4, "voicemailAction": "leave_message"}
    made = await assistant(api, **sent, settings={"voiceId": "v"})
    answered = {
        "external_id": "agent-1",
        "outbound_enabled": False,
        "max_concurrent_calls": 4,
        "voicemail_action": "leave_message",
    }
    assert made.items() >= {**answered, "settings": {"voiceId": "v"}}.items()


async def test_an_assistants_adapter_is_the_name_of_a_configured_one(api: Api) -> None:
    body = {"teamId": api.team, "name": "Ava"}
    assert TRUNK in refused(await api.post(ASSISTANTS, {**body, "adapter": "nowhere"}), 400, "adapter")
    refused(await api.post(ASSISTANTS, body), 400, "adapter")


async def test_null_is_the_same_as_not_sent(api: Api) -> None:
    made = await assistant(api, **nulls("externalId", "maxConcurrentCalls", "voicemailAction", "settings"))
    assert (made["external_id"], made["settings"]) == ("", {})
    await number(api, "+14155552671", **nulls("assistantId", "maxConcurrentCalls", "dailyLimit"))
    await suppression(api, "+14155552671", **nulls("campaignId", "reason", "source", "expiresAt"))


@pytest.mark.parametrize(
    ("field", "value"),
    [("name", ""), ("voicemailAction", "shout"), ("maxConcurrentCalls", 0), ("outboundEnabled", "true"), ("settings", [])],
)
async def test_a_wrong_value_of_an_assistant_is_named(shut: Desk, field: str, value: Any) -> None:
    refused(await shut.api.post(ASSISTANTS, {"teamId": shut.api.team, "name": "Ava", "adapter": TRUNK, field: value}), 400, field)


async def test_an_assistant_is_listed_shown_changed_and_deleted(api: Api, desk: Desk) -> None:
    made = await assistant(api)
    path = f"{ASSISTANTS}/{made['id']}"
    answer = await api.get(ASSISTANTS, teamId=api.team)
    assert [each["id"] for each in listed(answer, "assistants")] == [made["id"], desk.assistant]
    assert given(await api.get(path), "assistant", ASSISTANT) == made
    changed = given(await api.patch(path, {"voicemailAction": "hangup"}), "assistant", ASSISTANT)
    assert {name for name in made if made[name] != changed[name]} == {"voicemail_action", "updated_at"}
    assert given(await api.patch(path, {"voicemailAction": None}), "assistant")["voicemail_action"] is None
    assert (await api.delete(path)).json == {"success": True}
    refused(await api.get(path), 404)


async def test_an_assistant_that_something_refers_to_is_not_deleted(desk: Desk) -> None:
    refused(await desk.api.delete(f"{ASSISTANTS}/{desk.assistant}"), 409)


# A phone number is which caller ID


async def test_a_phone_number_has_these_fields_and_defaults(api: Api) -> None:
    made = await number(api)
    defaults = {
        "team_id": api.team, "phone_number": "+14155552671", "assistant_id": None, "adapter": TRUNK, "status": "active",
        "max_concurrent_calls": None, "daily_limit": None, "weight": 1,
    }  # fmt: skip
    assert made.items() >= defaults.items()
    speaker = (await assistant(api))["id"]
    sent = {"assistantId": speaker, "status": "inactive", "maxConcurrentCalls": 2, "dailyLimit": 100, "weight": 20}
    made = await number(api, "+14155552672", **sent)
    answered = {"assistant_id": speaker, "status": "inactive", "max_concurrent_calls": 2, "daily_limit": 100, "weight": 20}
    assert made.items() >= answered.items()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("phoneNumber", "12"), ("phoneNumber", "911"), ("adapter", "nowhere"), ("status", "asleep"), ("weight", 0),
        ("weight", 21),
        ("weight", "5"), ("dailyLimit", 0), ("maxConcurrentCalls", 2**31),
    ],
)  # fmt: skip
async def test_a_wrong_value_of_a_number_is_named(shut: Desk, field: str, value: Any) -> None:
    body = {"teamId": shut.api.team, "phoneNumber": "+14155552671", "adapter": TRUNK, field: value}
    refused(await shut.api.post(NUMBERS, body), 400, field)


async def test_a_number_is_listed_shown_changed_and_deleted(api: Api, desk: Desk) -> None:
    made = await number(api)
    path = f"{NUMBERS}/{made['id']}"
    assert [each["id"] for each in listed(await api.get(NUMBERS, teamId=api.team), "phone_numbers")] == [made["id"], desk.number]
    for query, ids in (({"assistantId": desk.assistant}, [desk.number]), ({"status": "inactive"}, [])):
        assert [each["id"] for each in listed(await api.get(NUMBERS, teamId=api.team, **query), "phone_numbers")] == ids
    assert given(await api.get(path), "phone_number", NUMBER) == made
    changed = given(await api.patch(path, {"weight": 5, "dailyLimit": 9}), "phone_number", NUMBER)
    assert {name for name in made if made[name] != changed[name]} == {"weight", "daily_limit", "updated_at"}
    assert given(await api.patch(path, {"dailyLimit": None}), "phone_number")["daily_limit"] is None
    assert (await api.delete(path)).json == {"success": True}
    refused(await api.get(path), 404)


async def test_a_number_is_in_a_team_once_and_its_assistant_is_the_teams(api: Api, stranger: Api, desk: Desk) -> None:
    await number(api)
    refused(await api.post(NUMBERS, {"teamId": api.team, "phoneNumber": "+14155552671", "adapter": TRUNK}), 409)
    theirs = await new_assistant(desk.pool, stranger.team)
    body = {"teamId": api.team, "phoneNumber": "+14155552672", "adapter": TRUNK, "assistantId": theirs}
    refused(await api.post(NUMBERS, body), 404)
    refused(await api.patch(f"{NUMBERS}/{desk.number}", {"assistantId": theirs}), 404)


async def test_a_number_that_an_unfinished_campaign_shows_is_not_deleted(desk: Desk) -> None:
    campaign = (await desk.campaign())["id"]
    refused(await desk.api.delete(f"{NUMBERS}/{desk.number}"), 409)
    given(await desk.api.patch(f"{CAMPAIGNS}/{campaign}", {"status": "cancelled"}), "campaign")
    assert (await desk.api.delete(f"{NUMBERS}/{desk.number}")).json == {"success": True}


async def test_outbound_assistants_are_those_enabled_with_their_active_numbers(desk: Desk) -> None:
    await assistant(desk.api, outboundEnabled=False)
    idle = await assistant(desk.api)
    await new_number(desk.pool, desk.api.team, desk.assistant, "+493099999", status="inactive")
    first, second = listed(await desk.api.get(OUTBOUND, teamId=desk.api.team), "assistants")
    assert (first.keys(), second.keys()) == (ASSISTANT | {"assigned_numbers"},) * 2
    assert (first["id"], first["assigned_numbers"]) == (idle["id"], [])
    assert [each["id"] for each in second["assigned_numbers"]] == [desk.number]
    assert second["assigned_numbers"][0].keys() == NUMBER


# ext: suppressions


async def test_a_suppression_has_scope_reason_source_and_expiry(api: Api) -> None:
    made = await suppression(api, reason="asked", source="mail", expiresAt="2026-03-01T00:00:00+01:00")
    assert made.items() >= {
        "scope": "team", "team_id": api.team, "campaign_id": None, "phone_number": "+14155552671", "reason": "asked",
        "source": "mail", "expires_at": "2026-02-28T23:00:00Z",
    }.items()  # fmt: skip
    assert made["id"].startswith("sup_")
    assert api.waits.seconds == [FENCE_SECONDS]


async def test_the_same_number_again_overwrites(api: Api) -> None:
    first = await suppression(api, reason="one", expiresAt="2026-03-01T00:00:00Z")
    again = await suppression(api, reason="two")
    assert (again["id"], again["reason"], again["expires_at"]) == (first["id"], "two", None)


async def test_a_suppression_may_be_of_one_campaign_of_the_team(desk: Desk, stranger: Api) -> None:
    campaign = (await desk.campaign())["id"]
    made = await suppression(desk.api, scope="campaign", campaignId=campaign)
    assert (made["scope"], made["campaign_id"]) == ("campaign", campaign)
    body = {"phoneNumber": "+14155552671"}
    refused(await desk.api.post(SUPPRESSIONS, {"teamId": desk.api.team, **body, "scope": "campaign"}), 400, "campaignId")
    refused(await desk.api.post(SUPPRESSIONS, {"teamId": desk.api.team, **body, "campaignId": campaign}), 400, "campaignId")
    theirs = {"teamId": stranger.team, **body, "scope": "campaign", "campaignId": campaign}
    refused(await stranger.post(SUPPRESSIONS, theirs), 404)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("phoneNumber", "12"),
        ("scope", "world"),
        ("expiresAt", "2026-01-05T12:00:00Z"),
        ("expiresAt", "soon"),
        ("reason", "x" * 501),
    ],
)
async def test_a_wrong_value_of_a_suppression_is_named(shut: Desk, field: str, value: Any) -> None:
    refused(await shut.api.post(SUPPRESSIONS, {"teamId": shut.api.team, "phoneNumber": "+14155552671", field: value}), 400, field)


async def test_suppressions_are_listed_and_deleted(desk: Desk) -> None:
    campaign = (await desk.campaign())["id"]
    team, narrow = await suppression(desk.api), await suppression(desk.api, "+14155552672", scope="campaign", campaignId=campaign)
    cases: list[tuple[dict[str, str], list[dict[str, Any]]]] = [
        ({}, [narrow, team]), ({"campaignId": campaign}, [narrow]), ({"phoneNumber": "415 555 2671"}, [team]),
    ]  # fmt: skip
    for query, expected in cases:
        answer = await desk.api.get(SUPPRESSIONS, teamId=desk.api.team, **query)
        assert (listed(answer, "suppressions"), answer.json["count"]) == (expected, len(expected))
    assert given(await desk.api.delete(f"{SUPPRESSIONS}/{team['id']}"), "suppression", SUPPRESSION) == team
    refused(await desk.api.delete(f"{SUPPRESSIONS}/{team['id']}"), 404)
