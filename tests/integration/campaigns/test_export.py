"""GET /api/crm/campaigns/{id}/export: what a row says, that no cell is a formula, and that pages join without a seam."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest

from adapters.events import Outcome
from dialer.flows.campaigns.export import COLUMNS
from dialer.store import exports
from tests.integration.campaigns.test_dashboard_and_calls import end
from tests.support.api import Api
from tests.support.desk import Desk


async def exported(desk: Desk, campaign: str, **query: Any) -> list[dict[str, str]]:
    answer = await desk.api.get(f"/api/crm/campaigns/{campaign}/export", **query)
    assert answer.status == 200, answer.text
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.headers["content-disposition"] == f'attachment; filename="campaign-{campaign}.csv"'
    return list(csv.DictReader(io.StringIO(answer.text)))


async def test_a_row_tells_the_contact_its_end_and_its_last_call(desk: Desk) -> None:
    for key, extractable in (("size", False), ("budget", True)):
        body = {"teamId": desk.api.team, "key": key, "label": key, "type": "number", "extractable": extractable}
        assert (await desk.api.post("/api/crm/custom-fields", body)).status == 200
    people = await desk.people(2, email="ada@example.com", tags="{vip,new}", custom_fields='{"size": 41, "mood": "good"}')
    campaign = (await desk.campaign(people, maxConcurrentCalls=1))["id"]
    await desk.run(campaign)
    [call] = await desk.place(campaign)
    data = {"recording_url": "https://example.com/1.mp3", "extracted": {"budget": 12.5, "note": "Zoë"}}
    await end(desk, call, campaign, Outcome.ANSWERED, **data)
    done, waits = sorted(await exported(desk, campaign), key=lambda row: row["status"])
    which = people.index(done["contact_id"])
    assert tuple(done) == (*COLUMNS, "custom.budget", "custom.size", "extracted.budget")
    expected = {
        "first_name": "Ada", "last_name": f"Number {which + 1}", "phone": f"+49302010000{which + 1}", "tags": "vip; new",
        "email": "ada@example.com", "status": "completed", "outcome": "answered", "attempts": "1", "do_not_call": "false",
        "next_attempt_at": "", "last_call_id": call, "last_call_status": "ended", "last_call_outcome": "answered",
        "last_call_detail": "answered", "last_call_from": "+493012345", "duration_seconds": "30.0",
        "recording_url": "https://example.com/1.mp3", "custom.size": "41", "custom.budget": "", "extracted.budget": "12.5",
        "extracted": '{"note": "Zoë", "budget": 12.5}',
    }  # fmt: skip
    assert {name: done[name] for name in expected} == expected
    assert (waits["contact_id"], waits["status"], waits["last_call_id"], waits["attempts"]) == (
        people[1 - which],
        "pending",
        "",
        "0",
    )
    assert waits["next_attempt_at"].endswith("Z")


async def test_no_cell_is_a_formula_and_numbers_stay_numbers(desk: Desk) -> None:
    [person] = await desk.people(1, email="@sum", job_title="=cmd|' /C calc'!A0", source="x", custom_fields='{"a": "+1+2"}')
    await desk.pool.execute("update contacts set first_name = '-1', last_name = E'\t=1', region = '+1' where id = $1", person)
    campaign = (await desk.campaign([person]))["id"]
    await desk.api.post("/api/crm/custom-fields", {"teamId": desk.api.team, "key": "a", "label": "A", "type": "text"})
    [row] = await exported(desk, campaign)
    seen = [row[name] for name in ("email", "job_title", "first_name", "last_name", "region", "custom.a")]
    assert seen == ["'@sum", "'=cmd|' /C calc'!A0", "'-1", "'\t=1", "'+1", "'+1+2"]
    assert row["phone"] == "+493020100001"


async def test_pages_join_without_a_seam(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exports, "PAGE", 3)
    for count in (0, 3, 7):
        people = await desk.people(count, prefix=f"+49302{count}")
        campaign = (await desk.campaign(people))["id"]
        assert [row["contact_id"] for row in await exported(desk, campaign)] == sorted(people)


async def test_excel_gets_its_mark_on_demand_and_strangers_get_nothing(desk: Desk, stranger: Api) -> None:
    campaign = (await desk.campaign(await desk.people(1)))["id"]
    path = f"/api/crm/campaigns/{campaign}/export"
    assert (await desk.api.get(path)).body.startswith(b"campaign_contact_id,")
    assert (await desk.api.get(path, bom="true")).body.startswith(b"\xef\xbb\xbfcampaign_contact_id,")
    assert (await stranger.get(path)).status == 404
