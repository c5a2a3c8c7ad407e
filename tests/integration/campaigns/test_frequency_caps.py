"""`frequencyCaps`: nobody is called more often than the caps of the campaign and of the team let, whoever calls; and who waits
for one is told until when, and for which."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest

from adapters.events import Outcome
from dialer.domain.fence import FENCE_SECONDS
from dialer.flows.release import LedgerBook, RulesReader
from dialer.flows.teams import set_team_caps
from dialer.store import caps as store_caps
from scheduler.frequency import MARGIN
from scheduler.planner import plan
from tests.integration.campaigns.test_waiting_for import NOTHING, look, truth
from tests.support.desk import MONDAY_NOON, TRUNK, Desk
from tests.support.laws import laws_hold
from tests.support.story import end_all

URL = "/api/crm/campaigns"
CALLS = "/api/crm/calls"
DAY = 86_400
SLACK = int(MARGIN.total_seconds())
ANY_TIME = {"callWindowStart": "00:00", "callWindowEnd": "24:00", "retryDelayMinutes": 0, "maxAttemptsPerContact": 50}
ONE_A_DAY = {"calls": 1, "hours": 24, "per": "number"}


def by_person(calls: int = 1, hours: int = 24, counts: str = "attempts") -> dict[str, Any]:
    return {"calls": calls, "hours": hours, "per": "person", "counts": counts}


async def campaign(desk: Desk, people: Sequence[str], *caps: Any, **fields: Any) -> str:
    settings = {"frequencyCaps": list(caps), **fields.pop("settings", {})}
    made = await desk.campaign(people, status="running", settings=settings, **ANY_TIME, **fields)
    return str(made["id"])


def at(seconds: float) -> str:
    """So long after the desk opened, as the API says it."""
    return f"{MONDAY_NOON + timedelta(seconds=seconds):%Y-%m-%dT%H:%M:%SZ}"


async def waits(desk: Desk, campaign: str) -> list[Any]:
    return [row["waiting_for"] for row in await desk.members(campaign)]


async def test_up_to_the_edge_of_the_window_and_no_further(desk: Desk) -> None:
    mine = await campaign(desk, await desk.people(1), {"calls": 2, "hours": 24, "per": "number"})
    assert await truth(desk, mine) == [NOTHING]
    await end_all(desk, Outcome.BUSY)
    desk.clock.advance(3600)
    assert await truth(desk, mine) == [NOTHING]
    await end_all(desk, Outcome.BUSY)
    told = {"reason": "frequency_cap", "until": at(DAY + SLACK), "rule": "2 calls in 24 h per number (campaign)"}
    assert await waits(desk, mine) == [told], "before anybody tried to claim it"
    assert await look(desk) == set()
    assert await waits(desk, mine) == [told], "and after"
    assert (await desk.look(mine))["waiting_for"] == told
    desk.clock.advance(DAY + SLACK - 3600 - 1)
    assert await truth(desk, mine) == ["frequency_cap"]
    desk.clock.advance(1)
    assert await truth(desk, mine) == [NOTHING]
    await end_all(desk, Outcome.BUSY)
    assert (await waits(desk, mine))[0]["until"] == at(3600 + DAY + SLACK), "the window rolls"


async def test_a_person_in_two_campaigns_and_two_people_at_one_number(desk: Desk) -> None:
    """Over all campaigns of the team; a cap by person lets the number be called for somebody else, a cap by number does not."""
    one, other = await desk.people(2, phone="+4930901820")
    first = await campaign(desk, [one], by_person(), maxConcurrentCalls=1)
    again = await campaign(desk, [one], by_person())
    shared = await campaign(desk, [other], by_person())
    strict = await campaign(desk, [other], ONE_A_DAY)
    free = await campaign(desk, [one])
    await desk.api.patch(f"{URL}/{shared}", {"status": "paused"})
    await desk.api.patch(f"{URL}/{strict}", {"status": "paused"})
    await desk.api.patch(f"{URL}/{free}", {"status": "paused"})
    await desk.api.patch(f"{URL}/{again}", {"status": "paused"})
    assert await truth(desk, first) == [NOTHING]
    await end_all(desk, Outcome.BUSY)
    await desk.api.patch(f"{URL}/{first}", {"status": "paused"})
    for each, says in ((again, "frequency_cap"), (strict, "frequency_cap"), (shared, NOTHING), (free, "number_busy")):
        await desk.api.patch(f"{URL}/{each}", {"status": "running"})
        assert await truth(desk, each) == [says]
    await end_all(desk, Outcome.BUSY)
    await laws_hold(desk.pool)


async def test_another_number_of_the_same_person(desk: Desk) -> None:
    [who] = await desk.people(1)
    mine = await campaign(desk, [who], by_person())
    assert await truth(desk, mine) == [NOTHING]
    await end_all(desk, Outcome.BUSY)
    assert (await desk.api.patch(f"/api/crm/contacts/{who}", {"phone": "+4930901821"})).status == 200
    assert await truth(desk, mine) == ["frequency_cap"]


@pytest.mark.parametrize(("outcome", "holds"), [(Outcome.MACHINE, False), (Outcome.NO_ANSWER, False), (Outcome.HUMAN, True)])
async def test_after_a_conversation(desk: Desk, outcome: Outcome, holds: bool) -> None:
    [who] = await desk.people(1)
    first = await campaign(desk, [who])
    assert await truth(desk, first) == [NOTHING]
    await end_all(desk, outcome)
    await desk.api.patch(f"{URL}/{first}", {"status": "paused"})
    mine = await campaign(desk, [who], "7-days-after-a-conversation")
    assert await truth(desk, mine) == ["frequency_cap" if holds else NOTHING]
    if holds:
        rule = "1 conversation in 169 h per person (campaign: 7-days-after-a-conversation)"
        assert await waits(desk, mine) == [{"reason": "frequency_cap", "until": at(169 * 3600 + SLACK), "rule": rule}]


async def test_a_call_that_was_certainly_not_placed_does_not_count(desk: Desk) -> None:
    mine = await campaign(desk, await desk.people(1), ONE_A_DAY)
    await look(desk)
    [attempt] = await desk.place(mine)
    await desk.pool.execute("update call_attempts set state = 'recalled', ended_at = now() where id = $1", attempt)
    await desk.pool.execute("update campaign_contacts set status = 'pending'")
    assert await truth(desk, mine) == [NOTHING]


async def test_what_was_claimed_is_counted_anew_when_it_is_placed(desk: Desk) -> None:
    """The claim may have missed a call that ended meanwhile; the fence does not."""
    one, other = await desk.people(2, phone="+4930901820")
    before = await campaign(desk, [other])
    await look(desk)
    await end_all(desk, Outcome.BUSY)
    await desk.api.patch(f"{URL}/{before}", {"status": "paused"})
    mine = await campaign(desk, [one], ONE_A_DAY)
    desk.clock.advance(2 * DAY)
    assert len(await look(desk)) == 1
    await desk.pool.execute("update call_attempts set placing_at = $1 where ended_at is not null", desk.clock.now())
    assert await desk.place(mine) == []
    assert await desk.pool.fetchval("select count(*) from call_attempts where placing_at is not null") == 1


async def test_the_head_of_the_line_is_not_blocked_by_those_who_may_not_be_called(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_caps, "HOLD_AT_ONCE", 40)
    people = await desk.people(203)
    before = await campaign(desk, people[:200], maxConcurrentCalls=200)
    assert len(await look(desk)) == 200
    await end_all(desk, Outcome.BUSY)
    await desk.api.patch(f"{URL}/{before}", {"status": "paused"})
    mine = await campaign(desk, people, ONE_A_DAY, maxConcurrentCalls=2)
    seen = (await desk.api.post(f"{URL}/{mine}/preflight")).json["preflight"]
    assert (seen["dialable_now"], seen["starting"], seen["later"]) == (3, 2, 200)
    assert seen["later_by_reason"] == [{"reason": "frequency_cap", "contacts": 200, "until": at(DAY + SLACK)}]
    dry = await desk.run(mine, dryRun=True)
    assert (dry["started"], dry["failed"]) == (2, 200)
    said = f"it has been called as often as the caps allow, by 1 call in 24 h per number (campaign), until {at(DAY + SLACK)}"
    assert {error.partition(": ")[2] for error in dry["errors"]} == {said}
    assert len(await look(desk)) == 2, "in one round"
    put_off = "select count(*) from campaign_contacts where reason = 'frequency_cap' and next_attempt_at = $1"
    assert await desk.pool.fetchval(put_off, datetime.fromisoformat(at(DAY + SLACK))) == 200
    assert (await desk.run(mine))["failed"] == 200


async def test_a_cap_that_is_added_or_lowered_holds_after_the_answer_and_one_that_is_lifted_lets_go(desk: Desk) -> None:
    mine = await campaign(desk, await desk.people(2), maxConcurrentCalls=1)
    assert await truth(desk, mine) == [NOTHING, "no_free_slot"]
    await end_all(desk, Outcome.BUSY)
    await look(desk)
    assert await desk.pool.fetchval("select count(*) from call_attempts where state = 'queued'") == 1
    desk.api.waits.seconds.clear()
    assert (await desk.api.patch(f"{URL}/{mine}", {"settings": {"frequencyCaps": [ONE_A_DAY]}})).status == 200
    assert desk.api.waits.seconds == [FENCE_SECONDS]
    assert await desk.place(mine) == []
    assert sorted(str(each) for each in await truth(desk, mine)) == ["None", "frequency_cap"]
    await end_all(desk, Outcome.BUSY)
    assert await truth(desk, mine) == ["frequency_cap"] * 2
    assert (await desk.api.patch(f"{URL}/{mine}", {"settings": {"frequencyCaps": [ONE_A_DAY | {"calls": 2}]}})).status == 200
    assert NOTHING in await truth(desk, mine)
    assert (await desk.look(mine))["settings"]["frequency_caps"] == [ONE_A_DAY | {"calls": 2}]


async def test_the_caps_of_a_team_hold_in_all_its_campaigns_and_for_direct_calls(desk: Desk) -> None:
    context, who = desk.api.context, (await desk.people(1))[0]
    mine = await campaign(desk, [who])
    assert len(await look(desk)) == 1
    desk.api.waits.seconds.clear()
    await set_team_caps(context, desk.api.team, [by_person(2)])
    assert desk.api.waits.seconds == [FENCE_SECONDS]
    assert await desk.place(mine) == [], "what was released before is not placed"
    assert await truth(desk, mine) == [NOTHING]
    await end_all(desk, Outcome.BUSY)
    await desk.api.patch(f"{URL}/{mine}", {"status": "paused"})
    asked = {"assistantId": desk.assistant, "toNumber": "+493020100001"}
    assert (await desk.api.post(CALLS, asked)).status == 200
    await end_all(desk, Outcome.BUSY)
    answer = await desk.api.post(CALLS, asked)
    told = {"reason": "frequency_cap", "until": at(DAY + SLACK), "rule": "2 calls in 24 h per person (team)"}
    assert (answer.status, answer.json.get("waiting_for")) == (409, told)
    assert "called as often as the caps allow, by 2 calls in 24 h per person (team), until" in answer.json["error"]
    await desk.api.patch(f"{URL}/{mine}", {"status": "running"})
    assert await truth(desk, mine) == ["frequency_cap"]
    await set_team_caps(context, desk.api.team, [by_person(3)])
    assert await truth(desk, mine) == [NOTHING]
    await end_all(desk, Outcome.BUSY)
    await desk.api.patch(f"{URL}/{mine}", {"status": "paused"})
    strict = await campaign(desk, [who], by_person(1))
    await set_team_caps(context, desk.api.team, [])
    assert await truth(desk, strict) == ["frequency_cap"]


async def test_the_caps_of_policy_packs_hold_where_the_contact_is(desk: Desk) -> None:
    ids = []
    for phone in ("+13055550123", "+14045550123"):
        person = {"teamId": desk.api.team, "firstName": "Ada", "lastName": "Byron", "phone": phone}
        ids.append((await desk.api.post("/api/crm/contacts", person)).json["contact"]["id"])
    mine = await campaign(desk, ids, settings={"policyPacks": ["us-frequency"]})
    for _ in range(3):
        assert await truth(desk, mine) == [NOTHING, NOTHING]
        await end_all(desk, Outcome.BUSY)
    miami = {"reason": "frequency_cap", "until": at(DAY + SLACK), "rule": "3 calls in 24 h per person (us-frequency/2024-01 FL)"}
    assert await waits(desk, mine) == [miami, None], "nothing is said of it in Georgia"
    seen = (await desk.api.post(f"{URL}/{mine}/preflight")).json["preflight"]
    assert (seen["dialable_now"], [group["reason"] for group in seen["later_by_reason"]]) == (1, ["frequency_cap"])
    dry = await desk.run(mine, dryRun=True)
    assert (dry["started"], dry["failed"]) == (1, 1)
    assert await truth(desk, mine) == ["frequency_cap", NOTHING]


async def test_what_was_planned_by_the_caps_a_team_had_before_is_not_claimed(desk: Desk) -> None:
    """A scheduler keeps the rules of a campaign until their version changes; those of its team are among them."""
    mine = await campaign(desk, await desk.people(1))
    book = LedgerBook(desk.pool, desk.api.context.ringer, desk.clock, [TRUNK], RulesReader(desk.pool))
    planned = plan(await book.snapshot(None))
    await set_team_caps(desk.api.context, desk.api.team, [ONE_A_DAY])
    await book.release(planned)
    assert await desk.place(mine) == []
    for outcome in (Outcome.BUSY, Outcome.BUSY):
        await book.release(plan(await book.snapshot(None)))
        await end_all(desk, outcome)
    assert await desk.pool.fetchval("select count(*) from call_attempts") == 1


async def test_no_campaign_slips_by_while_the_caps_of_its_team_change(desk: Desk) -> None:
    """One that is created meanwhile waits: else what is read of it before would be kept, with the team's caps as they were."""
    async with desk.pool.acquire() as on, on.transaction():
        await on.execute("select from scopes where key = $1 for update", f"team:{desk.api.team}")
        creating = asyncio.create_task(desk.campaign())
        waiting = "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"
        async with asyncio.timeout(10):
            while not await desk.pool.fetchval(waiting):
                assert not creating.done()
                await asyncio.sleep(0.02)
    await creating


