"""A file of contacts on its way into the ledger, in one transaction.

A batch is copied into a temporary table, judged by one statement and becomes contacts by another. Rows of contacts that exist
already, and rows without a number, wait in temporary tables until the end: no contact is locked while the file is being read.
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


class Rejected(NamedTuple):
    """A row that is not imported, as it is copied. `field` as requests spell it."""

    row_number: int
    field: str
    message: str
    cells: list[str]


class Staged(NamedTuple):
    """A row as it is copied; None = empty or not in the file. `custom_fields` and `tags` are JSON, `place` is the number that
    the file's reader gave to the place set, `second_place` the same for the second phone."""

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
    place: int
    second_place: int | None


PIECE: Final = 512 * 1024
"""Bytes that are handed to the driver at once."""

PLAIN: Final = (
    "email", "phone_secondary", "job_title", "region", "source", "timezone", "preferred_contact_method", "notes",
)  # fmt: skip

BEGIN: Final = (
    "set local statement_timeout = 0",
    "set local idle_in_transaction_session_timeout = '60s'",
    # The trigrams of fifteen thousand contacts go into their index together: each of its pages is touched a fifth as often.
    "set local gin_pending_list_limit = '16MB'",
    "set local work_mem = '64MB'",
    """create temporary table staged (
      row integer, first_name text, last_name text, email text, phone text, phone_secondary text, job_title text, region text,
      lead_status text, source text, timezone text, preferred_contact_method text, do_not_call boolean, notes text,
      custom_fields text, tags text, company text, place_source text, place integer, second_place integer)
      on commit drop""",
    "create temporary table nameless (like staged) on commit drop",
    "create temporary table rejected (row_number integer, field text, message text, cells text[]) on commit drop",
    "create temporary table places (place integer, place_set_id integer) on commit drop",
    "create temporary table judged (row integer, contact_id text, company_id text, born boolean) on commit drop",
    "create temporary table repeated (like staged, place_set_id integer, contact_id text, company_id text) on commit drop",
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


async def _copy(on: Transaction, table: str, columns: Sequence[str], text: bytes) -> None:
    """Copy lines in the text format, where an empty cell is NULL, into an empty temporary table."""
    await on.execute(written(f"truncate {table}"))
    driver: Any = (await on.get_raw_connection()).driver_connection
    await driver.copy_to_table(table, source=_pieces(text), columns=columns, format="text", null="")


async def _pieces(text: bytes) -> AsyncIterator[bytes]:
    """Not a file: for each of those the driver makes a class, a circle that holds it until a collection, which comes rarely."""
    for at in range(0, len(text), PIECE):
        yield text[at : at + PIECE]


async def reject(on: Transaction, batch: str, text: bytes) -> None:
    """Keep rows that were not imported, copied in the order of `Rejected`."""
    # By way of a temporary table, since Postgres copies into no table that has row-level security.
    await _copy(on, "rejected", Rejected._fields, text)
    keep = "insert into import_rejects (batch_id, row_number, field, message, cells) select :batch, r.* from rejected r"
    await on.execute(written(keep), {"batch": batch})


# Not min(id): that could make the planner walk a whole index of the wrong order. An id for each row costs less than joining those
# that were born back to their rows.
_JUDGE = """
with named as (
  select s.row, {match} as match, k.id as company_id, new_id('cont') as id, {key} as key
  from {source} s {join} left join companies k on k.team_id = :team and lower(k.name) = lower(s.company)
  where {condition}
), ranked as (
  select *, row_number() over same as turn, first_value(id) over same as first
  from named window same as (partition by key order by row)
), told as (
  insert into judged (row, contact_id, company_id, born)
    select row, coalesce(match, first), company_id, match is null and turn = 1 from ranked
  returning born
)
select count(*) filter (where born) as born, count(*) filter (where not born) as repeated from told
"""
_PERSON = "lower({0}.first_name), lower({0}.last_name), lower(coalesce({0}.email, ''))"
NUMBERED: Final = _JUDGE.format(
    source="staged",
    key="s.phone",
    match="""(
      select (array_agg(c.id order by c.created_at, c.id))[1] from contacts c where c.team_id = :team and c.phone = s.phone)""",
    join="",
    condition="s.phone is not null",
)
NAMELESS: Final = _JUDGE.format(
    source="nameless",
    key=f"({_PERSON.format('s')})",
    match="p.id",
    join=f"""left join (
      select distinct on ({_PERSON.format("c")}) * from contacts c
      where c.team_id = :team and c.phone is null and c.deleted_at is null order by {_PERSON.format("c")}, c.created_at, c.id) p
    on ({_PERSON.format("p")}) = ({_PERSON.format("s")})""",
    condition="true",
)
BORN: Final = f"""
insert into contacts (id, team_id, company_id, first_name, last_name, phone, {", ".join(PLAIN)}, lead_status, do_not_call,
    custom_fields, tags, place_set_id, second_place_set_id, place_source, created_at, updated_at)
  select contact_id, :team, coalesce(company_id, :company), first_name, last_name, phone, {", ".join(PLAIN)},
         coalesce(lead_status, 'new'), coalesce(do_not_call, false), coalesce(custom_fields::jsonb, '{{{{}}}}'),
         case when tags is null then '{{{{}}}}' else array(select jsonb_array_elements_text(tags::jsonb)) end,
         places.place_set_id, seconds.place_set_id, place_source, now() + row * interval '1 microsecond', now()
  from {{source}} join judged using (row) join places using (place) left join places seconds on seconds.place = second_place
  where born order by row
"""
KEPT: Final = f"""
insert into repeated ({", ".join(Staged._fields)}, place_set_id, contact_id, company_id)
  select {", ".join(f"s.{name}" for name in Staged._fields)}, place_set_id, contact_id, company_id
  from {{source}} s join judged using (row) join places using (place)
  where not born
"""
COMPANIES: Final = """
insert into companies (team_id, name)
  select distinct on (lower(company)) :team, company from staged where company is not null order by lower(company), row
on conflict do nothing
"""


async def know_places(on: Transaction, places: Mapping[int, int]) -> None:
    """What the reader's numbers of place sets stand for: number → id."""
    sql = "insert into places (place, place_set_id) select * from unnest(cast(:places as integer[]), cast(:ids as integer[]))"
    await on.execute(written(sql), {"places": list(places), "ids": list(places.values())})


async def stage(on: Transaction, text: bytes) -> None:
    """Copy a batch, in the order of `Staged`."""
    await _copy(on, "staged", Staged._fields, text)


async def add_companies(on: Transaction, team_id: str) -> None:
    """Make the companies of the staged rows that the team has not."""
    await on.execute(written(COMPANIES), {"team": team_id})


async def add_staged(on: Transaction, team_id: str, company_id: str | None, *, keep: bool) -> tuple[int, int]:
    """Contacts of the staged rows with a new number; how many there were and how many repeated one. `company_id` is for rows
    without a company; `keep` the repeated ones for `settle`."""
    await on.execute(written("insert into nameless select * from staged where phone is null"))
    return await _added(on, NUMBERED, "staged", team_id, company_id, keep)


async def add_nameless(on: Transaction, team_id: str, company_id: str | None, *, keep: bool) -> tuple[int, int]:
    """The same for all rows without a number, known again by names and email; once, at the end."""
    return await _added(on, NAMELESS, "nameless", team_id, company_id, keep)


async def _added(on: Transaction, judge: str, source: str, team_id: str, company_id: str | None, keep: bool) -> tuple[int, int]:
    await on.execute(written("truncate judged"))
    # Planned for each batch: a plan made while the team had no contacts would look through all of them for every row.
    await on.execute(written("set local plan_cache_mode = force_custom_plan"))
    counted = (await on.execute(written(judge), {"team": team_id})).one()
    # Not for what follows: it would plan the check of each foreign key anew for every row, which takes longer than all the rest.
    await on.execute(written("set local plan_cache_mode = auto"))
    if counted.born:
        await on.execute(written(BORN.format(source=source)), {"team": team_id, "company": company_id})
    if counted.repeated and keep:
        await on.execute(written(KEPT.format(source=source)))
    return counted.born, counted.repeated


# Which rows may stop a contact's calls or move it elsewhere.
_STIRRING: Final = {
    False: "(r.timezone is not null or r.region is not null or r.phone_secondary is not null or r.do_not_call)",
    True: "true",
}


async def stirred_wait_in(on: Transaction, *, replace: bool) -> list[str]:
    """The unfinished campaigns in which contacts wait that `settle` may stop or move."""
    sql = f"""select distinct t.campaign_id from repeated r join campaign_contacts t on t.contact_id = r.contact_id
        join campaigns c on c.id = t.campaign_id
      where t.status in ('pending', 'queued') and c.status not in ('completed', 'cancelled') and {_STIRRING[replace]}"""
    return list((await on.execute(written(sql))).scalars())


async def lock_stirred(on: Transaction, *, replace: bool) -> None:
    """Hold the contacts that `settle` may stop or move, in the order of an enrolment, which locks many too."""
    sql = f"""select count(*) from (
      select from contacts c where c.id in (select r.contact_id from repeated r where {_STIRRING[replace]})
      order by c.created_at, c.id for update) held"""
    await on.execute(written(sql))


def _last(column: str, where: str | None = None) -> str:
    return f"(array_agg({column} order by row desc) filter (where {where or column} is not null))[1] as {column}"


_TEXTS = ("company_id", "first_name", "last_name", *PLAIN, "lead_status")
_TAGS = "array(select jsonb_array_elements_text(r.tags::jsonb))"
UPDATE: Final = f"""
with given as (
  select contact_id, max(phone) as phone, bool_or(do_not_call) as do_not_call, {", ".join(map(_last, (*_TEXTS, "tags")))}
  from repeated group by contact_id
), custom as (
  select contact_id, jsonb_object_agg(e.key, e.value order by row) as fields
  from repeated, jsonb_each(custom_fields::jsonb) e group by contact_id
)
update contacts c
  set {", ".join(f"{name} = coalesce(r.{name}, c.{name})" for name in _TEXTS)},
      do_not_call = c.do_not_call or coalesce(r.do_not_call, false),
      custom_fields = c.custom_fields || coalesce(x.fields, '{{}}'),
      tags = case when r.tags is null then c.tags else {_TAGS} end, updated_at = :now
  from given r join contacts o on o.id = r.contact_id left join custom x on x.contact_id = r.contact_id
  where c.id = r.contact_id and c.phone is not distinct from r.phone
  returning c.id, c.do_not_call and not o.do_not_call as stops,
    c.place_set_id <> o.place_set_id or c.phone_secondary is distinct from o.phone_secondary as moves
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
  where c.id = r.contact_id and c.phone is not distinct from r.phone
  returning c.id, c.do_not_call and not o.do_not_call as stops,
    c.place_set_id <> o.place_set_id or c.phone_secondary is distinct from o.phone_secondary as moves
"""


async def settle(on: Transaction, company_id: str | None, now: datetime, *, replace: bool) -> tuple[list[str], list[str]]:
    """Change the contacts that were repeated: those that are not to be called any more, and those that are now elsewhere. Whoever
    was given another number since the file was read is not the one it speaks of, and is left alone."""
    values: dict[str, Any] = {"now": now} | ({"company": company_id} if replace else {})
    changed = (await on.execute(written(REPLACE if replace else UPDATE), values)).all()
    return [row.id for row in changed if row.stops], [row.id for row in changed if row.moves]


async def told_places(on: Transaction, after: str, limit: int) -> list[Row]:
    """Contacts that were repeated with a time zone, a region or a second number, as they are now, from `after` on: for
    `relocate`."""
    sql = """
      select c.id, c.timezone, c.region, c.phone, c.phone_secondary, c.place_set_id, c.second_place_set_id from contacts c
      where c.id in (
          select r.contact_id from repeated r
          where r.timezone is not null or r.region is not null or r.phone_secondary is not null) and c.id > :after
      order by c.id limit :limit"""
    return all_rows(await on.execute(written(sql), {"after": after, "limit": limit}))


async def finish(on: Transaction, batch: str, counts: Mapping[str, int]) -> None:
    await on.execute(update(import_batches).where(import_batches.c.id == batch).values(**counts))
    await on.execute(written("select contact_search_settled()"))


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
