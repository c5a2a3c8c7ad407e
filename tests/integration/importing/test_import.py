"""POST /api/crm/contacts/import: what comes of the rows of a file (api.md section 2)."""

from __future__ import annotations

import csv
import io
import os
from typing import Any

import pytest

from dialer.flows.importing import import_contacts
from dialer.flows.importing.batches import BATCH
from dialer.flows.importing.options import ImportOptions
from tests.support.api import Answer, Api

IMPORT = "/api/crm/contacts/import"
HEADER = "First Name,Last Name,Phone,E-mail,Do not call,Time zone,Tags,Company,custom.shoe size,Notes"


def file_of(*rows: str, header: str = HEADER) -> bytes:
    return "\r\n".join([header, *rows, ""]).encode()


async def send(api: Api, file: bytes, **fields: str) -> Answer:
    return await api.upload(IMPORT, file, teamId=api.team, **fields)


async def contacts(api: Api, **query: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await api.get("/api/crm/contacts", teamId=api.team, **query)).json["contacts"]
    return found


async def only(api: Api) -> dict[str, Any]:
    (contact,) = await contacts(api)
    return contact


async def test_a_row_becomes_a_contact(api: Api) -> None:
    row = '"Zoë","O\'Neil, Jr.",(415) 555-2671,zoe@example.com,no,Europe/Paris,vip; new;vip,,41,"two\nlines"'
    answer = (await send(api, file_of(row))).json
    assert {key: answer[key] for key in ("success", "imported", "updated", "skipped", "failed", "total", "errors")} == {
        "success": True, "imported": 1, "updated": 0, "skipped": 0, "failed": 0, "total": 1, "errors": [],
    }  # fmt: skip
    assert answer["batch_id"].startswith("batch_")
    contact = await only(api)
    expected = {
        "first_name": "Zoë", "last_name": "O'Neil, Jr.", "phone": "+14155552671", "email": "zoe@example.com",
        "do_not_call": False, "timezone": "Europe/Paris", "tags": ["vip", "new"],
        "custom_fields": {"shoe size": "41"}, "notes": "two\nlines", "lead_status": "new", "company": None,
    }  # fmt: skip
    assert {key: contact[key] for key in expected} == expected


async def test_the_place_comes_from_the_time_zone_or_the_number(api: Api) -> None:
    await send(api, file_of("A,A,+14155552671,,,Asia/Tokyo,,,,", "B,B,+493012345678,,,,,,,", "C,C,,,,,,,,"))
    places = {contact["first_name"]: contact["place"] for contact in await contacts(api)}
    assert {name: (place["zones_from"], place["zones"], place["regions"]) for name, place in places.items()} == {
        "A": ("contact", ["Asia/Tokyo"], ["US-CA"]),
        "B": ("number", ["Europe/Berlin"], []),
        "C": ("unknown", [], []),
    }


async def test_a_row_with_a_fault_is_rejected_alone(api: Api) -> None:
    rows = {
        ",B,+14155552671,,,,,,,": "firstName",
        "A,B,12,,,,,,,": "phone",
        "A,B,911,,,,,,,": "phone",
        "A,B,+19005551234,,,,,,,": "phone",
        "A,B,+14155552672,not an email,,,,,,": "email",
        "A,B,+14155552673,,perhaps,,,,,": "doNotCall",
        "A,B,+14155552674,,,Mars/Olympus,,,,": "timezone",
        "A,B,+14155552675,,,,,,,,too,many": "row",
        f"A,{'b' * 201},+14155552676,,,,,,,": "lastName",
    }
    answer = (await send(api, file_of("Good,Row,+14155552670,,,,,,,", *rows))).json
    assert (answer["imported"], answer["failed"], answer["total"]) == (1, len(rows), len(rows) + 1)
    assert [(error["row"], error["field"]) for error in answer["errors"]] == list(enumerate(rows.values(), 3))
    assert all(error["message"] and "1415" not in error["message"] for error in answer["errors"])
    assert (await only(api))["first_name"] == "Good"


async def test_rejected_rows_can_be_downloaded_corrected_and_sent_again(api: Api) -> None:
    bad = ['=cmd(),B,12,,,,"a;b",,,', "A,B,+1,,,,,,"]
    batch = (await send(api, file_of("Good,Row,+14155552670,,,,,,,", *bad))).json["batch_id"]
    answer = await api.get(f"{IMPORT}/{batch}/rejects")
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    header, *rows = csv.reader(io.StringIO(answer.text))
    assert header == [*HEADER.split(","), "rejected_row", "rejected_field", "rejected_message"]
    assert [row[:3] for row in rows] == [["'=cmd()", "B", "12"], ["A", "B", "'+1"]]
    assert [row[10:12] for row in rows] == [["3", "phone"], ["4", "phone"]]
    corrected = answer.text.replace(",12,", ",+14155552671,").replace(",'+1,", ",'+14155552672,")
    again = (await send(api, corrected.encode())).json
    assert (again["imported"], again["failed"]) == (2, 0)


