"""Regions, policy packs and zone policies, from what people write down to who is called when, and what is said of it."""

from __future__ import annotations

from datetime import UTC, datetime
from random import Random
from typing import Any

import pytest

from dialer.domain.errors import Invalid
from dialer.domain.fence import FENCE_SECONDS
from dialer.flows.release import LedgerBook, RulesReader
from dialer.flows.relocate import locate_contacts
from dialer.flows.team_packs import set_policy_packs
from dialer.store import attempts
from tests.support.desk import TRUNK, Desk

CONTACTS, CALLS = "/api/crm/contacts", "/api/crm/calls"
BIRMINGHAM, CHICAGO, MIAMI, PENSACOLA = "+12055550123", "+13125550123", "+13055550123", "+18502440123"
TOLL_FREE, BERLIN = "+18005550199", "+493012345678"
ALL_DAY = {"callWindowStart": "00:00", "callWindowEnd": "24:00"}
US = {"settings": {"policyPacks": ["us-federal", "us-states"]}}
FLORIDA = "us-federal/2024-01, us-states/2024-06 FL"


async def somebody(desk: Desk, phone: str, **fields: Any) -> dict[str, Any]:
    body = {"teamId": desk.api.team, "firstName": "Ada", "lastName": "Byron", "phone": phone}
    answer = await desk.api.post(CONTACTS, body | fields)
    assert answer.status == 200, answer.text
    found: dict[str, Any] = answer.json["contact"]
    return found


async def running(desk: Desk, *phones: str, **fields: Any) -> str:
    """A campaign that runs and calls these, in all of the day, unless `fields` say otherwise."""
    ids = [(await somebody(desk, phone))["id"] for phone in phones]
    campaign: str = (await desk.campaign(ids, status="running", **(ALL_DAY | fields)))["id"]
    return campaign


def at(desk: Desk, text: str) -> None:
    """Let time pass until then."""
    desk.clock.advance((datetime.fromisoformat(text).replace(tzinfo=UTC) - desk.clock.now()).total_seconds())


async def called(desk: Desk, campaign: str) -> list[str]:
    """Whom the scheduler releases now."""
    book = LedgerBook(desk.pool, desk.api.context.ringer, desk.clock, [TRUNK], RulesReader(desk.pool))
    return sorted(each.to_number for each in await book.run(campaign))


async def waits(desk: Desk, campaign: str) -> dict[str, Any]:
    return {row["contact"]["phone"]: row["waiting_for"] for row in await desk.members(campaign)}


async def test_where_somebody_is_is_told_with_how_it_is_known(desk: Desk) -> None:
    told = {phone: (await somebody(desk, phone))["place"] for phone in (PENSACOLA, TOLL_FREE, BERLIN)}
    assert told[PENSACOLA] == {
        "zones": ["America/Chicago", "America/New_York"],
        "zones_from": "number",
        "regions": ["US-FL"],
        "regions_from": "number",
    }
    assert (len(told[TOLL_FREE]["zones"]), told[TOLL_FREE]["zones_from"]) == (42, "country")
    assert (told[TOLL_FREE]["regions"], told[TOLL_FREE]["regions_from"]) == ([], "unknown")
    assert (told[BERLIN]["zones"], told[BERLIN]["regions"]) == (["Europe/Berlin"], [])
    given = await somebody(desk, "+13055550124", region="US-AL")
    assert given["region"] == "US-AL"
    assert given["place"] == {
        "zones": ["America/Chicago"], "zones_from": "region", "regions": ["US-AL"], "regions_from": "contact",
    }  # fmt: skip


async def test_another_region_moves_the_contact_and_those_who_wait(desk: Desk) -> None:
    campaign = await running(desk, CHICAGO, **US)
    at(desk, "2026-01-11 18:00")  # a Sunday noon
    assert await called(desk, campaign) == [CHICAGO]
    [row] = await desk.members(campaign)
    assert (await desk.api.patch(f"{CONTACTS}/{row['contact']['id']}", {"region": "US-AL"})).status == 200
    assert desk.api.waits.seconds[-1:] == [FENCE_SECONDS]
    assert await desk.place(campaign) == []
    assert await waits(desk, campaign) == {
        CHICAGO: {"reason": "window", "until": "2026-01-12T14:00:00Z", "rule": "us-states/2024-06 AL"}
    }
    assert await called(desk, campaign) == []


