"""Suppressions from a CSV file and as one: every row counted, in force at the answer, never shorter than before."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest

from dialer.domain.fence import FENCE_SECONDS
from dialer.flows import suppression_lists, teams
from tests.support.api import Answer, Api
from tests.support.desk import Desk

URL = "/api/crm/suppressions"
LATER = "2026-01-09T12:00:00Z"
NUMBERS = [f"+4930201000{n:02}" for n in range(1, 10)]


async def send(api: Api, file: str, **fields: str) -> Answer:
    return await api.upload(f"{URL}/import", file.encode(), teamId=api.team, **fields)


async def statuses(desk: Desk, campaign: str) -> list[tuple[str, str | None]]:
    return [(m["status"], m["outcome"]) for m in await desk.members(campaign)]


async def test_a_list_stops_what_waits_and_what_is_queued_and_answers_after_the_fence(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(suppression_lists, "PIECE", 2)
    people = await desk.people(6)
    waiting = (await desk.campaign(people[:2]))["id"]
    running = (await desk.campaign(people))["id"]
    assert (await desk.run(running))["started"] == 3
    answer = await send(
        desk.api, "Phone Number;Reason\n" + "".join(f"{n};asked\n" for n in NUMBERS[:5]), delimiter=";", source="mail"
    )
    sums = {name: answer.json[name] for name in ("imported", "updated", "failed", "total", "stopped", "errors")}
    assert sums == {"imported": 5, "updated": 0, "failed": 0, "total": 5, "stopped": 7, "errors": []}
    assert desk.api.waits.seconds == [FENCE_SECONDS]
    assert await statuses(desk, waiting) == [("skipped", "do_not_call")] * 2
    assert await statuses(desk, running) == [("skipped", "do_not_call")] * 5 + [("pending", None)]
    assert await desk.place(running) == []
    assert f"campaign:{running}" in await desk.api.bell.wait(0.05)
    entry = (await desk.api.get(URL, teamId=desk.api.team, phoneNumber=NUMBERS[0])).json["suppressions"][0]
    assert (entry["scope"], entry["reason"], entry["source"], entry["expires_at"]) == ("team", "asked", "mail", None)


async def test_bad_rows_are_told_one_by_one_and_the_others_hold(desk: Desk) -> None:
    rows = [
        f"{NUMBERS[0]},",
        "12,",
        ",",
        f"{NUMBERS[1]},yesterday",
        f"{NUMBERS[2]},2020-01-01T00:00:00Z",
        f"{NUMBERS[0]},",
        "(415) 555-2671,",
    ]
    answer = await send(desk.api, "phone_number,expires_at\n" + "\n".join(rows) + "\n")
    done = answer.json
    assert (done["imported"], done["updated"], done["failed"], done["total"]) == (2, 1, 3, 6)  # a blank row is none
    assert [(e["row"], e["field"]) for e in done["errors"]] == [(3, "phoneNumber"), (5, "expiresAt"), (6, "expiresAt")]
    listed = (await desk.api.get(URL, teamId=desk.api.team)).json["suppressions"]
    assert {s["phone_number"] for s in listed} == {NUMBERS[0], "+14155552671"}
    assert NUMBERS[0] not in answer.text


async def test_an_end_puts_off_and_never_shortens(desk: Desk) -> None:
    campaign = (await desk.campaign(await desk.people(3)))["id"]
    await desk.api.post(URL, {"teamId": desk.api.team, "phoneNumber": NUMBERS[0]})
    sooner = "2026-01-07T12:00:00Z"
    await desk.api.post(URL, {"teamId": desk.api.team, "phoneNumber": NUMBERS[1], "expiresAt": sooner})
    file = "phone\n" + "".join(f"{n}\n" for n in NUMBERS[:3])
    assert (await send(desk.api, file, expiresAt=LATER)).json["updated"] == 2
    assert (await send(desk.api, file, expiresAt=sooner)).json["updated"] == 3
    ends = {s["phone_number"]: s["expires_at"] for s in (await desk.api.get(URL, teamId=desk.api.team)).json["suppressions"]}
    assert ends == {NUMBERS[0]: None, NUMBERS[1]: LATER, NUMBERS[2]: LATER}
    first, *others = await desk.members(campaign)
    assert first["status"] == "skipped"
    assert [(m["status"], m["next_attempt_at"]) for m in others] == [("pending", LATER)] * 2


async def test_a_list_of_one_campaign_and_of_one_team_holds_there_only(desk: Desk, stranger: Api) -> None:
    people = await desk.people(1)
    here, there = (await desk.campaign(people))["id"], (await desk.campaign(people))["id"]
    await send(stranger, f"phone\n{NUMBERS[0]}\n")
    assert await statuses(desk, here) == [("pending", None)]
    done = await send(desk.api, f"phone\n{NUMBERS[0]}\n", scope="campaign", campaignId=here)
    assert done.json["stopped"] == 1
    assert (await statuses(desk, here), await statuses(desk, there)) == ([("skipped", "do_not_call")], [("pending", None)])
    assert (await send(stranger, f"phone\n{NUMBERS[0]}\n", scope="campaign", campaignId=here)).status == 404
    assert (await desk.api.upload(f"{URL}/import", b"phone\n1\n", teamId=stranger.team)).status == 403


@pytest.mark.parametrize(
    ("file", "fields", "field"),
    [
        ("name\nx\n", {}, "file"),
        ("phone\n", {}, "file"),
        ("", {}, "file"),
        (f'phone\n{NUMBERS[0]}\n"x', {}, "file"),
        (f"phone\n{NUMBERS[0]}\n", {"scope": "campaign"}, "campaignId"),
        (f"phone\n{NUMBERS[0]}\n", {"campaignId": "camp_x"}, "campaignId"),
        (f"phone\n{NUMBERS[0]}\n", {"expiresAt": "2020-01-01T00:00:00Z"}, "expiresAt"),
        (f"phone\n{NUMBERS[0]}\n", {"scope": "planet"}, "scope"),
    ],
)
async def test_what_cannot_be_read_as_a_whole_changes_nothing(desk: Desk, file: str, fields: dict[str, str], field: str) -> None:
    answer = await send(desk.api, file, **fields)
    assert (answer.status, set(answer.faults)) == (400, {field})
    assert (await desk.api.get(URL, teamId=desk.api.team)).json["count"] == 0


async def test_global_entries_are_for_keys_that_name_admin(desk: Desk, stranger: Api) -> None:
    api = desk.api
    campaign = (await desk.campaign(await desk.people(2)))["id"]
    file = f"phone\n{NUMBERS[0]}\n"
    body = {"teamId": stranger.team, "phoneNumber": NUMBERS[1], "scope": "global"}
    assert (await stranger.post(URL, body)).status == 403
    assert (await send(stranger, file, scope="global")).status == 403
    assert (await stranger.get(URL, teamId=stranger.team, scope="global")).status == 403
    assert (await stranger.get(f"{URL}/export", teamId=stranger.team, scope="global")).status == 403
    key, _ = await teams.create_key(
        api.context.database, team_id=stranger.team, name="a", scopes=["*", "admin"], now=desk.clock.now()
    )
    admin = stranger.using(key)
    entry = (await admin.post(URL, body)).json["suppression"]
    assert (entry["scope"], entry["team_id"]) == ("global", None)
    assert (await send(admin, file, scope="global")).json["stopped"] == 1
    assert await statuses(desk, campaign) == [("skipped", "do_not_call")] * 2
    assert (await admin.get(URL, teamId=stranger.team, scope="global")).json["count"] == 2
    assert (await admin.get(URL, teamId=stranger.team)).json["count"] == 0
    assert (await admin.get(f"{URL}/export", teamId=stranger.team, scope="global")).text.count("\n") == 3
    assert (await stranger.delete(f"{URL}/{entry['id']}")).status == 404
    assert (await admin.delete(f"{URL}/{entry['id']}")).status == 200


async def test_an_export_can_be_imported_again(desk: Desk, stranger: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    from dialer.store import suppression_lists as lists

    monkeypatch.setattr(lists, "PAGE", 2)
    await send(desk.api, "phone,reason\n" + "".join(f"{n},=1+1\n" for n in NUMBERS[:5]), expiresAt=LATER)
    campaign = (await desk.campaign())["id"]
    await send(desk.api, f"phone\n{NUMBERS[5]}\n", scope="campaign", campaignId=campaign)
    answer = await desk.api.get(f"{URL}/export", teamId=desk.api.team)
    assert answer.headers["content-disposition"] == 'attachment; filename="suppressions.csv"'
    rows: list[dict[str, Any]] = list(csv.DictReader(io.StringIO(answer.text)))
    assert sorted(r["phone_number"] for r in rows) == NUMBERS[:6]
    assert {(r["reason"], r["expires_at"]) for r in rows if r["scope"] == "team"} == {("'=1+1", LATER)}
    [only] = csv.DictReader(io.StringIO((await desk.api.get(f"{URL}/export", teamId=desk.api.team, campaignId=campaign)).text))
    assert (only["scope"], only["campaign_id"], only["phone_number"]) == ("campaign", campaign, NUMBERS[5])
    assert (await send(stranger, answer.text)).json["imported"] == 6
    assert (await stranger.get(f"{URL}/export", teamId=desk.api.team)).status == 403
