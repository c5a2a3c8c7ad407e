"""Callbacks: asked for by a person or in a call, made before all others, and what stops or outlives them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from adapters.events import Outcome
from dialer.domain.conclude import conclude
from dialer.flows.callbacks import Callbacks
from dialer.store import attempts, claims
from tests.support.api import Answer, Api
from tests.support.desk import AUCKLAND, Desk
from tests.support.endings import bring, end
from tests.support.laws import laws_hold
from tests.unit.domain.cases import rules

CRM = "/api/crm"
SOON, LATE = "2026-01-05T13:00:00Z", "2026-01-05T13:15:00Z"
"""An hour from now, and when that is missed."""
NIGHT, MORNING = "2026-01-05T20:00:00Z", "2026-01-06T08:00:00Z"


def at(campaign: str, who: str) -> str:
    return f"{CRM}/campaigns/{campaign}/contacts/{who}/callback"


async def ask(desk: Desk, campaign: str, who: str, when: str = SOON, **fields: Any) -> Answer:
    return await desk.api.post(at(campaign, who), {"callbackAt": when, **fields})


async def agreed(desk: Desk, campaign: str, who: str, when: str = SOON, **fields: Any) -> dict[str, Any]:
    answer = await ask(desk, campaign, who, when, **fields)
    assert answer.status == 200, answer.text
    found: dict[str, Any] = answer.json["callback"]
    return found


async def member(desk: Desk, campaign: str, who: str) -> dict[str, Any]:
    [found] = [m for m in await desk.members(campaign) if who in (m["contact"]["id"], m["id"])]
    return found


async def call(desk: Desk, campaign: str, outcome: Outcome) -> str:
    """One call from its release to its end; whom it was with."""
    assert (await desk.run(campaign, maxCalls=1))["started"] == 1
    [attempt] = await desk.place(campaign)
    await end(desk, attempt, campaign, outcome)
    await laws_hold(desk.pool)
    found: str = await desk.pool.fetchval("select contact_id from call_attempts where id = $1", attempt)
    return found


async def sweep(desk: Desk) -> None:
    jobs = Callbacks(desk.pool, desk.api.context.ringer)
    await jobs.answer(desk.clock.now())
    await jobs.miss(desk.clock.now())
    campaigns = [r["id"] for r in await desk.pool.fetch("select id from campaigns where status = 'running'")]
    await claims.rest(desk.pool, campaigns, desk.clock.now())
    await laws_hold(desk.pool)


async def lines(desk: Desk, enrolment: str) -> list[tuple[str | None, str, str | None]]:
    rows = await desk.pool.fetch("select before, after, reason from history where entity_id = $1 order by id", enrolment)
    return [(r["before"], r["after"], r["reason"]) for r in rows]


async def test_a_callback_is_made_at_its_time_before_all_others(desk: Desk) -> None:
    people = await desk.people(3)
    campaign = (await desk.campaign(people[:2], maxConcurrentCalls=1))["id"]
    enrolled = await desk.api.post(f"{CRM}/campaigns/{campaign}/contacts", {"contactIds": people[2:], "priority": 99})
    assert enrolled.status == 200
    found = await agreed(desk, campaign, people[1])
    assert (found["callback_at"], found["callback_until"], found["missed_action"]) == (SOON, LATE, "retry_normally")
    waits = await member(desk, campaign, people[1])
    assert (waits["status"], waits["callback_at"], waits["next_attempt_at"], waits["priority"]) == ("pending", SOON, SOON, 100)
    run = await desk.run(campaign, dryRun=True)
    assert [each["contact_id"] for each in run["calls"]] == people[2:]
    assert f"{people[1]}: a callback was asked for and is not due until {SOON}" in run["errors"]
    await desk.run(campaign)
    await desk.api.patch(f"{CRM}/campaigns/{campaign}", {"status": "paused"})
    assert (await member(desk, campaign, people[1]))["waiting_for"]["reason"] == "paused"
    await desk.api.patch(f"{CRM}/campaigns/{campaign}", {"status": "running"})
    assert (await member(desk, campaign, people[1]))["waiting_for"] == {"reason": "callback", "until": SOON}
    desk.clock.advance(3600)
    assert (await desk.run(campaign, dryRun=True))["calls"][0]["contact_id"] == people[1]
    assert await call(desk, campaign, Outcome.BUSY) == people[1]
    assert await lines(desk, waits["id"]) == [
        (None, "pending", None), ("pending", "pending", "callback"), ("pending", "queued", "callback"),
        ("queued", "calling", None), ("calling", "pending", "busy"),
    ]  # fmt: skip
    after = await member(desk, campaign, people[1])
    assert (after["priority"], after["callback_at"], after["attempts"]) == (0, None, 1), "it was made, and counts"
    assert after["waiting_for"]["reason"] != "callback"


async def test_who_answered_and_asks_for_another_hour_is_called_again_and_no_more(desk: Desk) -> None:
    [person] = await desk.people(1)
    campaign = (await desk.campaign([person], maxAttemptsPerContact=1, settings={"noAutoComplete": True}))["id"]
    await call(desk, campaign, Outcome.ANSWERED)
    done = await member(desk, campaign, person)
    assert done["status"] == "completed"
    await agreed(desk, campaign, done["id"])
    assert (await member(desk, campaign, person))["status"] == "pending"
    desk.clock.advance(3600)
    assert await call(desk, campaign, Outcome.NO_ANSWER) == person
    last = await member(desk, campaign, person)
    assert (last["status"], last["attempts"], last["outcome"]) == ("failed", 2, "no_answer"), (
        "one more than allowed, and no retry"
    )


async def test_nobody_is_called_again_without_a_callback(desk: Desk) -> None:
    """The ledger itself refuses it."""
    [person] = await desk.people(1)
    campaign = (await desk.campaign([person], settings={"noAutoComplete": True}))["id"]
    await call(desk, campaign, Outcome.ANSWERED)
    with pytest.raises(Exception, match="without a callback"):
        await desk.pool.execute("update campaign_contacts set status = 'pending', completed_at = null")


async def test_a_time_at_which_nobody_may_be_called_is_refused_and_the_next_one_told(desk: Desk) -> None:
    [person] = await desk.people(1)
    [far] = await desk.people(1, AUCKLAND, prefix="+642040")
    campaign = (await desk.campaign([person, far]))["id"]
    cases = {
        NIGHT: "next possible time is 2026-01-06T08:00:00Z",
        "2026-01-05T11:00:00Z": "past",
        "2027-12-31T12:00:00Z": "365 days",
    }
    for when, said in cases.items():
        answer = await ask(desk, campaign, person, when)
        assert answer.status == 400, answer.text
        assert set(answer.faults) == {"callbackAt"}
        assert said in answer.faults["callbackAt"][0]
    assert "2026-01-05T20:00:00Z" in (await ask(desk, campaign, far)).faults["callbackAt"][0], "at the hours of the contact"
    assert (await ask(desk, campaign, far, NIGHT)).status == 200
    for body in (
        {"callbackAt": "2026-01-05T13:00:00"},
        {"callbackAt": SOON, "toleranceMinutes": 0},
        {"callbackAt": SOON, "missedAction": "x"},
        {},
    ):
        assert (await desk.api.post(at(campaign, person), body)).status == 400, body


async def test_nobody_is_called_back_after_a_no(desk: Desk) -> None:
    said, listed, told = await desk.people(3)
    campaign = (await desk.campaign([said, listed, told], maxConcurrentCalls=1, settings={"noAutoComplete": True}))["id"]
    for _ in range(3):
        await call(desk, campaign, Outcome.ANSWERED)
    assert (await desk.api.patch(f"{CRM}/contacts/{said}", {"doNotCall": True})).status == 200
    entry = {"teamId": desk.api.team, "phoneNumber": "+493020100002"}
    assert (await desk.api.post(f"{CRM}/suppressions", entry)).status == 200
    for who in (said, listed):
        assert (await ask(desk, campaign, who)).status == 409
    await agreed(desk, campaign, told)
    assert (await desk.api.patch(f"{CRM}/contacts/{told}", {"doNotCall": True})).status == 200
    assert (await member(desk, campaign, told))["status"] == "skipped", "said while it waits"
    desk.clock.advance(3600)
    assert (await desk.run(campaign))["started"] == 0
    await laws_hold(desk.pool)


async def test_what_else_stands_against_a_callback(desk: Desk, stranger: Api) -> None:
    [person] = await desk.people(1)
    campaign = (await desk.campaign([person]))["id"]
    assert (await ask(desk, campaign, "cc_nobody")).status == 404
    assert (await stranger.post(at(campaign, person), {"callbackAt": SOON})).status == 404
    assert (await stranger.delete(at(campaign, person))).status == 404
    assert (await desk.api.delete(at(campaign, person))).status == 409, "it waits for none"
    await desk.run(campaign)
    assert (await ask(desk, campaign, person)).status == 409, "being called"
    [attempt] = await desk.place(campaign)
    await end(desk, attempt, campaign, Outcome.ANSWERED)
    assert (await desk.look(campaign))["status"] == "completed"
    assert (await ask(desk, campaign, person)).status == 409, "the campaign has ended"
    ends = {"scheduledEndAt": "2026-01-05T12:30:00Z"}
    other = (await desk.campaign([person], settings=ends))["id"]
    assert "ends before" in (await ask(desk, other, person)).faults["callbackAt"][0]
    third = (await desk.campaign([person], settings={"contactExpiryDays": 1}))["id"]
    assert "expired" in (await ask(desk, third, person, "2026-01-06T13:00:00Z")).faults["callbackAt"][0]


@pytest.mark.parametrize(
    ("action", "before", "after"),
    [
        ("retry_normally", Outcome.BUSY, ("pending", None)),
        ("retry_normally", Outcome.ANSWERED, ("skipped", "callback_missed")),
        ("retry_normally", None, ("pending", "callback_missed")),
        ("skip", None, ("skipped", "callback_missed")),
        ("call_anyway", None, ("pending", "callback")),
    ],
)
async def test_a_callback_that_was_missed(desk: Desk, action: str, before: Outcome | None, after: tuple[str, str | None]) -> None:
    [person] = await desk.people(1)
    campaign = (await desk.campaign([person], settings={"noAutoComplete": True}, retryDelayMinutes=0))["id"]
    if before is not None:
        await call(desk, campaign, before)
    await agreed(desk, campaign, person, missedAction=action)
    desk.clock.advance(3600 + 899)
    await sweep(desk)
    assert (await member(desk, campaign, person))["callback_at"] == SOON, "it is not missed yet"
    desk.clock.advance(1)
    if action != "call_anyway":
        assert (await desk.run(campaign))["started"] == 0, "too late for it, and not taken back yet"
        assert (await desk.run(campaign, dryRun=True))["started"] == 0
    await sweep(desk)
    row = await desk.pool.fetchrow("select status, reason, priority, callback_at from campaign_contacts")
    assert row["status"] == after[0] and (after[1] is None or row["reason"] == after[1])
    assert (row["priority"] == 100) == (row["callback_at"] is not None) == (action == "call_anyway")
    assert (await desk.run(campaign))["started"] == (1 if after[0] == "pending" else 0)


async def test_a_callback_is_not_dialled_when_its_time_is_over_between_release_and_dial(desk: Desk) -> None:
    [person] = await desk.people(1)
    campaign = (await desk.campaign([person]))["id"]
    await agreed(desk, campaign, person, missedAction="skip")
    desk.clock.advance(3600 + 899)
    assert (await desk.run(campaign))["started"] == 1
    desk.clock.advance(1)
    assert await desk.place(campaign) == []
    await desk.recall(await desk.pool.fetchval("select id from call_attempts"), "stale")
    await sweep(desk)
    assert (await member(desk, campaign, person))["status"] == "skipped"


async def test_a_callback_is_taken_back(desk: Desk) -> None:
    new, busy, reached = await desk.people(3)
    campaign = (await desk.campaign(settings={"noAutoComplete": True}, maxAttemptsPerContact=2))["id"]
    for person, outcome in ((busy, Outcome.BUSY), (reached, Outcome.ANSWERED)):
        await desk.api.post(f"{CRM}/campaigns/{campaign}/contacts", {"contactIds": [person]})
        await call(desk, campaign, outcome)
    await desk.api.post(f"{CRM}/campaigns/{campaign}/contacts", {"contactIds": [new]})
    for person, status in ((new, "pending"), (busy, "pending"), (reached, "skipped")):
        await agreed(desk, campaign, person, "2026-01-05T15:00:00Z")
        answer = await desk.api.delete(at(campaign, person))
        assert (answer.status, answer.json["status"]) == (200, status), answer.text
        found = await member(desk, campaign, person)
        assert (found["status"], found["callback_at"], found["priority"]) == (status, None, 0)
    assert (await member(desk, campaign, busy))["next_attempt_at"] == SOON, "its retry is where it was"
    assert (await lines(desk, (await member(desk, campaign, reached))["id"]))[-1] == ("pending", "skipped", "callback_withdrawn")


async def test_another_time_replaces_the_one_before(desk: Desk) -> None:
    [person] = await desk.people(1)
    campaign = (await desk.campaign())["id"]
    await desk.api.post(f"{CRM}/campaigns/{campaign}/contacts", {"contactIds": [person], "priority": 7})
    for when in (SOON, "2026-01-05T14:00:00Z", "2026-01-05T14:00:00Z"):
        assert (await agreed(desk, campaign, person, when))["callback_at"] == when
    assert (await desk.api.delete(at(campaign, person))).status == 200
    assert (await member(desk, campaign, person))["priority"] == 7


async def test_fewer_attempts_do_not_end_a_callback(desk: Desk) -> None:
    [person] = await desk.people(1)
    campaign = (await desk.campaign([person], retryDelayMinutes=0))["id"]
    await call(desk, campaign, Outcome.BUSY)
    await agreed(desk, campaign, person)
    assert (await desk.api.patch(f"{CRM}/campaigns/{campaign}", {"maxAttemptsPerContact": 1})).status == 200
    assert (await member(desk, campaign, person))["status"] == "pending"


async def test_late_evidence_of_an_older_call_leaves_a_callback_alone(desk: Desk) -> None:
    """Decided while the contact had failed, and written when it waits for a callback."""
    [person] = await desk.people(1)
    campaign = (await desk.campaign([person], settings={"noAutoComplete": True}))["id"]
    await call(desk, campaign, Outcome.UNKNOWN)
    now = desk.clock.now()
    [attempt] = [r["id"] for r in await desk.pool.fetch("select id from call_attempts")]
    before = (await attempts.standing(desk.pool, [attempt], now))[attempt].standing
    late = conclude(before, replace(before.progress, outcome=Outcome.HUMAN, fault=None), rules(), now)
    assert late is not None and late.enrolment == "completed"
    await agreed(desk, campaign, person)
    after = (await attempts.standing(desk.pool, [attempt], now))[attempt].standing
    told = conclude(after, replace(after.progress, outcome=Outcome.HUMAN, fault=None), rules(), now)
    assert told is not None and told.enrolment is None, "known, it is left alone"
    assert await attempts.turn(desk.pool, [late], [], now)
    found = await member(desk, campaign, person)
    assert (found["status"], found["callback_at"]) == ("pending", SOON)
    assert await desk.pool.fetchval("select outcome from call_attempts") == "human", "the book of the call is corrected"
    await laws_hold(desk.pool)


# In a call


async def asked_in_call(
    desk: Desk, when: object, outcome: Outcome = Outcome.ANSWERED, *, first: bool = False, **fields: Any
) -> tuple[str, str]:
    """A call that brings this wish, before or after its end; the campaign and the person."""
    [person] = await desk.people(1)
    campaign = (await desk.campaign([person], **fields))["id"]
    assert (await desk.run(campaign))["started"] == 1
    [attempt] = await desk.place(campaign)
    data = {"callback_at": when, "transcript": "Call me later."}
    if first:
        await bring(desk, attempt, campaign, data)
        await sweep(desk)
        assert await desk.pool.fetchval("select verdict from callback_asks") is None, "the call is not over"
        await end(desk, attempt, campaign, outcome)
    else:
        await end(desk, attempt, campaign, outcome)
        await bring(desk, attempt, campaign, data)
        await bring(desk, attempt, campaign, data)
    return campaign, person


async def verdict(desk: Desk) -> str:
    await sweep(desk)
    found: str = await desk.pool.fetchval("select verdict from callback_asks")
    return found


@pytest.mark.parametrize("first", [False, True])
async def test_what_is_asked_for_in_a_call_is_a_callback(desk: Desk, first: bool) -> None:
    kept: dict[str, Any] = {} if first else {"settings": {"noAutoComplete": True}}
    campaign, person = await asked_in_call(desk, "2026-01-05T14:00:00+01:00", first=first, **kept)
    assert (await desk.look(campaign))["status"] == "running", "a campaign waits for what was asked for"
    assert await verdict(desk) == "scheduled"
    found = await member(desk, campaign, person)
    assert (found["status"], found["callback_at"], found["outcome"]) == ("pending", SOON, "answered")
    await sweep(desk)
    attempt = await desk.pool.fetchval("select id from call_attempts")
    await desk.pool.execute(
        'update call_attempts set result = result || \'{"callback_at": "2026-01-05T15:00:00Z"}\' where id = $1', attempt
    )
    await sweep(desk)
    assert (await member(desk, campaign, person))["callback_at"] == SOON, "a call asks once"
    desk.clock.advance(3600)
    assert await call(desk, campaign, Outcome.ANSWERED) == person
    assert (await desk.look(campaign))["status"] == ("completed" if first else "running")


async def test_what_is_asked_for_at_night_is_moved_to_the_morning(desk: Desk) -> None:
    campaign, person = await asked_in_call(desk, NIGHT, first=True)
    assert await verdict(desk) == "moved"
    found = await member(desk, campaign, person)
    assert (found["callback_at"], found["waiting_for"]) == (MORNING, {"reason": "callback", "until": MORNING})


@pytest.mark.parametrize(
    ("when", "outcome", "said"),
    [
        ("tomorrow", Outcome.ANSWERED, "unreadable_time"),
        (None, Outcome.ANSWERED, "unreadable_time"),
        ("2026-01-05T11:00:00Z", Outcome.ANSWERED, "past"),
        (SOON, Outcome.MACHINE, "nobody_reached"),
    ],
)
async def test_what_cannot_be_is_told_with_the_call_and_the_campaign_goes_on(
    desk: Desk, when: object, outcome: Outcome, said: str
) -> None:
    campaign, person = await asked_in_call(desk, when, outcome, first=True)
    assert await verdict(desk) == said
    assert (await member(desk, campaign, person))["status"] == "completed"
    assert (await desk.look(campaign))["status"] == "completed"
    [attempt] = [r["id"] for r in await desk.pool.fetch("select id from call_attempts")]
    told = (await desk.api.get(f"{CRM}/calls/{attempt}")).json["call"]["callback"]
    assert told == {"verdict": said, "callback_at": None}


async def test_who_says_no_in_the_same_call_is_not_called_back(desk: Desk) -> None:
    campaign, person = await asked_in_call(desk, SOON, first=True)
    assert (await desk.api.patch(f"{CRM}/contacts/{person}", {"doNotCall": True})).status == 200
    assert await verdict(desk) == "do_not_call"
    assert (await member(desk, campaign, person))["status"] == "completed"
