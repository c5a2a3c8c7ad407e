"""The command line as its own process: what a person types, and what comes back."""

from __future__ import annotations

import json
from pathlib import Path

from dialer.store.database import Database
from tests.integration.cli.conftest import Shell
from tests.support.ledger import seed
from tests.support.warm import Start

REFUSED, CONFIG, UNAVAILABLE = 1, 3, 4


async def test_status_says_what_contacts_wait_for_and_is_silent_where_nobody_waits(dialer: Shell, database: Database) -> None:
    campaign = (await seed(database.pool, contacts=3, status="draft")).campaign
    assert "not_started" in await dialer("campaign", "status", campaign)
    await dialer("campaign", "run", campaign)
    assert json.loads(await dialer("campaign", "cancel", campaign, "--json"))["status"] == "cancelled"
    assert "Waiting" not in await dialer("campaign", "status", campaign)


async def test_a_campaign_with_holidays_an_end_and_an_expiry(dialer: Shell, database: Database) -> None:
    made = await seed(database.pool, contacts=0)
    create = ("campaign", "create", "Autumn", "--team", made.team, "--assistant", made.assistant, "--number", made.numbers[0])
    await dialer(*create, "--holidays", "US-AL", "--end-at", "2099-12-31T17:00:00-05:00", "--expiry-days", "30")
    kept = await database.pool.fetchrow("select settings, contact_expiry_days from campaigns where name = 'Autumn'")
    assert kept is not None and kept["contact_expiry_days"] == 30
    assert (kept["settings"]["holiday_calendar"], kept["settings"]["scheduled_end_at"]) == ("US-AL", "2099-12-31T22:00:00Z")
    assert "settings.holidayCalendar: 'XX' is no country" in await dialer(*create, "--holidays", "XX", code=REFUSED)
    assert "settings.scheduledEndAt: lies in the past" in await dialer(*create, "--end-at", "2020-01-01T00:00:00Z", code=REFUSED)


async def test_times_are_written_as_the_api_writes_them(dialer: Shell, database: Database) -> None:
    team = (await seed(database.pool, contacts=1)).team
    created = json.loads(await dialer("key", "create", team, "--days", "1", "--json"))
    assert "T" in created["expires_at"] and created["expires_at"].endswith("Z")


async def test_a_demo_of_a_list_with_another_delimiter_says_so_in_one_sentence(dialer: Shell, tmp_path: Path) -> None:
    people = tmp_path / "people.csv"
    people.write_text("Vorname;Nachname;Mobile\nAda;Lovelace;+14155550123\n")
    said = await dialer("demo", "--csv", str(people), code=REFUSED)
    assert "separated by" in said and "TaskGroup" not in said


async def test_a_trunk_without_its_options_is_a_fault_of_the_configuration(dialer: Shell) -> None:
    del dialer.environ["DIALER_ADAPTERS__SIM__API_KEY"]
    for command in (("check-config",), ("doctor",), ("up",), ("worker",), ("campaign", "list", "--team", "Northwind")):
        assert "adapters.sim.api_key" in await dialer(*command, code=CONFIG)


async def test_a_host_without_an_address_is_said_in_one_sentence(start: Start, redis_url: str) -> None:
    said = await Shell(start, "postgresql://dialer:secret@nowhere.invalid/dialer", redis_url)("team", "list", code=UNAVAILABLE)
    assert "cannot be reached" in said and said.count("\n") == 1 and "secret" not in said