async def test_packs_shut_who_they_are_about_and_say_so(desk: Desk) -> None:
    at(desk, "2026-01-11 18:00")
    campaign = await running(desk, BIRMINGHAM, CHICAGO, PENSACOLA, BERLIN, **US)
    assert (await waits(desk, campaign))[BIRMINGHAM] == {
        "reason": "window", "until": "2026-01-12T14:00:00Z", "rule": "us-states/2024-06 AL",
    }  # fmt: skip
    seen = (await desk.api.post(f"/api/crm/campaigns/{campaign}/preflight", {})).json["preflight"]
    assert seen["later_by_reason"] == [
        {"reason": "window", "contacts": 1, "until": "2026-01-12T14:00:00Z", "rule": "us-states/2024-06 AL"}
    ]
    assert await called(desk, campaign) == sorted([CHICAGO, PENSACOLA, BERLIN])
    rules = dict(await desk.pool.fetch("select to_number, rule from call_attempts"))
    assert rules == {CHICAGO: "us-federal/2024-01", PENSACOLA: FLORIDA, BERLIN: None}


async def test_the_history_of_a_call_says_by_which_rules_it_was_made(desk: Desk) -> None:
    at(desk, "2026-01-12 16:00")
    campaign = await running(desk, MIAMI, **US)
    assert await called(desk, campaign) == [MIAMI]
    [call] = await desk.place(campaign)
    history = (await desk.api.get(f"{CALLS}/{call}")).json["call"]["history"]
    assert [(turn["after"], turn.get("rule")) for turn in history] == [("queued", FLORIDA), ("placing", FLORIDA)]


async def test_a_call_that_comes_too_late_for_the_law_is_taken_back_by_its_rule(desk: Desk) -> None:
    """Released at two minutes to eight, and a worker gets to it at eight."""
    at(desk, "2026-01-13 00:58")
    campaign = await running(desk, MIAMI, **US)
    assert await called(desk, campaign) == [MIAMI]
    desk.clock.advance(120)
    assert await desk.place(campaign) == []
    [id] = [row["id"] for row in await desk.pool.fetch("select id from call_attempts")]
    from dialer.flows.recall import refuse
    from dialer.flows.settle import Case

    reader = RulesReader(desk.pool)
    stand = (await attempts.standing(desk.pool, [id], desk.clock.now()))[id]
    rules = await reader.rules({campaign: stand.campaign_version})
    place = (await reader.places([stand.place_set]))[stand.place_set]
    turn = refuse(Case(stand, rules[campaign], place, desk.clock.now(), Random(0)))
    assert turn is not None and await attempts.turn(desk.pool, [turn], [], desk.clock.now())
    history = (await desk.api.get(f"{CALLS}/{id}")).json["call"]["history"]
    assert [(each["after"], each["reason"], each.get("rule")) for each in history] == [
        ("queued", None, FLORIDA),
        ("recalled", "window", "us-states/2024-06 FL"),
    ]


async def test_the_teams_packs_hold_for_its_campaigns_at_once(desk: Desk) -> None:
    at(desk, "2026-01-11 18:00")
    campaign = await running(desk, BIRMINGHAM, CHICAGO)
    assert await called(desk, campaign) == [BIRMINGHAM, CHICAGO]
    team = await set_policy_packs(desk.api.context, desk.api.team, ["us-states", "us-states"])
    assert team.policy_packs == ("us-states",)
    assert desk.api.waits.seconds[-1:] == [FENCE_SECONDS]
    assert await desk.place(campaign) == []
    assert await called(desk, campaign) == [CHICAGO]
    assert (await waits(desk, campaign))[BIRMINGHAM]["rule"] == "us-states/2024-06 AL"
    await set_policy_packs(desk.api.context, desk.api.team, [])
    assert await called(desk, campaign) == [BIRMINGHAM, CHICAGO]
    noted = await desk.pool.fetch("select detail from audit where action = 'team.policy_packs' order by id")
    assert [row["detail"] for row in noted] == [{"before": [], "after": ["us-states"]}, {"before": ["us-states"], "after": []}]


