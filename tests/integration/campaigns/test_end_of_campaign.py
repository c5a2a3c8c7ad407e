"""`scheduledEndAt`: from then on nobody of the campaign is called, and it pauses."""

from __future__ import annotations

from typing import Any

import pytest

from adapters.events import Outcome
from dialer.domain.fence import FENCE_SECONDS
from dialer.store import claims
from tests.integration.campaigns.test_waiting_for import NOTHING, truth
from tests.support.api import Answer
from tests.support.desk import AUCKLAND, Desk
from tests.support.laws import laws_hold
from tests.support.story import end_all

URL = "/api/crm/campaigns"
THREE = "2026-01-05T15:00:00Z"
"""Three hours after the desk opens; no call starts in the last 90 seconds before."""


def until(end: str | None) -> dict[str, Any]:
    return {"settings": {"scheduledEndAt": end}}


async def create(desk: Desk, **fields: Any) -> Answer:
    body = {"teamId": desk.api.team, "assistantId": desk.assistant, "fromNumberIds": [desk.number], "name": "Spring"}
    return await desk.api.post(URL, body | fields)


async def edit(desk: Desk, campaign: str, **body: Any) -> Answer:
    return await desk.api.patch(f"{URL}/{campaign}", body)


async def test_an_end_that_leaves_no_time_is_refused(desk: Desk) -> None:
    for fields in (
        until("2026-01-05T12:00:00Z"),
        until("2025-12-31T23:00:00+01:00"),
        until(THREE) | {"scheduledStartAt": THREE},
        until(THREE) | {"scheduledStartAt": "2026-01-05T16:00:00Z"},
    ):
        answer = await create(desk, **fields)
        assert (answer.status, list(answer.faults)) == (400, ["settings.scheduledEndAt"])
    appointed = (await desk.campaign(scheduledStartAt="2026-01-05T14:00:00Z", **until(THREE)))["id"]
    for change in ({"scheduledStartAt": THREE}, until("2026-01-05T14:00:00Z")):
        assert list((await edit(desk, appointed, **change)).faults) == ["settings.scheduledEndAt"]
    assert (await edit(desk, appointed, scheduledStartAt=THREE, **until("2026-01-05T15:00:01Z"))).status == 200


async def test_nobody_is_released_who_would_ring_past_the_end_and_then_it_pauses(desk: Desk) -> None:
    campaign = (await desk.campaign(await desk.people(3), status="running", maxConcurrentCalls=1, **until(THREE)))["id"]
    desk.clock.advance(3 * 3600 - 91)
    assert await truth(desk, campaign) == [NOTHING, "no_free_slot", "no_free_slot"]
    assert await desk.pool.fetchval("select to_char(not_after at time zone 'UTC', 'HH24:MI:SS') from call_attempts") == "14:58:30"
    await end_all(desk, Outcome.ANSWERED, campaign)
    desk.clock.advance(1)
    assert await truth(desk, campaign) == [None, "window", "window"]
    assert (await desk.look(campaign))["waiting_for"] == {"reason": "window", "until": None}
    assert await claims.end(desk.pool, desk.clock.now()) == []
    desk.clock.advance(90)
    assert await claims.end(desk.pool, desk.clock.now()) == [campaign]
    seen = await desk.look(campaign)
    assert (seen["status"], seen["pause_reason"]) == ("paused", "window_ended")
    assert await claims.end(desk.pool, desk.clock.now()) == []
    told = await desk.pool.fetchrow("select before, after, reason, actor from history where entity = 'campaign' order by id desc")
    assert tuple(told) == ("running", "paused", "window_ended", "engine")
    await laws_hold(desk.pool)


async def test_what_was_released_just_before_is_not_placed_after_the_last_start(desk: Desk) -> None:
    campaign = (await desk.campaign(await desk.people(1), status="running", **until(THREE)))["id"]
    desk.clock.advance(3 * 3600 - 91)
    assert await truth(desk, campaign) == [NOTHING]
    desk.clock.advance(1)
    assert await desk.place(campaign) == []
    await laws_hold(desk.pool)


