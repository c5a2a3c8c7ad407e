"""A crash between the effect and the answer, on every POST route: the replay has no second effect and is told what happened.

The crash is an exception that nothing catches, at the moment when the answer is about to be remembered and sent; a real kill of
a real process is in tests/system. Each case sets the stage and says what is sent.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from dialer.api import idempotency
from dialer.flows import suppression_lists
from dialer.flows.ring import Ringer
from dialer.store.database import Database
from dialer.store.suppression_lists import Listed
from tests.support.api import BOUNDARY, Answer
from tests.support.desk import Desk, open_desk
from tests.support.laws import laws_hold

CRM = "/api/crm"
NOES = b"phone_number\n+493020100001\nnone\n+493020100002\n+493020100003\n"
CSV = b"first_name,last_name,phone\nAda,Lovelace,+14155552671\n"
TABLES = (
    "contacts", "companies", "assistants", "phone_numbers", "campaigns", "campaign_contacts", "call_attempts", "suppressions",
    "import_batches", "history", "audit", "custom_fields",
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
    return uploaded(desk, "/contacts/import", CSV)


def uploaded(desk: Desk, path: str, file: bytes) -> Sent:
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="teamId"\r\n\r\n{desk.api.team}\r\n'
    head += f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="a.csv"\r\n\r\n'
    body = head.encode() + file + f"\r\n--{BOUNDARY}--\r\n".encode()
    return Sent(f"{CRM}{path}", body, {"content-type": f"multipart/form-data; boundary={BOUNDARY}"})


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


@case("/campaigns/{id}/contacts/{campaign_contact_id}/callback")
async def callback(desk: Desk) -> Sent:
    [person] = await desk.people(1)
    id = (await desk.campaign([person]))["id"]
    return sent(f"/campaigns/{id}/contacts/{person}/callback", {"callbackAt": "2026-01-05T13:00:00Z"})


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


@case("/campaigns/{id}/preflight")
async def preflight(desk: Desk) -> Sent:
    return sent(f"/campaigns/{(await desk.campaign(await desk.people(5)))['id']}/preflight", None)


@case("/calls")
async def call(desk: Desk) -> Sent:
    return sent("/calls", {"assistantId": desk.assistant, "toNumber": "+4930901820", "metadata": {"order": 7}})


@case("/calls")
async def call_known(desk: Desk) -> Sent:
    [known] = await desk.people(1)
    return sent("/calls", {"assistantId": desk.assistant, "toNumber": "+493020100001", "contactId": known})


@case("/custom-fields")
async def custom_field(desk: Desk) -> Sent:
    return sent("/custom-fields", {"teamId": desk.api.team, "key": "size", "label": "Size", "type": "number"})


@case("/suppressions/import")
async def suppressions(desk: Desk) -> Sent:
    await running(desk)
    return uploaded(desk, "/suppressions/import", NOES)


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
EFFECTLESS = {preflight}
"""Nothing was changed and nothing is receipted: a replay after a crash is carried out as if it were the first."""
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
    rows = {table: await desk.pool.fetchval(f"select count(*) from {table}") for table in TABLES}
    return rows | {"dial jobs": await dial_jobs(desk)}


async def dial_jobs(desk: Desk) -> int:
    count: int = await desk.api.context.ringer._jobs._redis.zcard("dialer:test")
    return count


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
    assert ("idempotent-replayed" in replay.headers) == (made not in EFFECTLESS)
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
    paths = [path for path, operations in document["paths"].items() if "post" in operations]
    posts = {path.removeprefix(CRM) for path in paths if path.startswith(CRM)}
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


async def test_a_direct_call_that_nobody_enqueued_is_told_and_not_called(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    what = await call(desk)

    async def dies(_ringer: Ringer, _claimed: object) -> bool:
        raise Crash

    with monkeypatch.context() as patch:
        patch.setattr(Ringer, "dial", dies)
        with pytest.raises(Crash):
            await post(desk, what)
    after = await counts(desk)
    [made] = [each["id"] for each in await desk.pool.fetch("select id from call_attempts")]
    replay = await post(desk, what)
    assert (replay.json["call"]["id"], replay.json["call"]["status"]) == (made, "queued")
    assert (await counts(desk), after["dial jobs"]) == (after, 0)


async def test_a_direct_call_that_is_sent_twice_at_once_is_one_call(desk: Desk) -> None:
    what = await call(desk)
    answers = await asyncio.gather(*(post(desk, what) for _ in range(6)))
    assert {each.status for each in answers} <= {200, 409}
    assert len({each.json["call"]["id"] for each in answers if each.status == 200}) == 1
    assert await desk.pool.fetchval("select count(*) from call_attempts") == 1
    assert await dial_jobs(desk) == 1


async def test_a_list_of_suppressions_that_died_between_two_pieces_is_finished_by_its_replay(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    what = await suppressions(desk)
    monkeypatch.setattr(suppression_lists, "PIECE", 2)
    suppress = suppression_lists._Import.suppress

    async def dies(work: suppression_lists._Import, piece: list[suppression_lists.Entry]) -> list[Listed]:
        if work.total:
            raise Crash
        return await suppress(work, piece)

    with monkeypatch.context() as patch:
        patch.setattr(suppression_lists._Import, "suppress", dies)
        with pytest.raises(Crash):
            await post(desk, what)
    assert await desk.pool.fetchval("select count(*) from suppressions") == 1
    replay = await post(desk, what)
    assert (replay.status, "idempotent-replayed" in replay.headers) == (200, False)
    assert [replay.json[name] for name in ("imported", "updated", "failed", "total")] == [2, 1, 1, 4]
    assert await desk.pool.fetchval("select count(*) from suppressions") == 3
    assert (await post(desk, what)).json == replay.json


async def test_a_list_that_died_before_it_stopped_whom_it_had_suppressed_is_finished_by_its_replay(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    what = await suppressions(desk)
    skipped = "select count(*) from campaign_contacts where reason = 'suppressed' and status = 'skipped'"

    async def dies(work: suppression_lists._Import, held: list[Listed]) -> None:
        if held:
            raise Crash

    with monkeypatch.context() as patch:
        patch.setattr(suppression_lists._Import, "stop", dies)
        with pytest.raises(Crash):
            await post(desk, what)
    assert (await desk.pool.fetchval("select count(*) from suppressions"), await desk.pool.fetchval(skipped)) == (3, 0)
    replay = await post(desk, what)
    assert [replay.json[name] for name in ("imported", "updated", "failed", "stopped")] == [0, 3, 1, 3]
    assert await desk.pool.fetchval(skipped) == 3
