"""Over HTTP: a list of a million rows imported twice; a hundred thousand contacts enrolled and suppressed, and those suppressions
exported, in one request each."""

from __future__ import annotations

import asyncio
import os
import time
from typing import Any

import aiohttp

from tests.benchmarks.people import Made, make
from tests.benchmarks.standing import Standing, Watched, standing, watched
from tests.benchmarks.table import Row, at_most, exactly

ROWS = int(os.environ.get("BENCH_ROWS", "1000000"))
ENROLLED = 100_000
SEED = 20_261_122


async def import_() -> list[Row]:
    async with standing() as on:
        made = await asyncio.to_thread(make, on.directory / "list.csv", ROWS, SEED)
        contact = await on.post("/api/crm/contacts", {"teamId": on.team, "firstName": "Ada", "lastName": "Lovelace"})
        path = f"/api/crm/contacts/{contact['contact']['id']}"
        first, seconds, seen = await _sent(on, path)
        again, seconds_again, seen_again = await _sent(on, path)
        held = await on.database.pool.fetchval("select count(*) from contacts where phone is not null")
        kept = await on.database.pool.fetchval("select count(*) from import_rejects where batch_id = $1", first["batch_id"])
    rows = f"{ROWS:,} rows"
    return [
        at_most(f"import of {rows}", 60 * ROWS / 1_000_000, seconds, " s"),
        exactly("import: accepted, duplicates, rejected", _expected(made), _counted(first)),
        exactly("import: accounted for", made.rows, sum(_counted(first))),
        exactly("import: contacts there", made.good, held),
        exactly("import: rejected rows kept", made.garbage, kept),
        at_most("import: resident, API and reader", 300, seen.most, " MB"),
        at_most("import: another request meanwhile, p95", 100, seen.p95() * 1000, " ms"),
        exactly("second import: accepted, duplicates, rejected", (0, made.good + made.repeated, made.garbage), _counted(again)),
        at_most("second import", 60 * ROWS / 1_000_000, seconds_again, " s"),
        at_most("second import: resident", 300, seen_again.most, " MB"),
    ]


async def enrol() -> list[Row]:
    async with standing() as on:
        await asyncio.to_thread(make, on.directory / "list.csv", ENROLLED * 5 // 4, SEED)
        result, _, _ = await _sent(on, "/readyz")
        assert result["imported"] >= ENROLLED
        campaign = await _campaign(on)
        before = on.resident()
        async with watched(on, "/readyz") as seen:
            started = time.monotonic()
            audience = {"mode": "all_eligible", "maxToAdd": ENROLLED}
            answer = await on.post(f"/api/crm/campaigns/{campaign}/contacts", {"audience": audience})
            seconds = time.monotonic() - started
        numbers = await on.database.pool.fetch("select to_number from campaign_contacts order by md5(to_number)")
        (on.directory / "list.csv").write_text("\n".join(["phone_number", *(row["to_number"] for row in numbers)]))
        suppressed, seconds_suppressed, _ = await _sent(on, "/readyz", to="/api/crm/suppressions/import")
        exported, seconds_exported = await _fetched(on, "/api/crm/suppressions/export")
    return [
        at_most(f"enrolment of {ENROLLED:,} contacts", 5, seconds, " s"),
        exactly("enrolment: added", ENROLLED, answer["added"]),
        at_most("enrolment: memory grown by", 20, max(seen.most - before, 0.0), " MB"),
        at_most(f"suppression of these {ENROLLED:,} numbers", 10, seconds_suppressed, " s"),
        exactly("suppression: numbers, contacts stopped", (ENROLLED, ENROLLED), (suppressed["imported"], suppressed["stopped"])),
        at_most("export of these suppressions", 10, seconds_exported, " s"),
        exactly("export: numbers", ENROLLED, len({line.split(",")[0] for line in exported[1:]})),
    ]


async def _sent(on: Standing, path: str, *, to: str = "/api/crm/contacts/import") -> tuple[Any, float, Watched]:
    """The answer to an upload of the list, the seconds it took from the first byte, and what was seen at `path` meanwhile."""
    with (on.directory / "list.csv").open("rb") as file:
        form = aiohttp.FormData()
        form.add_field("teamId", on.team)
        form.add_field("file", file, filename="list.csv", content_type="text/csv")
        async with watched(on, path) as seen:
            started = time.monotonic()
            async with on.client.post(to, data=form) as answer:
                assert answer.status == 200, await answer.text()
                said = await answer.json()
            return said, time.monotonic() - started, seen


async def _fetched(on: Standing, path: str) -> tuple[list[str], float]:
    """The lines of a file, and the seconds to its last byte."""
    started = time.monotonic()
    async with on.client.get(path, params={"teamId": on.team}) as answer:
        assert answer.status == 200, await answer.text()
        text = await answer.text()
    return text.splitlines(), time.monotonic() - started


def _expected(made: Made) -> tuple[int, int, int]:
    return made.good, made.repeated, made.garbage


def _counted(said: Any) -> tuple[int, int, int]:
    return said["imported"], said["skipped"] + said["updated"], said["failed"]


async def _campaign(on: Standing) -> str:
    voice = {"teamId": on.team, "name": "Voice", "adapter": "simulated", "outboundEnabled": True}
    assistant = (await on.post("/api/crm/assistants", voice))["assistant"]["id"]
    line = {"teamId": on.team, "phoneNumber": "+12025550100", "assistantId": assistant, "adapter": "simulated"}
    number = (await on.post("/api/crm/phone-numbers", line))["phone_number"]["id"]
    wanted = {"teamId": on.team, "assistantId": assistant, "fromNumberIds": [number], "name": "Bench"}
    campaign: str = (await on.post("/api/crm/campaigns", wanted))["campaign"]["id"]
    return campaign