async def test_a_scheduler_that_has_read_a_campaigns_rules_reads_them_anew(desk: Desk) -> None:
    at(desk, "2026-01-11 18:00")
    campaign = await running(desk, BIRMINGHAM, CHICAGO)
    book = LedgerBook(desk.pool, desk.api.context.ringer, desk.clock, [TRUNK], RulesReader(desk.pool))
    assert len(await book.run(campaign)) == 2
    await set_policy_packs(desk.api.context, desk.api.team, ["us-states"])
    again = [claimed.attempt for claimed in await book.run(campaign)]
    called = await desk.pool.fetch("select to_number from call_attempts where id = any($1)", again)
    assert [row["to_number"] for row in called] == [CHICAGO]


@pytest.mark.parametrize("pack", ["us-statez", "abandonment-3pct"])
async def test_a_pack_that_there_is_not_is_refused_for_a_team(desk: Desk, pack: str) -> None:
    with pytest.raises(Invalid) as refused:
        await set_policy_packs(desk.api.context, desk.api.team, ["us-states", pack])
    assert pack in refused.value.fields["policyPacks"][0]


async def test_direct_calls_keep_the_packs_of_the_team(desk: Desk) -> None:
    at(desk, "2026-01-11 18:00")
    await set_policy_packs(desk.api.context, desk.api.team, ["us-states"])
    answer = await desk.api.post(CALLS, {"assistantId": desk.assistant, "toNumber": BIRMINGHAM})
    assert (answer.status, answer.json.get("waiting_for")) == (
        409,
        {"reason": "window", "until": "2026-01-12T14:00:00Z", "rule": "us-states/2024-06 AL"},
    )
    assert "by us-states/2024-06 AL" in answer.json["error"]
    answer = await desk.api.post(CALLS, {"assistantId": desk.assistant, "toNumber": CHICAGO})
    assert answer.status == 200, answer.text
    await desk.pool.execute("update teams set policy_packs = '{gone}'")
    answer = await desk.api.post(CALLS, {"assistantId": desk.assistant, "toNumber": MIAMI})
    assert (answer.status, "policy packs of the team cannot be kept" in answer.text) == (409, True)


async def test_a_campaign_whose_packs_are_gone_is_not_dialled(desk: Desk) -> None:
    campaign = await running(desk, CHICAGO)
    await desk.pool.execute("update teams set policy_packs = '{gone}'")
    await desk.pool.execute("update campaigns set rules_version = rules_version + 1")
    at(desk, "2026-01-12 18:00")
    assert await called(desk, campaign) == []
    assert (await desk.look(campaign))["waiting_for"] == {"reason": "trunk_config", "until": None}


async def test_who_can_never_be_called_is_counted_and_named(desk: Desk) -> None:
    office = {"callWindowStart": "09:00", "callWindowEnd": "17:00"}
    campaign = await running(desk, TOLL_FREE, MIAMI, **office, **US)
    at(desk, "2026-01-12 16:00")
    assert await waits(desk, campaign) == {
        TOLL_FREE: {"reason": "never_callable", "until": None, "rule": "campaign"},
        MIAMI: None,
    }
    seen = (await desk.api.post(f"/api/crm/campaigns/{campaign}/preflight", {})).json["preflight"]
    assert (seen["never_callable"], seen["never_by_rule"]) == (1, [{"reason": "never_callable", "contacts": 1, "until": None}])
    assert await called(desk, campaign) == [MIAMI]


