"""Section 5 of the contract: campaigns themselves; their contacts, runs and dashboard have files of their own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from pydantic.alias_generators import to_camel

from dialer.domain.fence import FENCE_SECONDS
from tests.support.api import Answer, Api
from tests.support.contract import CAMPAIGN, CAMPAIGNS, company, given, listed, refused
from tests.support.desk import Desk, new_assistant, new_number

SOON = "2026-02-01T10:00:00Z"
DEFAULTS: dict[str, Any] = {
    "company_id": None, "description": None, "status": "draft", "scheduled_start_at": None, "call_window_start": "09:00",
    "call_window_end": "17:00", "call_window_timezone": "America/New_York", "max_concurrent_calls": 3,
    "max_attempts_per_contact": 3, "retry_delay_minutes": 60, "settings": {}, "total_contacts": 0, "contacts_called": 0,
    "contacts_completed": 0, "contacts_answered": 0, "started_at": None, "completed_at": None, "pause_reason": None,
    "deleted_at": None,
}  # fmt: skip


def least(desk: Desk, **fields: Any) -> dict[str, Any]:
    return {"teamId": desk.api.team, "assistantId": desk.assistant, "fromNumberIds": [desk.number], "name": "Spring", **fields}


async def create(desk: Desk, **fields: Any) -> Answer:
    return await desk.api.post(CAMPAIGNS, least(desk, **fields))


async def edit(desk: Desk, campaign: str, **body: Any) -> Answer:
    return await desk.api.patch(f"{CAMPAIGNS}/{campaign}", body)


# POST


async def test_post_answers_every_field_with_its_default(desk: Desk) -> None:
    made = given(await create(desk), "campaign", CAMPAIGN)
    own = {"team_id": desk.api.team, "assistant_id": desk.assistant, "from_number_ids": [desk.number], "name": "Spring"}
    assert made.items() >= {**DEFAULTS, **own, "from_number": "+493012345"}.items()


async def test_post_keeps_every_field_that_is_sent(desk: Desk) -> None:
    acme = (await company(desk.api))["id"]
    sent = {
        "companyId": acme, "description": "d", "callWindowStart": "22:00", "callWindowEnd": "06:00",
        "callWindowTimezone": "Asia/Tokyo",
        "maxConcurrentCalls": 7, "maxAttemptsPerContact": 5, "retryDelayMinutes": 0,
    }  # fmt: skip
    made = given(await create(desk, **sent), "campaign", CAMPAIGN)
    assert made.items() >= {
        "company_id": acme, "description": "d", "call_window_start": "22:00", "call_window_end": "06:00",
        "call_window_timezone": "Asia/Tokyo", "max_concurrent_calls": 7, "max_attempts_per_contact": 5, "retry_delay_minutes": 0,
    }.items()  # fmt: skip


async def test_null_is_the_same_as_not_sent_where_nothing_is_required(desk: Desk) -> None:
    nulls = dict.fromkeys(("companyId", "description", "scheduledStartAt", "settings"))
    assert given(await create(desk, **nulls), "campaign", CAMPAIGN).items() >= DEFAULTS.items()


@pytest.mark.parametrize("missing", ["teamId", "assistantId", "fromNumberIds", "name"])
async def test_post_requires_team_assistant_numbers_and_name(desk: Desk, missing: str) -> None:
    body = least(desk)
    del body[missing]
    refused(await desk.api.post(CAMPAIGNS, body), 400, missing)


async def test_phone_number_ids_is_an_alias_of_from_number_ids(desk: Desk) -> None:
    for alias in ("phoneNumberIds", "from_number_ids", "phone_number_ids"):
        body = least(desk)
        body[alias] = body.pop("fromNumberIds")
        assert given(await desk.api.post(CAMPAIGNS, body), "campaign")["from_number_ids"] == [desk.number]
    refused(await create(desk, phoneNumberIds=[desk.number]), 400, "phoneNumberIds")


async def test_max_retries_is_an_alias_of_max_attempts_with_the_same_value(desk: Desk) -> None:
    for alias in ("maxRetries", "max_retries", "max_attempts_per_contact"):
        assert given(await create(desk, **{alias: 7}), "campaign")["max_attempts_per_contact"] == 7
    refused(await create(desk, maxRetries=7, maxAttemptsPerContact=7), 400, "maxRetries")


async def test_each_number_must_be_active_of_the_team_and_assigned_to_the_assistant(desk: Desk, stranger: Api) -> None:
    other, theirs = await new_assistant(desk.pool, desk.api.team), await new_assistant(desk.pool, stranger.team)
    for made, status in (
        (await new_number(desk.pool, desk.api.team, desk.assistant, "+493011110", status="inactive"), 409),
        (await new_number(desk.pool, desk.api.team, other, "+493011111"), 409),
        (await new_number(desk.pool, desk.api.team, None, "+493011112"), 409),
        (await new_number(desk.pool, desk.api.team, desk.assistant, "+493011113", adapter="elsewhere"), 409),
        (await new_number(desk.pool, stranger.team, theirs, "+493011114"), 404),
        ("num_nobody", 404),
        (desk.assistant, 404),
    ):
        assert made in refused(await create(desk, fromNumberIds=[desk.number, made]), status)


async def test_foreign_ids_in_the_body_are_a_404(desk: Desk, stranger: Api) -> None:
    theirs = await new_assistant(desk.pool, stranger.team)
    refused(await create(desk, assistantId=theirs), 404)
    refused(await create(desk, companyId=(await company(stranger))["id"]), 404)
    campaign = (await desk.campaign())["id"]
    refused(await edit(desk, campaign, assistantId=theirs), 404)
    refused(await edit(desk, campaign, companyId=(await company(stranger, "Other"))["id"]), 404)
    refused(await edit(desk, campaign, fromNumberIds=["num_nobody"]), 404)


WRONG: list[tuple[str, Any]] = [
    ("name", ""), ("name", " "), ("name", "x" * 201), ("description", 7), ("fromNumberIds", []), ("fromNumberIds", "num_x"),
    ("fromNumberIds", None), ("assistantId", None), ("maxConcurrentCalls", 0), ("maxConcurrentCalls", 2**31),
    ("maxAttemptsPerContact", 0), ("maxAttemptsPerContact", 51), ("retryDelayMinutes", -1), ("retryDelayMinutes", 10_081),
    ("callWindowEnd", "09:00"), ("settings", []), ("status", "running"), ("createdAt", SOON),
]  # fmt: skip


@pytest.mark.parametrize(("field", "value"), WRONG)
async def test_a_wrong_value_is_a_400_that_names_its_field(shut: Desk, field: str, value: Any) -> None:
    refused(await create(shut, **{field: value}), 400, field)


async def test_a_start_at_a_time_makes_it_scheduled(desk: Desk) -> None:
    made = given(await create(desk, scheduledStartAt=SOON), "campaign", CAMPAIGN)
    assert (made["status"], made["scheduled_start_at"], made["started_at"]) == ("scheduled", SOON, None)


async def test_a_start_in_the_past_is_scheduled_too_and_due(desk: Desk) -> None:
    made = given(await create(desk, scheduledStartAt="2026-01-01T00:00:00Z"), "campaign")
    assert (made["status"], made["scheduled_start_at"]) == ("scheduled", "2026-01-01T00:00:00Z")


# GET


async def test_the_list_is_filtered(desk: Desk) -> None:
    first, second = await desk.campaign(name="A"), await desk.campaign(name="B", status="cancelled")
    gone = await desk.campaign(name="C")
    given(await desk.api.delete(f"{CAMPAIGNS}/{gone['id']}"), "campaign")
    cases: list[tuple[dict[str, Any], list[Mapping[str, Any]]]] = [
        ({}, [second, first]), ({"status": "cancelled"}, [second]), ({"status": "running"}, []),
        ({"assistantId": desk.assistant}, [second, first]), ({"assistantId": "asst_other"}, []),
        ({"deleted": "exclude"}, [second, first]), ({"deleted": "only"}, [gone]), ({"deleted": "include"}, [gone, second, first]),
        ({"deleted": "include", "status": "draft"}, [gone, first]),
    ]  # fmt: skip
    for query, expected in cases:
        answer = await desk.api.get(CAMPAIGNS, teamId=desk.api.team, **query)
        found = listed(answer, "campaigns")
        assert (query, [each["id"] for each in found]) == (query, [each["id"] for each in expected])
        assert answer.json["count"] == len(expected)
        assert all(each.keys() >= CAMPAIGN for each in found)
    for query in ({"status": "asleep"}, {"deleted": "yes"}, {"deleted": ""}):
        refused(await desk.api.get(CAMPAIGNS, teamId=desk.api.team, **query), 400, next(iter(query)))


async def test_one_is_answered_with_every_field_also_when_deleted(desk: Desk) -> None:
    campaign = await desk.campaign()
    assert given(await desk.api.get(f"{CAMPAIGNS}/{campaign['id']}"), "campaign", CAMPAIGN) == campaign
    await desk.api.delete(f"{CAMPAIGNS}/{campaign['id']}")
    assert (await desk.look(campaign["id"]))["deleted_at"] == "2026-01-05T12:00:00Z"


# PUT, PATCH


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
async def test_put_and_patch_are_both_partial_and_null_clears(desk: Desk, method: str) -> None:
    made = await desk.campaign(description="old", companyId=(await company(desk.api))["id"])
    path = f"{CAMPAIGNS}/{made['id']}"
    changed = given(await desk.api.send(method, path, {"maxRetries": 9}), "campaign", CAMPAIGN)
    assert {name for name in changed if made[name] != changed[name]} - {"updated_at"} == {"max_attempts_per_contact"}
    cleared = given(await desk.api.send(method, path, {"description": None, "companyId": None}), "campaign", CAMPAIGN)
    assert (cleared["description"], cleared["company_id"]) == (None, None)
    for field in ("name", "fromNumberIds", "assistantId", "callWindowStart", "maxConcurrentCalls", "status", "retryDelayMinutes"):
        refused(await desk.api.send(method, path, {field: None}), 400, field)
    refused(await desk.api.send(method, path, {"teamId": desk.api.team}), 400, "teamId")


LIVE_EDITS: list[dict[str, Any]] = [
    {"callWindowStart": "10:00"}, {"callWindowEnd": "16:00"}, {"callWindowTimezone": "Europe/Berlin"}, {"maxConcurrentCalls": 9},
    {"retryDelayMinutes": 0}, {"maxAttemptsPerContact": 9}, {"settings": {"retryOnError": True}}, {"settings": {"priority": 9}},
]  # fmt: skip


@pytest.mark.parametrize("body", LIVE_EDITS)
async def test_while_running_window_concurrency_retry_and_priority_may_be_edited(desk: Desk, body: dict[str, Any]) -> None:
    campaign = (await desk.campaign(status="running"))["id"]
    changed = given(await edit(desk, campaign, **body), "campaign", CAMPAIGN)
    assert changed["status"] == "running"


async def test_while_running_numbers_may_be_edited_and_act_on_the_next_call(desk: Desk) -> None:
    campaign = (await desk.campaign(await desk.people(1), status="running"))["id"]
    other = await new_number(desk.pool, desk.api.team, desk.assistant, "+493099999")
    changed = given(await edit(desk, campaign, fromNumberIds=[other, other]), "campaign")
    assert (changed["from_number"], changed["from_number_ids"]) == ("+493099999", [other])
    assert [call["from_number"] for call in (await desk.run(campaign))["calls"]] == ["+493099999"]


async def test_while_running_assistant_and_company_may_not_be_edited(desk: Desk) -> None:
    campaign = (await desk.campaign(status="running"))["id"]
    other, acme = await new_assistant(desk.pool, desk.api.team), (await company(desk.api))["id"]
    for body in ({"assistantId": other}, {"companyId": acme}, {"scheduledStartAt": SOON}):
        assert next(iter(body)) in refused(await edit(desk, campaign, **body), 409)


@pytest.mark.parametrize("status", ["draft", "scheduled", "paused"])
async def test_while_it_rests_assistant_and_company_may_be_edited(desk: Desk, status: str) -> None:
    campaign = (await desk.campaign(scheduledStartAt=SOON))["id"]
    if status != "scheduled":
        given(await edit(desk, campaign, status=status), "campaign")
    other, acme = await new_assistant(desk.pool, desk.api.team), (await company(desk.api))["id"]
    number = await new_number(desk.pool, desk.api.team, other, "+493099999")
    refused(await edit(desk, campaign, assistantId=other), 409)
    changed = given(await edit(desk, campaign, assistantId=other, fromNumberIds=[number], companyId=acme), "campaign")
    assert (changed["status"], changed["assistant_id"], changed["company_id"]) == (status, other, acme)


async def test_after_the_end_only_its_words_may_be_edited(desk: Desk) -> None:
    campaign = (await desk.campaign(status="cancelled"))["id"]
    assert given(await edit(desk, campaign, name="N", description="D"), "campaign").items() >= {"name": "N"}.items()
    for body in [*LIVE_EDITS, {"scheduledStartAt": SOON}, {"fromNumberIds": ["num_x"]}]:
        refused(await edit(desk, campaign, **body), 409)


async def test_a_refused_edit_writes_nothing(desk: Desk) -> None:
    before = await desk.campaign()
    answer = await edit(desk, before["id"], name="New", callWindowEnd="09:00", settings={"priority": 0})
    refused(answer, 400, "callWindowEnd", "settings.priority")
    assert await desk.look(before["id"]) == before


async def test_an_edit_of_the_rules_is_answered_after_the_fence(desk: Desk) -> None:
    campaign = (await desk.campaign(await desk.people(1)))["id"]
    await desk.run(campaign)
    given(await edit(desk, campaign, callWindowEnd="16:00"), "campaign")
    assert desk.api.waits.seconds == [FENCE_SECONDS]
    assert await desk.place(campaign) == []


# scheduled


async def test_the_appointed_time_may_be_set_changed_and_cleared(desk: Desk) -> None:
    campaign = (await desk.campaign())["id"]
    for at, status in ((SOON, "scheduled"), ("2026-03-01T10:00:00Z", "scheduled"), (None, "draft"), (None, "draft")):
        changed = given(await edit(desk, campaign, scheduledStartAt=at), "campaign")
        assert (changed["status"], changed["scheduled_start_at"]) == (status, at)


async def test_scheduled_without_a_time_is_a_400(desk: Desk) -> None:
    refused(await edit(desk, (await desk.campaign())["id"], status="scheduled"), 400, "scheduledStartAt")
    appointed = (await desk.campaign(scheduledStartAt=SOON))["id"]
    refused(await edit(desk, appointed, status="scheduled", scheduledStartAt=None), 400, "scheduledStartAt")
    assert (await desk.look(appointed))["scheduled_start_at"] == SOON


async def test_a_draft_that_loses_its_time_stays_a_draft(desk: Desk) -> None:
    campaign = (await desk.campaign())["id"]
    given(await edit(desk, campaign, status="draft", scheduledStartAt=SOON), "campaign")
    assert given(await edit(desk, campaign, scheduledStartAt=None), "campaign")["status"] == "draft"


async def test_going_back_to_draft_clears_the_time(desk: Desk) -> None:
    campaign = (await desk.campaign(scheduledStartAt=SOON))["id"]
    changed = given(await edit(desk, campaign, status="draft"), "campaign")
    assert (changed["status"], changed["scheduled_start_at"]) == ("draft", None)


# DELETE


@pytest.mark.parametrize(
    ("status", "allowed"), [("draft", True), ("scheduled", False), ("running", False), ("paused", False), ("cancelled", True)]
)
async def test_delete_is_soft_and_only_of_what_can_call_no_more(desk: Desk, status: str, allowed: bool) -> None:
    campaign = (await desk.campaign(scheduledStartAt=SOON))["id"]
    if status != "scheduled":
        given(await edit(desk, campaign, status=status), "campaign")
    answer = await desk.api.delete(f"{CAMPAIGNS}/{campaign}")
    if not allowed:
        refused(answer, 409)
        return
    assert given(answer, "campaign", CAMPAIGN)["deleted_at"] == "2026-01-05T12:00:00Z"
    for again in (await edit(desk, campaign, name="N"), await desk.api.delete(f"{CAMPAIGNS}/{campaign}")):
        refused(again, 409)
    for verb in ("run", "pause", "resume", "cancel"):
        refused(await desk.api.post(f"{CAMPAIGNS}/{campaign}/{verb}", {}), 409)
    refused(await desk.api.post(f"{CAMPAIGNS}/{campaign}/contacts", {"contactIds": ["cont_x"]}), 409)


# settings

UNDERSTOOD: dict[str, Any] = {
    "useContactTimezoneForCallWindow": False, "daysOfWeek": ["monday", "friday"],
    "dayWindows": {"monday": [{"start": "09:00", "end": "12:00"}, {"start": "13:00", "end": "17:00"}]},
    "retryDelayMinutesNoAnswer": 0, "retryDelayMinutesBusy": 10080, "retryDelayMinutesError": 5, "retryDelayMinutesVoicemail": 6,
    "retryOnError": True, "retryOnVoicemail": True, "retryBackoffMode": "exponential", "retryBackoffMultiplier": 1.01,
    "retryBackoffMaxMinutes": 600, "maxAttemptsNoAnswer": 1, "maxAttemptsBusy": 50, "maxAttemptsError": 2, "noAutoComplete": True,
    "voicemailDetectionEnabled": False, "voicemailAction": "hangup", "voicemailDropMessage": "Hello",
    "maxCallDurationMinutes": 10,
    "ringTimeoutSeconds": 25, "priority": 7, "callsPerSecond": 2.5, "zonePolicy": "strictest", "callerIdSticky": False,
    "policyPacks": ["us-federal", "us-states"],
    "holidayCalendar": {"country": "US", "subdivision": "AL", "dates": ["2026-12-24"], "open": ["2026-10-12"]},
    "scheduledEndAt": "2026-12-31T17:00:00Z", "contactExpiryDays": 30, "localPresence": True,
}  # fmt: skip
IN_ANSWERS = {
    "use_contact_timezone_for_call_window", "days_of_week", "day_windows", "retry_delay_minutes_no_answer",
    "retry_delay_minutes_busy", "retry_delay_minutes_error", "retry_delay_minutes_voicemail", "retry_on_error",
    "retry_on_voicemail", "retry_backoff_mode", "retry_backoff_multiplier", "retry_backoff_max_minutes", "max_attempts_no_answer",
    "max_attempts_busy", "max_attempts_error", "no_auto_complete", "voicemail_detection_enabled", "voicemail_action",
    "voicemail_drop_message", "max_call_duration_minutes", "ring_timeout_seconds", "priority", "calls_per_second", "zone_policy",
    "caller_id_sticky", "local_presence", "policy_packs", "holiday_calendar", "scheduled_end_at", "contact_expiry_days",
}  # fmt: skip


async def test_understood_settings_come_camel_case_and_are_answered_snake_case(desk: Desk) -> None:
    settings = given(await create(desk, settings=UNDERSTOOD), "campaign")["settings"]
    assert settings.keys() == IN_ANSWERS
    assert {to_camel(name): value for name, value in settings.items()} == UNDERSTOOD
    assert given(await create(desk, settings=settings), "campaign")["settings"] == settings


@pytest.mark.parametrize("calendar", ["US", "US-AL", "DE-BY", {"dates": ["2026-12-24"]}])
async def test_a_calendar_of_holidays_is_answered_as_it_was_sent(desk: Desk, calendar: Any) -> None:
    sent = await desk.campaign(settings={"holidayCalendar": calendar})
    assert sent["settings"] == {"holiday_calendar": calendar}
    assert given(await edit(desk, sent["id"], settings={"holidayCalendar": None}), "campaign")["settings"] == {}


async def test_unknown_settings_are_kept_verbatim(desk: Desk) -> None:
    own = {
        "crmTag": {"aB": [1, None, {"cD": 2}]},
        "some_thing": "x",
        "retryonerror": 1,
        "RetryOnError": 2,
        "note": None,
        "big": 10**300,
    }
    assert given(await create(desk, settings=own), "campaign")["settings"] == own


async def test_settings_are_merged_key_by_key_and_null_takes_one_back(desk: Desk) -> None:
    campaign = (await desk.campaign(settings={"retryOnError": True, "priority": 9, "own": 1}))["id"]
    changed = given(await edit(desk, campaign, settings={"priority": None, "own": None, "b": {"c": 1}}), "campaign")
    assert changed["settings"] == {"retry_on_error": True, "b": {"c": 1}}
    assert given(await edit(desk, campaign, settings=None), "campaign")["settings"] == {}


WRONG_SETTINGS: list[tuple[str, Any]] = [
    ("retryDelayMinutesNoAnswer", -1), ("retryDelayMinutesBusy", 10081), ("retryBackoffMode", "linear"),
    ("retryBackoffMultiplier", 1.0), ("retryBackoffMultiplier", 10.1), ("retryBackoffMultiplier", "nan"),
    ("maxAttemptsBusy", 0), ("maxAttemptsError", 51), ("daysOfWeek", ["mon"]), ("voicemailAction", "shout"),
    ("maxCallDurationMinutes", 0), ("ringTimeoutSeconds", "soon"), ("priority", 0), ("callsPerSecond", 0),
    ("useContactTimezoneForCallWindow", "perhaps"), ("holidayCalendar", "XX"), ("holidayCalendar", "US-XX"),
    ("holidayCalendar", {"dates": ["tomorrow"]}), ("scheduledEndAt", "tomorrow"), ("scheduledEndAt", "2026-12-31T17:00:00"),
    ("scheduledEndAt", 5), ("scheduledEndAt", "2026-01-05T12:00:00Z"), ("zonePolicy", "loose"), ("policyPacks", "us-federal"),
    ("policyPacks", ["us-federal", "none"]), ("policyPacks", ["uk-ofcom"]), ("contactExpiryDays", 0),
    ("contactExpiryDays", 3651), ("contactExpiryDays", True), ("contactExpiryDays", 1.5), ("callerIdSticky", "perhaps"),
    ("localPresence", "near"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "value"), WRONG_SETTINGS)
async def test_an_understood_setting_out_of_its_range_is_named(shut: Desk, name: str, value: Any) -> None:
    fields = refused_fields(await create(shut, settings={name: value}))
    assert len(fields) == 1 and fields[0].startswith(f"settings.{name}")


def refused_fields(answer: Answer) -> list[str]:
    assert answer.status == 400, answer.text
    return list(answer.faults)


async def test_a_setting_in_both_spellings_is_refused(desk: Desk) -> None:
    refused(
        await create(desk, settings={"priority": 1, "retryOnError": True, "retry_on_error": True}), 400, "settings.retryOnError"
    )
