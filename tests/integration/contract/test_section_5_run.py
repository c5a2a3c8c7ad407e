"""Section 5 of the contract: run, pause, resume, cancel and the dashboard."""

from __future__ import annotations

from typing import Any

import pytest

from adapters.events import Outcome
from dialer.domain.fence import FENCE_SECONDS
from tests.support.api import Answer, Api
from tests.support.contract import CAMPAIGN, CAMPAIGNS, MEMBER, PERSON, given, refused
from tests.support.desk import AUCKLAND, Desk
from tests.support.endings import end

RUN = {"success", "started", "failed", "calls", "errors", "message", "dryRun"}
CALL = {"campaign_contact_id", "contact_id", "to_number", "from_number", "status"}


async def run(desk: Desk, campaign: str, **body: Any) -> dict[str, Any]:
    answer = await desk.api.post(f"{CAMPAIGNS}/{campaign}/run", body)
    assert answer.status == 200, answer.text
    assert answer.json.keys() == RUN
    done: dict[str, Any] = answer.json
    assert all(call.keys() == CALL for call in done["calls"])
    assert (done["success"], done["started"]) == (True, len(done["calls"]))
    return done


async def turn(desk: Desk, campaign: str, verb: str, body: Any = None) -> Answer:
    return await desk.api.post(f"{CAMPAIGNS}/{campaign}/{verb}", body)


# run


@pytest.mark.parametrize("body", [None, {}, {"accountSlug": "acme"}, {"account_slug": "acme", "dryRun": False}])
async def test_run_starts_the_campaign_and_dials_up_to_the_free_slots(desk: Desk, body: Any) -> None:
    people = await desk.people(4)
    campaign = (await desk.campaign(people))["id"]
    answer = await turn(desk, campaign, "run", body)
    assert answer.json.keys() == RUN
    assert (answer.json["started"], answer.json["dryRun"]) == (3, False)
    assert [call["contact_id"] for call in answer.json["calls"]] == people[:3]
    assert {(call["from_number"], call["status"]) for call in answer.json["calls"]} == {("+493012345", "queued")}
    assert (await desk.look(campaign))["status"] == "running"


async def test_run_resumes_a_paused_campaign(desk: Desk) -> None:
    campaign = (await desk.campaign(await desk.people(1), status="running"))["id"]
    await turn(desk, campaign, "pause")
    assert (await run(desk, campaign))["started"] == 1
    seen = await desk.look(campaign)
    assert (seen["status"], seen["pause_reason"]) == ("running", None)


async def test_run_starts_a_scheduled_campaign_before_its_time(desk: Desk) -> None:
    campaign = (await desk.campaign(await desk.people(1), scheduledStartAt="2026-02-01T10:00:00Z"))["id"]
    assert (await run(desk, campaign))["started"] == 1


@pytest.mark.parametrize("name", ["maxCalls", "max_calls", "limit"])
async def test_max_calls_caps_what_this_run_starts(desk: Desk, name: str) -> None:
    campaign = (await desk.campaign(await desk.people(4)))["id"]
    assert (await run(desk, campaign, **{name: 2}))["started"] == 2
    assert await desk.api.context.release(campaign) == []


@pytest.mark.parametrize(
    "body", [{"maxCalls": 0}, {"maxCalls": "3"}, {"max_calls": 1.5}, {"limit": 2**31}, {"dryRun": 1}, {"calls": 3}]
)
async def test_a_wrong_value_is_named(desk: Desk, body: dict[str, Any]) -> None:
    campaign = (await desk.campaign())["id"]
    refused(await turn(desk, campaign, "run", body), 400, next(iter(body)))
    assert (await desk.look(campaign))["status"] == "draft"


async def test_two_names_for_the_limit_at_once_are_refused(desk: Desk) -> None:
    refused(await turn(desk, (await desk.campaign())["id"], "run", {"maxCalls": 1, "limit": 2}), 400, "limit")


async def test_errors_tell_contact_by_contact_who_could_not_be_called_and_why(desk: Desk) -> None:
    [fine], [away] = await desk.people(1), await desk.people(1, AUCKLAND, prefix="+6421")
    [no], [mute] = await desk.people(1, do_not_call=True, prefix="+493021"), await desk.people(1, phone=None)
    [listed] = await desk.people(1, prefix="+493023")
    campaign = (await desk.campaign([fine, away, no, mute, listed]))["id"]
    body = {"teamId": desk.api.team, "phoneNumber": "+493023100001"}
    given(await desk.api.post("/api/crm/suppressions", body), "suppression")
    done = await run(desk, campaign)
    assert (done["started"], done["failed"]) == (1, 4)
    assert set(done["errors"]) == {
        f"{away}: outside the call window until 2026-01-05T20:00:00Z",
        f"{no}: do not call",
        f"{mute}: no phone number",
        f"{listed}: the number is suppressed",
    }