async def test_zone_policies(desk: Desk) -> None:
    at(desk, "2026-01-12 16:00")
    office = {"callWindowStart": "09:00", "callWindowEnd": "17:00"}
    campaign = await running(desk, TOLL_FREE, MIAMI, **office, settings={"zonePolicy": "requireExplicitZone"})
    never = {"reason": "never_callable", "until": None, "rule": "zone_policy require_explicit_zone"}
    assert await waits(desk, campaign) == {TOLL_FREE: never, MIAMI: never}
    assert await called(desk, campaign) == []
    [_, miami] = sorted(await desk.members(campaign), key=lambda row: row["contact"]["phone"], reverse=True)
    changed = await desk.api.patch(f"{CONTACTS}/{miami['contact']['id']}", {"timezone": "America/New_York"})
    assert changed.json["contact"]["place"]["zones_from"] == "contact"
    assert await called(desk, campaign) == [MIAMI]
    edited = await desk.api.patch(f"/api/crm/campaigns/{campaign}", {"settings": {"zonePolicy": "campaignZone"}})
    assert edited.json["campaign"]["settings"] == {"zone_policy": "campaign_zone"}
    assert await called(desk, campaign) == [MIAMI, TOLL_FREE]


async def test_contacts_that_an_older_version_placed_are_read_strictly_and_can_be_located(desk: Desk) -> None:
    """It knew no regions: a number of Chicago may be in any state with that clock, until somebody works it out."""
    at(desk, "2026-01-11 18:00")
    [old] = await desk.people(1, ("America/Chicago",), phone=CHICAGO)
    campaign = (await desk.campaign([old], status="running", **ALL_DAY, **US))["id"]
    assert (await waits(desk, campaign))[CHICAGO]["rule"] == "us-states/2024-06 AL"
    assert await called(desk, campaign) == []
    assert await locate_contacts(desk.api.context, desk.api.team, "test") == 1
    assert desk.api.waits.seconds[-1:] == [FENCE_SECONDS]
    assert await called(desk, campaign) == [CHICAGO]
    assert await locate_contacts(desk.api.context, desk.api.team, "test") == 0


async def test_a_place_of_this_version_is_none_that_the_version_before_takes_for_its_own(desk: Desk) -> None:
    """As it looked for one, by zones alone, and added what it did not find."""
    for phone in (BIRMINGHAM, CHICAGO):
        await somebody(desk, phone)
    theirs = "select id from place_sets where zones in (select z::text[] from unnest($1::text[]) z)"
    await desk.pool.execute("insert into place_sets (zones) values ('{America/Chicago}') on conflict do nothing")
    [found] = await desk.pool.fetch(theirs, ["{America/Chicago}"])
    used = await desk.pool.fetch("select place_set_id from contacts")
    assert found["id"] not in {row["place_set_id"] for row in used}
    zones = await desk.pool.fetch(
        "select distinct zones from place_sets where id = any($1)", [row["place_set_id"] for row in used]
    )
    assert [row["zones"] for row in zones] == [["America/Chicago", "America/Chicago"]]  # which it reads as one


async def test_an_import_that_fills_in_a_region_moves_whom_it_knows(desk: Desk) -> None:
    at(desk, "2026-01-11 18:00")
    campaign = await running(desk, CHICAGO, MIAMI, **US)
    assert await called(desk, campaign) == [MIAMI, CHICAGO]
    file = f"first_name,last_name,phone,region\nAda,Byron,{CHICAGO},US-AL\nAda,Byron,{MIAMI},\n".encode()
    answer = await desk.api.upload(f"{CONTACTS}/import", file, teamId=desk.api.team, duplicateMode="update")
    assert (answer.json["updated"], answer.json["failed"]) == (2, 0)
    rows = {row["contact"]["phone"]: row for row in await desk.members(campaign)}
    assert rows[CHICAGO]["waiting_for"]["rule"] == "us-states/2024-06 AL"
    assert (rows[CHICAGO]["status"], rows[MIAMI]["status"]) == ("pending", "queued")
    other = f"first_name,last_name,phone,region\nAda,Byron,{MIAMI},Florida\n".encode()
    answer = await desk.api.upload(f"{CONTACTS}/import", other, teamId=desk.api.team, duplicateMode="update")
    assert [(each["field"], each["message"]) for each in answer.json["errors"]] == [
        ("region", "is not a subdivision; write its ISO 3166-2 code such as US-CA")
    ]
