"""GET /api/crm/campaigns/{id}/events: what is told, when a stream ends, and who may listen."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from adapters.events import Outcome
from dialer.api import stream
from dialer.api.context import MOST_STREAMS
from dialer.flows import teams
from dialer.flows.campaigns import events
from tests.integration.campaigns.test_dashboard_and_calls import end
from tests.support.api import Api
from tests.support.desk import Desk
from tests.support.stream import Listener, Told, listening, parsed


async def quiet(desk: Desk, listener: Listener) -> None:
    """Let the stream look once more, and wait until it sleeps again."""
    await desk.clock.asleep()
    desk.clock.advance(stream.LOOK_SECONDS)
    await desk.clock.asleep()


async def all_of(desk: Desk, campaign: str, last: str | None, **query: Any) -> list[Told]:
    """What there is by now, as a client that does not follow gets it."""
    headers = {} if last is None else {"last-event-id": last}
    answer = await desk.api.send(
        "GET", f"/api/crm/campaigns/{campaign}/events", query={"follow": "false", **query}, headers=headers
    )
    assert answer.status == 200, answer.text
    assert answer.headers["content-type"].startswith("text/event-stream")
    return parsed(answer.text)


async def last_id(desk: Desk, campaign: str) -> str:
    told = (await all_of(desk, campaign, None))[-1]
    assert told.id is not None
    return told.id


async def test_a_stream_begins_with_how_things_stand_and_goes_on_with_what_happens(desk: Desk) -> None:
    campaign = (await desk.campaign(await desk.people(2)))["id"]
    async with listening(desk.api, campaign) as listener:
        first, counts = await listener.next(), await listener.next()
        assert (first.kind, first.data["status"], first.data["id"]) == ("status", "draft", None)
        assert (counts.kind, counts.data["by_status"]["pending"], counts.data["total"]) == ("counts", 2, 2)
        await desk.run(campaign)
        [call, _] = sorted(await desk.place(campaign))
        await end(desk, call, campaign, Outcome.ANSWERED)
        await desk.clock.asleep()
        desk.clock.advance(stream.LOOK_SECONDS)
        told = [await listener.next()]
        while told[-1].kind != "counts":
            told.append(await listener.next())
    [status] = [t.data for t in told if t.kind == "status"]
    assert (status["before"], status["status"], status["campaign_id"]) == ("draft", "running", campaign)
    states = [t.data["status"] for t in told if t.kind == "call" and t.data["call_id"] == call]
    assert states == ["queued", "placing", "ended"]
    over = next(t.data for t in told if t.kind == "call" and t.data["status"] == "ended")
    assert (over["outcome"], over["detail"], over["attempt_no"]) == ("answered", "answered", 1)
    person = [t.data for t in told if t.kind == "contact" and t.data["campaign_contact_id"] == over["campaign_contact_id"]]
    assert [p["status"] for p in person] == ["queued", "calling", "completed"]
    assert (person[-1]["outcome"], person[-1]["contact_id"]) == ("answered", over["contact_id"])
    board = (await desk.api.get(f"/api/crm/campaigns/{campaign}/dashboard")).json["counts"]
    assert {name: value for name, value in told[-1].data.items() if name != "campaign_id"} == board


async def test_whoever_resumes_gets_exactly_the_rest(desk: Desk) -> None:
    campaign = (await desk.campaign(await desk.people(3)))["id"]
    start = await last_id(desk, campaign)
    await desk.run(campaign)
    middle = (await all_of(desk, campaign, start))[-1].id
    first, second, third = sorted(await desk.place(campaign))
    await end(desk, first, campaign, Outcome.ANSWERED)
    await end(desk, second, campaign, Outcome.BUSY)
    rest = await all_of(desk, campaign, middle)
    assert {t.data["call_id"] for t in rest if t.kind == "call"} == {first, second, third}
    ids = [t.data["id"] for t in await all_of(desk, campaign, start) if t.kind != "counts"]
    written = await desk.pool.fetch("select id from history where campaign_id = $1 order by id", campaign)
    assert ids == sorted(ids) and ids == [r["id"] for r in written][-len(ids) :]
    assert [t.data["id"] for t in rest if t.kind != "counts"] == ids[-len([t for t in rest if t.kind != "counts"]) :]
    by_query = await all_of(desk, campaign, None, lastEventId=middle)
    assert by_query == rest
    assert [t.kind for t in await all_of(desk, campaign, rest[-1].id)] == ["counts"]
    assert await all_of(desk, campaign, rest[-1].id, lastEventId=start) == await all_of(desk, campaign, rest[-1].id)


async def test_pages_of_a_long_read_lose_and_repeat_nothing(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "PAGE", 3)
    campaign = (await desk.campaign())["id"]
    mark = await last_id(desk, campaign)
    people = await desk.people(10)
    for some in (people[:2], people[2:9], people[9:]):
        await desk.api.post(f"/api/crm/campaigns/{campaign}/contacts", {"contactIds": some})
    told = [t for t in await all_of(desk, campaign, mark) if t.kind == "contact"]
    assert sorted(t.data["contact_id"] for t in told) == sorted(people)
    assert len([t for t in told if t.id]) >= 3
    seen: list[str] = []
    for t in told:
        seen.append(t.data["contact_id"])
        if t.id:  # a client that breaks off here gets what it has not seen, and no more
            rest = [r.data["contact_id"] for r in await all_of(desk, campaign, t.id) if r.kind == "contact"]
            assert sorted([*seen, *rest]) == sorted(people)


async def test_a_removed_contact_is_told(desk: Desk) -> None:
    people = await desk.people(1)
    campaign = (await desk.campaign(people))["id"]
    mark = await last_id(desk, campaign)
    await desk.api.delete(f"/api/crm/campaigns/{campaign}/contacts", {"contactIds": people})
    contact, counts = await all_of(desk, campaign, mark)
    assert (contact.data["before"], contact.data["status"], contact.data["contact_id"]) == ("pending", "removed", None)
    assert counts.data["total"] == 0


async def test_a_heartbeat_keeps_an_idle_stream_open(desk: Desk) -> None:
    campaign = (await desk.campaign())["id"]
    async with listening(desk.api, campaign) as listener:
        await listener.next("counts")
        await quiet(desk, listener)
        assert listener.heard.empty()
        desk.clock.advance(stream.HEARTBEAT_SECONDS)
        assert (await listener.piece()).startswith(":")


async def test_a_stream_ends_with_its_key(desk: Desk) -> None:
    campaign = (await desk.campaign())["id"]
    now = desk.clock.now()
    key, kept = await teams.create_key(
        desk.api.context.database, team_id=desk.api.team, name="r", scopes=["campaigns:read"], now=now
    )
    async with listening(desk.api.using(key), campaign) as listener:
        await listener.next("counts")
        await quiet(desk, listener)
        assert not listener.ended.is_set()
        await teams.revoke_key(desk.api.context.database, key_id=kept.id, now=now)
        desk.clock.advance(stream.KEY_SECONDS)
        async with asyncio.timeout(10):
            await listener.ended.wait()


async def test_a_stream_ends_when_the_process_is_to_end_and_when_its_client_goes(desk: Desk) -> None:
    campaign = (await desk.campaign())["id"]
    async with listening(desk.api, campaign) as listener:
        await listener.next("counts")
        listener.gone.set()
        async with asyncio.timeout(10):
            await listener.ended.wait()
    async with listening(desk.api, campaign) as listener:
        await listener.next("counts")
        desk.api.context.stopping.set()
        async with asyncio.timeout(10):
            await listener.ended.wait()
    assert not desk.api.context.streams.locked()


@pytest.fixture
def readings(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How often streams have read."""
    count = [0]
    read = events.Following.read

    async def counted(following: events.Following) -> events.Reading:
        count[0] += 1
        return await read(following)

    monkeypatch.setattr(events.Following, "read", counted)
    return count


