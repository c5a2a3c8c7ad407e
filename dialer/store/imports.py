"""A file of contacts on its way into the ledger, in one transaction.

A batch is copied into a temporary table and becomes contacts by one statement. Rows of contacts that exist already, and rows
without a number, wait in temporary tables until the end: no contact is locked while the file is still being read.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

from sqlalchemy import insert, select, update

from dialer.store.rows import Row, all_rows, row_or_none
from dialer.store.tables import import_batches, import_rejects
from dialer.store.transaction import Transaction
from dialer.store.written import written


class Staged(NamedTuple):
    """A row as it is copied; None = empty or not in the file. `custom_fields` and `tags` are JSON."""

    row: int
    first_name: str
    last_name: str
    email: str | None
    phone: str | None
    phone_secondary: str | None
    job_title: str | None
    region: str | None
    lead_status: str | None
    source: str | None
    timezone: str | None
    preferred_contact_method: str | None
    do_not_call: bool | None
    notes: str | None
    custom_fields: str | None
    tags: str | None
    company: str | None
    place_source: str


PLAIN: Final = (
    "email", "phone_secondary", "job_title", "region", "source", "timezone", "preferred_contact_method", "notes",
)  # fmt: skip
COLUMNS: Final = (*Staged._fields, "place_set_id")

BEGIN: Final = (
    "set local statement_timeout = 0",
    "set local idle_in_transaction_session_timeout = '60s'",
    "set local plan_cache_mode = force_custom_plan",
    """create temporary table staged (
      row integer, first_name text, last_name text, email text, phone text, phone_secondary text, job_title text, region text,
      lead_status text, source text, timezone text, preferred_contact_method text, do_not_call boolean, notes text,
      custom_fields text, tags text, company text, place_source text, place_set_id integer) on commit drop""",
    "create temporary table nameless (like staged) on commit drop",
    "create temporary table rejected (row_number integer, field text, message text, cells text[]) on commit drop",
    "create temporary table repeated (like staged, contact_id text, company_id text) on commit drop",
)


async def begin(on: Transaction, team_id: str, file_name: str, header: Sequence[str]) -> str | None:
    """The id of the new batch; None while another import of the team is under way."""
    held = written("select pg_try_advisory_xact_lock(hashtextextended('import:' || :team, 0))")
    if not await on.scalar(held, {"team": team_id}):
        return None
    for statement in BEGIN:
        await on.execute(written(statement))
    zero = dict.fromkeys(("imported", "updated", "skipped", "failed", "total"), 0)
    values = {"team_id": team_id, "file_name": file_name, "header": list(header), **zero}
    batch: str = (await on.execute(insert(import_batches).values(values).returning(import_batches.c.id))).scalar_one()
    return batch


async def _copy(on: Transaction, table: str, columns: Sequence[str], records: Sequence[Sequence[Any]]) -> None:
    driver: Any = (await on.get_raw_connection()).driver_connection
    await driver.copy_records_to_table(table, columns=columns, records=records)


async def reject(on: Transaction, batch: str, rows: Sequence[tuple[int, str, str, list[str]]]) -> None:
    """Keep rows that were not imported: row, field, message, cells."""
    # Postgres copies into no table that has row-level security.
    await _copy(on, "rejected", ("row_number", "field", "message", "cells"), rows)
    keep = "insert into import_rejects (batch_id, row_number, field, message, cells) select :batch, r.* from rejected r"
    await on.execute(written(keep), {"batch": batch})
    await on.execute(written("truncate rejected"))


_INSERT = f"""
with ranked as (
  select s.*, {{match}} as match, k.id as company_id, row_number() over (partition by {{key}} order by s.row) as turn
  from {{source}} s {{join}} left join companies k on k.team_id = :team and lower(k.name) = lower(s.company)
  where {{condition}}
), born as (
  insert into contacts (team_id, company_id, first_name, last_name, phone, {", ".join(PLAIN)}, lead_status, do_not_call,
      custom_fields, tags, place_set_id, place_source, created_at, updated_at)
    select :team, coalesce(company_id, :company), first_name, last_name, phone, {", ".join(PLAIN)}, coalesce(lead_status, 'new'),
           coalesce(do_not_call, false), coalesce(custom_fields::jsonb, '{{{{}}}}'),
           array(select jsonb_array_elements_text(coalesce(tags, '[]')::jsonb)), place_set_id, place_source,
           now() + row * interval '1 microsecond', now()
    from ranked where turn = 1 and match is null order by row
  returning id, phone, first_name, last_name, email
), kept as (
  insert into repeated ({", ".join(COLUMNS)}, contact_id, company_id)
    select {", ".join(f"r.{name}" for name in COLUMNS)}, coalesce(r.match, b.id), r.company_id
    from ranked r left join born b on {{same}} where :keep and (r.turn > 1 or r.match is not null)
)
select count(*) filter (where turn = 1 and match is null) as born,
       count(*) filter (where turn > 1 or match is not null) as repeated