@pytest.mark.parametrize(
    ("cap", "field", "says"),
    [
        ("often", "settings.frequencyCaps.0", "3-in-24-hours"),
        ({"calls": 0, "hours": 24, "per": "number"}, "settings.frequencyCaps.0.calls", "greater than or equal to 1"),
        ({"calls": 1, "hours": 9000, "per": "number"}, "settings.frequencyCaps.0.hours", "less than or equal to 8784"),
        ({"calls": True, "hours": 24, "per": "number"}, "settings.frequencyCaps.0.calls", "is no number"),
        ({"calls": 1, "hours": 24}, "settings.frequencyCaps.0.per", "required"),
        ({"calls": 1, "hours": 24, "per": "debt"}, "settings.frequencyCaps.0.per", "'number' or 'person'"),
        ({"calls": 1, "hours": 24, "per": "number", "days": 1}, "settings.frequencyCaps.0.days", "not permitted"),
    ],
)
async def test_what_is_no_cap_is_refused_by_its_field(desk: Desk, cap: Any, field: str, says: str) -> None:
    body = {"teamId": desk.api.team, "assistantId": desk.assistant, "fromNumberIds": [desk.number], "name": "Spring"}
    answer = await desk.api.post(URL, body | {"settings": {"frequencyCaps": [cap]}})
    assert answer.status == 400 and says in answer.faults[field][0], answer.text


async def test_caps_are_answered_as_they_were_sent(desk: Desk) -> None:
    sent = ["7-in-7-days", {"calls": 3, "hours": 24, "per": "number"}]
    made = await desk.campaign(settings={"frequencyCaps": sent})
    assert made["settings"]["frequency_caps"] == sent
