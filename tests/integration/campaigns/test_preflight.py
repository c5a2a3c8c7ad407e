"""POST preflight: how many could be called now, later, never; decided like a run, and without any trace."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Any

from adapters.events import Outcome
from dialer.flows.campaigns.survey import explain, preflight_of
from tests.integration.campaigns.test_run_campaign import everything
from tests.support.api import Api
from tests.support.desk import AUCKLAND, BERLIN, MONDAY_NOON, Desk
from tests.support.story import end_all

URL = "/api/crm/campaigns"


async def count(desk: Desk, campaign: str) -> dict[str, Any]:
    before = await everything(desk)
    answer = await desk.api.post(f"{URL}/{campaign}/preflight")
    assert answer.status == 200, answer.text
    assert await everything(desk) == before
    seen: dict[str, Any] = answer.json["preflight"]
    parts = ("dialable_now", "later", "blocked", "never_callable", "under_way", "done")
    assert sum(seen[name] for name in parts) == seen["contacts"] == (await desk.look(campaign))["total_contacts"]
    for part in ("later", "blocked"):
        assert sum(group["contacts"] for group in seen[f"{part}_by_reason"]) == seen[part]
    return seen


async def test_everybody_is_counted_once_before_anybody_is_called(desk: Desk) -> None:
    people = [*await desk.people(5), *await desk.people(2, AUCKLAND, prefix="+6421"), *await desk.people(3, (), prefix="+4932")]
    people += [*await desk.people(1, do_not_call=True, prefix="+493023"), *await desk.people(1, phone=None)]
    campaign = (await desk.campaign(people, maxConcurrentCalls=3))["id"]
    seen = await count(desk, campaign)
    assert {name: seen[name] for name in ("contacts", "dialable_now", "starting", "later", "blocked", "never_callable")} == {
        "contacts": 12,
        "dialable_now": 5,
        "starting": 3,
        "later": 2,
        "blocked": 2,
        "never_callable": 3,
    }
    assert seen["next_at"] == "2026-01-05T20:00:00Z"
    assert seen["later_by_reason"] == [{"reason": "window", "contacts": 2, "until": "2026-01-05T20:00:00Z"}]
    assert {(g["reason"], g["contacts"]) for g in seen["blocked_by_reason"]} == {("do_not_call", 1), ("no_phone", 1)}
    started = await desk.run(campaign)
    assert started["started"] == seen["starting"]


async def test_it_follows_the_campaign_to_its_end(desk: Desk) -> None:
    campaign = (await desk.campaign(await desk.people(3), maxConcurrentCalls=1, maxAttemptsPerContact=1))["id"]
    await desk.run(campaign)
    seen = await count(desk, campaign)
    assert (seen["under_way"], seen["dialable_now"], seen["starting"]) == (1, 2, 0)
    await end_all(desk, Outcome.ANSWERED)
    await desk.run(campaign)
    await end_all(desk, Outcome.BUSY)
    seen = await count(desk, campaign)
    assert (seen["done"], seen["blocked_by_reason"]) == (1, [{"reason": "attempts_exhausted", "contacts": 1, "until": None}])
    await desk.run(campaign)
    await end_all(desk, Outcome.ANSWERED)
    assert (await desk.api.post(f"{URL}/{campaign}/preflight")).status == 409


async def test_suppressed_busy_and_put_off(desk: Desk) -> None:
    people = await desk.people(4)
    other = (await desk.campaign(people[:1], status="running"))["id"]
    await desk.run(other)
    campaign = (await desk.campaign(people))["id"]
    body = {"teamId": desk.api.team, "scope": "team", "phoneNumber": "+493020100002", "expiresAt": "2026-01-05T13:00:00Z"}
    await desk.api.post("/api/crm/suppressions", body)
    await desk.pool.execute("insert into suppressions (scope, phone_number) values ('global', '+493020100003')")
    seen = await count(desk, campaign)
    assert seen["dialable_now"] == 1
    assert seen["later_by_reason"] == [{"reason": "suppressed", "contacts": 1, "until": "2026-01-05T13:00:00Z"}]
    assert {g["reason"] for g in seen["blocked_by_reason"]} == {"number_busy", "suppressed"}


async def test_what_a_person_has_to_mend_blocks_everybody(desk: Desk) -> None:
    campaign = (await desk.campaign(await desk.people(2)))["id"]
    await desk.pool.execute("update assistants set outbound_enabled = false")
    seen = await count(desk, campaign)
    assert (seen["blocked"], seen["blocked_by_reason"][0]["reason"]) == (2, "trunk_config")


async def test_the_estimate_says_how_it_was_made(desk: Desk) -> None:
    campaign = (await desk.campaign(await desk.people(60), maxConcurrentCalls=2))["id"]
    estimate = (await count(desk, campaign))["estimate"]
    assert (estimate["finish_at"], estimate["slots"], estimate["seconds_per_call"]) == ("2026-01-05T12:30:00Z", 2, 60.0)
    assert (estimate["measured_over"], estimate["calls_measured"]) == ("default", 0)
    assert "assumed" in estimate["how"]
    for _ in range(10):
        await desk.run(campaign)
        await _end_after(desk, campaign, 30)
    estimate = (await count(desk, campaign))["estimate"]
    assert (estimate["seconds_per_call"], estimate["measured_over"], estimate["calls_measured"]) == (30.0, "campaign", 20)
    other = (await desk.campaign(await desk.people(1, BERLIN, prefix="+493024")))["id"]
    assert (await count(desk, other))["estimate"]["measured_over"] == "team"


async def _end_after(desk: Desk, campaign: str, seconds: int) -> None:
    """The calls of this moment, as if they had lasted so long."""
    await end_all(desk, Outcome.ANSWERED, campaign)
    await desk.pool.execute(
        "update call_attempts set ended_at = placing_at + $1 where state = 'ended' and ended_at <> placing_at + $1",
        timedelta(seconds=seconds),
    )


async def test_foreign_and_unknown_campaigns(desk: Desk, stranger: Api) -> None:
    campaign = (await desk.campaign())["id"]
    assert (await stranger.post(f"{URL}/{campaign}/preflight")).status == 404
    assert (await desk.api.post(f"{URL}/camp_nobody/preflight")).status == 404
    assert (await desk.api.post(f"{URL}/{campaign}/preflight", {"dryRun": True})).status == 400
    assert (await count(desk, campaign))["estimate"]["finish_at"] == "2026-01-05T12:00:00Z"


async def test_a_hundred_thousand_are_counted_within_a_second(desk: Desk) -> None:
    zones = [BERLIN, AUCKLAND, ("America/New_York",), ("America/Chicago", "America/New_York")]
    await desk.pool.execute("alter table contacts disable trigger user")  # nobody searches them here
    for n, where in enumerate(zones):
        await desk.people(25_000, where, prefix=f"+4930{n}")
    campaign = (await desk.campaign())["id"]
    audience = {"mode": "all_eligible", "maxToAdd": 100_000}
    assert (await desk.api.post(f"{URL}/{campaign}/contacts", {"audience": audience})).json["added"] == 100_000
    await desk.pool.execute("analyze")
    means, team = desk.api.context, desk.api.team
    took = []
    for _ in range(3):
        begun = time.perf_counter()
        seen = await preflight_of(means, team, campaign)
        took.append(time.perf_counter() - begun)
    assert seen.contacts == 100_000
    assert min(took) < 1.0
    await desk.api.patch(f"{URL}/{campaign}", {"status": "running"})
    told = await explain(means, team, campaign)
    assert sum(group.contacts for group in told.groups) == 100_000
    begun = time.perf_counter()
    assert (await desk.look(campaign))["waiting_for"] is None
    assert time.perf_counter() - begun < 0.25
    print(f"preflight of 100,000: {min(took):.3f} s; the campaign's own answer: {time.perf_counter() - begun:.3f} s")
    assert desk.clock.now() == MONDAY_NOON