from ranked
"""
_PERSON = "lower({0}.first_name), lower({0}.last_name), lower(coalesce({0}.email, ''))"
# Not min(id): that could make the planner walk a whole index of the wrong order.
NUMBERED: Final = _INSERT.format(
    source="staged",
    key="s.phone",
    match="""(
      select (array_agg(c.id order by c.created_at, c.id))[1] from contacts c where c.team_id = :team and c.phone = s.phone)""",
    join="",
    condition="s.phone is not null",
    same="b.phone = r.phone",
)
NAMELESS: Final = _INSERT.format(
    source="nameless",
    key=_PERSON.format("s"),
    match="p.id",
    join=f"""left join (
      select distinct on ({_PERSON.format("c")}) * from contacts c
      where c.team_id = :team and c.phone is null and c.deleted_at is null order by {_PERSON.format("c")}, c.created_at, c.id) p
    on ({_PERSON.format("p")}) = ({_PERSON.format("s")})""",
    condition="true",
    same=f"({_PERSON.format('b')}) = ({_PERSON.format('r')})",
)
COMPANIES: Final = """
insert into companies (team_id, name)
  select distinct on (lower(company)) :team, company from staged where company is not null order by lower(company), row
on conflict do nothing
"""


async def stage(on: Transaction, rows: Sequence[tuple[Any, ...]]) -> None:
    """Copy a batch, in the order of `COLUMNS`."""
    await on.execute(written("truncate staged"))
    await _copy(on, "staged", COLUMNS, rows)


async def add_companies(on: Transaction, team_id: str) -> None:
    """Make the companies of the staged rows that the team has not."""
    await on.execute(written(COMPANIES), {"team": team_id})


async def add_staged(on: Transaction, team_id: str, company_id: str | None, *, keep: bool) -> tuple[int, int]:
    """Contacts of the staged rows with a new number; how many there were and how many repeated one. `company_id` is for rows
    without a company; `keep` the repeated ones for `settle`."""
    await on.execute(written("insert into nameless select * from staged where phone is null"))
    return await _counts(on, NUMBERED, team_id, company_id, keep)


async def add_nameless(on: Transaction, team_id: str, company_id: str | None, *, keep: bool) -> tuple[int, int]:
    """The same for all rows without a number, known again by names and email; once, at the end."""
    return await _counts(on, NAMELESS, team_id, company_id, keep)


async def _counts(on: Transaction, sql: str, team_id: str, company_id: str | None, keep: bool) -> tuple[int, int]:
    row = (await on.execute(written(sql), {"team": team_id, "company": company_id, "keep": keep})).one()
    return row.born, row.repeated


async def repeated_waiting(on: Transaction) -> list[str]:
    """Contacts that are to change and wait in some campaign."""
    sql = """select distinct r.contact_id from repeated r join campaign_contacts t on t.contact_id = r.contact_id
      where t.status in ('pending', 'queued')"""
    return list((await on.execute(written(sql))).scalars())


def _last(column: str, where: str | None = None) -> str:
    return f"(array_agg({column} order by row desc) filter (where {where or column} is not null))[1] as {column}"


_TEXTS = ("company_id", "first_name", "last_name", *PLAIN, "lead_status")
_TAGS = "array(select jsonb_array_elements_text(r.tags::jsonb))"
UPDATE: Final = f"""
with given as (
  select contact_id, bool_or(do_not_call) as do_not_call, {", ".join(map(_last, (*_TEXTS, "tags")))},
         {_last("place_set_id", "timezone")}, {_last("place_source", "timezone")}
  from repeated group by contact_id
), custom as (
  select contact_id, jsonb_object_agg(e.key, e.value order by row) as fields
  from repeated, jsonb_each(custom_fields::jsonb) e group by contact_id
)
update contacts c
  set {", ".join(f"{name} = coalesce(r.{name}, c.{name})" for name in (*_TEXTS, "place_set_id", "place_source"))},
      do_not_call = c.do_not_call or coalesce(r.do_not_call, false),
      custom_fields = c.custom_fields || coalesce(x.fields, '{{}}'),
      tags = case when r.tags is null then c.tags else {_TAGS} end, updated_at = :now
  from given r join contacts o on o.id = r.contact_id left join custom x on x.contact_id = r.contact_id
  where c.id = r.contact_id
  returning c.id, c.do_not_call and not o.do_not_call as stops, c.place_set_id <> o.place_set_id as moves
