""" "Why is it not dialling?" is true: whoever waits for nothing is released at the scheduler's next look, and nobody else."""

from __future__ import annotations

import os
import random
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest

from adapters.events import Outcome
from dialer.flows.release import LedgerBook, RulesReader
from scheduler.planner import plan
from tests.support.desk import AUCKLAND, BERLIN, TRUNK, Desk
from tests.support.laws import laws_hold
from tests.support.story import end_all

URL = "/api/crm/campaigns"
NOTHING = None


async def look(desk: Desk) -> set[str]:
    """The scheduler looks at everything once; the enrolments that were released."""
    book = LedgerBook(desk.pool, desk.api.context.ringer, desk.clock, [TRUNK], RulesReader(desk.pool))
    before = {r["campaign_contact_id"] for r in await desk.pool.fetch("select * from call_attempts where ended_at is null")}
    await book.release(plan(await book.snapshot(None)))
    after = {r["campaign_contact_id"] for r in await desk.pool.fetch("select * from call_attempts where ended_at is null")}
    return after - before


async def truth(desk: Desk, campaign: str) -> list[str | None]:
    """What each contact waits for, in the list's order, after it was held against what the scheduler does next: for the
    campaign's own answer too."""
    rows = await desk.members(campaign, limit=500)
    own = (await desk.look(campaign))["waiting_for"]
    ready = {row["id"] for row in rows if row["status"] == "pending" and row["waiting_for"] is None}
    if own is not None or (await desk.look(campaign))["status"] in ("completed", "cancelled"):
        ready = ready if (await desk.look(campaign))["status"] == "running" else set()
    released = await look(desk)
    assert released == ready
    if own is not None:
        assert released == set(), own
    return [row["waiting_for"] and row["waiting_for"]["reason"] for row in rows]


async def end(desk: Desk, campaign: str, outcome: Outcome) -> None:
    await end_all(desk, outcome, campaign)


async def test_window_and_the_next_look_after_it_opens(desk: Desk) -> None:
    campaign = (await desk.campaign(await desk.people(2, AUCKLAND, prefix="+6421"), status="running"))["id"]
    assert await truth(desk, campaign) == ["window", "window"]
    assert (await desk.look(campaign))["waiting_for"] == {"reason": "window", "until": "2026-01-05T20:00:00Z", "rule": "campaign"}
    desk.clock.advance(8 * 3600 - 1)
    assert await truth(desk, campaign) == ["window", "window"]
    desk.clock.advance(1)
    assert (await desk.look(campaign))["waiting_for"] is None
    assert await truth(desk, campaign) == [NOTHING, NOTHING]


async def test_a_holiday_is_waited_out_from_midnight_to_midnight_where_the_contact_is(desk: Desk) -> None:
    """Noon of Monday 5 January 2026, UTC; Twelfth Night begins in Berlin at 23:00."""
    settings = {"holidayCalendar": {"country": "DE", "subdivision": "BY"}}
    always = {"callWindowStart": "00:00", "callWindowEnd": "24:00", "maxConcurrentCalls": 1}
    campaign = (await desk.campaign(await desk.people(2), status="running", settings=settings, **always))["id"]
    desk.clock.advance(11 * 3600 - 91)
    assert await truth(desk, campaign) == [NOTHING, "no_free_slot"]
    await end(desk, campaign, Outcome.ANSWERED)
    desk.clock.advance(1)
    assert (await truth(desk, campaign))[1] == "window"
    assert (await desk.look(campaign))["waiting_for"] == {"reason": "window", "until": "2026-01-06T23:00:00Z", "rule": "campaign"}
    desk.clock.advance(24 * 3600 + 89)
    assert (await truth(desk, campaign))[1] == "window"
    desk.clock.advance(1)
    assert (await truth(desk, campaign))[1] is NOTHING


