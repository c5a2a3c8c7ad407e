"""Section 1 of the contract: ids, times, windows, zones, phones."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.support.api import Answer, Api
from tests.support.contract import CAMPAIGNS, CONTACTS, company, contact, creations, given, refused
from tests.support.desk import Desk

# ids and time


async def test_ids_are_prefixed_by_kind_and_sort_by_time(desk: Desk) -> None:
    campaign = await desk.campaign()
    people = [await contact(desk.api, phone=f"+1415555267{n}") for n in range(3)]
    await desk.api.post(f"{CAMPAIGNS}/{campaign['id']}/contacts", {"contactIds": [each["id"] for each in people]})
    kinds = {
        "team_": campaign["team_id"], "camp_": campaign["id"], "asst_": campaign["assistant_id"],
        "num_": campaign["from_number_ids"][0], "cont_": people[0]["id"], "comp_": (await company(desk.api))["id"],
        "cc_": (await desk.members(campaign["id"]))[0]["id"],
    }  # fmt: skip
    assert all(id.startswith(prefix) for prefix, id in kinds.items())
    ids = [each["id"] for each in people]
    assert ids == sorted(ids)


def instants(part: Any) -> list[str]:
    if isinstance(part, dict):
        return [found for inner in part.values() for found in instants(inner)]
    if isinstance(part, list):
        return [found for inner in part for found in instants(inner)]
    return [part] if isinstance(part, str) and re.match(r"\d{4}-\d{2}-\d{2}T", part) else []


async def test_times_are_iso_8601_in_utc_with_a_z(desk: Desk) -> None:
    campaign = (await desk.campaign(await desk.people(2), scheduledStartAt="2026-02-01T23:30:00-05:00"))["id"]
    await desk.run(campaign)
    answers: list[Answer] = [
        await desk.api.get(path)
        for path in (f"{CAMPAIGNS}/{campaign}", f"{CAMPAIGNS}/{campaign}/contacts", f"{CAMPAIGNS}/{campaign}/dashboard")
    ]
    found = [moment for answer in answers for moment in instants(answer.json)]
    assert len(found) > 10
    assert {moment[-1] for moment in found} == {"Z"}
    assert (await desk.look(campaign))["scheduled_start_at"] == "2026-02-02T04:30:00Z"


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("2028-02-29T12:00:00Z", "2028-02-29T12:00:00Z"),
        ("2028-02-29T23:59:59.5+14:00", "2028-02-29T09:59:59.500000Z"),
        ("2026-03-01T09:00:00-11:30", "2026-03-01T20:30:00Z"),
        ("2026-03-01t09:00z", "2026-03-01T09:00:00Z"),
    ],
)
async def test_a_time_may_come_with_any_offset(desk: Desk, sent: str, kept: str) -> None:
    assert (await desk.campaign(scheduledStartAt=sent))["scheduled_start_at"] == kept


NO_TIMES: list[Any] = [
    "2026-02-29T12:00:00Z", "2026-13-01T00:00:00Z", "2026-03-01T25:00:00Z", "2026-03-01T09:00:00", "2026-03-01", "tomorrow", "",
    "1767225600", "1767225600.5", 1767225600, "0001-01-01T00:00:00Z", "9999-12-31T23:59:59-12:00", "2026-03-01T09:00:00Z\x00",
    True,
]  # fmt: skip


@pytest.mark.parametrize("sent", NO_TIMES)
async def test_what_is_no_moment_is_a_400(shut: Desk, sent: Any) -> None:
    body = {"teamId": shut.api.team, **creations(shut)[CAMPAIGNS], "scheduledStartAt": sent}
    refused(await shut.api.post(CAMPAIGNS, body), 400, "scheduledStartAt")


@pytest.mark.parametrize(
    ("start", "end", "fault"),
    [
        ("09:00", "17:00", None),
        ("09:00:30", "24:00", None),
        ("22:00", "06:00", None),
        ("00:00", "24:00:00", None),
        ("9:00", "17:00", "callWindowStart"),
        ("24:00", "17:00", "callWindowStart"),
        ("09:00", "24:01", "callWindowEnd"),
        ("09:00", "09:00:00", "callWindowEnd"),
        ("٠٩:00", "17:00", "callWindowStart"),
        ("09:60", "17:00", "callWindowStart"),
    ],
)
async def test_windows_are_hours_and_minutes(desk: Desk, start: str, end: str, fault: str | None) -> None:
    body = {"teamId": desk.api.team, **creations(desk)[CAMPAIGNS], "callWindowStart": start, "callWindowEnd": end}
    answer = await desk.api.post(CAMPAIGNS, body)
    if fault is None:
        campaign = given(answer, "campaign")
        assert (campaign["call_window_start"], campaign["call_window_end"]) == (start, end)
    else:
        refused(answer, 400, fault)


@pytest.mark.parametrize("zone", ["EST5EDTX", "Mars/Olympus", "+02:00", "../etc/passwd", "", "x" * 400])
async def test_zones_are_iana_names(shut: Desk, zone: str) -> None:
    body = {"teamId": shut.api.team, **creations(shut)[CAMPAIGNS], "callWindowTimezone": zone}
    refused(await shut.api.post(CAMPAIGNS, body), 400, "callWindowTimezone")
    refused(
        await shut.api.post(CONTACTS, {"teamId": shut.api.team, "firstName": "A", "lastName": "B", "timezone": zone}),
        400,
        "timezone",
    )


@pytest.mark.parametrize("sent", ["(415) 555-2671", "+1 415 555 2671", "+14155552671", "001 415 555 2671"[2:]])
async def test_phones_are_answered_as_e_164(api: Api, sent: str) -> None:
    assert re.fullmatch(r"\+[1-9]\d{6,14}", (await contact(api, phone=sent))["phone"])


@pytest.mark.parametrize(
    "sent", ["12", "911", "+1415555267", "+1900555123", "+999123456789", "abc", "", "+1" + "4" * 400, "\u2060"]
)
async def test_phones_are_validated_and_a_refusal_never_repeats_them(shut: Desk, sent: str) -> None:
    said = refused(
        await shut.api.post(CONTACTS, {"teamId": shut.api.team, "firstName": "A", "lastName": "B", "phone": sent}), 400, "phone"
    )
    assert len(sent) < 4 or sent not in said