"""
REPLACE: Final = f"""
with given as (
  select distinct on (contact_id) *, bool_or(do_not_call) over (partition by contact_id) as stop
  from repeated order by contact_id, row desc
)
update contacts c
  set {", ".join(f"{name} = r.{name}" for name in ("first_name", "last_name", *PLAIN, "place_set_id", "place_source"))},
      company_id = coalesce(r.company_id, :company), lead_status = coalesce(r.lead_status, 'new'),
      do_not_call = c.do_not_call or coalesce(r.stop, false), custom_fields = coalesce(r.custom_fields::jsonb, '{{}}'),
      tags = case when r.tags is null then '{{}}' else {_TAGS} end, updated_at = :now
  from given r join contacts o on o.id = r.contact_id
  where c.id = r.contact_id
  returning c.id, c.do_not_call and not o.do_not_call as stops, c.place_set_id <> o.place_set_id as moves
"""


async def settle(on: Transaction, company_id: str | None, now: datetime, *, replace: bool) -> tuple[list[str], list[str]]:
    """Change the contacts that were repeated: those that are not to be called any more, and those that are now elsewhere."""
    values: dict[str, Any] = {"now": now} | ({"company": company_id} if replace else {})
    changed = (await on.execute(written(REPLACE if replace else UPDATE), values)).all()
    return [row.id for row in changed if row.stops], [row.id for row in changed if row.moves]


async def finish(on: Transaction, batch: str, counts: Mapping[str, int]) -> None:
    await on.execute(update(import_batches).where(import_batches.c.id == batch).values(**counts))


async def find_batch(on: Transaction, team_id: str, batch: str) -> Row | None:
    wanted = select(import_batches).where(import_batches.c.id == batch, import_batches.c.team_id == team_id)
    return row_or_none(await on.execute(wanted))


async def rejects(on: Transaction, batch: str, *, page: int = 1000) -> AsyncIterator[Row]:
    """The rejected rows in the order of the file, read page by page."""
    r, after = import_rejects.c, 0
    while True:
        wanted = select(import_rejects).where(r.batch_id == batch, r.row_number > after).order_by(r.row_number).limit(page)
        rows = all_rows(await on.execute(wanted))
        for row in rows:
            yield row
        if len(rows) < page:
            return
        after = rows[-1]["row_number"]
