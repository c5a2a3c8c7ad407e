"""Numbers that may not be called: where an entry holds, what it stops, and what lifting it gives back."""

from __future__ import annotations

from typing import Any

import pytest

from dialer.domain.fence import FENCE_SECONDS
from dialer.flows.suppressions import suppress
from dialer.store.suppressions import Entry
from tests.support.api import Api
from tests.support.desk import Desk

URL = "/api/crm/suppressions"
NUMBER = "+493020100001"
LATER = "2026-01-09T12:00:00Z"


async def add(desk: Desk, **fields: Any) -> dict[str, Any]:
    answer = await desk.api.post(URL, {"teamId": desk.api.team, "phoneNumber": NUMBER, **fields})
    assert answer.status == 200, answer.text
    found: dict[str, Any] = answer.json["suppression"]
    return found


async def test_an_entry_stops_what_waits_and_what_is_queued_and_answers_after_the_fence(desk: Desk) -> None:
    people = await desk.people(2)
    waiting = (await desk.campaign(people[:1]))["id"]
    running = (await desk.campaign(people))["id"]
    assert (await desk.run(running))["started"] == 2
    entry = await add(desk, phoneNumber="+49 30 20100001", reason="asked", source="mail")
    assert (entry["phone_number"], entry["scope"], entry["expires_at"]) == (NUMBER, "team", None)
    assert desk.api.waits.seconds == [FENCE_SECONDS]
    for campaign in (waiting, running):
        member = (await desk.members(campaign))[0]
        assert (member["status"], member["outcome"]) == ("skipped", "do_not_call")
    assert len(await desk.place(running)) == 1
    assert f"campaign:{running}" in await desk.api.bell.wait(0.05)


async def test_a_call_under_way_is_left_to_end_by_itself(desk: Desk) -> None:
    campaign = (await desk.campaign(await desk.people(1)))["id"]
    await desk.run(campaign)
    await desk.place(campaign)
    await add(desk)
    assert [m["status"] for m in await desk.members(campaign)] == ["calling"]


async def test_an_entry_of_one_campaign_holds_there_only(desk: Desk, stranger: Api) -> None:
    people = await desk.people(1)
    one, other = (await desk.campaign(people))["id"], (await desk.campaign(people))["id"]
    await add(desk, scope="campaign", campaignId=one)
    assert [m["status"] for m in await desk.members(one)] == ["skipped"]
    assert [m["status"] for m in await desk.members(other)] == ["pending"]
    for sent in ({"scope": "campaign"}, {"campaignId": one}):
        answer = await desk.api.post(URL, {"teamId": desk.api.team, "phoneNumber": NUMBER, **sent})
        assert (answer.status, set(answer.faults)) == (400, {"campaignId"})
    foreign = {"teamId": stranger.team, "phoneNumber": NUMBER, "scope": "campaign", "campaignId": one}
    assert (await stranger.post(URL, foreign)).status == 404


async def test_an_entry_of_a_team_is_none_of_other_teams_business(desk: Desk, stranger: Api) -> None:
    campaign = (await desk.campaign(await desk.people(1)))["id"]
    theirs = (await stranger.post(URL, {"teamId": stranger.team, "phoneNumber": NUMBER})).json["suppression"]
    assert [m["status"] for m in await desk.members(campaign)] == ["pending"]
    assert (await desk.api.get(URL, teamId=desk.api.team)).json["suppressions"] == []
    assert (await desk.api.delete(f"{URL}/{theirs['id']}")).status == 404


async def test_a_global_entry_holds_for_every_team(desk: Desk) -> None:
    campaign = (await desk.campaign(await desk.people(1)))["id"]
    await suppress(desk.api.context, "cli", Entry("global", None, None, NUMBER))
    assert [m["status"] for m in await desk.members(campaign)] == ["skipped"]


@pytest.mark.parametrize("queued", [False, True])
async def test_an_entry_with_an_end_puts_off_and_lifting_it_calls_again(desk: Desk, queued: bool) -> None:
    campaign = (await desk.campaign(await desk.people(1), status="running"))["id"]
    if queued:
        await desk.run(campaign)
    entry = await add(desk, expiresAt=LATER)
    [member] = await desk.members(campaign)
    assert (member["status"], member["next_attempt_at"]) == ("pending", LATER)
    assert member["waiting_for"] == {"reason": "suppressed", "until": LATER}
    assert (await desk.run(campaign))["started"] == 0
    assert (await desk.api.delete(f"{URL}/{entry['id']}")).status == 200
    assert (await desk.run(campaign))["started"] == 1


async def test_adding_it_again_overwrites_and_the_list_is_filtered(desk: Desk) -> None:
    first = await add(desk, reason="one", expiresAt=LATER)
    second = await add(desk, phoneNumber="+493020100002")
    again = await add(desk, reason="two")
    assert (again["id"], again["reason"], again["expires_at"]) == (first["id"], "two", None)
    everything = (await desk.api.get(URL, teamId=desk.api.team)).json
    assert (everything["count"], {s["id"] for s in everything["suppressions"]}) == (2, {first["id"], second["id"]})
    found = (await desk.api.get(URL, teamId=desk.api.team, phoneNumber="+49 30 20100002")).json["suppressions"]
    assert [s["id"] for s in found] == [second["id"]]


async def test_what_cannot_be_suppressed_is_refused(desk: Desk) -> None:
    for sent, field in (({"phoneNumber": "12"}, "phoneNumber"), ({"expiresAt": "2026-01-05T12:00:00Z"}, "expiresAt")):
        answer = await desk.api.post(URL, {"teamId": desk.api.team, "phoneNumber": NUMBER, **sent})
        assert (answer.status, set(answer.faults)) == (400, {field})
