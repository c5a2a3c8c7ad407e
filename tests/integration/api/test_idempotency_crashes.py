"""A crash between the effect and the answer, on every POST route: the replay has no second effect and is told what happened.

The crash is an exception that nothing catches, at the moment when the answer is about to be remembered and sent; a real kill of
a real process is in tests/system. Each case sets the stage and says what is sent.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from dialer.api import idempotency
from dialer.store.database import Database
from tests.support.api import BOUNDARY, Answer
from tests.support.desk import Desk, open_desk
from tests.support.laws import laws_hold

CRM = "/api/crm"
CSV = b"first_name,last_name,phone\nAda,Lovelace,+14155552671\n"
TABLES = (
    "contacts", "companies", "assistants", "phone_numbers", "campaigns", "campaign_contacts", "call_attempts", "suppressions",
    "import_batches", "history", "audit",
)  # fmt: skip


@dataclass(frozen=True)
class Sent:
    path: str
    body: Any
    headers: Mapping[str, str]


Case = Callable[[Desk], Awaitable[Sent]]
CASES: dict[str, list[Case]] = {}
"""Route → cases. A POST route without a case fails a test below: decide what its replay is told."""


def case(route: str) -> Callable[[Case], Case]:
    def add(made: Case) -> Case:
        CASES.setdefault(route, []).append(made)
        return made

    return add


def sent(path: str, body: Any, **headers: str) -> Sent:
    return Sent(CRM + path, body, headers)


def person(desk: Desk, **fields: Any) -> dict[str, Any]:
    return {"teamId": desk.api.team, "firstName": "Ada", "lastName": "L", "phone": "+493020999999", **fields}


@case("/contacts")
async def contact(desk: Desk) -> Sent:
    return sent("/contacts", person(desk))


@case("/contacts")
async def contact_enrolled(desk: Desk) -> Sent:
    return sent("/contacts", person(desk, campaignId=(await desk.campaign())["id"], campaignPriority=7))


@case("/contacts/import")
async def imported(desk: Desk) -> Sent:
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="teamId"\r\n\r\n{desk.api.team}\r\n'
    head += f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="a.csv"\r\n\r\n'
    body = head.encode() + CSV + f"\r\n--{BOUNDARY}--\r\n".encode()
    return Sent(f"{CRM}/contacts/import", body, {"content-type": f"multipart/form-data; boundary={BOUNDARY}"})


@case("/companies")
async def company(desk: Desk) -> Sent:
    return sent("/companies", {"teamId": desk.api.team, "name": "Acme"})


@case("/companies/{id}/contacts")
async def contact_of_company(desk: Desk) -> Sent:
    id = (await desk.api.post(f"{CRM}/companies", {"teamId": desk.api.team, "name": "Acme"})).json["company"]["id"]
    return sent(f"/companies/{id}/contacts", {"firstName": "Ada", "lastName": "L"})


@case("/assistants")
async def assistant(desk: Desk) -> Sent:
    return sent("/assistants", {"teamId": desk.api.team, "name": "Bea", "adapter": "sim"})


@case("/phone-numbers")
async def number(desk: Desk) -> Sent:
    return sent("/phone-numbers", {"teamId": desk.api.team, "phoneNumber": "+493055555", "adapter": "sim"})


@case("/campaigns")
async def campaign(desk: Desk) -> Sent:
    body = {"teamId": desk.api.team, "assistantId": desk.assistant, "fromNumberIds": [desk.number], "name": "Spring"}
    return sent("/campaigns", body)


@case("/campaigns/{id}/contacts")
async def enrolled(desk: Desk) -> Sent:
    people = await desk.people(3)
    return sent(f"/campaigns/{(await desk.campaign())['id']}/contacts", {"contactIds": [*people, "cont_none"], "priority": 5})


@case("/campaigns/{id}/contacts")
async def enrolled_audience(desk: Desk) -> Sent:
    await desk.people(3)
    return sent(f"/campaigns/{(await desk.campaign())['id']}/contacts", {"audience": {"mode": "all_eligible"}})


@case("/campaigns/{id}/contacts")
async def enrolled_newcomer(desk: Desk) -> Sent:
    contact = {"firstName": "Ada", "lastName": "L", "phone": "+493020999999"}
    return sent(f"/campaigns/{(await desk.campaign())['id']}/contacts", {"contact": contact})


@case("/campaigns/{id}/run")
async def run(desk: Desk) -> Sent:
    return sent(f"/campaigns/{(await desk.campaign(await desk.people(5)))['id']}/run", {"maxCalls": 2})


@case("/campaigns/{id}/pause")
async def pause(desk: Desk) -> Sent:
    return sent(f"/campaigns/{(await running(desk))}/pause", {"inFlight": "hangUp"})


@case("/campaigns/{id}/cancel")
async def cancel(desk: Desk) -> Sent:
    return sent(f"/campaigns/{(await running(desk))}/cancel", None)


@case("/campaigns/{id}/resume")
async def resume(desk: Desk) -> Sent:
    id = await running(desk)
    assert (await desk.api.post(f"{CRM}/campaigns/{id}/pause")).status == 200
    return sent(f"/campaigns/{id}/resume", None)


@case("/suppressions")
async def suppression(desk: Desk) -> Sent:
    await running(desk)
    return sent("/suppressions", {"teamId": desk.api.team, "phoneNumber": "+493020100001"})


async def running(desk: Desk) -> str:
    id: str = (await desk.campaign(await desk.people(5)))["id"]
    await desk.run(id)
    return id


LATER = {run, pause, cancel}
"""Their answer is only known after the commit: a replay within the first seconds is a 409, and then finishes the request."""
ALL = [pytest.param(each, id=each.__name__) for cases in CASES.values() for each in cases]


class Crash(BaseException):
    """As good as a kill: nothing on the way out catches it."""


@dataclass
class Lost:
    """The answer that was never sent."""

    body: bytes = b""


@pytest.fixture
async def desk(database: Database, redis_url: str) -> AsyncIterator[Desk]:
    async with open_desk(database, redis_url) as opened:
        yield opened
    await laws_hold(database.pool)


async def post(desk: Desk, what: Sent) -> Answer:
    return await desk.api.send("POST", what.path, what.body, headers={**what.headers, "idempotency-key": "k1"})


async def crash(desk: Desk, what: Sent, monkeypatch: pytest.MonkeyPatch) -> Answer:
    """Send it to a process that dies before it answers; the answer it would have given."""
    lost: list[Answer] = []

    async def dies(_ring: object, _receipt: object, body: bytes) -> None:
        lost.append(Answer(200, {}, body))
        raise Crash

    with monkeypatch.context() as patch:
        patch.setattr(idempotency.Idempotency, "_keep", dies)
        with pytest.raises(Crash):
            await post(desk, what)
    return lost[0]


async def counts(desk: Desk) -> dict[str, int]:
    return {table: await desk.pool.fetchval(f"select count(*) from {table}") for table in TABLES}


@pytest.mark.parametrize("made", ALL)
async def test_a_replay_after_a_crash_has_no_second_effect(desk: Desk, made: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    what = await made(desk)
    lost = await crash(desk, what, monkeypatch)
    after = await counts(desk)
    if made in LATER:
        early = await post(desk, what)
        assert (early.status, early.headers["retry-after"]) == (409, "1")
        monkeypatch.setattr(idempotency, "PATIENCE", 0.0)
    replay = await post(desk, what)
    assert await counts(desk) == after
    assert replay.status == 200, replay.text
    assert replay.headers["idempotent-replayed"] == "true"
    assert replay.json == lost.json
    again = await post(desk, what)
    assert (again.json, again.headers["idempotent-replayed"], await counts(desk)) == (lost.json, "true", after)


@pytest.mark.parametrize("made", ALL)
async def test_without_a_crash_the_replay_is_the_first_answer(desk: Desk, made: Case) -> None:
    what = await made(desk)
    first = await post(desk, what)
    assert first.status == 200, first.text
    after = await counts(desk)
    replay = await post(desk, what)
    assert (replay.status, replay.json, replay.headers["idempotent-replayed"]) == (200, first.json, "true")
    assert await counts(desk) == after


async def test_every_post_route_has_a_case(desk: Desk) -> None:
    document = (await desk.api.get("/openapi.json")).json
    posts = {path.removeprefix(CRM) for path, operations in document["paths"].items() if "post" in operations}
    assert posts == set(CASES)


async def test_a_stop_that_died_before_it_hung_up_hangs_up_in_its_replay(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    what = await pause(desk)
    dying = desk.api.context.pause

    async def dies(_seconds: float) -> None:
        raise Crash

    object.__setattr__(desk.api.context, "pause", dies)
    with pytest.raises(Crash):
        await post(desk, what)
    object.__setattr__(desk.api.context, "pause", dying)
    assert desk.hung_up == []
    monkeypatch.setattr(idempotency, "PATIENCE", 0.0)
    desk.api.waits.seconds.clear()
    assert (await post(desk, what)).json["campaign"]["status"] == "paused"
    assert len(desk.hung_up) == 1 and desk.api.waits.seconds


async def test_a_replayed_stop_does_not_overrule_who_let_it_run_again(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    what = await pause(desk)
    await crash(desk, what, monkeypatch)
    desk.hung_up.clear()
    id = what.path.split("/")[-2]
    assert (await desk.api.post(f"{CRM}/campaigns/{id}/resume")).status == 200
    monkeypatch.setattr(idempotency, "PATIENCE", 0.0)
    assert (await post(desk, what)).json["campaign"]["status"] == "running"
    assert desk.hung_up == []


async def test_a_flow_that_promises_nothing_is_never_carried_out_twice(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dialer.flows.companies.promised", lambda row: row)
    what = await company(desk)
    await crash(desk, what, monkeypatch)
    assert (await post(desk, what)).status == 409
    monkeypatch.setattr(idempotency, "PATIENCE", 0.0)
    replay = await post(desk, what)
    assert replay.status == 409 and "its answer is lost" in replay.json["error"]
    assert await desk.pool.fetchval("select count(*) from companies") == 1
