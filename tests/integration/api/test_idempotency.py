"""api.md section 1, `Idempotency-Key`: what a replay is told, and what is forgotten. Crashes are in test_idempotency_crashes."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from dialer.api.idempotency import PREFIX
from dialer.domain.fence import FENCE_SECONDS
from dialer.flows import teams
from dialer.store import receipts
from tests.support.api import Answer, Api

CONTACTS = "/api/crm/contacts"
CSV = b"first_name,last_name,phone\nAda,Lovelace,+14155552671\nBob,Bell,+14155552672\n"


def body(api: Api, **fields: Any) -> dict[str, Any]:
    return {"teamId": api.team, "firstName": "Ada", "lastName": "Lovelace", **fields}


async def post(api: Api, key: str, sent: Any = None, path: str = CONTACTS, **headers: str) -> Answer:
    return await api.send("POST", path, body(api) if sent is None else sent, headers={"idempotency-key": key, **headers})


async def people(api: Api) -> int:
    found: int = await api.context.database.pool.fetchval("select count(*) from contacts where team_id = $1", api.team)
    return found


async def test_a_replay_gets_the_first_answer_and_has_no_effect(api: Api) -> None:
    first = await post(api, "k1")
    assert first.status == 200 and "idempotent-replayed" not in first.headers
    renamed = await api.patch(f"{CONTACTS}/{first.json['contact']['id']}", {"firstName": "Augusta"})
    assert renamed.status == 200
    replay = await post(api, "k1")
    assert (replay.status, replay.json) == (200, first.json)
    assert replay.headers["idempotent-replayed"] == "true"
    assert replay.headers["content-type"] == first.headers["content-type"]
    assert await people(api) == 1


async def test_another_request_with_the_same_key_is_a_409(api: Api) -> None:
    await post(api, "k1")
    for sent, path in ((body(api, firstName="Bob"), CONTACTS), (body(api), "/api/crm/companies"), (body(api), CONTACTS + "?x=1")):
        bare, _, query = path.partition("?")
        answer = await api.send("POST", bare, sent, query={"x": query} if query else {}, headers={"idempotency-key": "k1"})
        assert answer.status == 409 and "another request" in answer.json["error"]
    assert await people(api) == 1


async def test_a_key_belongs_to_a_team(api: Api, stranger: Api) -> None:
    mine, theirs = await post(api, "k1"), await post(stranger, "k1")
    assert (mine.status, theirs.status) == (200, 200)
    assert mine.json["contact"]["id"] != theirs.json["contact"]["id"]
    assert "idempotent-replayed" not in theirs.headers


@pytest.mark.parametrize("key", ["", "a b", "x" * 256, "\xe4"])
async def test_a_bad_key_is_a_400(api: Api, key: str) -> None:
    answer = await post(api, key)
    assert answer.status == 400 and set(answer.faults) == {"Idempotency-Key"}
    assert await people(api) == 0


async def test_a_refusal_is_forgotten(api: Api) -> None:
    assert (await post(api, "k1", body(api, nickname="x"))).status == 400
    assert (await post(api, "k1", body(api, companyId="comp_none"))).status == 404
    assert (await post(api, "k1")).status == 200
    assert await people(api) == 1


async def test_a_fault_before_the_effect_is_forgotten(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(*_: object, **__: object) -> None:
        raise RuntimeError

    with monkeypatch.context() as patch:
        patch.setattr("dialer.store.contacts.add", broken)
        assert (await post(api, "k1")).status == 500
    assert (await post(api, "k1")).status == 200


async def test_a_conflict_is_forgotten_so_that_it_may_succeed_later(api: Api) -> None:
    company = {"teamId": api.team, "name": "Acme"}
    made = (await api.post("/api/crm/companies", company)).json["company"]["id"]
    assert (await post(api, "k1", company, "/api/crm/companies")).status == 409
    assert (await api.delete(f"/api/crm/companies/{made}")).status == 200
    assert (await post(api, "k1", company, "/api/crm/companies")).status == 200


async def test_duplicates_at_the_same_time_have_one_effect(api: Api) -> None:
    answers = await asyncio.gather(*(post(api, "k1") for _ in range(20)))
    assert await people(api) == 1
    assert {answer.status for answer in answers} <= {200, 409}
    told = {answer.json["contact"]["id"] for answer in answers if answer.status == 200}
    assert len(told) == 1
    assert [answer for answer in answers if answer.status == 200 and "idempotent-replayed" not in answer.headers]
    assert all(a.headers.get("retry-after") == "1" for a in answers if a.status == 409)


async def test_while_the_effect_is_being_written_a_duplicate_is_a_409(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    from dialer.store import contacts

    inside, go, add = asyncio.Event(), asyncio.Event(), contacts.add

    async def slowly(*args: Any) -> str:
        inside.set()
        await go.wait()
        return await add(*args)

    monkeypatch.setattr("dialer.store.contacts.add", slowly)
    first = asyncio.ensure_future(post(api, "k1"))
    await inside.wait()
    second = await post(api, "k1")
    go.set()
    assert (second.status, second.headers["retry-after"]) == (409, "1")
    assert (await first).status == 200
    assert await people(api) == 1


async def test_a_duplicate_that_looked_before_the_first_was_written_has_no_effect(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dialer.flows import contacts

    looked, go, prepare = asyncio.Event(), asyncio.Event(), contacts.prepare

    async def slowly(*args: Any) -> dict[str, Any]:
        looked.set()
        await go.wait()
        return await prepare(*args)

    with monkeypatch.context() as patch:
        patch.setattr("dialer.flows.contacts.prepare", slowly)
        late = asyncio.ensure_future(post(api, "k1"))
        await looked.wait()
    first = await post(api, "k1")
    go.set()
    second = await late
    assert (first.status, second.status, second.json) == (200, 200, first.json)
    assert second.headers["idempotent-replayed"] == "true"
    assert await people(api) == 1


async def test_a_day_later_the_key_is_as_good_as_new(api: Api) -> None:
    pool = api.context.database.pool
    first = await post(api, "k1")
    await pool.execute("update receipts set created_at = created_at - interval '23 hours 59 minutes'")
    assert (await post(api, "k1")).json == first.json
    await pool.execute("update receipts set created_at = created_at - interval '2 minutes'")
    other = await post(api, "k1", body(api, firstName="Bob"))
    assert other.status == 200 and other.json["contact"]["first_name"] == "Bob"
    assert (await post(api, "k1", body(api, firstName="Bob"))).json == other.json


async def test_old_receipts_are_swept_and_young_ones_stay(api: Api) -> None:
    pool = api.context.database.pool
    await post(api, "old")
    await pool.execute("update receipts set created_at = created_at - interval '25 hours'")
    await post(api, "young", body(api, firstName="Bob"))
    assert await receipts.sweep(pool) == 1
    assert await pool.fetchval("select array_agg(key) from receipts") == ["young"]


async def test_a_key_that_may_less_is_not_told_the_answer(api: Api) -> None:
    now = api.context.clock.now()
    weak, _ = await teams.create_key(api.context.database, team_id=api.team, name="w", scopes=["calls:read"], now=now)
    writer, _ = await teams.create_key(api.context.database, team_id=api.team, name="c", scopes=["contacts:write"], now=now)
    first = await post(api.using(writer), "k1")
    assert first.status == 200
    refused = await post(api.using(weak), "k1")
    assert refused.status == 403 and "contact" not in refused.json
    assert (await post(api, "k1")).json == first.json


async def test_an_import_is_replayed_though_its_form_is_written_anew(api: Api) -> None:
    def form(boundary: str, file: bytes) -> tuple[bytes, dict[str, str]]:
        text = f'--{boundary}\r\nContent-Disposition: form-data; name="teamId"\r\n\r\n{api.team}\r\n'
        text += f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="a.csv"\r\n\r\n'
        sent = text.encode() + file + f"\r\n--{boundary}--\r\n".encode()
        return sent, {"content-type": f"multipart/form-data; boundary={boundary}", "idempotency-key": "k1"}

    async def send(boundary: str, file: bytes) -> Answer:
        sent, headers = form(boundary, file)
        return await api.send("POST", CONTACTS + "/import", sent, headers=headers)

    first = await send("one", CSV)
    assert (first.status, first.json["imported"]) == (200, 2)
    replay = await send("two", CSV)
    assert (replay.json, replay.headers["idempotent-replayed"]) == (first.json, "true")
    assert (await send("three", CSV + b"C,D,+14155552673\n")).status == 409
    assert await people(api) == 2


async def test_what_writes_nothing_is_replayed_too(api: Api) -> None:
    first = await api_upload(api, dryRun="true")
    assert first.json["imported"] == 2
    await api.upload(CONTACTS + "/import", CSV, teamId=api.team)
    replay = await api_upload(api, dryRun="true")
    assert (replay.json, replay.headers["idempotent-replayed"]) == (first.json, "true")


async def api_upload(api: Api, **fields: str) -> Answer:
    """As `api.upload`, with a key."""
    boundary = "b"
    parts = [
        f'--b\r\nContent-Disposition: form-data; name="{k}"\r\n\r\n{v}\r\n' for k, v in {"teamId": api.team, **fields}.items()
    ]
    head = '--b\r\nContent-Disposition: form-data; name="file"; filename="a.csv"\r\n\r\n'
    sent = "".join([*parts, head]).encode() + CSV + b"\r\n--b--\r\n"
    headers = {"content-type": f"multipart/form-data; boundary={boundary}", "idempotency-key": "dry"}
    return await api.send("POST", CONTACTS + "/import", sent, headers=headers)


async def test_a_replay_waits_out_the_fence_while_the_first_answer_may_not_have(api: Api) -> None:
    await post(api, "k1")
    api.waits.seconds.clear()
    await post(api, "k1")
    assert api.waits.seconds == [FENCE_SECONDS]
    await api.context.database.pool.execute("update receipts set created_at = created_at - interval '1 minute'")
    await post(api, "k1")
    assert api.waits.seconds == [FENCE_SECONDS]


async def test_other_methods_take_no_notice_of_the_header(api: Api) -> None:
    id = (await post(api, "k1")).json["contact"]["id"]
    for _ in range(2):
        answer = await api.send("PATCH", f"{CONTACTS}/{id}", {"firstName": "B"}, headers={"idempotency-key": "k1"})
        assert answer.status == 200 and "idempotent-replayed" not in answer.headers


async def test_the_document_tells_of_the_header_on_every_post(api: Api) -> None:
    document = (await api.get("/openapi.json")).json
    posts = [
        operations["post"] for path, operations in document["paths"].items() if path.startswith(PREFIX) and "post" in operations
    ]
    assert posts
    for operation in posts:
        assert "Idempotency-Key" in [parameter["name"] for parameter in operation["parameters"]]