async def test_next_attempt_and_attempts_exhausted(desk: Desk) -> None:
    campaign = (await desk.campaign(await desk.people(1), status="running", maxAttemptsPerContact=2, retryDelayMinutes=30))["id"]
    assert await truth(desk, campaign) == [NOTHING]
    await end(desk, campaign, Outcome.BUSY)
    assert await truth(desk, campaign) == ["next_attempt"]
    assert (await desk.look(campaign))["waiting_for"] == {"reason": "next_attempt", "until": "2026-01-05T12:30:00Z"}
    desk.clock.advance(30 * 60)
    assert await truth(desk, campaign) == [NOTHING]
    await end(desk, campaign, Outcome.NO_ANSWER)
    [row] = await desk.members(campaign)
    assert (row["status"], row["waiting_for"]) == ("failed", {"reason": "attempts_exhausted", "until": None})


async def test_no_free_slot_for_those_behind_the_last_slot_and_for_all_once_they_are_taken(desk: Desk) -> None:
    people = await desk.people(5)
    campaign = (await desk.campaign(people, status="running", maxConcurrentCalls=2))["id"]
    assert await truth(desk, campaign) == [NOTHING, NOTHING, "no_free_slot", "no_free_slot", "no_free_slot"]
    assert await truth(desk, campaign) == [None, None, "no_free_slot", "no_free_slot", "no_free_slot"]
    assert (await desk.look(campaign))["waiting_for"] == {"reason": "no_free_slot", "until": None}
    await end(desk, campaign, Outcome.ANSWERED)
    assert (await truth(desk, campaign))[2:] == [NOTHING, NOTHING, "no_free_slot"]


@pytest.mark.parametrize("what", ["teams", "assistants", "phone_numbers"])
async def test_no_free_slot_of_any_scope(desk: Desk, what: str) -> None:
    await desk.pool.execute(f"update {what} set max_concurrent_calls = 1")
    campaign = (await desk.campaign(await desk.people(2), status="running"))["id"]
    assert await truth(desk, campaign) == [NOTHING, "no_free_slot"]
    assert await truth(desk, campaign) == [None, "no_free_slot"]


async def test_calls_per_second_are_waited_for(desk: Desk) -> None:
    campaign = (await desk.campaign(await desk.people(3), status="running", settings={"callsPerSecond": 1}))["id"]
    assert await truth(desk, campaign) == [NOTHING, "rate", "rate"]


async def test_do_not_call_and_no_phone(desk: Desk) -> None:
    [a, b] = await desk.people(2)
    [nameless] = await desk.people(1, phone=None)
    campaign = (await desk.campaign([a, b, nameless], status="running"))["id"]
    assert (await desk.api.patch(f"/api/crm/contacts/{a}", {"doNotCall": True})).status == 200
    assert await truth(desk, campaign) == ["do_not_call", NOTHING, "no_phone"]


async def test_suppressed_for_ever_and_for_a_while(desk: Desk) -> None:
    campaign = (await desk.campaign(await desk.people(3), status="running"))["id"]
    body = {"teamId": desk.api.team, "scope": "team"}
    await desk.api.post("/api/crm/suppressions", body | {"phoneNumber": "+493020100001"})
    await desk.api.post("/api/crm/suppressions", body | {"phoneNumber": "+493020100002", "expiresAt": "2026-01-05T13:00:00Z"})
    assert await truth(desk, campaign) == ["suppressed", "suppressed", NOTHING]
    await end(desk, campaign, Outcome.ANSWERED)
    assert (await desk.look(campaign))["waiting_for"] == {"reason": "suppressed", "until": "2026-01-05T13:00:00Z"}
    desk.clock.advance(3600)
    assert (await truth(desk, campaign))[1] is NOTHING


async def test_a_suppression_that_was_written_past_the_api_counts_too(desk: Desk) -> None:
    """As an import of a national register does; the fence asks the list itself."""
    campaign = (await desk.campaign(await desk.people(1), status="running"))["id"]
    await desk.pool.execute("insert into suppressions (scope, phone_number) values ('global', '+493020100001')")
    [row] = await desk.members(campaign)
    assert row["waiting_for"] == {"reason": "suppressed", "until": None}
    await look(desk)
    assert await desk.place(campaign) == []