async def test_exhausted_attempts_are_told_too(desk: Desk) -> None:
    [person], [other] = await desk.people(1), await desk.people(1, prefix="+493021")
    campaign = (await desk.campaign([person, other], maxRetries=1, maxConcurrentCalls=1))["id"]
    await run(desk, campaign)
    [call] = await desk.place(campaign)
    await end(desk, call, campaign, Outcome.BUSY)
    assert f"{person}: attempts exhausted" in (await run(desk, campaign))["errors"]


async def test_errors_are_the_first_hundred_and_failed_counts_all(desk: Desk) -> None:
    campaign = (await desk.campaign(await desk.people(130, AUCKLAND, prefix="+6421")))["id"]
    done = await run(desk, campaign)
    assert (done["failed"], len(done["errors"])) == (130, 100)


@pytest.mark.parametrize("name", ["dryRun", "dry_run"])
async def test_a_dry_run_decides_the_same_and_writes_nothing(desk: Desk, name: str) -> None:
    campaign = (await desk.campaign([*await desk.people(4), *await desk.people(1, do_not_call=True, prefix="+493021")]))["id"]
    before = [await desk.look(campaign), await desk.members(campaign), await desk.pool.fetch("select * from history order by id")]
    rehearsed = await run(desk, campaign, **{name: True})
    assert [
        await desk.look(campaign),
        await desk.members(campaign),
        await desk.pool.fetch("select * from history order by id"),
    ] == before
    assert await desk.pool.fetchval("select count(*) from call_attempts") == 0
    done = await run(desk, campaign)
    assert (rehearsed["dryRun"], done["dryRun"]) == (True, False)
    for key in ("started", "failed", "errors"):
        assert rehearsed[key] == done[key]
    assert [call["contact_id"] for call in rehearsed["calls"]] == [call["contact_id"] for call in done["calls"]]


async def test_when_max_calls_is_reached_it_pauses_with_run_limit_once_nothing_is_in_flight(desk: Desk) -> None:
    campaign = (await desk.campaign(await desk.people(3)))["id"]
    await run(desk, campaign, maxCalls=2)
    first, second = await desk.place(campaign)
    await end(desk, first, campaign, Outcome.ANSWERED)
    assert (await desk.look(campaign))["status"] == "running"
    await end(desk, second, campaign, Outcome.ANSWERED)
    seen = await desk.look(campaign)
    assert (seen["status"], seen["pause_reason"]) == ("paused", "run_limit")
    assert (await run(desk, campaign))["started"] == 1


# pause, resume, cancel


@pytest.mark.parametrize(("verb", "status"), [("pause", "paused"), ("cancel", "cancelled")])
@pytest.mark.parametrize("body", [None, {}, {"inFlight": "finish"}, {"in_flight": "hangUp"}])
async def test_pause_and_cancel_answer_the_campaign_after_the_fence(desk: Desk, verb: str, status: str, body: Any) -> None:
    campaign = (await desk.campaign(await desk.people(2), status="running"))["id"]
    await desk.api.context.release(campaign)
    answer = await turn(desk, campaign, verb, body)
    assert given(answer, "campaign", CAMPAIGN)["status"] == status
    assert desk.api.waits.seconds == [FENCE_SECONDS]
    assert desk.hung_up == ([campaign] if body == {"in_flight": "hangUp"} else [])
    assert await desk.place(campaign) == []


async def test_resume_answers_the_running_campaign(desk: Desk) -> None:
    campaign = (await desk.campaign(status="running"))["id"]
    assert given(await turn(desk, campaign, "pause"), "campaign")["pause_reason"] == "user"
    seen = given(await turn(desk, campaign, "resume"), "campaign", CAMPAIGN)
    assert (seen["status"], seen["pause_reason"]) == ("running", None)


@pytest.mark.parametrize("verb", ["pause", "cancel", "resume"])
async def test_what_is_in_flight_finishes_or_is_hung_up(desk: Desk, verb: str) -> None:
    campaign = (await desk.campaign(status="running"))["id"]
    for body in ({"inFlight": "drop"}, {"inFlight": True}, {"in": 1}):
        refused(await turn(desk, campaign, verb, body), 400, next(iter(body)))