async def test_a_client_that_takes_nothing_is_read_for_once_and_then_left(
    desk: Desk, readings: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "STALL_SECONDS", 0.3)
    monkeypatch.setattr(stream, "END_SECONDS", 0.1)
    campaign = (await desk.campaign())["id"]
    async with listening(desk.api, campaign) as listener:
        listener.taking.clear()
        async with asyncio.timeout(10):
            await listener.ended.wait()
        assert readings == [1]


async def test_streams_have_a_bound(desk: Desk) -> None:
    campaign = (await desk.campaign())["id"]
    for _ in range(MOST_STREAMS):
        await desk.api.context.streams.acquire()
    answer = await desk.api.get(f"/api/crm/campaigns/{campaign}/events")
    assert (answer.status, answer.headers["retry-after"]) == (503, "1")


@pytest.fixture
async def poor(desk: Desk) -> AsyncIterator[Api]:
    """A key that may not read campaigns."""
    made = await teams.create_key(
        desk.api.context.database, team_id=desk.api.team, name="p", scopes=["contacts:read"], now=desk.clock.now()
    )
    yield desk.api.using(made[0])


async def test_who_may_listen_and_to_what(desk: Desk, stranger: Api, poor: Api) -> None:
    path = f"/api/crm/campaigns/{(await desk.campaign())['id']}/events"
    assert (await stranger.get(path)).status == 404
    assert (await poor.get(path)).status == 403
    assert (await desk.api.get("/api/crm/campaigns/camp_none/events")).status == 404


@pytest.mark.parametrize("id", ["x", "-1", "1_2", "1_2_3", "9" * 30, "1-", "1" * 20, "1_2_3_4_5"])
async def test_an_event_id_that_is_none_is_refused(desk: Desk, id: str) -> None:
    campaign = (await desk.campaign())["id"]
    answer = await desk.api.get(f"/api/crm/campaigns/{campaign}/events", lastEventId=id)
    assert (answer.status, set(answer.faults)) == (400, {"lastEventId"})


async def test_an_event_id_of_another_ledger_begins_anew_and_says_so(desk: Desk) -> None:
    campaign = (await desk.campaign())["id"]
    kinds = [told.kind for told in await all_of(desk, campaign, str(2**60))]
    assert kinds == ["reset", "status", "counts"]