async def test_never_callable(desk: Desk) -> None:
    everywhere = ("America/Los_Angeles", "Asia/Tokyo", "Europe/London")
    campaign = (await desk.campaign([*await desk.people(1, everywhere), *await desk.people(1, (), prefix="+4932")]))["id"]
    await desk.api.patch(f"{URL}/{campaign}", {"status": "running"})
    assert await truth(desk, campaign) == ["never_callable", "never_callable"]
    assert (await desk.look(campaign))["waiting_for"] == {"reason": "never_callable", "until": None, "rule": "campaign"}


async def test_number_busy_in_another_campaign_and_after_the_claim_put_it_off(desk: Desk) -> None:
    people = await desk.people(1)
    first = (await desk.campaign(people, status="running"))["id"]
    assert await truth(desk, first) == [NOTHING]
    second = (await desk.campaign(people, status="running"))["id"]
    assert await truth(desk, second) == ["number_busy"]
    [row] = await desk.members(second)
    assert row["waiting_for"] == {"reason": "number_busy", "until": "2026-01-05T12:00:05Z"}
    assert (await desk.look(second))["waiting_for"] == row["waiting_for"]
    await end(desk, first, Outcome.ANSWERED)
    assert await truth(desk, second) == ["number_busy"]
    desk.clock.advance(5)
    assert await truth(desk, second) == [NOTHING]


async def test_caller_ids_whose_day_is_used_up_come_back_tomorrow(desk: Desk) -> None:
    await desk.pool.execute("update phone_numbers set daily_limit = 1")
    campaign = (await desk.campaign(await desk.people(2), status="running", maxConcurrentCalls=1))["id"]
    assert await truth(desk, campaign) == [NOTHING, "no_free_slot"]
    await end(desk, campaign, Outcome.ANSWERED)
    await desk.pool.execute("update scopes set day = '2026-01-05' where day_used = 1")  # the day is the database's, noon is ours
    assert await truth(desk, campaign) == [None, "caller_ids_exhausted"]
    assert (await desk.look(campaign))["waiting_for"] == {"reason": "caller_ids_exhausted", "until": "2026-01-06T00:00:00Z"}
    desk.clock.advance(24 * 3600)
    assert await truth(desk, campaign) == [None, NOTHING]


async def test_caller_ids_that_are_inactive_wait_for_somebody(desk: Desk) -> None:
    campaign = (await desk.campaign(await desk.people(1), status="running"))["id"]
    await desk.api.patch(f"/api/crm/phone-numbers/{desk.number}", {"status": "inactive"})
    assert await truth(desk, campaign) == ["caller_ids_exhausted"]
    assert (await desk.look(campaign))["waiting_for"] == {"reason": "caller_ids_exhausted", "until": None}


@pytest.mark.parametrize(
    "broken",
    [
        "update assistants set outbound_enabled = false",
        "update assistants set adapter = 'gone'",
        "update campaigns set call_window_timezone = 'Atlantis', rules_version = 2",
    ],
)
async def test_trunk_config(desk: Desk, broken: str) -> None:
    campaign = (await desk.campaign(await desk.people(1), status="running"))["id"]
    await desk.pool.execute(broken)
    assert await truth(desk, campaign) == ["trunk_config"]


async def test_run_limit_paused_and_not_started(desk: Desk) -> None:
    campaign = (await desk.campaign(await desk.people(4)))["id"]
    assert await truth(desk, campaign) == ["not_started"] * 4
    await desk.run(campaign, maxCalls=1)
    assert await truth(desk, campaign) == [None, *["run_limit"] * 3]
    await end(desk, campaign, Outcome.ANSWERED)
    assert (await desk.look(campaign))["status"] == "paused"
    assert await truth(desk, campaign) == [None, *["run_limit"] * 3]
    assert (await desk.look(campaign))["waiting_for"] == {"reason": "run_limit", "until": None}
    await desk.api.post(f"{URL}/{campaign}/pause", {})
    assert await truth(desk, campaign) == [None, *["paused"] * 3]
    await desk.api.post(f"{URL}/{campaign}/cancel", {})
    assert await truth(desk, campaign) == [None] * 4
    assert (await desk.look(campaign))["waiting_for"] is None


