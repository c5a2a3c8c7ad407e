"""`dialer suppression …` and `dialer campaign export`."""

from __future__ import annotations

import csv
import json
from pathlib import Path

from dialer.store.database import Database
from tests.integration.cli.conftest import Shell
from tests.integration.cli.test_command_line import REFUSED
from tests.support.ledger import seed


async def test_suppressions_are_added_listed_written_read_and_removed(dialer: Shell, database: Database, tmp_path: Path) -> None:
    where = await seed(database.pool, contacts=3)
    team = ("--team", where.team)
    assert "--team" in await dialer("suppression", "list", code=REFUSED)
    entry = json.loads(await dialer("suppression", "add", "+493010000001", *team, "--reason", "asked", "--json"))
    assert (entry["scope"], entry["phone_number"], entry["reason"]) == ("team", "+493010000001", "asked")
    skipped = "select count(*) from campaign_contacts where status = 'skipped'"
    assert await database.pool.fetchval(skipped) == 1
    everywhere = json.loads(await dialer("suppression", "add", "+493010000002", "--global", "--until", "2099-01-01", "--json"))
    assert (everywhere["scope"], everywhere["expires_at"]) == ("global", "2099-01-01T00:00:00Z")
    numbers = tmp_path / "numbers.csv"
    numbers.write_text("phone_number\n+493010000003\n12\n")
    done = json.loads(await dialer("suppression", "import", str(numbers), *team, "--json"))
    assert (done["imported"], done["failed"], done["stopped"], done["errors"][0]["row"]) == (1, 1, 1, 3)
    assert len(json.loads(await dialer("suppression", "list", *team, "--json"))) == 2
    written = tmp_path / "out.csv"
    assert json.loads(await dialer("suppression", "export", *team, "--output", str(written), "--json"))["rows"] == 2
    assert {row["phone_number"] for row in csv.DictReader(written.open())} == {"+493010000001", "+493010000003"}
    assert "+493010000002" in await dialer("suppression", "export", "--global")
    await dialer("suppression", "remove", entry["id"], *team)
    await dialer("suppression", "remove", everywhere["id"], "--global")
    assert await database.pool.fetchval("select count(*) from suppressions") == 1


async def test_the_results_of_a_campaign_are_written(dialer: Shell, database: Database, tmp_path: Path) -> None:
    campaign = (await seed(database.pool, contacts=3)).campaign
    said = await dialer("campaign", "export", campaign)
    assert said.count("\n") == 4 and said.startswith("campaign_contact_id,")
    file = tmp_path / "results.csv"
    assert "3 rows" in await dialer("campaign", "export", campaign, "--output", str(file), "--bom")
    assert file.read_bytes().startswith(b"\xef\xbb\xbf")
    assert "camp_x" in await dialer("campaign", "export", "camp_x", code=REFUSED)


async def test_the_frequency_caps_of_a_team_are_set_shown_and_taken_away(dialer: Shell, database: Database) -> None:
    team = (await seed(database.pool, contacts=1)).team
    caps = ("--cap", "3/24h/number", "--cap", "1/169h/person/conversations", "--cap", "7-in-7-days")
    kept = [
        {"calls": 3, "hours": 24, "per": "number"},
        {"calls": 1, "hours": 169, "per": "person", "counts": "conversations"},
        "7-in-7-days",
    ]
    told = json.loads(await dialer("team", "caps", team, *caps, "--json"))["frequency_caps"]
    assert told == [kept[0] | {"counts": "attempts"}, *kept[1:]]  # type: ignore[operator]
    assert json.loads(await dialer("team", "caps", team, "--json"))["frequency_caps"] == told
    assert "team: 7-in-7-days" in await dialer("team", "caps", team)
    assert "frequencyCaps.0" in await dialer("team", "caps", team, "--cap", "often", code=REFUSED)
    assert "--none" in await dialer("team", "caps", team, "--cap", "1/1h/number", "--none", code=REFUSED)
    assert json.loads(await dialer("team", "caps", team, "--none", "--json"))["frequency_caps"] == []
    assert await database.pool.fetchval("select rules_version from campaigns") == 3