# dashboard


async def test_the_dashboard_has_this_shape(desk: Desk) -> None:
    people, [no] = await desk.people(5), await desk.people(1, do_not_call=True, prefix="+493021")
    campaign = (await desk.campaign([*people, no]))["id"]
    await run(desk, campaign)
    answered, busy, _ = sorted(await desk.place(campaign))
    await end(desk, answered, campaign, Outcome.ANSWERED)
    await end(desk, busy, campaign, Outcome.BUSY)
    answer = await desk.api.get(f"{CAMPAIGNS}/{campaign}/dashboard")
    assert answer.status == 200, answer.text
    seen = answer.json
    assert seen.keys() - {"waiting_for"} == {"success", "campaign", "counts", "queue", "recent_calls", "pace"}
    assert seen["campaign"].items() >= (await desk.look(campaign)).items()
    assert seen["counts"] == {
        "by_status": {"pending": 3, "queued": 0, "calling": 1, "completed": 1, "skipped": 1, "failed": 0},
        "by_outcome": {
            "answered": 1, "voicemail": 0, "no_answer": 0, "busy": 1, "invalid_number": 0, "declined": 0, "do_not_call": 1,
            "error": 0, "unknown": 0,
        },
        "answered": 1,
        "total": 6,
    }  # fmt: skip
    assert seen["queue"].keys() == {"pending", "calling"}
    assert (len(seen["queue"]["pending"]), len(seen["queue"]["calling"]), len(seen["recent_calls"])) == (3, 1, 3)
    for row in (*seen["queue"]["pending"], *seen["queue"]["calling"]):
        assert row.keys() >= MEMBER and row["contact"].keys() == PERSON
    assert seen["pace"].keys() == {"calls_per_minute", "answer_rate", "slots_used", "slots", "eta"}


@pytest.mark.parametrize("name", ["limitPending", "limitCalling", "limitCalls", "limit_pending"])
async def test_the_limits_are_25_by_default_and_1_to_100(desk: Desk, name: str) -> None:
    path = f"{CAMPAIGNS}/{(await desk.campaign())['id']}/dashboard"
    for right in (1, 100):
        assert (await desk.api.get(path, **{name: right})).status == 200
    for wrong in (0, 101, -1, "x", "1.0"):
        refused(await desk.api.get(path, **{name: wrong}), 400, name)
    refused(await desk.api.get(path, colour="red"), 400, "colour")


async def test_each_list_ends_at_its_limit(desk: Desk) -> None:
    campaign = (await desk.campaign(await desk.people(60), maxConcurrentCalls=30))["id"]
    await run(desk, campaign)
    await desk.place(campaign)
    path = f"{CAMPAIGNS}/{campaign}/dashboard"

    async def lengths(**limits: int) -> tuple[int, int, int]:
        seen = (await desk.api.get(path, **limits)).json
        return len(seen["queue"]["pending"]), len(seen["queue"]["calling"]), len(seen["recent_calls"])

    assert await lengths() == (25, 25, 25)
    assert await lengths(limitPending=1, limitCalling=2, limitCalls=3) == (1, 2, 3)
    assert await lengths(limitPending=100, limitCalling=100, limitCalls=100) == (30, 30, 30)


async def test_the_campaigns_own_counts_say_the_same(desk: Desk) -> None:
    campaign = (await desk.campaign([*await desk.people(4), *await desk.people(1, phone=None)], maxRetries=1))["id"]
    await run(desk, campaign)
    answered, busy, _ = sorted(await desk.place(campaign))
    await end(desk, answered, campaign, Outcome.ANSWERED)
    await end(desk, busy, campaign, Outcome.BUSY)
    seen = await desk.look(campaign)
    names = ("total_contacts", "contacts_called", "contacts_completed", "contacts_answered")
    assert [seen[name] for name in names] == [5, 3, 3, 1]  # one of those called is being called now


async def test_another_teams_campaign_is_a_404_for_every_deed(desk: Desk, stranger: Api) -> None:
    campaign = (await desk.campaign())["id"]
    for verb in ("run", "pause", "resume", "cancel"):
        refused(await stranger.post(f"{CAMPAIGNS}/{campaign}/{verb}"), 404)
        refused(await desk.api.post(f"{CAMPAIGNS}/camp_nobody/{verb}"), 404)
    refused(await stranger.get(f"{CAMPAIGNS}/{campaign}/dashboard"), 404)
