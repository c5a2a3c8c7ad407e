"""What a change of a contact means for campaigns it waits in."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from dialer.domain.fence import FENCE_SECONDS
from dialer.store.database import Database
from tests.support.api import fresh_team
from tests.support.desk import AUCKLAND, Desk, open_desk
from tests.support.laws import laws_hold
from tests.support.places import ZONES

CONTACTS = "/api/crm/contacts"


@pytest.fixture
async def desk(database: Database, redis_url: str) -> AsyncIterator[Desk]:
    async with open_desk(database, redis_url) as opened:
        yield opened
    await laws_hold(database.pool)


async def only_member(desk: Desk, campaign: str) -> dict[str, Any]:
    (member,) = await desk.members(campaign)
    return member


async def row_of(desk: Desk, campaign: str) -> dict[str, Any]:
    found = await desk.pool.fetchrow(
        f"select t.*, {ZONES} from campaign_contacts t join place_sets p on p.id = t.place_set_id where campaign_id = $1",
        campaign,
    )
    assert found is not None
    return dict(found)


@pytest.mark.parametrize("released", [False, True])
async def test_do_not_call_stops_calls_that_were_not_placed_yet(desk: Desk, released: bool) -> None:
    [contact] = await desk.people(1)
    campaign = (await desk.campaign([contact], status="running"))["id"]
    if released:
        await desk.api.context.release(campaign)
        assert (await only_member(desk, campaign))["status"] == "queued"
    await desk.api.bell.wait(0.01)
    answer = await desk.api.patch(f"{CONTACTS}/{contact}", {"doNotCall": True})
    assert answer.json["contact"]["do_not_call"] is True
    assert desk.api.waits.seconds == [FENCE_SECONDS]
    member = await only_member(desk, campaign)
    assert (member["status"], member["outcome"]) == ("skipped", "do_not_call")
    assert await desk.place(campaign) == []
    assert f"campaign:{campaign}" in await desk.api.bell.wait(1)
    said = await desk.pool.fetchrow("select * from audit where action = 'contact.do_not_call'")
    assert said is not None
    assert (said["entity_id"], said["actor"].startswith("key:key_")) == (contact, True)
    told = await desk.pool.fetch("select actor from history where entity_id = $1 and after = 'skipped'", member["id"])
    assert [row["actor"] for row in told] == [said["actor"]]


async def test_a_call_that_is_placed_goes_on_and_is_not_repeated(desk: Desk) -> None:
    [contact] = await desk.people(1)
    campaign = (await desk.campaign([contact], status="running"))["id"]
    await desk.api.context.release(campaign)
    assert len(await desk.place(campaign)) == 1
    await desk.api.patch(f"{CONTACTS}/{contact}", {"doNotCall": True})
    assert (await only_member(desk, campaign))["status"] == "calling"


async def test_do_not_call_leaves_cancelled_campaigns_as_they_were(desk: Desk) -> None:
    [contact] = await desk.people(1)
    campaign = (await desk.campaign([contact], status="cancelled"))["id"]
    await desk.api.patch(f"{CONTACTS}/{contact}", {"doNotCall": True})
    assert (await only_member(desk, campaign))["status"] == "pending"


@pytest.mark.parametrize("released", [False, True])
async def test_another_number_is_dialled_instead_in_its_own_place(desk: Desk, released: bool) -> None:
    [contact] = await desk.people(1)
    campaign = (await desk.campaign([contact], status="running"))["id"]
    if released:
        await desk.api.context.release(campaign)
    await desk.api.patch(f"{CONTACTS}/{contact}", {"phone": "+81 3 1234 5678"})
    row = await row_of(desk, campaign)
    assert (row["status"], row["to_number"], row["zones"]) == ("pending", "+81312345678", ["Asia/Tokyo"])
    assert await desk.place(campaign) == []
    assert desk.api.waits.seconds == [FENCE_SECONDS]
    await desk.api.patch(f"{CONTACTS}/{contact}", {"timezone": "America/Lima"})
    assert (await row_of(desk, campaign))["zones"] == ["America/Lima"]
    await desk.api.patch(f"{CONTACTS}/{contact}", {"timezone": None})
    assert (await row_of(desk, campaign))["zones"] == ["Asia/Tokyo"]


async def test_without_a_number_the_contact_is_skipped(desk: Desk) -> None:
    [contact] = await desk.people(1)
    campaign = (await desk.campaign([contact], status="running"))["id"]
    await desk.api.patch(f"{CONTACTS}/{contact}", {"phone": None})
    member = await only_member(desk, campaign)
    assert (member["status"], member["outcome"]) == ("skipped", "invalid_number")


async def test_other_changes_neither_wait_nor_touch_the_queue(desk: Desk) -> None:
    [contact] = await desk.people(1)
    campaign = (await desk.campaign([contact], status="running"))["id"]
    before = await row_of(desk, campaign)
    await desk.api.patch(f"{CONTACTS}/{contact}", {"notes": "x", "phone": "+493020100001", "doNotCall": False})
    assert await row_of(desk, campaign) == before
    assert desk.api.waits.seconds == []


async def test_a_contact_that_waits_cannot_be_deleted(desk: Desk) -> None:
    [contact] = await desk.people(1)
    campaign = (await desk.campaign([contact]))["id"]
    assert (await desk.api.delete(f"{CONTACTS}/{contact}")).status == 409
    assert (await desk.api.post(f"/api/crm/campaigns/{campaign}/cancel")).status == 200
    assert (await desk.api.delete(f"{CONTACTS}/{contact}")).status == 200


async def test_a_contact_with_a_past_is_erased_and_its_calls_stay(desk: Desk) -> None:
    [contact] = await desk.people(1, email="ada@example.com", notes="secret")
    campaign = (await desk.campaign([contact], status="cancelled"))["id"]
    assert (await desk.api.delete(f"{CONTACTS}/{contact}")).status == 200
    assert (await desk.api.get(f"{CONTACTS}/{contact}")).status == 404
    assert (await desk.api.get(CONTACTS, teamId=desk.api.team)).json["count"] == 0
    kept = await desk.pool.fetchrow("select * from contacts where id = $1", contact)
    assert kept is not None
    assert not {"Ada", "Number 1", "ada@example.com", "secret", "+493020100001"} & {str(value) for value in kept.values()}
    assert (await desk.look(campaign))["total_contacts"] == 1


async def test_a_contact_may_be_created_into_a_campaign(desk: Desk) -> None:
    campaign = (await desk.campaign())["id"]
    body = {"teamId": desk.api.team, "firstName": "Ann", "lastName": "Lee", "campaignId": campaign, "campaignPriority": 7}
    answer = (await desk.api.post(CONTACTS, body | {"phone": "+14155552671"})).json
    member = await only_member(desk, campaign)
    assert answer["campaign_enrollment"] == {"campaign_contact_id": member["id"], "status": "pending"}
    assert (member["priority"], member["contact"]["id"]) == (7, answer["contact"]["id"])
    skipped = (await desk.api.post(CONTACTS, body)).json
    assert skipped["campaign_enrollment"]["status"] == "skipped"
    history = (await desk.api.get(f"{CONTACTS}/{answer['contact']['id']}")).json["contact"]["campaign_history"]
    assert [(h["campaign_id"], h["campaign_name"], h["status"], h["attempts"]) for h in history] == [
        (campaign, "Spring", "pending", 0)
    ]


async def test_a_contact_is_not_created_when_its_campaign_is_not_there(desk: Desk) -> None:
    team, key = await fresh_team(desk.api.context.database, "Strangers")
    campaign = (await desk.campaign())["id"]
    body = {"teamId": team, "firstName": "Ann", "lastName": "Lee", "campaignId": campaign}
    assert (await desk.api.using(key).post(CONTACTS, body)).status == 404
    assert await desk.pool.fetchval("select count(*) from contacts") == 0


async def test_an_import_stops_and_moves_calls_too(desk: Desk) -> None:
    stops, moves = await desk.people(2)
    campaign = (await desk.campaign([stops, moves], status="running"))["id"]
    await desk.api.context.release(campaign)
    file = "first name,last name,phone,dnc,timezone\nA,B,+493020100001,yes,\nA,B,+493020100002,,Pacific/Auckland\n"
    answer = await desk.api.upload(f"{CONTACTS}/import", file.encode(), teamId=desk.api.team, duplicateMode="update")
    assert answer.json["updated"] == 2
    members = {member["contact"]["id"]: member for member in await desk.members(campaign)}
    assert (members[stops]["status"], members[stops]["outcome"]) == ("skipped", "do_not_call")
    assert members[moves]["status"] == "pending"
    assert await desk.pool.fetchval(
        f"select {ZONES} from place_sets p join campaign_contacts t on t.place_set_id = p.id where t.contact_id = $1",
        moves,
    ) == list(AUCKLAND)
    assert await desk.place(campaign) == []
    assert desk.api.waits.seconds == [FENCE_SECONDS]
