"""`dialer campaign explain` and `preflight`: as people type them."""

from __future__ import annotations

import json

from dialer.store.database import Database
from tests.integration.cli.conftest import Shell
from tests.integration.cli.test_command_line import REFUSED
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
