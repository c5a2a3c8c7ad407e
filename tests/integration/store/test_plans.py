"""The hot statements find their rows by an index, whatever the tables looked like when they were planned."""

from __future__ import annotations

import re
from itertools import pairwise

import pytest
from sqlalchemy import text

from dialer.store import contacts
from dialer.store.database import Database
from dialer.store.statements import names, statement
from dialer.store.transaction import transaction, within
from tests.support.ledger import seed

WIDE = {"recount_scopes", "recount_tallies"}
"""Once a minute, and planned for what is there."""


async def _plan(database: Database, sql: str) -> str:
    async with database.pool.acquire() as connection:
        prepared = await connection.prepare(sql)
        nulls = ", ".join("null" for _ in prepared.get_parameters())
        planned = f"explain execute {prepared.get_name()}" + (f" ({nulls})" if nulls else "")
        return "\n".join(row[0] for row in await connection.fetch(planned))


LIVE = (
    "campaigns_active",
    "campaigns_expiring",
    "campaigns_ending",
    "call_attempts_live",
    "one_live_attempt_per_",
    "callback_asks_open",
    "opt_outs_open",
    "extractions_open",
    "transcripts_due",
    "campaign_contacts_callbacks",
    "storms_pkey",
)
"""Indexes of what goes on at this moment, which may be read from end to end."""

LOOK_UPS = {
    "claim", "hold", "calls_counted", "peek", "place", "turn", "advance", "standing", "accepted", "due", "quiet", "rest",
    "refusals", "newest_placed", "expiring", "expire", "ending", "end", "missed_callbacks", "callback_asks",
    "opt_outs", "opt_outs_withdrawn", "extractions", "extraction_contact", "extraction_tellings", "extraction_fields",
    "extraction_written", "extraction_judged", "note_storm", "stormed", "blame_trunk",
    "transcripts_due", "transcripts_expire", "transcript_told", "transcript_fields", "transcript_kept", "transcript_closed",
    "transcript_put_off", "transcripts_anew",
}  # fmt: skip


@pytest.mark.usefixtures("anew")
@pytest.mark.parametrize("name", sorted(LOOK_UPS))
async def test_no_statement_of_a_call_reads_an_index_from_end_to_end(database: Database, name: str) -> None:
    lines = (await _plan(database, statement(name))).splitlines()
    scans = [(line, below) for line, below in pairwise([*lines, ""]) if re.search(r"Index (Only )?Scan", line)]
    assert scans
    whole = [line for line, below in scans if "Index Cond" not in below]
    assert not [line for line in whole if not any(index in line for index in LIVE)], "\n".join(lines)


@pytest.mark.parametrize("name", [name for name in names() if name not in WIDE])
async def test_no_hot_statement_reads_a_table_whole(database: Database, name: str) -> None:
    assert "Seq Scan" not in await _plan(database, statement(name))


@pytest.mark.usefixtures("anew")
async def test_one_contact_is_one_row_also_of_a_table_without_statistics(database: Database) -> None:
    """As after the first import, which is when people look at what they imported."""
    where = await seed(database.pool, contacts=1)
    many = "insert into contacts (team_id, first_name, last_name, phone, place_set_id, place_source)"
    many += " select $1, 'A', 'B', '+1415' || (5550000 + n), 1, 'unknown' from generate_series(1, 20000) n"
    await database.pool.execute(many, where.team)
    someone = await database.pool.fetchrow("select id, phone from contacts where phone = '+14155550777'")
    assert someone is not None
    with within(where.team):
        async with transaction(database, "test") as on:
            assert await contacts.find(on, where.team, someone["id"])
            assert await contacts.lock(on, where.team, someone["id"])
            assert await contacts.with_number(on, where.team, someone["phone"])
            read = "select seq_tup_read + idx_tup_fetch from pg_stat_xact_user_tables where relname = 'contacts'"
            assert await on.scalar(text(read)) <= 3


async def test_the_guard_sees_a_table_that_is_read_whole(database: Database) -> None:
    assert "Seq Scan on history" in await _plan(database, "select * from history where reason = $1")