async def test_the_rejects_of_another_team_do_not_exist(api: Api) -> None:
    from tests.support.api import fresh_team

    batch = (await send(api, file_of("A,B,12,,,,,,,"))).json["batch_id"]
    _, key = await fresh_team(api.context.database, "Strangers")
    assert (await api.using(key).get(f"{IMPORT}/{batch}/rejects")).status == 404
    assert (await api.get(f"{IMPORT}/batch_none/rejects")).status == 404


async def test_the_same_file_again_adds_nothing(api: Api) -> None:
    file = file_of(
        "A,A,+14155552671,,,,,Acme,,", "B,B,,b@example.com,,,,,,", "C,C,,,,,,,,", "C,C,,,,,,,,", "A2,A,1 415 555 2671,,,,,,,"
    )
    first = (await send(api, file, autoCreateCompanies="true")).json
    assert (first["imported"], first["skipped"], first["total"]) == (3, 2, 5)
    for mode in ("skip", "update", "replace"):
        again = (await send(api, file, duplicateMode=mode, autoCreateCompanies="true")).json
        assert (again["imported"], again["skipped"] + again["updated"], again["total"]) == (0, 5, 5)
    assert len(await contacts(api)) == 3


async def test_duplicates_across_batches_are_found(api: Api) -> None:
    rows = [f"A,B{n},+1415{5550000 + n % (BATCH + 10)},,,,,,," for n in range(BATCH + 200)]
    answer = (await send(api, file_of(*rows))).json
    assert (answer["imported"], answer["skipped"], answer["total"]) == (BATCH + 10, 190, BATCH + 200)


async def test_update_overwrites_with_what_is_not_empty(api: Api) -> None:
    await send(api, file_of("Ann,Lee,+14155552671,a@example.com,,Asia/Tokyo,old,,40,keep"))
    again = [",".join(row) for row in (["Anna", "Lee", "+1 (415) 555-2671", "", "", "", "", "", "", ""],)]
    later = "Anna,Lee,+14155552671,b@example.com,,,new,,41,"
    answer = (await send(api, file_of(*again, later), duplicateMode="update")).json
    assert (answer["updated"], answer["imported"]) == (2, 0)
    contact = await only(api)
    assert [contact[key] for key in ("first_name", "email", "timezone", "tags", "notes", "custom_fields")] == [
        "Anna", "b@example.com", "Asia/Tokyo", ["new"], "keep", {"shoe size": "41"},
    ]  # fmt: skip


async def test_replace_overwrites_with_everything(api: Api) -> None:
    await send(api, file_of("Ann,Lee,+14155552671,a@example.com,,Asia/Tokyo,old,,40,gone"))
    await send(api, file_of("Bob,Ray,+14155552671,,,,,,,"), duplicateMode="replace")
    contact = await only(api)
    assert [contact[key] for key in ("first_name", "email", "timezone", "tags", "notes", "custom_fields")] == [
        "Bob", None, None, [], None, {},
    ]  # fmt: skip


@pytest.mark.parametrize("mode", ["update", "replace"])
async def test_no_import_takes_a_do_not_call_back(api: Api, mode: str) -> None:
    await send(api, file_of("Ann,Lee,+14155552671,,yes,,,,,", "Bob,Ray,+14155552672,,,,,,,"))
    await send(
        api,
        file_of("Ann,Lee,+14155552671,,no,,,,,", "Bob,Ray,+14155552672,,x,,,,,", "Bob,Ray,+14155552672,,,,,,,"),
        duplicateMode=mode,
    )
    assert [contact["do_not_call"] for contact in await contacts(api)] == [True, True]
    assert api.waits.seconds == [0.5]


