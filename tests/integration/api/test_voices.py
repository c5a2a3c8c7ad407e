"""api.md section 4: assistants and phone numbers."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, cast

import pytest

from adapters.base import Health, TelephonyAdapter
from dialer.store.database import Database
from tests.support.api import Api, open_api

ASSISTANTS, NUMBERS = "/api/crm/assistants", "/api/crm/phone-numbers"


class Trunk:
    """Only its name and health are asked for here."""

    async def health(self) -> Health:
        return Health(True)


@pytest.fixture
async def api(database: Database, redis_url: str) -> AsyncIterator[Api]:
    trunks = {name: cast(TelephonyAdapter, Trunk()) for name in ("simulated", "other")}
    async with open_api(database, redis_url, trunks=trunks) as opened:
        yield opened


async def assistant(api: Api, **fields: Any) -> dict[str, Any]:
    answer = await api.post(ASSISTANTS, {"teamId": api.team, "name": "Ava", "adapter": "simulated", **fields})
    assert answer.status == 200, answer.text
    made: dict[str, Any] = answer.json["assistant"]
    return made


async def number(api: Api, **fields: Any) -> dict[str, Any]:
    answer = await api.post(NUMBERS, {"teamId": api.team, "phoneNumber": "(415) 555-2671", "adapter": "simulated", **fields})
    assert answer.status == 200, answer.text
    made: dict[str, Any] = answer.json["phone_number"]
    return made


async def test_an_assistant_through_its_life(api: Api) -> None:
    made = await assistant(api)
    defaults = {
        "team_id": api.team, "name": "Ava", "adapter": "simulated", "external_id": "", "outbound_enabled": True,
        "max_concurrent_calls": None, "voicemail_action": None, "settings": {},
    }  # fmt: skip
    assert made.keys() == defaults.keys() | {"id", "created_at", "updated_at"}
    assert {key: made[key] for key in defaults} == defaults
    path = f"{ASSISTANTS}/{made['id']}"
    change = {
        "externalId": "agent-1",
        "outboundEnabled": False,
        "maxConcurrentCalls": 4,
        "voicemailAction": "hangup",
        "settings": {"v": 1},
    }
    changed = (await api.patch(path, change)).json["assistant"]
    said = ("external_id", "outbound_enabled", "max_concurrent_calls", "voicemail_action", "settings")
    assert [changed[key] for key in said] == ["agent-1", False, 4, "hangup", {"v": 1}]
    cleared = (await api.put(path, {"externalId": None, "maxConcurrentCalls": None, "settings": None})).json["assistant"]
    assert (cleared["external_id"], cleared["max_concurrent_calls"], cleared["settings"]) == ("", None, {})
    assert (await api.get(path)).json["assistant"] == cleared
    assert (await api.delete(path)).json == {"success": True}
    assert (await api.get(path)).status == 404


ASSISTANT_FAULTS: list[tuple[dict[str, Any], str]] = [
    ({"adapter": "nowhere"}, "adapter"),
    ({"voicemailAction": "shout"}, "voicemailAction"),
    ({"maxConcurrentCalls": 0}, "maxConcurrentCalls"),
    ({"maxConcurrentCalls": 2**31}, "maxConcurrentCalls"),
    ({"outboundEnabled": None}, "outboundEnabled"),
    ({"name": ""}, "name"),
]


async def test_a_bad_field_of_an_assistant_is_named(api: Api) -> None:
    for fields, fault in ASSISTANT_FAULTS:
        answer = await api.post(ASSISTANTS, {"teamId": api.team, "name": "Ava", "adapter": "simulated", **fields})
        assert (answer.status, list(answer.faults)) == (400, [fault])


async def test_a_number_through_its_life(api: Api) -> None:
    speaker = await assistant(api)
    made = await number(api, assistantId=speaker["id"], maxConcurrentCalls=2, dailyLimit=100, weight=20)
    expected = {
    "team_id": api.team, "phone_number": "+14155552671", "assistant_id": speaker["id"],
    "adapter": "simulated", "status": "active",
        "max_concurrent_calls": 2, "daily_limit": 100, "weight": 20,
    }  # fmt: skip
    health = {"resting_until", "resting_reason", "calls_today", "recent_calls", "answer_share", "blocked_share"}
    assert made.keys() == expected.keys() | health | {"id", "created_at", "updated_at"}
    assert {key: made[key] for key in expected} == expected
    path = f"{NUMBERS}/{made['id']}"
    changed = (await api.patch(path, {"status": "inactive", "dailyLimit": None, "assistantId": None})).json["phone_number"]
    assert (changed["status"], changed["daily_limit"], changed["assistant_id"]) == ("inactive", None, None)
    assert (await api.get(path)).json["phone_number"] == changed
    assert (await api.delete(path)).json == {"success": True}
    assert (await api.get(path)).status == 404


NUMBER_FAULTS: list[tuple[dict[str, Any], str]] = [
    ({"phoneNumber": "12"}, "phoneNumber"),
    ({"phoneNumber": "112"}, "phoneNumber"),
    ({"adapter": "nowhere"}, "adapter"),
    ({"weight": 21}, "weight"),
    ({"weight": None}, "weight"),
    ({"status": "sleeping"}, "status"),
    ({"dailyLimit": 0}, "dailyLimit"),
]


async def test_a_bad_field_of_a_number_is_named(api: Api) -> None:
    for fields, fault in NUMBER_FAULTS:
        answer = await api.post(NUMBERS, {"teamId": api.team, "phoneNumber": "+14155552671", "adapter": "simulated", **fields})
        assert (answer.status, list(answer.faults)) == (400, [fault])


async def test_an_assistant_and_its_numbers_use_one_adapter(api: Api) -> None:
    speaker = await assistant(api)
    made = await number(api, assistantId=speaker["id"])
    body = {"teamId": api.team, "phoneNumber": "+14155552672", "adapter": "other", "assistantId": speaker["id"]}
    assert (await api.post(NUMBERS, body)).status == 409
    assert (await api.patch(f"{NUMBERS}/{made['id']}", {"adapter": "other"})).status == 409
    assert (await api.patch(f"{ASSISTANTS}/{speaker['id']}", {"adapter": "other"})).status == 409
    assert (await api.patch(f"{NUMBERS}/{made['id']}", {"adapter": "other", "assistantId": None})).status == 200
    assert (await api.patch(f"{ASSISTANTS}/{speaker['id']}", {"adapter": "other"})).status == 200


async def test_a_number_is_in_a_team_once_and_an_assistant_in_use_stays(api: Api) -> None:
    speaker = await assistant(api)
    await number(api, assistantId=speaker["id"])
    answer = await api.post(NUMBERS, {"teamId": api.team, "phoneNumber": "+1 415 555 2671", "adapter": "simulated"})
    assert answer.status == 409
    assert (await api.delete(f"{ASSISTANTS}/{speaker['id']}")).status == 409


async def test_lists_and_their_filters(api: Api) -> None:
    ava, bob = await assistant(api), await assistant(api, name="Bob", outboundEnabled=False)
    first = await number(api, assistantId=ava["id"])
    second = await number(api, phoneNumber="+14155552672", status="inactive", assistantId=ava["id"])
    await number(api, phoneNumber="+14155552673")

    async def ids(path: str, of: str, **query: str) -> list[str]:
        return [row["id"] for row in (await api.get(path, teamId=api.team, **query)).json[of]]

    assert await ids(ASSISTANTS, "assistants") == [bob["id"], ava["id"]]
    assert await ids(ASSISTANTS, "assistants", outboundEnabled="false") == [bob["id"]]
    assert len(await ids(NUMBERS, "phone_numbers")) == 3
    assert await ids(NUMBERS, "phone_numbers", assistantId=ava["id"]) == [second["id"], first["id"]]
    assert await ids(NUMBERS, "phone_numbers", status="inactive") == [second["id"]]
    outbound = (await api.get("/api/crm/outbound-assistants", teamId=api.team)).json
    assert [(a["id"], a["assigned_numbers"]) for a in outbound["assistants"]] == [(ava["id"], [first])]
    assert outbound["count"] == 1


async def test_another_teams_voices_do_not_exist(api: Api) -> None:
    from tests.support.api import fresh_team

    team, key = await fresh_team(api.context.database, "Strangers")
    stranger = api.using(key)
    speaker = await assistant(api)
    owned = await number(api)
    for path in (f"{ASSISTANTS}/{speaker['id']}", f"{NUMBERS}/{owned['id']}"):
        for answer in (await stranger.get(path), await stranger.patch(path, {}), await stranger.delete(path)):
            assert answer.status == 404
    body = {"teamId": team, "phoneNumber": "+14155552679", "adapter": "simulated", "assistantId": speaker["id"]}
    assert (await stranger.post(NUMBERS, body)).status == 404


async def test_readiness_tells_of_the_trunks(api: Api) -> None:
    assert (await api.get("/readyz")).json["adapters"] == {"simulated": "ok", "other": "ok"}
