"""api.md section 1: keys, envelopes and limits."""

from __future__ import annotations

from datetime import timedelta
from itertools import product

import pytest

from dialer.api.errors import MOST_BODY
from dialer.flows import teams
from tests.support.api import Api

CONTACTS = "/api/crm/contacts"
BAD_KEYS = [None, "", "nonsense", "tk_live_nonsense", "tk_live_" + "x" * 500, "tk_live_\xff"]


async def test_without_a_good_key_nothing_is_told(api: Api) -> None:
    for key, path in product(BAD_KEYS, (CONTACTS, "/api/crm/nowhere", "/api/")):
        answer = await api.using(key).get(path)
        assert (answer.status, answer.json) == (
            401,
            {"success": False, "error": "Unauthorized", "details": {"fieldErrors": {}, "formErrors": []}},
        )
        assert answer.headers["www-authenticate"] == "Bearer"


async def test_the_key_may_come_in_a_header_of_its_own(api: Api) -> None:
    answer = await api.using(None).send("GET", CONTACTS, query={"teamId": api.team}, headers={"x-api-key": api.key or ""})
    assert answer.status == 200


async def test_a_revoked_key_and_an_expired_key_open_nothing(api: Api) -> None:
    database, now = api.context.database, api.context.clock.now()
    revoked, kept = await teams.create_key(database, team_id=api.team, name="r", now=now)
    assert (await api.using(revoked).get(CONTACTS, teamId=api.team)).status == 200
    await teams.revoke_key(database, key_id=kept.id, now=now)
    assert (await api.using(revoked).get(CONTACTS, teamId=api.team)).status == 401
    expired, _ = await teams.create_key(
        database, team_id=api.team, name="e", now=now - timedelta(hours=2), expires_at=now - timedelta(hours=1)
    )
    assert (await api.using(expired).get(CONTACTS, teamId=api.team)).status == 401


async def test_a_key_may_only_what_its_scopes_say(api: Api) -> None:
    now = api.context.clock.now()
    reader, _ = await teams.create_key(api.context.database, team_id=api.team, name="r", scopes=["contacts:read"], now=now)
    assert (await api.using(reader).get(CONTACTS, teamId=api.team)).status == 200
    answer = await api.using(reader).post(CONTACTS, {"teamId": api.team, "firstName": "A", "lastName": "B"})
    assert answer.status == 403
    assert "contacts:write" in answer.json["error"]


async def test_the_team_must_be_the_keys_own(api: Api, stranger: Api) -> None:
    assert (await api.get(CONTACTS, teamId=stranger.team)).status == 403
    assert (await api.post(CONTACTS, {"teamId": stranger.team, "firstName": "A", "lastName": "B"})).status == 403


async def test_faults_are_named_field_by_field_as_the_client_spells_them(api: Api) -> None:
    answer = await api.post(CONTACTS, {"teamId": api.team, "firstName": 7, "nickname": "x", "tags": ["a", 3]})
    assert answer.status == 400
    assert answer.json["success"] is False
    assert answer.faults == {
        "firstName": ["input should be a valid string"],
        "lastName": ["is required"],
        "nickname": ["is not a known field; remove it or correct its spelling"],
        "tags.1": ["input should be a valid string"],
    }


async def test_unknown_parameters_and_bad_paging_are_refused(api: Api) -> None:
    assert (await api.get(CONTACTS)).faults == {"teamId": ["is required"]}
    answer = await api.get(CONTACTS, teamId=api.team, limit=501, offset=-1, colour="red")
    assert answer.status == 400
    assert set(answer.faults) == {"limit", "offset", "colour"}


async def test_what_is_not_a_json_object_is_a_400(api: Api) -> None:
    for body in [b"", b"{", b"[]", b"null", b'"x"', b"\xff", b"[" * 100_000]:
        answer = await api.send("POST", CONTACTS, body, headers={"content-type": "application/json"})
        assert answer.status == 400
        assert answer.json["error"]


async def test_json_knows_one_kind_of_number(api: Api) -> None:
    body = {"teamId": api.team, "name": "V", "adapter": "nowhere", "maxConcurrentCalls": 3.0}
    assert set((await api.post("/api/crm/assistants", body)).faults) == {"adapter"}
    body["maxConcurrentCalls"] = 3.5
    assert set((await api.post("/api/crm/assistants", body)).faults) == {"maxConcurrentCalls"}


async def test_a_body_of_another_type_is_a_415(api: Api) -> None:
    answer = await api.send("POST", CONTACTS, b"firstName=A", headers={"content-type": "application/x-www-form-urlencoded"})
    assert answer.status == 415


async def test_a_body_that_is_too_large_is_a_413(api: Api) -> None:
    answer = await api.send("POST", CONTACTS, b'{"notes":"' + b"x" * MOST_BODY + b'"}')
    assert (answer.status, answer.json["success"]) == (413, False)


async def test_unknown_addresses_and_methods(api: Api) -> None:
    assert (await api.get("/api/crm/nowhere")).status == 404
    answer = await api.send("PATCH", CONTACTS)
    assert (answer.status, answer.json["success"]) == (405, False)
    assert answer.headers["allow"] == "GET, HEAD, POST"
    assert (await api.send("OPTIONS", CONTACTS + "/import")).headers["allow"] == "POST"
    assert (await api.send("POST", CONTACTS + "/cont_1")).headers["allow"] == "GET, HEAD, PUT, PATCH, DELETE"
    assert (await api.send("POST", "/openapi.json")).headers["allow"] == "GET, HEAD"
    assert (await api.get(CONTACTS + "/cont\x00")).status == 400
    assert (await api.get(CONTACTS, teamId=api.team, search="a\x00")).status == 400


async def test_a_fault_of_ours_tells_a_request_id_and_nothing_else(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(*_: object, **__: object) -> None:
        raise RuntimeError("a secret detail")

    monkeypatch.setattr("dialer.flows.contacts.listing", broken)
    answer = await api.get(CONTACTS, teamId=api.team)
    assert answer.status == 500
    assert answer.json["request_id"] == answer.headers["x-request-id"]
    assert "secret" not in answer.text


async def test_a_store_that_is_away_is_a_503(api: Api) -> None:
    await api.context.database.pool.close()
    answer = await api.get(CONTACTS, teamId=api.team)
    assert answer.status == 503
    assert answer.headers["retry-after"] == "1"
    assert (await api.using(None).get("/readyz")).status == 503
    assert (await api.using(None).get("/healthz")).status == 200


async def test_health_and_figures_need_no_key(api: Api) -> None:
    nobody = api.using(None)
    assert (await nobody.get("/healthz")).json == {"status": "ok"}
    assert (await nobody.get("/readyz")).json == {"status": "ready", "database": "ok", "redis": "ok", "adapters": {}}
    assert "dialer_attempts_total" in (await nobody.get("/metrics")).text


async def test_the_openapi_document_never_promises_a_422(api: Api) -> None:
    document = (await api.using(None).get("/openapi.json")).json
    operations = [operation for path in document["paths"].values() for operation in path.values()]
    assert operations
    assert not any("422" in operation["responses"] for operation in operations)
    contacts = document["paths"][CONTACTS]["post"]
    assert {"200", "400", "401", "403", "404"} <= set(contacts["responses"])
    assert contacts["security"]