async def test_those_behind_what_is_left_of_a_run_wait_for_another_one(desk: Desk) -> None:
    campaign = (await desk.campaign(await desk.people(3), status="running", maxConcurrentCalls=3))["id"]
    await desk.pool.execute("update scopes set budget = 2 where key = $1", f"campaign:{campaign}")
    assert await truth(desk, campaign) == [NOTHING, NOTHING, "run_limit"]


async def test_a_scheduled_campaign_says_when_it_starts(desk: Desk) -> None:
    start = "2026-01-06T09:00:00Z"
    campaign = (await desk.campaign(await desk.people(1), scheduledStartAt=start))["id"]
    assert (await desk.look(campaign))["waiting_for"] == {"reason": "not_started", "until": start}
    assert [m["waiting_for"]["until"] for m in await desk.members(campaign)] == [start]


async def test_nobody_waits_in_a_running_campaign_without_contacts(desk: Desk) -> None:
    campaign = (await desk.campaign(status="running", settings={"noAutoComplete": True}))["id"]
    assert (await desk.look(campaign))["waiting_for"] is None


async def test_the_dashboard_says_it_as_well(desk: Desk) -> None:
    campaign = (await desk.campaign(await desk.people(1, AUCKLAND, prefix="+6421"), status="running"))["id"]
    seen = (await desk.api.get(f"{URL}/{campaign}/dashboard")).json
    assert seen["campaign"]["waiting_for"] == (await desk.look(campaign))["waiting_for"]
    assert seen["queue"]["pending"][0]["waiting_for"]["reason"] == "window"


@pytest.mark.parametrize("seed", range(int(os.environ.get("DIALER_STORIES", "4"))))
async def test_it_is_true_whatever_happens(desk: Desk, seed: int) -> None:
    """Two campaigns that share people and slots, and two dozen events in some order."""
    chance = random.Random(seed)
    people = [
        *await desk.people(6, BERLIN),
        *await desk.people(4, AUCKLAND, prefix="+6421"),
        *await desk.people(2, ("America/New_York",), prefix="+1212555"),
    ]
    campaigns: list[str] = []
    for _ in range(2):
        pace = {"maxConcurrentCalls": chance.randint(1, 4), "retryDelayMinutes": chance.choice([0, 20])}
        campaigns.append((await desk.campaign(chance.sample(people, 8), status="running", **pace))["id"])

    def one() -> str:
        return chance.choice(campaigns)

    async def patch(path: str, **body: Any) -> None:
        assert (await desk.api.patch(path, body)).status in (200, 409)

    async def wait() -> None:
        desk.clock.advance(chance.choice([5, 600, 3 * 3600, 9 * 3600]))

    async def suppress() -> None:
        body: dict[str, Any] = {"teamId": desk.api.team, "scope": "team", "phoneNumber": f"+4930201{chance.randint(1, 6):05}"}
        if chance.random() < 0.7:
            body["expiresAt"] = (desk.clock.now() + timedelta(hours=1)).isoformat()
        assert (await desk.api.post("/api/crm/suppressions", body)).status == 200

    events: list[Callable[[], Awaitable[Any]]] = [
        wait,
        wait,
        suppress,
        lambda: end(desk, one(), chance.choice([Outcome.BUSY, Outcome.NO_ANSWER, Outcome.ANSWERED, Outcome.UNREACHABLE])),
        lambda: end(desk, one(), Outcome.BUSY),
        lambda: patch(f"/api/crm/contacts/{chance.choice(people)}", doNotCall=True),
        lambda: patch(f"/api/crm/contacts/{chance.choice(people)}", timezone=chance.choice(["Asia/Tokyo", "Europe/Lisbon"])),
        lambda: patch(f"{URL}/{one()}", maxConcurrentCalls=6),  # lowered, it would end no call
        lambda: patch(f"{URL}/{one()}", callWindowStart="00:00", callWindowEnd=chance.choice(["24:00", "13:00"])),
        lambda: patch(f"{URL}/{one()}", status=chance.choice(["running", "running", "paused"])),
        lambda: desk.api.post(f"{URL}/{one()}/run", {"maxCalls": chance.randint(1, 3)}),
    ]
    for _ in range(24):
        await chance.choice(events)()
        rows = {id: await desk.members(id) for id in campaigns}
        own = {id: (await desk.look(id)) for id in campaigns}
        released = await look(desk)
        for id, members in rows.items():
            ready = {m["id"] for m in members if m["status"] == "pending" and m["waiting_for"] is None}
            if own[id]["status"] in ("completed", "cancelled"):
                ready = set()
            here = released & {m["id"] for m in members}
            assert here <= ready, "released although it had a reason not to be"
            # Who is in both campaigns is released in one of them, and then its number is busy in the other.
            twins = {m["contact"]["id"] for other in campaigns if other != id for m in rows[other]}
            assert {m["contact"]["id"] for m in members if m["id"] in ready - here} <= twins, "nothing spoke against it"
            if own[id]["waiting_for"] is not None:
                assert not here
            elif own[id]["status"] == "running" and not here:
                assert not ready or ready - here
        await laws_hold(desk.pool)


