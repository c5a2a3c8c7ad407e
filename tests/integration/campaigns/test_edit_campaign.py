"""PATCH, PUT and DELETE of campaigns."""

from __future__ import annotations

from typing import Any

import pytest

from adapters.events import Outcome
from dialer.domain.fence import FENCE_SECONDS
from dialer.flows.release import LedgerBook, RulesReader
from scheduler.planner import plan
from tests.support.api import Answer
from tests.support.desk import AUCKLAND, TRUNK, Desk, new_assistant, new_number
from tests.support.story import end_all

URL = "/api/crm/campaigns"


async def edit(desk: Desk, campaign: str, **body: Any) -> Answer:
    return await desk.api.patch(f"{URL}/{campaign}", body)


async def version(desk: Desk, campaign: str) -> int:
    found: int = await desk.pool.fetchval("select rules_version from campaigns where id = $1", campaign)
    return found


async def test_only_what_is_sent_changes_and_null_clears(desk: Desk) -> None:
    before = await desk.campaign(description="Old", settings={"retryOnError": True, "own": 1})
    answer = await desk.api.put(
        f"{URL}/{before['id']}", {"description": None, "maxRetries": 5, "settings": {"own": None, "b": 2}}
    )
    after = answer.json["campaign"]
    changed = {name for name in after if before[name] != after[name]} - {"updated_at"}
    assert changed == {"description", "max_attempts_per_contact", "settings"}
    assert (after["description"], after["max_attempts_per_contact"]) == (None, 5)
    assert after["settings"] == {"retry_on_error": True, "b": 2}
    assert (await edit(desk, before["id"], settings=None)).json["campaign"]["settings"] == {}


@pytest.mark.parametrize(
    "body",
    [
        {"callWindowStart": "10:00", "callWindowEnd": "16:00"},
        {"callWindowTimezone": "Europe/Berlin"},
        {"retryDelayMinutes": 0},
        {"maxAttemptsPerContact": 9},
        {"settings": {"priority": 50}},
    ],
)
async def test_rules_of_a_running_campaign_change_at_once(desk: Desk, body: dict[str, Any]) -> None:
    campaign = (await desk.campaign(await desk.people(2)))["id"]
    await desk.run(campaign)
    assert (await edit(desk, campaign, **body)).status == 200
    assert await version(desk, campaign) == 2
    assert desk.api.waits.seconds == [FENCE_SECONDS]
    assert f"campaign:{campaign}" in await desk.api.bell.wait(0.05)
    assert await desk.place(campaign) == []
    assert {m["status"] for m in await desk.members(campaign)} == {"pending"}


async def test_a_window_that_opens_lets_people_be_called(desk: Desk) -> None:
    campaign = (await desk.campaign(await desk.people(1, AUCKLAND, prefix="+6421")))["id"]
    assert (await desk.run(campaign))["started"] == 0
    await edit(desk, campaign, callWindowStart="00:00", callWindowEnd="24:00")
    assert (await desk.run(campaign))["started"] == 1


async def test_concurrency_is_the_cap_of_the_next_release(desk: Desk) -> None:
    campaign = (await desk.campaign(await desk.people(5), maxConcurrentCalls=1))["id"]
    assert (await desk.run(campaign))["started"] == 1
    await edit(desk, campaign, maxConcurrentCalls=4)
    assert (await desk.run(campaign))["started"] == 3


async def test_priority_is_the_share_of_the_next_release(desk: Desk) -> None:
    await desk.pool.execute("update teams set max_concurrent_calls = 10")
    low = (await desk.campaign(await desk.people(20), status="running", maxConcurrentCalls=20))["id"]
    high = (await desk.campaign(await desk.people(20, prefix="+493021"), status="running", maxConcurrentCalls=20))["id"]
    assert (await edit(desk, high, settings={"priority": 9})).status == 200
    book = LedgerBook(desk.pool, desk.api.context.ringer, desk.clock, [TRUNK], RulesReader(desk.pool))
    shares = {release.campaign: release.count for release in plan(await book.snapshot(None)).releases}
    assert shares == {low: 1, high: 9}


async def test_fewer_attempts_end_those_who_were_tried_as_often(desk: Desk) -> None:
    """Also by outcome, and also in a campaign that is paused; whoever was never tried still is."""
    tried, other, fresh = await desk.people(3)
    campaign = (await desk.campaign([tried, other, fresh], status="running", maxConcurrentCalls=1))["id"]
    for outcome in (Outcome.BUSY, Outcome.NO_ANSWER):
        await desk.run(campaign)
        await end_all(desk, outcome)
    assert (await edit(desk, campaign, status="paused", settings={"maxAttemptsBusy": 1})).status == 200
    by_contact = {m["contact"]["id"]: m for m in await desk.members(campaign)}
    assert (by_contact[tried]["status"], by_contact[tried]["outcome"]) == ("failed", "busy")
    assert by_contact[tried]["waiting_for"] == {"reason": "attempts_exhausted", "until": None}
    assert (by_contact[other]["status"], by_contact[fresh]["status"]) == ("pending", "pending")
    assert (await edit(desk, campaign, maxAttemptsPerContact=1)).status == 200
    assert [m["status"] for m in await desk.members(campaign)] == ["failed", "failed", "pending"]


