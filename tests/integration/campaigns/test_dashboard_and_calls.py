"""The dashboard of a campaign, and its calls one by one."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

from adapters.events import CallEvent, Outcome, Phase
from dialer.domain.attempt import fold
from dialer.domain.campaign import rules_of
from dialer.domain.conclude import conclude
from dialer.store import attempts, claims
from tests.support.api import Api
from tests.support.desk import TRUNK, Desk

CALLS = "/api/crm/calls"


async def end(desk: Desk, call: str, campaign: str, outcome: Outcome, **data: Any) -> None:
    """The carrier tells how a call went."""
    at = desk.clock.now()
    told = [CallEvent(Phase.RINGING, at, call, "ref", f"{call}-1")]
    if outcome is Outcome.ANSWERED:
        told.append(CallEvent(Phase.ANSWERED, at, call, "ref", f"{call}-2"))
    told += [
        CallEvent(Phase.ENDED, at + timedelta(seconds=30), call, "ref", f"{call}-3", outcome=outcome),
        CallEvent(Phase.RESULT, at + timedelta(seconds=31), call, "ref", f"{call}-4", data=data),
    ]
    standing = (await attempts.standing(desk.pool, [call], at))[call].standing
    rules = rules_of((await claims.rules(desk.pool, [campaign]))[0])
    turn = conclude(standing, fold(standing.progress, told), rules, at)
    assert turn is not None
    assert await attempts.turn(desk.pool, [replace(turn)], [(TRUNK, event) for event in told], at)


async def test_the_dashboard_shows_counts_queue_calls_and_pace(desk: Desk) -> None:
    people = await desk.people(6)
    [no] = await desk.people(1, do_not_call=True, prefix="+493023")
    campaign = (await desk.campaign([*people, no], maxConcurrentCalls=3))["id"]
    await desk.run(campaign)
    answered, busy, ringing = sorted(await desk.place(campaign))
    await end(desk, answered, campaign, Outcome.ANSWERED)
    await end(desk, busy, campaign, Outcome.BUSY)
    await desk.api.context.release(campaign)
    desk.clock.advance(60)
    answer = await desk.api.get(f"/api/crm/campaigns/{campaign}/dashboard", limitPending=1)
    seen = answer.json
    assert answer.status == 200, answer.text
    status = {"pending": 2, "queued": 2, "calling": 1, "completed": 1, "failed": 0, "skipped": 1}
    assert seen["counts"]["by_status"] == status
    assert {name: n for name, n in seen["counts"]["by_outcome"].items() if n} == {"answered": 1, "busy": 1, "do_not_call": 1}
    assert set(seen["counts"]["by_outcome"]) == {
        "answered", "voicemail", "no_answer", "busy", "declined", "invalid_number", "do_not_call", "error", "unknown",
    }  # fmt: skip
    assert (seen["counts"]["answered"], seen["counts"]["total"]) == (1, 7)
    assert [m["contact"]["id"] for m in seen["queue"]["pending"]] == [people[5]]
    longest = seen["queue"]["calling"][0]
    assert (longest["call_id"], longest["state"]) == (ringing, "placing")
    assert len(seen["queue"]["calling"]) == 3
    assert len(seen["recent_calls"]) == 5
    pace = seen["pace"]
    assert (pace["calls_per_minute"], pace["answer_rate"]) == (2.0, 0.3333)
    assert (pace["slots_used"], pace["slots"]) == (3, 3)
    assert pace["eta"] is None
    card = seen["campaign"]
    assert (card["total_contacts"], card["contacts_called"], card["contacts_completed"], card["contacts_answered"]) == (
        7,
        3,
        2,
        1,
    )


async def test_filling_the_slots_is_no_pace_and_a_few_short_calls_are_no_estimate(desk: Desk) -> None:
    """Three calls in the first second were 180 a minute, and a list of an hour was done in minutes."""
    campaign = (await desk.campaign(await desk.people(40), maxConcurrentCalls=30))["id"]

    async def pace() -> tuple[float, str | None]:
        seen = (await desk.api.get(f"/api/crm/campaigns/{campaign}/dashboard")).json["pace"]
        return seen["calls_per_minute"], seen["eta"]

    await desk.run(campaign)
    calls = await desk.place(campaign)
    desk.clock.advance(2)
    assert (len(calls), await pace()) == (30, (0.0, None))
    for call in calls[:19]:
        await end(desk, call, campaign, Outcome.ANSWERED)
    assert await pace() == (19.0, None)
    await end(desk, calls[19], campaign, Outcome.ANSWERED)
    desk.clock.advance(28)
    assert await pace() == (40.0, "2026-01-05T12:01:00Z")
    desk.clock.advance(270)
    assert await pace() == (6.0, "2026-01-05T12:08:20Z")
    for end_at, eta in (("2026-01-05T12:09:50Z", "2026-01-05T12:08:20Z"), ("2026-01-05T12:09:49Z", None)):
        await desk.api.patch(f"/api/crm/campaigns/{campaign}", {"settings": {"scheduledEndAt": end_at}})
        assert await pace() == (6.0, eta), "no call starts in the last minute and a half"


async def test_an_empty_campaign_has_a_dashboard_too(desk: Desk) -> None:
    campaign = (await desk.campaign())["id"]
    seen = (await desk.api.get(f"/api/crm/campaigns/{campaign}/dashboard")).json
    assert seen["pace"] == {"calls_per_minute": 0.0, "answer_rate": None, "slots_used": 0, "slots": 3, "eta": None}
    assert (await desk.api.get(f"/api/crm/campaigns/{campaign}/dashboard", limitCalls=101)).status == 400


async def test_next_in_line_is_by_priority_then_due_then_enrolment_over_all_places(desk: Desk) -> None:
    first, second = await desk.people(2), await desk.people(2, ("Europe/Paris",), prefix="+331")
    urgent = await desk.people(1, ("Europe/Rome",), prefix="+3906")
    campaign = (await desk.campaign([first[0], second[0], first[1], second[1]]))["id"]
    await desk.api.post(f"/api/crm/campaigns/{campaign}/contacts", {"contactIds": urgent, "priority": 9})
    seen = (await desk.api.get(f"/api/crm/campaigns/{campaign}/dashboard")).json
    order = [m["contact"]["id"] for m in seen["queue"]["pending"]]
    assert order == [urgent[0], first[0], second[0], first[1], second[1]]


async def test_calls_are_listed_newest_first_and_filtered(desk: Desk, stranger: Api) -> None:
    people = await desk.people(3)
    campaign = (await desk.campaign(people))["id"]
    await desk.run(campaign)
    calls = sorted(await desk.place(campaign))
    await end(desk, calls[0], campaign, Outcome.UNREACHABLE)
    await end(desk, calls[1], campaign, Outcome.NO_ANSWER)
    await end(desk, calls[2], campaign, Outcome.ANSWERED)

    async def ids(**query: Any) -> list[str]:
        answer = await desk.api.get(CALLS, teamId=desk.api.team, **query)
        assert answer.status == 200, answer.text
        assert answer.json["count"] == len(answer.json["calls"])
        return [call["id"] for call in answer.json["calls"]]

    assert await ids() == calls[::-1]
    assert await ids(campaignId=campaign, outcome="error") == [calls[0]]
    assert await ids(outcome="no_answer") == [calls[1]]
    [talk] = (await desk.api.get(CALLS, teamId=desk.api.team, outcome="answered")).json["calls"]
    assert await ids(contactId=talk["contact_id"]) == [calls[2]]
    assert (talk["status"], talk["detail"], talk["duration_seconds"], talk["counted"]) == ("ended", "answered", 30.0, True)
    first, middle, last = sorted(c["created_at"] for c in (await desk.api.get(CALLS, teamId=desk.api.team)).json["calls"])
    assert len(await ids(**{"from": first})) == 3
    assert len(await ids(**{"from": middle, "to": last})) == 1
    assert await ids(to=first) == []
    assert (await stranger.get(CALLS, teamId=stranger.team)).json["calls"] == []
    assert (await stranger.get(CALLS, teamId=desk.api.team)).status == 403


async def test_one_call_tells_its_whole_story(desk: Desk, stranger: Api) -> None:
    campaign = (await desk.campaign(await desk.people(1)))["id"]
    await desk.run(campaign)
    [call] = await desk.place(campaign)
    told = {"transcript": [{"who": "callee", "said": "Hello"}], "recording_url": "https://x/y", "extracted": {"email": "a@b"}}
    await end(desk, call, campaign, Outcome.ANSWERED, **told)
    seen = (await desk.api.get(f"{CALLS}/{call}")).json["call"]
    assert (seen["outcome"], seen["provider_ref"]) == ("answered", "ref")
    assert {name: seen[name] for name in told} == told
    assert [event["phase"] for event in seen["events"]] == ["ringing", "answered", "ended", "result"]
    assert [(turn["before"], turn["after"]) for turn in seen["history"]] == [
        (None, "queued"),
        ("queued", "placing"),
        ("placing", "ended"),
    ]
    assert (await stranger.get(f"{CALLS}/{call}")).status == 404


async def test_an_attempt_that_was_taken_back_was_no_call(desk: Desk) -> None:
    campaign = (await desk.campaign(await desk.people(1)))["id"]
    await desk.run(campaign)
    await desk.api.post(f"/api/crm/campaigns/{campaign}/pause", {})
    assert (await desk.api.get(CALLS, teamId=desk.api.team)).json["count"] == 0
    id = await desk.pool.fetchval("select id from call_attempts")
    assert (await desk.api.get(f"{CALLS}/{id}")).json["call"]["status"] == "recalled"