@pytest.mark.parametrize("how", ["run", "resume", "dry run", "start"])
async def test_a_start_after_the_end_is_a_conflict_that_says_what_to_do(desk: Desk, how: str) -> None:
    started = how == "resume"
    people = await desk.people(1)
    campaign = (await desk.campaign(people, status="running" if started else None, **until(THREE)))["id"]
    desk.clock.advance(3 * 3600)
    if started:
        assert await claims.end(desk.pool, desk.clock.now()) == [campaign]

    async def start() -> Answer:
        if how == "start":
            return await edit(desk, campaign, status="running")
        verb, body = ("resume", None) if how == "resume" else ("run", {"dryRun": how == "dry run"})
        return await desk.api.post(f"{URL}/{campaign}/{verb}", body)

    refused = await start()
    assert refused.status == 409 and "scheduledEndAt" in refused.json["error"]
    assert await desk.pool.fetchval("select count(*) from call_attempts") == 0
    assert (await edit(desk, campaign, **until("2026-01-05T15:10:00Z"))).status == 200
    assert (await start()).status == 200
    assert (await desk.look(campaign))["status"] == ("draft" if how == "dry run" else "running")


async def test_a_run_of_what_still_runs_after_its_end_is_a_conflict_too(desk: Desk) -> None:
    """No sweep has paused it yet."""
    campaign = (await desk.campaign(await desk.people(1), status="running", **until(THREE)))["id"]
    desk.clock.advance(3 * 3600)
    for verb in ("run", "resume"):
        assert (await desk.api.post(f"{URL}/{campaign}/{verb}", {})).status == 409


async def test_a_campaign_whose_end_came_before_it_was_started_pauses_without_a_call(desk: Desk) -> None:
    """Nobody was there at its appointed time."""
    fields = {"scheduledStartAt": "2026-01-05T14:00:00Z", **until(THREE)}
    campaign = (await desk.campaign(await desk.people(1), **fields))["id"]
    desk.clock.advance(4 * 3600)
    assert await claims.end(desk.pool, desk.clock.now()) == [campaign]
    assert await claims.start_scheduled(desk.pool, desk.clock.now()) == []
    seen = await desk.look(campaign)
    assert (seen["status"], seen["pause_reason"]) == ("paused", "window_ended")


async def test_an_earlier_end_acts_on_the_next_dial_and_is_answered_after_the_fence(desk: Desk) -> None:
    campaign = (await desk.campaign(await desk.people(2), maxConcurrentCalls=1))["id"]
    await desk.run(campaign)
    assert (await edit(desk, campaign, **until("2026-01-05T12:01:30Z"))).status == 200
    assert desk.api.waits.seconds == [FENCE_SECONDS]
    assert await desk.place(campaign) == []
    assert await truth(desk, campaign) == ["window", "window"]
    assert (await edit(desk, campaign, **until(None))).status == 200
    assert NOTHING in await truth(desk, campaign)


async def test_who_can_only_be_called_after_the_end_is_counted_and_the_rest_foretold(desk: Desk) -> None:
    people = [*await desk.people(4), *await desk.people(2, AUCKLAND, prefix="+6421")]
    campaign = (await desk.campaign(people, **until(THREE)))["id"]
    seen = (await desk.api.post(f"{URL}/{campaign}/preflight")).json["preflight"]
    assert (seen["dialable_now"], seen["later"], seen["blocked"], seen["never_callable"]) == (4, 0, 2, 0)
    assert seen["blocked_by_reason"] == [{"reason": "window", "contacts": 2, "until": None}]
    assert seen["estimate"]["calls"] == 4 and seen["estimate"]["finish_at"] < THREE
    dry = await desk.run(campaign, dryRun=True)
    assert (dry["started"], dry["failed"]) == (3, 2)
    assert {error.partition(": ")[2] for error in dry["errors"]} == {"the campaign ends before it may be called"}
    assert (await edit(desk, campaign, **until("2026-01-05T12:02:00Z"))).status == 200
    seen = (await desk.api.post(f"{URL}/{campaign}/preflight")).json["preflight"]
    assert (seen["dialable_now"], seen["estimate"]["finish_at"]) == (4, None)
