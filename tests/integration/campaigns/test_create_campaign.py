"""POST and GET of campaigns: defaults, aliases, what is refused and how lists are filtered."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.api import Api
from tests.support.desk import Desk, new_assistant, new_number

URL = "/api/crm/campaigns"


def body(desk: Desk, **fields: Any) -> dict[str, Any]:
    return {
        "teamId": desk.api.team,
        "assistantId": desk.assistant,
        "fromNumberIds": [desk.number],
        "name": "Spring",
        **fields,
    }


async def test_the_least_that_is_needed_and_every_default(desk: Desk) -> None:
    answer = await desk.api.post(URL, body(desk))
    assert answer.status == 200
    campaign = answer.json["campaign"]
    assert campaign["id"].startswith("camp_")
    expected: dict[str, Any] = {
        "status": "draft",
        "from_number": "+493012345",
        "from_number_ids": [desk.number],
        "company_id": None,
        "description": None,
        "scheduled_start_at": None,
        "call_window_start": "09:00",
        "call_window_end": "17:00",
        "call_window_timezone": "America/New_York",
        "max_concurrent_calls": 3,
        "max_attempts_per_contact": 3,
        "retry_delay_minutes": 60,
        "settings": {},
        "total_contacts": 0,
        "contacts_called": 0,
        "contacts_completed": 0,
        "contacts_answered": 0,
        "started_at": None,
        "completed_at": None,
        "pause_reason": None,
        "deleted_at": None,
    }
    assert {name: campaign[name] for name in expected} == expected
    assert "rules_version" not in campaign
    assert (await desk.api.get(f"{URL}/{campaign['id']}")).json == {
        "success": True,
        "campaign": {**campaign, "waiting_for": {"reason": "not_started", "until": None}},
    }


async def test_an_appointed_time_schedules_it(desk: Desk) -> None:
    campaign = await desk.campaign(scheduledStartAt="2026-02-01T10:00:00+02:00")
    assert (campaign["status"], campaign["scheduled_start_at"]) == ("scheduled", "2026-02-01T08:00:00Z")


async def test_aliases_and_snake_case_are_understood(desk: Desk) -> None:
    sent: dict[str, Any] = {
        "team_id": desk.api.team,
        "assistant_id": desk.assistant,
        "phoneNumberIds": [desk.number],
        "name": "A",
    }
    sent |= {"maxRetries": 5}
    campaign = (await desk.api.post(URL, sent)).json["campaign"]
    assert (campaign["from_number_ids"], campaign["max_attempts_per_contact"]) == ([desk.number], 5)


async def test_settings_are_answered_in_snake_case_and_unknown_keys_kept(desk: Desk) -> None:
    sent = {"ringTimeoutSeconds": "25", "retry_on_error": True, "crmTag": {"aB": [1, None]}, "daysOfWeek": ["monday"]}
    sent |= {"note": None}
    campaign = await desk.campaign(settings=sent)
    assert campaign["settings"] == {
        "ring_timeout_seconds": 25,
        "retry_on_error": True,
        "crmTag": {"aB": [1, None]},
        "days_of_week": ["monday"],
        "note": None,
    }


@pytest.mark.parametrize(
    ("sent", "field"),
    [
        ({"name": " "}, "name"),
        ({"callWindowStart": "9 o'clock"}, "callWindowStart"),
        ({"callWindowStart": "24:00"}, "callWindowStart"),
        ({"callWindowStart": "09:00", "callWindowEnd": "09:00:00"}, "callWindowEnd"),
        ({"callWindowTimezone": "Mars/Olympus"}, "callWindowTimezone"),
        ({"maxConcurrentCalls": 0}, "maxConcurrentCalls"),
        ({"maxAttemptsPerContact": 51}, "maxAttemptsPerContact"),
        ({"retryDelayMinutes": 10_081}, "retryDelayMinutes"),
        ({"fromNumberIds": []}, "fromNumberIds"),
        ({"settings": {"retryBackoffMultiplier": 1}}, "settings.retryBackoffMultiplier"),
        ({"settings": {"dayWindows": {"monday": [{"start": "9", "end": "10:00"}]}}}, "settings.dayWindows.monday.0"),
        ({"settings": {"ringTimeoutSeconds": 30, "ring_timeout_seconds": 20}}, "settings.ringTimeoutSeconds"),
        ({"settings": {"policyPacks": ["us-federal", "us-statez"]}}, "settings.policyPacks.1"),
        ({"settings": {"policyPacks": ["dnc-freshness"]}}, "settings.policyPacks.0"),
        ({"settings": {"zonePolicy": "loose"}}, "settings.zonePolicy"),
        ({"settings": {"holidayCalendar": "Germany"}}, "settings.holidayCalendar"),
        ({"settings": {"holidayCalendar": {"dates": ["24.12.2026"]}}}, "settings.holidayCalendar.dates.0"),
        ({"colour": "red"}, "colour"),
    ],
)
async def test_what_cannot_be_kept_is_refused_by_its_field(desk: Desk, sent: dict[str, Any], field: str) -> None:
    answer = await desk.api.post(URL, body(desk, **sent))
    assert answer.status == 400
    assert list(answer.faults) == [field]


async def test_numbers_that_this_assistant_cannot_show_are_a_conflict(desk: Desk) -> None:
    other = await new_assistant(desk.pool, desk.api.team)
    for n, made in enumerate(
        (
            await new_number(desk.pool, desk.api.team, desk.assistant, "+493011110", status="inactive"),
            await new_number(desk.pool, desk.api.team, other, "+493011111"),
            await new_number(desk.pool, desk.api.team, None, "+493011112"),
            await new_number(desk.pool, desk.api.team, desk.assistant, "+493011113", adapter="elsewhere"),
        )
    ):
        answer = await desk.api.post(URL, body(desk, fromNumberIds=[desk.number, made]))
        assert (n, answer.status) == (n, 409)
        assert made in answer.json["error"]


async def test_foreign_ids_do_not_exist(desk: Desk, stranger: Api) -> None:
    assistant = await new_assistant(desk.pool, stranger.team)
    number = await new_number(desk.pool, stranger.team, assistant, "+493011114")
    for sent in ({"assistantId": assistant}, {"fromNumberIds": [number]}, {"companyId": "comp_nobody"}):
        assert (await desk.api.post(URL, body(desk, **sent))).status == 404
    assert (await desk.api.post(URL, body(desk, teamId=stranger.team))).status == 403


async def test_every_route_hides_a_foreign_campaign(desk: Desk, stranger: Api) -> None:
    id = (await desk.campaign(await desk.people(1)))["id"]
    before = await desk.look(id)
    assert (await stranger.get(f"{URL}/{id}")).status == 404
    assert (await stranger.patch(f"{URL}/{id}", {"name": "Mine"})).status == 404
    assert (await stranger.delete(f"{URL}/{id}")).status == 404
    for verb in ("run", "pause", "resume", "cancel"):
        assert (await stranger.post(f"{URL}/{id}/{verb}", {})).status == 404
    for view in ("contacts", "dashboard"):
        assert (await stranger.get(f"{URL}/{id}/{view}")).status == 404
    assert (await stranger.post(f"{URL}/{id}/contacts", {"contactIds": ["cont_x"]})).status == 404
    assert (await stranger.delete(f"{URL}/{id}/contacts", {"contactIds": ["cont_x"]})).status == 404
    assert await desk.look(id) == before


async def test_the_list_is_newest_first_and_filtered(desk: Desk) -> None:
    first, second = await desk.campaign(name="A"), await desk.campaign(name="B", status="cancelled")
    gone = await desk.campaign(name="C")
    assert (await desk.api.delete(f"{URL}/{gone['id']}")).status == 200

    async def ids(**query: Any) -> list[str]:
        answer = (await desk.api.get(URL, teamId=desk.api.team, **query)).json
        assert answer["count"] == len(answer["campaigns"]) or "limit" in query
        return [each["id"] for each in answer["campaigns"]]

    assert await ids() == [second["id"], first["id"]]
    assert await ids(status="cancelled") == [second["id"]]
    assert await ids(assistantId="asst_other") == []
    assert await ids(deleted="only") == [gone["id"]]
    assert await ids(deleted="include") == [gone["id"], second["id"], first["id"]]
    page = (await desk.api.get(URL, teamId=desk.api.team, limit=1, offset=1)).json
    assert ([c["id"] for c in page["campaigns"]], page["count"], page["limit"], page["offset"]) == ([first["id"]], 2, 1, 1)
    assert (await desk.api.get(URL)).status == 400