async def test_companies_are_found_made_or_given(api: Api) -> None:
    default = (await api.post("/api/crm/companies", {"teamId": api.team, "name": "Default"})).json["company"]["id"]
    await api.post("/api/crm/companies", {"teamId": api.team, "name": "Known"})
    file = file_of("A,A,+14155552671,,,,,KNOWN,,", "B,B,+14155552672,,,,,New Ltd,,", "C,C,+14155552673,,,,,,,")
    await send(api, file, dryRun="true", autoCreateCompanies="true")
    await send(api, file, defaultCompanyId=default, autoCreateCompanies="true")
    named = {contact["first_name"]: (contact["company"] or {}).get("name") for contact in await contacts(api)}
    assert named == {"A": "Known", "B": "New Ltd", "C": "Default"}
    await send(api, file_of("D,D,+14155552674,,,,,Never made,,"))
    assert (await contacts(api, search="D D"))[0]["company"] is None


async def test_a_default_company_must_be_the_teams(api: Api) -> None:
    answer = await send(api, file_of("A,A,+14155552671,,,,,,,"), defaultCompanyId="comp_none")
    assert answer.status == 404


async def test_a_dry_run_tells_everything_and_keeps_nothing(api: Api) -> None:
    answer = (
        await send(api, file_of("A,A,+14155552671,,,,,New Ltd,,", "B,B,12,,,,,,,"), dryRun="true", autoCreateCompanies="true")
    ).json
    assert (answer["imported"], answer["failed"], answer["batch_id"]) == (1, 1, None)
    assert await contacts(api) == []
    assert (await api.get("/api/crm/companies", teamId=api.team)).json["count"] == 0
    assert await api.context.database.pool.fetchval("select count(*) from import_batches") == 0


@pytest.mark.parametrize(
    "mapping",
    ['{"Prename": "firstName", "Sur": "last_name", "Line": "phone", "Shoe": "custom.shoe", "Ignored": null}',
     '{"firstName": "Prename", "last_name": "sur", "phone": "Line", "custom.shoe": "Shoe"}'],
)  # fmt: skip
async def test_a_mapping_may_be_told_in_either_direction(api: Api, mapping: str) -> None:
    file = file_of("Ann,Lee,+14155552671,41,x", header="Prename,Sur,Line,Shoe,Ignored")
    assert (await send(api, file, columnMapping=mapping)).json["imported"] == 1
    contact = await only(api)
    assert (contact["first_name"], contact["last_name"], contact["custom_fields"]) == ("Ann", "Lee", {"shoe": "41"})


async def test_the_default_region_of_the_team_reads_local_numbers(api: Api) -> None:
    await api.context.database.pool.execute("update teams set default_region = 'DE'")
    await send(api, file_of("A,A,030 123456,,,,,,,"))
    assert (await only(api))["phone"] == "+4930123456"


async def test_only_a_hundred_errors_are_told_and_all_are_kept(api: Api) -> None:
    answer = (await send(api, file_of(*["A,B,12,,,,,,,"] * 150))).json
    assert (len(answer["errors"]), answer["failed"]) == (100, 150)
    rejects = await api.get(f"{IMPORT}/{answer['batch_id']}/rejects")
    assert len(rejects.text.splitlines()) == 151


async def test_an_import_is_on_record_and_tells_its_progress(api: Api) -> None:
    told: list[int] = []
    rows = [f"A,B{n},+1415{5550000 + n},,,,,,," for n in range(BATCH + 1)]
    result = await import_contacts(
        api.context, api.team, "cli", io.BytesIO(file_of(*rows)), ImportOptions(), name="x.csv", progress=told.append
    )
    assert told == [BATCH, BATCH + 1]
    row = await api.context.database.pool.fetchrow(
        "select actor, entity_id, detail from audit where action = 'contacts.imported'"
    )
    assert row is not None
    assert (row["actor"], row["entity_id"], row["detail"]["imported"]) == ("cli", result.batch_id, BATCH + 1)


async def test_a_file_may_have_any_name(api: Api) -> None:
    assert (await api.upload(IMPORT, file_of("A,A,+14155552671,,,,,,,"), name="a\0b.csv", teamId=api.team)).status == 200
    source = io.BytesIO(file_of("A,A,+14155552672,,,,,,,"))
    await import_contacts(api.context, api.team, "cli", source, ImportOptions(), name=os.fsdecode(b"caf\xe9.csv"))
    names = await api.context.database.pool.fetch("select file_name from import_batches order by id")
    assert [row["file_name"] for row in names] == ["a?b.csv", "caf?.csv"]


async def test_two_imports_of_a_team_do_not_run_at_once(api: Api) -> None:
    held = "select pg_advisory_xact_lock(hashtextextended('import:' || $1, 0))"
    async with api.context.database.pool.acquire() as connection, connection.transaction():
        await connection.execute(held, api.team)
        assert (await send(api, file_of("A,A,+14155552671,,,,,,,"))).status == 409
