"""Pause, resume, cancel: what is taken back, what the fence means, and which turns are refused."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from dialer.domain.fence import FENCE_SECONDS
from dialer.domain.machine import CAMPAIGN_TURNS, CampaignStatus, allowed
from dialer.flows.campaigns.stop import InFlight, cancel_campaign, pause_campaign, resume_campaign
from tests.support.api import Answer
from tests.support.desk import Desk

URL = "/api/crm/campaigns"


async def turn(desk: Desk, campaign: str, verb: str, **body: str) -> Answer:
    return await desk.api.post(f"{URL}/{campaign}/{verb}", body)


@pytest.mark.parametrize(("verb", "status", "reason"), [("pause", "paused", "user"), ("cancel", "cancelled", None)])
async def test_what_is_queued_goes_back_and_nothing_is_placed_after_the_answer(
    desk: Desk, verb: str, status: str, reason: str | None
) -> None:
    campaign = (await desk.campaign(await desk.people(5)))["id"]
    await desk.run(campaign, maxCalls=1)
    [under_way] = await desk.place(campaign)
    await desk.run(campaign)
    answer = await turn(desk, campaign, verb)
    seen = answer.json["campaign"]
    assert (answer.status, seen["status"], seen["pause_reason"]) == (200, status, reason)
    assert (seen["completed_at"] is not None) == (status == "cancelled")
    assert desk.api.waits.seconds == [FENCE_SECONDS]
    assert sorted(m["status"] for m in await desk.members(campaign)) == ["calling", *["pending"] * 4]
    assert await desk.pool.fetchval("select count(*) from call_attempts where state = 'recalled'") == 2
    assert await desk.place(campaign) == []
    assert await desk.pool.fetchval("select state from call_attempts where id = $1", under_way) == "placing"
    assert desk.hung_up == []


async def test_calls_under_way_are_hung_up_on_demand_after_the_fence(desk: Desk) -> None:
    campaign = (await desk.campaign(await desk.people(2), status="running"))["id"]
    assert (await turn(desk, campaign, "pause", inFlight="hangUp")).status == 200
    assert (await turn(desk, campaign, "cancel", inFlight="hangUp")).status == 200
    assert desk.hung_up == [campaign, campaign]
    assert (await turn(desk, campaign, "cancel", inFlight="drop")).status == 400


@pytest.mark.parametrize(
    ("meanwhile", "status", "saved"), [(cancel_campaign, "cancelled", False), (resume_campaign, "running", True)]
)
async def test_only_a_resume_meanwhile_saves_the_calls_that_a_pause_was_to_hang_up(
    desk: Desk, meanwhile: Callable[..., Awaitable[object]], status: str, saved: bool
) -> None:
    campaign = (await desk.campaign(status="running"))["id"]

    async def turned_meanwhile(_seconds: float) -> None:
        await meanwhile(desk.api.context, desk.api.team, "test", campaign)

    means = replace(desk.api.context, pause=turned_meanwhile)
    assert (await pause_campaign(means, desk.api.team, "test", campaign, InFlight.HANG_UP))["status"] == status
    assert desk.hung_up == ([] if saved else [campaign])


@pytest.mark.parametrize(("verb", "status"), [("pause", "paused"), ("cancel", "cancelled")])
async def test_an_edit_to_what_another_stop_has_just_made_it_is_answered_after_the_fence_too(
    desk: Desk, verb: str, status: str
) -> None:
    """The other one may still wait for its answer, and a dial that passed before it be on its way out."""
    campaign = (await desk.campaign(status="running"))["id"]
    assert (await turn(desk, campaign, verb)).status == 200
    assert (await desk.api.patch(f"{URL}/{campaign}", {"status": status})).status == 200
    assert desk.api.waits.seconds == [FENCE_SECONDS, FENCE_SECONDS]


async def test_a_delete_that_follows_a_cancel_is_answered_after_the_fence(desk: Desk) -> None:
    campaign = (await desk.campaign(status="running"))["id"]
    assert (await turn(desk, campaign, "cancel")).status == 200
    assert (await desk.api.delete(f"{URL}/{campaign}")).status == 200
    assert desk.api.waits.seconds == [FENCE_SECONDS, FENCE_SECONDS]
    draft = (await desk.campaign())["id"]
    assert (await desk.api.delete(f"{URL}/{draft}")).status == 200
    assert len(desk.api.waits.seconds) == 2, "nothing was ever dialled"


async def test_a_claim_and_a_pause_at_once_leave_no_call(desk: Desk) -> None:
    """A claim that began before the pause and ends after it still releases, by what it saw; the fence lets none of it pass."""
    released = desk.api.context.release
    for n in range(5):
        campaign = (await desk.campaign(await desk.people(3, prefix=f"+49302{n}"), status="running"))["id"]
        await asyncio.gather(released(campaign), turn(desk, campaign, "pause"), released(campaign))
        assert await desk.place(campaign) == []
        assert await desk.pool.fetchval("select count(*) from call_attempts where state not in ('queued', 'recalled')") == 0


async def test_resume_goes_on_and_keeps_the_limit_of_the_run(desk: Desk) -> None:
    campaign = (await desk.campaign(await desk.people(5)))["id"]
    await desk.run(campaign, maxCalls=4)
    await turn(desk, campaign, "pause")
    await desk.api.bell.wait(0.001)
    resumed = (await turn(desk, campaign, "resume")).json["campaign"]
    assert (resumed["status"], resumed["pause_reason"]) == ("running", None)
    assert await desk.api.bell.wait(0.05) == {f"campaign:{campaign}"}
    assert await desk.pool.fetchval("select budget from scopes where key = $1", f"campaign:{campaign}") == 4


async def test_resume_after_the_limit_was_reached_lifts_it(desk: Desk) -> None:
    campaign = (await desk.campaign(await desk.people(2), status="running"))["id"]
    key = f"campaign:{campaign}"
    await desk.pool.execute("update scopes set budget = 0 where key = $1", key)
    await desk.pool.execute("update campaigns set status = 'paused', pause_reason = 'run_limit' where id = $1", campaign)
    [waiting, _] = await desk.members(campaign)
    assert waiting["waiting_for"] == {"reason": "run_limit", "until": None}
    assert (await turn(desk, campaign, "resume")).status == 200
    assert await desk.pool.fetchval("select budget from scopes where key = $1", key) is None


async def test_doing_it_again_changes_nothing(desk: Desk) -> None:
    campaign = (await desk.campaign(status="running"))["id"]
    for verb in ("resume", "pause", "pause", "resume", "cancel", "cancel"):
        assert (await turn(desk, campaign, verb)).status == 200
    after = [r["after"] for r in await desk.pool.fetch("select after from history where entity = 'campaign' order by id")]
    assert after == ["draft", "running", "paused", "running", "cancelled"]


async def test_wrong_turns_are_a_conflict(desk: Desk) -> None:
    draft = (await desk.campaign())["id"]
    assert (await turn(desk, draft, "pause")).status == 409
    assert (await turn(desk, draft, "resume")).status == 409
    cancelled = (await desk.campaign(status="cancelled"))["id"]
    assert (await turn(desk, cancelled, "pause")).status == 409
    assert (await turn(desk, cancelled, "resume")).status == 409


async def test_status_is_edited_along_the_state_machine_only(desk: Desk) -> None:
    start = "2026-02-01T10:00:00Z"
    for before in CampaignStatus:
        for after in set(CampaignStatus) - {CampaignStatus.COMPLETED}:
            campaign = (await desk.campaign(scheduledStartAt=start))["id"]
            if before is CampaignStatus.COMPLETED:
                await desk.pool.execute("update campaigns set status = 'running' where id = $1", campaign)
                await desk.pool.execute("update campaigns set status = 'completed', completed_at = now() where id = $1", campaign)
            else:
                assert (await desk.api.patch(f"{URL}/{campaign}", {"status": before})).status == 200
            appointed = {"scheduledStartAt": start} if (before, after) == ("draft", "scheduled") else {}
            answer = await desk.api.patch(f"{URL}/{campaign}", {"status": after, **appointed})
            legal = after == before or allowed(CAMPAIGN_TURNS, before, after)
            assert answer.status == (200 if legal else 409), (before, after, answer.text)
    assert (await desk.api.patch(f"{URL}/{campaign}", {"status": "completed"})).status == 400
