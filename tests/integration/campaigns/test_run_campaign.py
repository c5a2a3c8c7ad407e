"""POST run, with and without a limit, and its rehearsal."""

from __future__ import annotations

from typing import Any

from tests.support.api import Api
from tests.support.desk import AUCKLAND, MONDAY_NOON, Desk
from tests.support.laws import laws_hold

URL = "/api/crm/campaigns"


async def everything(desk: Desk) -> list[Any]:
    """All that a rehearsal must leave alone."""
    tables = ("campaigns", "campaign_contacts", "call_attempts", "scopes", "history", "lanes", "campaign_tallies")
    return [await desk.pool.fetch(f"select * from {table} order by 1, 2") for table in tables]


async def mixed(desk: Desk, **fields: Any) -> str:
    """Five who can be called, two whose window is shut, one who said no, one without a phone."""
    people = [*await desk.people(5), *await desk.people(2, AUCKLAND, prefix="+6421")]
    people += [*await desk.people(1, do_not_call=True, prefix="+493023"), *await desk.people(1, phone=None)]
    id: str = (await desk.campaign(people, **fields))["id"]
    return id


async def test_a_run_starts_the_campaign_and_fills_the_free_slots(desk: Desk) -> None:
    campaign = await mixed(desk, maxConcurrentCalls=3)
    done = await desk.run(campaign, accountSlug="acme")
    assert (done["success"], done["started"], done["failed"], done["dryRun"]) == (True, 3, 4, False)
    assert [call["to_number"] for call in done["calls"]] == ["+493020100001", "+493020100002", "+493020100003"]
    assert {(call["from_number"], call["status"]) for call in done["calls"]} == {("+493012345", "queued")}
    assert sorted(error.partition(": ")[2] for error in done["errors"]) == [
        "do not call",
        "no phone number",
        "outside the call window until 2026-01-05T20:00:00Z",
        "outside the call window until 2026-01-05T20:00:00Z",
    ]
    assert done["message"] == "3 calls released; 4 contacts cannot be called now. 2 contacts wait for a free slot."
    seen = await desk.look(campaign)
    assert (seen["status"], seen["started_at"]) == ("running", "2026-01-05T12:00:00Z")
    again = await desk.run(campaign)
    assert (again["started"], again["failed"]) == (0, 4)


async def test_a_rehearsal_decides_the_same_and_writes_nothing(desk: Desk) -> None:
    campaign = await mixed(desk, maxConcurrentCalls=3)
    before = await everything(desk)
    rehearsed = await desk.run(campaign, dry_run=True)
    assert await everything(desk) == before
    assert rehearsed["dryRun"] is True
    done = await desk.run(campaign)
    keys = ("campaign_contact_id", "contact_id", "to_number", "from_number")
    assert [[c[k] for k in keys] for c in rehearsed["calls"]] == [[c[k] for k in keys] for c in done["calls"]]
    assert (rehearsed["started"], rehearsed["failed"], rehearsed["errors"]) == (3, 4, done["errors"])


async def test_calls_are_told_in_the_order_of_the_queue_also_by_the_real_run(desk: Desk) -> None:
    """Not in the order of numbers, in which a claim inserts them."""
    people = await desk.people(4)
    campaign = (await desk.campaign(maxConcurrentCalls=4))["id"]
    for person, priority in zip(people, (1, 2, 1, 3), strict=True):
        added = await desk.api.post(f"/api/crm/campaigns/{campaign}/contacts", {"contactIds": [person], "priority": priority})
        assert added.json["added"] == 1
    for run in ({"dryRun": True}, {}):
        called = [call["contact_id"] for call in (await desk.run(campaign, **run))["calls"]]
        assert called == [people[3], people[1], people[0], people[2]], run


async def test_a_rehearsal_is_limited_too_and_passes_over_a_spent_run(desk: Desk) -> None:
    campaign = await mixed(desk)
    assert len((await desk.run(campaign, dryRun=True, max_calls=2))["calls"]) == 2
    await desk.run(campaign, maxCalls=1)
    assert len((await desk.run(campaign, dryRun=True))["calls"]) == 2


async def test_a_limit_caps_what_the_run_releases_and_a_new_run_replaces_it(desk: Desk) -> None:
    campaign = await mixed(desk, maxConcurrentCalls=5)
    assert (await desk.run(campaign, limit=2))["started"] == 2
    assert (await desk.run(campaign, dryRun=True))["success"]
    await desk.place(campaign)
    assert (await desk.run(campaign, maxCalls=1))["started"] == 1
    assert (await desk.run(campaign))["started"] == 2
    assert await desk.pool.fetchval("select budget from scopes where key = $1", f"campaign:{campaign}") is None


async def test_a_new_limit_counts_from_its_own_calls(desk: Desk) -> None:
    """What the run before had released and nobody dialled is given back first, so that it cannot come on top."""
    campaign = await mixed(desk, maxConcurrentCalls=5)
    assert (await desk.run(campaign, maxCalls=3))["started"] == 3
    assert (await desk.run(campaign, maxCalls=2))["started"] == 2
    assert await desk.pool.fetchval("select count(*) from call_attempts where ended_at is null") == 2
    assert await desk.pool.fetchval("select budget from scopes where key = $1", f"campaign:{campaign}") == 0
    await laws_hold(desk.pool)


async def test_what_a_person_has_to_mend_is_told_for_everybody(desk: Desk) -> None:
    campaign = (await desk.campaign(await desk.people(3)))["id"]
    await desk.pool.execute("update phone_numbers set status = 'inactive'")
    done = await desk.run(campaign)
    assert (done["started"], done["failed"]) == (0, 3)
    assert {error.partition(": ")[2] for error in done["errors"]} == {"no caller ID may be shown"}
    await desk.pool.execute("update phone_numbers set status = 'active'")
    await desk.pool.execute("update assistants set outbound_enabled = false")
    assert "not ready" in (await desk.run(campaign))["errors"][0]


async def test_errors_end_at_a_hundred_and_the_count_does_not(desk: Desk) -> None:
    campaign = (await desk.campaign([*await desk.people(130, AUCKLAND, prefix="+6421"), *await desk.people(2)]))["id"]
    done = await desk.run(campaign, dryRun=True)
    assert (done["failed"], len(done["errors"]), done["started"]) == (130, 100, 2)


async def test_a_campaign_that_has_ended_cannot_run(desk: Desk, stranger: Api) -> None:
    campaign = (await desk.campaign(status="cancelled"))["id"]
    bodies: list[dict[str, Any]] = [{}, {"dryRun": True}]
    for body in bodies:
        assert (await desk.api.post(f"{URL}/{campaign}/run", body)).status == 409
    bodies = [{"maxCalls": 0}, {"maxCalls": "3"}, {"calls": 3}]
    for body in bodies:
        assert (await desk.api.post(f"{URL}/{campaign}/run", body)).status == 400
    assert (await desk.api.post(f"{URL}/camp_nobody/run")).status == 404


async def test_history_says_who_started_it(desk: Desk) -> None:
    campaign = await mixed(desk)
    await desk.run(campaign)
    row = await desk.pool.fetchrow("select * from history where entity = 'campaign' and after = 'running'")
    assert row["actor"].startswith("key:key_")
    assert row["entity_id"] == campaign
    assert desk.clock.now() == MONDAY_NOON
