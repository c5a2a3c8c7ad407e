"""Section 6 of the contract: states. The table below is the document's, written out by hand."""

from __future__ import annotations

from typing import Any

import pytest

from adapters.events import Outcome
from tests.support.contract import CAMPAIGNS, given, refused
from tests.support.desk import Desk
from tests.support.endings import end

SOON = "2026-02-01T10:00:00Z"
TURNS: dict[str, set[str]] = {
    "draft": {"scheduled", "running", "cancelled"},
    "scheduled": {"running", "draft", "cancelled", "paused"},
    "running": {"paused", "cancelled"},  # and completed, by itself
    "paused": {"running", "cancelled"},
    "completed": set(),
    "cancelled": set(),
}
SETTABLE = ("draft", "scheduled", "running", "paused", "cancelled")


async def campaign_that_is(desk: Desk, status: str) -> str:
    id: str = (await desk.campaign(scheduledStartAt=SOON))["id"]
    if status == "completed":
        await desk.pool.execute("update campaigns set status = 'running' where id = $1", id)
        await desk.pool.execute("update campaigns set status = 'completed', completed_at = now() where id = $1", id)
    elif status != "scheduled":
        given(await desk.api.patch(f"{CAMPAIGNS}/{id}", {"status": status}), "campaign")
    return id


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
@pytest.mark.parametrize("before", list(TURNS))
async def test_a_status_is_set_where_the_machine_allows_else_409(desk: Desk, before: str, method: str) -> None:
    for after in SETTABLE:
        if before == after:
            continue
        id = await campaign_that_is(desk, before)
        body = {"status": after} | ({"scheduledStartAt": SOON} if (before, after) == ("draft", "scheduled") else {})
        answer = await desk.api.send(method, f"{CAMPAIGNS}/{id}", body)
        if after in TURNS[before]:
            assert given(answer, "campaign")["status"] == after
        else:
            refused(answer, 409)
            assert (await desk.look(id))["status"] == before


@pytest.mark.parametrize("status", ["completed", "finished", "Running", "", 1, None])
async def test_a_status_that_cannot_be_set_is_a_400(desk: Desk, status: Any) -> None:
    refused(await desk.api.patch(f"{CAMPAIGNS}/{await campaign_that_is(desk, 'running')}", {"status": status}), 400, "status")


@pytest.mark.parametrize(
    ("verb", "legal"),
    [
        ("run", {"draft", "scheduled", "running", "paused"}),
        ("pause", {"scheduled", "running", "paused"}),
        ("resume", {"running", "paused"}),
        ("cancel", {"draft", "scheduled", "running", "paused", "cancelled"}),
    ],
)
@pytest.mark.parametrize("before", list(TURNS))
async def test_run_pause_resume_and_cancel_keep_to_the_machine(desk: Desk, before: str, verb: str, legal: set[str]) -> None:
    id = await campaign_that_is(desk, before)
    answer = await desk.api.post(f"{CAMPAIGNS}/{id}/{verb}", {})
    if before in legal:
        assert answer.status == 200, answer.text
    else:
        refused(answer, 409)
        assert (await desk.look(id))["status"] == before


async def test_starting_and_ending_are_dated_once(desk: Desk) -> None:
    id = await campaign_that_is(desk, "running")
    assert (await desk.look(id))["started_at"] == "2026-01-05T12:00:00Z"
    desk.clock.advance(60)
    for status in ("paused", "running"):
        given(await desk.api.patch(f"{CAMPAIGNS}/{id}", {"status": status}), "campaign")
    assert (await desk.look(id))["started_at"] == "2026-01-05T12:00:00Z"
    ended = given(await desk.api.patch(f"{CAMPAIGNS}/{id}", {"status": "cancelled"}), "campaign")
    assert ended["completed_at"] == "2026-01-05T12:01:00Z"


@pytest.mark.parametrize("evergreen", [False, True])
async def test_it_completes_when_no_contact_is_left_unless_it_is_evergreen(desk: Desk, evergreen: bool) -> None:
    id = (await desk.campaign(await desk.people(1), settings={"noAutoComplete": evergreen}))["id"]
    await desk.run(id)
    [call] = await desk.place(id)
    assert (await desk.look(id))["status"] == "running"
    await end(desk, call, id, Outcome.ANSWERED)
    seen = await desk.look(id)
    assert (seen["status"], seen["completed_at"] is None) == (("running", True) if evergreen else ("completed", False))


ENDINGS: list[tuple[Outcome, int, tuple[str, str]]] = [
    (Outcome.ANSWERED, 1, ("completed", "answered")), (Outcome.MACHINE, 1, ("completed", "voicemail")),
    (Outcome.NO_ANSWER, 1, ("failed", "no_answer")), (Outcome.BUSY, 1, ("failed", "busy")),
    (Outcome.DECLINED, 1, ("failed", "declined")), (Outcome.INVALID_NUMBER, 3, ("failed", "invalid_number")),
    (Outcome.NO_ANSWER, 3, ("pending", "no_answer")), (Outcome.BUSY, 3, ("pending", "busy")),
    (Outcome.DECLINED, 3, ("pending", "declined")),
]  # fmt: skip


@pytest.mark.parametrize(("outcome", "attempts", "expected"), ENDINGS)
async def test_a_contact_goes_from_pending_over_queued_and_calling_to_its_end_or_back(
    desk: Desk, outcome: Outcome, attempts: int, expected: tuple[str, str]
) -> None:
    id = (await desk.campaign(await desk.people(1), maxRetries=attempts))["id"]
    seen = [(await desk.members(id))[0]["status"]]
    await desk.run(id)
    seen.append((await desk.members(id))[0]["status"])
    [call] = await desk.place(id)
    seen.append((await desk.members(id))[0]["status"])
    assert seen == ["pending", "queued", "calling"]
    await end(desk, call, id, outcome)
    [member] = await desk.members(id)
    assert (member["status"], member["outcome"]) == expected
    assert (member["attempts"], member["last_attempt_at"]) == (1, "2026-01-05T12:00:00Z")
    if expected[0] == "pending":
        assert member["next_attempt_at"] == "2026-01-05T13:00:00Z"
    assert (member["completed_at"] is None) == (expected[0] == "pending")


async def test_the_queue_is_by_priority_then_next_attempt_then_enrolment(desk: Desk) -> None:
    first, second, third, urgent = await desk.people(4)
    id = (await desk.campaign(maxConcurrentCalls=1))["id"]
    for people, priority in (([first, second], 0), ([third], 0), ([urgent], 5)):
        given_ = await desk.api.post(f"{CAMPAIGNS}/{id}/contacts", {"contactIds": people, "priority": priority})
        assert given_.json["added"] == len(people)
        desk.clock.advance(1)
    called = []
    for _ in range(4):
        [made] = (await desk.run(id))["calls"]
        called.append(made["contact_id"])
        [call] = await desk.place(id)
        await end(desk, call, id, Outcome.ANSWERED)
    assert called == [urgent, first, second, third]