OPEN = """insert into breakers (key, state, cause, opened_at, probe_at)
          values ($1, 'open', $2, clock_timestamp(), clock_timestamp() + make_interval(secs => $3))
          on conflict (key) do update set probe_at = excluded.probe_at"""


@pytest.mark.parametrize(
    ("scope", "cause", "reason", "dated"),
    [
        ("trunk", "trunk", "trunk_breaker", True),
        ("trunk", "endings", "trunk_breaker", True),
        ("trunk", "rate", "rate", True),
        ("trunk", "config", "trunk_config", False),
        ("campaign", "request", "trunk_config", False),
    ],
)
async def test_an_open_breaker_and_the_one_call_that_tries(desk: Desk, scope: str, cause: str, reason: str, dated: bool) -> None:
    campaign = (await desk.campaign(await desk.people(3), status="running"))["id"]
    key = f"{scope}:{TRUNK if scope == 'trunk' else campaign}"
    await desk.pool.execute(OPEN, key, cause, 60.0)
    assert await truth(desk, campaign) == [reason] * 3
    own = (await desk.look(campaign))["waiting_for"]
    assert (own["reason"], own["until"] is not None) == (reason, dated)
    board = (await desk.api.get(f"{URL}/{campaign}/dashboard")).json
    assert board["campaign"]["waiting_for"] == own
    assert (await desk.run(campaign))["started"] == 0
    await desk.pool.execute(OPEN, key, cause, -1.0)
    assert await truth(desk, campaign) == [NOTHING, reason, reason], "one tries"
    await laws_hold(desk.pool)


async def test_a_breaker_of_another_trunk_or_campaign_is_nobodys_business(desk: Desk) -> None:
    campaign = (await desk.campaign(await desk.people(1), status="running"))["id"]
    await desk.pool.execute(OPEN, "trunk:other", "trunk", 60.0)
    await desk.pool.execute(OPEN, "campaign:other", "request", 60.0)
    assert await truth(desk, campaign) == [NOTHING]


async def test_who_was_quarantined_says_so(desk: Desk) -> None:
    campaign = (await desk.campaign(await desk.people(2), status="running"))["id"]
    await desk.pool.execute(
        """update campaign_contacts set status = 'failed', outcome = 'error', reason = 'quarantined', completed_at = now()
           where id = (select min(id) from campaign_contacts)"""
    )
    assert sorted(await truth(desk, campaign), key=str) == [NOTHING, "quarantined"]
