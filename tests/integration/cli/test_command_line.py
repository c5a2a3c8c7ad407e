"""The command line as its own process: what a person types, and what comes back."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dialer.cli.context import Failed
from dialer.cli.settings_given import settings_given
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


async def test_a_campaign_with_any_setting_of_the_api(dialer: Shell, database: Database) -> None:
    made = await seed(database.pool, contacts=0)
    create = ("campaign", "create", "Autumn", "--team", made.team, "--assistant", made.assistant, "--number", made.numbers[0])
    caps = 'frequencyCaps=[{"calls": 1, "hours": 24, "per": "person"}, "3-in-24-hours"]'
    words = ("zonePolicy=requireExplicitZone", "holiday_calendar=US", "retryOnVoicemail=true", "callbackToleranceMinutes=30")
    await dialer(*create, "--campaign-zone", "--setting", caps, *(part for each in words for part in ("--setting", each)))
    assert await database.pool.fetchval("select settings from campaigns where name = 'Autumn'") == {
        "use_contact_timezone_for_call_window": False,
        "frequency_caps": [{"calls": 1, "hours": 24, "per": "person"}, "3-in-24-hours"],
        "zone_policy": "require_explicit_zone",
        "holiday_calendar": "US",
        "retry_on_voicemail": True,
        "callback_tolerance_minutes": 30,
    }
    said = await dialer(*create, "--setting", 'frequencyCaps=[{"calls": 0, "hours": 24, "per": "crowd"}]', code=REFUSED)
    assert "settings.frequencyCaps.0.calls: " in said and "settings.frequencyCaps.0.per: " in said


@pytest.mark.parametrize(
    ("written", "problem"),
    [
        (["frequencyCap=[]"], "--setting frequencyCap: is no setting; did you mean frequencyCaps?"),
        (["colour=red"], "--setting colour: is no setting"),
        (["priority"], "--setting priority: write it as NAME=VALUE, such as priority=5"),
        (["=5"], "--setting =5: write it as NAME=VALUE"),
        (["priority=1", "priority=2"], "--setting priority: is given more than once"),
        (["holidayCalendar=DE"], "--setting holidayCalendar: is given more than once, or by an option of its own as well"),
        (["frequencyCaps=[3-in-24-hours]"], "--setting frequencyCaps: begins like JSON and cannot be read"),
    ],
)
def test_what_is_no_setting_says_which_and_what_to_write(written: list[str], problem: str) -> None:
    names = {"priority", "frequencyCaps", "holidayCalendar"}
    with pytest.raises(Failed) as refused:
        settings_given(written, {"holidayCalendar": "US", "localPresence": None}, names)
    assert problem in str(refused.value)


def test_a_value_is_json_or_else_text() -> None:
    written = ["priority=5", "callsPerSecond=0.5", "scheduledEndAt=2099-12-31T17:00:00Z", "voicemailDropMessage=NaN", "a=null"]
    values = [5, 0.5, "2099-12-31T17:00:00Z", "NaN", None]
    names = [each.partition("=")[0] for each in written]
    assert settings_given(written, {}, names) == dict(zip(names, values, strict=True))


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
