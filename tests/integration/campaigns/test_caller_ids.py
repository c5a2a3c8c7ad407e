"""Caller IDs as people see them: how their calls end, when they rest, and what a campaign waits for meanwhile."""

from __future__ import annotations

from datetime import timedelta

from adapters.events import Outcome
from dialer.flows.campaigns.survey import explain, preflight_of
from dialer.flows.reputation import judge_numbers
from tests.support.desk import BERLIN, Desk, new_number
from tests.support.story import end_all

NUMBERS = "/api/crm/phone-numbers"
FIELDS = ("resting_until", "resting_reason", "calls_today", "recent_calls", "answer_share", "blocked_share")


async def health(desk: Desk, number: str) -> tuple[object, ...]:
    answer = await desk.api.get(f"{NUMBERS}/{number}")
    assert answer.status == 200, answer.text
    listed = (await desk.api.get(NUMBERS, teamId=desk.api.team)).json["phone_numbers"]
    assert answer.json["phone_number"] in listed
    return tuple(answer.json["phone_number"][name] for name in FIELDS)


async def called(desk: Desk, campaign: str, outcome: Outcome) -> None:
    await desk.pool.execute("update campaign_contacts set next_attempt_at = $1", desk.clock.now())
    await desk.run(campaign)
    await end_all(desk, outcome, campaign)
    day = "update scopes set day = $1, day_used = 2 where key like 'number:%'"  # ours: the claim wrote the database's
    await desk.pool.execute(day, desk.clock.now().date())
    await judge_numbers(desk.pool, desk.clock)


async def test_a_number_tells_how_its_calls_end_and_when_it_rests(desk: Desk) -> None:
    fields = {"settings": {"retryOnError": True}, "maxAttemptsPerContact": 9, "retryDelayMinutes": 0, "maxConcurrentCalls": 2}
    campaign = (await desk.campaign(await desk.people(2), status="running", **fields))["id"]
    assert await health(desk, desk.number) == (None, None, 0, 0, None, None)
    await called(desk, campaign, Outcome.BUSY)
    await called(desk, campaign, Outcome.UNREACHABLE)
    assert await health(desk, desk.number) == (None, None, 2, 2, 0.0, 0.0), "what is the trunk's says nothing of it"
    for _ in range(3):
        await called(desk, campaign, Outcome.BLOCKED)
    until = "2026-01-06T12:00:00Z"
    reason = "6 of its last 8 calls were blocked or marked as spam"
    assert await health(desk, desk.number) == (until, reason, 2, 0, None, None)

    assert (await desk.look(campaign))["waiting_for"] == {"reason": "caller_ids_exhausted", "until": until}
    assert {row["waiting_for"]["reason"] for row in await desk.members(campaign)} == {"caller_ids_exhausted"}
    seen = await preflight_of(desk.api.context, desk.api.team, campaign)
    assert [(g.reason, g.contacts, g.until) for g in seen.later_by_reason] == [
        ("caller_ids_exhausted", 2, desk.clock.now() + timedelta(days=1))
    ]
    told = await explain(desk.api.context, desk.api.team, campaign)
    assert told.waiting_for is not None and told.waiting_for["reason"] == "caller_ids_exhausted"
    assert (await desk.run(campaign))["errors"][0].endswith(f"no caller ID may be shown until {until}")

    desk.clock.advance(24 * 3600)
    assert (await health(desk, desk.number))[:3] == (None, None, 0)
    assert (await desk.look(campaign))["waiting_for"] is None
    assert (await desk.run(campaign))["started"] == 2


async def test_of_several_numbers_the_first_that_is_usable_again_is_waited_for(desk: Desk) -> None:
    """One rests for two days, one has used up its day and rests for an hour, one is away for good."""
    other = await new_number(desk.pool, desk.api.team, desk.assistant, "+493099999")
    away = await new_number(desk.pool, desk.api.team, desk.assistant, "+493088888", status="inactive")
    campaign = (await desk.campaign(await desk.people(1), fromNumberIds=[desk.number, other]))["id"]
    await desk.pool.execute("update campaigns set from_number_ids = from_number_ids || $1::text", away)
    given = await desk.api.patch(f"/api/crm/campaigns/{campaign}", {"status": "running"})
    assert given.status == 200, given.text
    rests = "update phone_numbers set resting_until = $2, resting_reason = 'x' where id = $1"
    now = desk.clock.now()
    await desk.pool.execute(rests, desk.number, now + timedelta(days=2))
    await desk.pool.execute(rests, other, now + timedelta(hours=1))
    assert (await desk.look(campaign))["waiting_for"] == {"reason": "caller_ids_exhausted", "until": "2026-01-05T13:00:00Z"}
    await desk.pool.execute("update phone_numbers set daily_limit = 1 where id = $1", other)
    await desk.pool.execute("update scopes set day = '2026-01-05', day_used = 1 where key = $1", f"number:{other}")
    assert (await desk.look(campaign))["waiting_for"] == {"reason": "caller_ids_exhausted", "until": "2026-01-06T00:00:00Z"}


async def test_somebody_may_end_a_rest_and_the_record_begins_anew(desk: Desk) -> None:
    campaign = (await desk.campaign(await desk.people(6, BERLIN), status="running", maxConcurrentCalls=6))["id"]
    await called(desk, campaign, Outcome.BLOCKED)
    path = f"{NUMBERS}/{desk.number}"
    assert (await health(desk, desk.number))[0] == "2026-01-06T12:00:00Z"
    for wrong in ("2026-01-05T12:00:00Z", False, 0):
        answer = await desk.api.patch(path, {"restingUntil": wrong})
        assert answer.status == 400 and "restingUntil" in answer.json["details"]["fieldErrors"]
    answer = await desk.api.patch(path, {"weight": 3})
    assert answer.json["phone_number"]["resting_until"] == "2026-01-06T12:00:00Z"
    answer = await desk.api.patch(path, {"restingUntil": None})
    assert answer.json["phone_number"]["resting_until"] is None
    assert await health(desk, desk.number) == (None, None, 2, 0, None, None)
    assert tuple(await desk.pool.fetchrow("select recent, rests, unjudged from reputations")) == ("", 0, False)
