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
