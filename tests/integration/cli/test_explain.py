"""`dialer campaign explain` and `preflight`: as people type them."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from dialer.store.database import Database
from tests.integration.cli.conftest import Shell
from tests.integration.cli.test_command_line import CONFIG, REFUSED
from tests.support.ledger import seed


async def test_a_draft_and_its_contacts_wait_for_a_start(dialer: Shell, database: Database) -> None:
    s = await seed(database.pool, contacts=3, status="draft")
    said = await dialer("campaign", "explain", s.campaign)
    assert "the campaign was not started" in said and "3" in said
    told = json.loads(await dialer("campaign", "explain", s.campaign, "--json"))
    assert told["campaign"]["status"] == "draft"
    assert told["waiting_for"] == {"reason": "not_started", "until": None}
    assert told["groups"] == [{"reason": "not_started", "contacts": 3, "until": None}]


async def test_one_contact_by_either_id(dialer: Shell, database: Database) -> None:
    s = await seed(database.pool, contacts=1, status="running")
    row = await database.pool.fetchrow("select id, contact_id from campaign_contacts")
    assert "called at the next look" in await dialer("campaign", "explain", s.campaign, "--contact", row["contact_id"])
    told = json.loads(await dialer("campaign", "explain", s.campaign, "--contact", row["id"], "--json"))
    assert (told["id"], told["waiting_for"]) == (row["id"], None)
    said = await dialer("campaign", "explain", s.campaign, "--contact", "cc_nobody", code=REFUSED)
    assert "is not in the campaign" in said


async def test_a_number_that_is_perhaps_invalid_says_so_and_until_when_it_waits(dialer: Shell, database: Database) -> None:
    s = await seed(database.pool, contacts=1, status="running")
    waits = "update campaign_contacts set reason = 'perhaps_invalid', next_attempt_at = now() + interval '24 hours' returning *"
    row = await database.pool.fetchrow(waits)
    said = await dialer("campaign", "explain", s.campaign, "--contact", row["id"])
    assert "not due yet, until" in said and "called again then" in said
    told = json.loads(await dialer("campaign", "explain", s.campaign, "--contact", row["id"], "--json"))
    assert told["detail"].startswith("the carrier said that nobody has this number")
    assert datetime.fromisoformat(told["waiting_for"]["until"]) == row["next_attempt_at"]


async def test_a_running_campaign_tells_who_waits_for_a_slot(dialer: Shell, database: Database) -> None:
    s = await seed(database.pool, contacts=7, concurrency=2, status="running")
    told = json.loads(await dialer("campaign", "explain", s.campaign, "--json"))
    assert told["waiting_for"] is None
    assert told["groups"] == [
        {"reason": "no_free_slot", "contacts": 5, "until": None},
        {"reason": None, "contacts": 2, "until": None},
    ]
    assert told["limit"] == {"scope": "campaign", "active": 0, "cap": 2}
    await dialer("team", "edit", s.team, "--max-concurrent-calls", "1")
    assert "0 of 1, by the limit of the team" in await dialer("campaign", "explain", s.campaign)
    await dialer("team", "edit", s.team, "--no-limit")
    assert "0 of 2, by the limit of the campaign" in await dialer("campaign", "explain", s.campaign)


async def test_preflight_and_a_dry_run_count_and_estimate(dialer: Shell, database: Database) -> None:
    s = await seed(database.pool, contacts=4, status="draft")
    told = json.loads(await dialer("campaign", "preflight", s.campaign, "--json"))
    assert (told["contacts"], told["dialable_now"], told["starting"]) == (4, 4, 4)
    for command in (("preflight",), ("run", "--dry-run")):
        said = await dialer("campaign", *command, s.campaign)
        assert "dialable now" in said and "Estimated finish:" in said and "4 contacts once each" in said
    assert await database.pool.fetchval("select count(*) from call_attempts") == 0


async def test_policy_packs_of_a_team_and_of_a_campaign_and_what_they_shut(
    dialer: Shell, database: Database, tmp_path: Path
) -> None:
    """Nobody may be called on any day: a pack of the operator's own says so, and explain names it."""
    folder = tmp_path
    dialer.environ["DIALER_POLICIES__FOLDER"] = str(folder)
    pack = 'id = "our-rest"\nversion = "7"\neffective_from = 2024-01-01\nsource = "us"\n[[rules]]\nregions = ["DE"]\n'
    (folder / "rest.toml").write_text(pack + 'days = ["someday"]\n')
    said = await dialer("check-config", code=CONFIG)
    assert f"{folder}/rest.toml: rules[1].days 'someday' is no day of the week; write monday" in said
    assert "rules[1].days" in await dialer("team", "list", code=CONFIG)
    off = (datetime.now(ZoneInfo("Europe/Berlin")) - timedelta(days=1)).strftime("%A").lower()
    (folder / "rest.toml").write_text(pack + f'days = ["{off}"]\n')
    assert "No faults" in await dialer("check-config")

    s = await seed(database.pool, contacts=2, status="running")
    told = json.loads(await dialer("team", "edit", s.team, "--policy-packs", "us-federal, our-rest", "--json"))
    assert told["policy_packs"] == ["us-federal", "our-rest"]
    assert "policyPacks: there is no policy pack 'ours'" in await dialer(
        "team", "edit", s.team, "--policy-packs", "ours", code=REFUSED
    )
    waits = json.loads(await dialer("campaign", "explain", s.campaign, "--json"))["waiting_for"]
    assert (waits["reason"], waits["rule"]) == ("window", "our-rest/7")
    assert "outside the call window, by our-rest/7" in await dialer("campaign", "explain", s.campaign)
    assert json.loads(await dialer("contacts", "locate", "--team", s.team, "--json")) == {"contacts": 2, "moved": 2}
    create = ("campaign", "create", "Autumn", "--team", s.team, "--assistant", s.assistant, "--number", s.numbers[0])
    await dialer(*create, "--policy-packs", "us-federal,us-states")
    kept = await database.pool.fetchval("select settings -> 'policy_packs' from campaigns where name = 'Autumn'")
    assert kept == ["us-federal", "us-states"]
    made = json.loads(await dialer("team", "create", "Southwind", "--policy-packs", "us-states", "--json"))
    assert made["policy_packs"] == ["us-states"]
    assert "us-federal, our-rest" in await dialer("team", "list")


async def test_a_callback_is_agreed_explained_and_taken_back(dialer: Shell, database: Database) -> None:
    s = await seed(database.pool, contacts=1, status="running")
    contact = await database.pool.fetchval("select contact_id from campaign_contacts")
    soon = (datetime.now(UTC) + timedelta(hours=1)).isoformat(timespec="seconds")
    agreed = json.loads(
        await dialer("campaign", "callback", s.campaign, contact, "--at", soon, "--missed", "call_anyway", "--json")
    )
    assert (agreed["callback_at"], agreed["callback_until"]) == (soon.replace("+00:00", "Z"), None)
    assert "a callback was asked for" in await dialer("campaign", "explain", s.campaign)
    assert "pending" in await dialer("campaign", "callback", s.campaign, contact, "--withdraw")
    assert "waits for no callback" in await dialer("campaign", "callback", s.campaign, contact, "--withdraw", code=REFUSED)
    for wrong in (["--at", "tomorrow"], ["--at", soon, "--withdraw"], [], ["--at", soon, "--missed", "x"]):
        await dialer("campaign", "callback", s.campaign, contact, *wrong, code=REFUSED)