async def test_other_numbers_are_shown_from_the_next_call_on(desk: Desk) -> None:
    campaign = (await desk.campaign(await desk.people(2), maxConcurrentCalls=1))["id"]
    other = await new_number(desk.pool, desk.api.team, desk.assistant, "+493099999")
    await desk.run(campaign)
    answer = await edit(desk, campaign, phoneNumberIds=[other, other])
    assert answer.json["campaign"]["from_number_ids"] == [other]
    assert [call["from_number"] for call in (await desk.run(campaign))["calls"]] == ["+493099999"]


async def test_what_stays_the_same_is_no_change_and_yet_answered_after_the_fence(desk: Desk) -> None:
    campaign = await desk.campaign(status="running", settings={"retryOnError": True})
    same = {"callWindowStart": "09:00", "settings": {"retryOnError": True}, "assistantId": desk.assistant, "companyId": None}
    assert (await edit(desk, campaign["id"], **same)).status == 200
    assert (await version(desk, campaign["id"]), desk.api.waits.seconds) == (1, [FENCE_SECONDS])


async def test_assistant_company_and_start_cannot_change_while_it_runs(desk: Desk) -> None:
    other = await new_assistant(desk.pool, desk.api.team)
    company = await desk.pool.fetchval("insert into companies (team_id, name) values ($1, 'Acme') returning id", desk.api.team)
    campaign = (await desk.campaign(status="running"))["id"]
    bodies = ({"assistantId": other}, {"companyId": company}, {"scheduledStartAt": "2026-02-01T10:00:00Z"})
    for body in bodies:
        answer = await edit(desk, campaign, **body)
        assert (answer.status, next(iter(body)) in answer.json["error"]) == (409, True)
    await desk.api.post(f"{URL}/{campaign}/pause", {})
    number = await new_number(desk.pool, desk.api.team, other, "+493099999")
    assert (await edit(desk, campaign, assistantId=other)).status == 409
    moved = await edit(desk, campaign, assistantId=other, fromNumberIds=[number], companyId=company)
    assert (moved.status, moved.json["campaign"]["assistant_id"]) == (200, other)


async def test_the_appointed_time_makes_it_scheduled_or_a_draft_again(desk: Desk) -> None:
    campaign = (await desk.campaign())["id"]
    assert (await edit(desk, campaign, status="scheduled")).faults.keys() == {"scheduledStartAt"}
    assert (await edit(desk, campaign, scheduledStartAt="2026-02-01T10:00:00Z")).json["campaign"]["status"] == "scheduled"
    assert (await edit(desk, campaign, scheduledStartAt="2026-02-02T10:00:00Z")).json["campaign"]["status"] == "scheduled"
    assert (await edit(desk, campaign, scheduledStartAt=None)).json["campaign"]["status"] == "draft"


async def test_after_the_end_only_its_words_can_change(desk: Desk) -> None:
    campaign = (await desk.campaign(status="cancelled"))["id"]
    assert (await edit(desk, campaign, name="Past", description="Over")).json["campaign"]["name"] == "Past"
    assert (await edit(desk, campaign, maxConcurrentCalls=9)).status == 409


async def test_faults_are_named_as_they_were_sent_and_nothing_is_written(desk: Desk) -> None:
    before = await desk.campaign()
    answer = await edit(desk, before["id"], name="New", callWindowEnd="09:00", settings={"priority": 0})
    assert (answer.status, set(answer.faults)) == (400, {"callWindowEnd", "settings.priority"})
    bodies: list[dict[str, Any]] = [
        {"name": None},
        {"fromNumberIds": []},
        {"fromNumberIds": None},
        {"status": None},
        {"total": 1},
    ]
    for body in bodies:
        assert (await edit(desk, before["id"], **body)).status == 400
    assert await desk.look(before["id"]) == before


async def test_deleting_puts_it_away_where_it_can_call_no_more(desk: Desk) -> None:
    running = (await desk.campaign(status="running"))["id"]
    assert (await desk.api.delete(f"{URL}/{running}")).status == 409
    assert (await desk.api.post(f"{URL}/{running}/cancel", {})).status == 200
    answer = await desk.api.delete(f"{URL}/{running}")
    assert answer.json["campaign"]["deleted_at"] == "2026-01-05T12:00:00Z"
    assert (await desk.look(running))["deleted_at"] is not None
    assert (await edit(desk, running, name="Back")).status == 409
    draft = (await desk.campaign())["id"]
    await desk.api.delete(f"{URL}/{draft}")
    assert (await desk.api.post(f"{URL}/{draft}/run", {})).status == 409
