"""Contacts in campaigns as people see and change them: enrolling, listing, removing.

Set-based throughout: enrolling a hundred thousand contacts moves none of them through this process. Rows in, rows out; the one
decision made here is the one that would need every contact read elsewhere: who is enrolled as skipped, and why. Whoever enrols
or removes holds the campaign's lock.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from dialer.domain.cursor import After
from dialer.store.callable_numbers import OF_NEWCOMERS
from dialer.store.rows import Row, all_rows, one_row, row_or_none
from dialer.store.transaction import Transaction
from dialer.store.written import written


@dataclass(frozen=True, slots=True)
class Audience:
    """Contacts chosen by what they are. Every filter that is set must hold; of several tags, all."""

    company: str | None = None
    search: str | None = None
    lead_status: str | None = None
    tags: tuple[str, ...] = ()
    has_phone_only: bool = True
    exclude_dnc: bool = True
    most: int = 50_000


PEOPLE = "c.id, c.team_id, c.phone, c.phone_secondary, c.do_not_call, c.place_set_id, c.second_place_set_id"
THESE = f"""
    select {PEOPLE}, a.turn from unnest(cast(:ids as text[])) with ordinality as a(id, turn)
      join contacts c on c.id = a.id where c.team_id = :team and c.deleted_at is null
    order by c.created_at, c.id for key share of c"""

FILTERS = {
    "company": "c.company_id = :company",
    "search": "c.searched like any (search_patterns(:search))",
    "lead_status": "c.lead_status = :lead_status",
    "tags": "c.tags @> cast(:tags as text[])",
    "has_phone_only": """(c.phone is not null or (c.second_place_set_id is not null
      and (select x.settings -> 'use_secondary_phone' = 'true' from campaigns x where x.id = :campaign)))""",
    "exclude_dnc": "not c.do_not_call",
}

# The people are locked as the foreign key would lock them anyway, only earlier: who is deleted, or given another number or zone,
# at the same moment is read as he is afterwards, or is there no more. Oldest contact first, as an import locks them.
#
# A number that is suppressed for a while is put off until then. Enrolled a microsecond apart, so that among equals whoever
# came first is called first; `n` is how many there can be.
ENROL = f"""
with people as materialized ({{people}}), judged as (
  select p.*, n.number, n.place, n.until, :now + (p.turn - :n) * interval '1 microsecond' as at,
         case when p.do_not_call then 'do_not_call' when n.number is null then 'no_phone'
              when n.until = 'infinity' then 'suppressed' end as why
  from (select id, kind, settings from campaigns where id = :campaign) c cross join people p {OF_NEWCOMERS}
), born as (
  insert into campaign_contacts (campaign_id, team_id, contact_id, status, priority, outcome, reason, to_number, place_set_id,
      created_at, next_attempt_at, completed_at)
    select :campaign, team_id, id, case when why is null then 'pending' else 'skipped' end, cast(:priority as smallint),
           case when why = 'no_phone' then 'invalid_number' when why is not null then 'do_not_call' end,
           coalesce(why, case when until is not null then 'suppressed' end), number, coalesce(place, place_set_id),
           at, greatest(at, case when why is null then until end), case when why is not null then :now end
    from judged order by turn
  on conflict (campaign_id, contact_id) do nothing
  returning status
)
select status, count(*) as n from born group by status
"""


async def enrol_these(
    on: Transaction, campaign: str, team: str, ids: Sequence[str], priority: int, now: datetime
) -> dict[str, int]:
    """Enrol the team's contacts among `ids` (no id twice), in that order; how many were born with which status. Foreign ids and
    contacts that are in the campaign already are passed over."""
    return await _enrol(on, campaign, THESE, priority, now, {"team": team, "ids": list(ids), "n": len(ids)})


async def enrol_audience(
    on: Transaction, campaign: str, team: str, audience: Audience, priority: int, now: datetime
) -> dict[str, int]:
    """Enrol whoever matches and is not in the campaign yet, oldest contact first, `audience.most` at the most."""
    given = {
        "company": audience.company,
        "search": audience.search,
        "lead_status": audience.lead_status,
        "tags": list(audience.tags),
        "has_phone_only": audience.has_phone_only,
        "exclude_dnc": audience.exclude_dnc,
    }
    wanted = {name: value for name, value in given.items() if value}
    people = f"""
    select p.*, row_number() over (order by p.created_at, p.id) as turn from (
    select {PEOPLE}, c.created_at from contacts c
    where c.team_id = :team and c.deleted_at is null {"".join(f" and {FILTERS[name]}" for name in wanted)}
      and not exists (select from campaign_contacts t where t.campaign_id = :campaign and t.contact_id = c.id)
    order by c.created_at, c.id limit :n for key share of c) p"""
    values = {name: value for name, value in wanted.items() if f":{name}" in people}
    return await _enrol(on, campaign, people, priority, now, values | {"team": team, "n": audience.most})


async def _enrol(
    on: Transaction, campaign: str, people: str, priority: int, now: datetime, values: Mapping[str, Any]
) -> dict[str, int]:
    await on.execute(written("set local work_mem = '64MB'"))  # sorting a hundred thousand on disk costs a tenth more
    statement = written(ENROL.format(people=people))
    born = await on.execute(statement, {"campaign": campaign, "priority": priority, "now": now, **values})
    return {row.status: row.n for row in born}


async def strangers(on: Transaction, team: str, ids: Collection[str]) -> list[str]:
    """Those of these ids that are no contact of the team, in their order."""
    statement = written("""
        select a.id from unnest(cast(:ids as text[])) with ordinality as a(id, place)
        where not exists (select from contacts c where c.id = a.id and c.team_id = :team and c.deleted_at is null)
        order by a.place""")
    return list((await on.execute(statement, {"ids": list(ids), "team": team})).scalars())


async def of_contact(on: Transaction, campaign: str, contact: str) -> Row:
    """The enrolment of a contact that is in the campaign: `id` and `status`."""
    statement = written("select id, status from campaign_contacts where campaign_id = :campaign and contact_id = :contact")
    return one_row(await on.execute(statement, {"campaign": campaign, "contact": contact}))


COLUMNS = """
    t.id, t.status, t.priority, t.attempts, t.outcome, t.to_number, t.last_attempt_at, t.next_attempt_at, t.completed_at,
    t.created_at, case when t.completed_at is null then t.callback_at end as callback_at, p.id as contact_id,
    p.first_name, p.last_name, p.phone, p.email, p.timezone, p.do_not_call"""


MEMBERS = f"""
    select {COLUMNS} from campaign_contacts t join contacts p on p.id = t.contact_id
    where t.campaign_id = :campaign {{where}}
    order by t.priority desc, t.created_at, t.id limit :limit"""


async def listing(
    on: Transaction,
    campaign: str,
    *,
    status: str | None,
    outcome: str | None,
    limit: int,
    offset: int,
    after: After | None = None,
) -> list[Row]:
    """One page: priority descending, then in the order of enrolment. What comes after a place is read in two goes, its own
    priority and the lower ones, each from where it begins in the index."""
    filters = {name: value for name, value in {"status": status, "outcome": outcome}.items() if value is not None}
    chosen = "".join(f"and t.{name} = :{name} " for name in filters)
    values = {"campaign": campaign, "limit": limit, **filters}
    if after is None:
        found = await on.execute(written(MEMBERS.format(where=chosen) + " offset :offset"), values | {"offset": offset})
        return all_rows(found)
    priority, since, last = after
    behind = MEMBERS.format(where=chosen + "and t.priority = :priority and (t.created_at, t.id) > (:since, :last)")
    rows = all_rows(await on.execute(written(behind), values | {"priority": priority, "since": since, "last": last}))
    lower = MEMBERS.format(where=chosen + "and t.priority < :priority")
    if len(rows) < limit:
        rows += all_rows(await on.execute(written(lower), values | {"priority": priority, "limit": limit - len(rows)}))
    return rows


async def next_pending(on: Transaction, campaign: str, limit: int) -> list[Row]:
    """Who is called next: priority descending, then next attempt. The heads of the lanes, so that no long queue is sorted."""
    statement = written(f"""
        select {COLUMNS} from (
          select head.id from lanes l cross join lateral (
            select c.id, c.next_attempt_at from campaign_contacts c
            where c.campaign_id = l.campaign_id and c.place_set_id = l.place_set_id and c.priority = l.priority
              and c.waiting
            order by c.next_attempt_at, c.id limit :limit) head
          where l.campaign_id = :campaign and l.pending > 0
          order by l.priority desc, head.next_attempt_at, head.id limit :limit) first
        join campaign_contacts t using (id) join contacts p on p.id = t.contact_id
        order by t.priority desc, t.next_attempt_at, t.id""")
    return all_rows(await on.execute(statement, {"campaign": campaign, "limit": limit}))


async def in_flight(on: Transaction, campaign: str, limit: int) -> list[Row]:
    """Who is being called, the longest first, with the attempt's `call_id`, `state` and `from_number`."""
    statement = written(f"""
        select {COLUMNS}, a.id as call_id, a.state, a.from_number
        from call_attempts a join campaign_contacts t on t.id = a.campaign_contact_id join contacts p on p.id = t.contact_id
        where a.ended_at is null and a.campaign_id = :campaign order by a.id limit :limit""")
    return all_rows(await on.execute(statement, {"campaign": campaign, "limit": limit}))


async def one(on: Transaction, campaign: str, who: str) -> Row | None:
    """An enrolment by its own id or its contact's."""
    statement = written("""
        select id, contact_id, status, outcome, reason, attempts, next_attempt_at from campaign_contacts
        where campaign_id = :campaign and (id = :who or contact_id = :who)""")
    return row_or_none(await on.execute(statement, {"campaign": campaign, "who": who}))


async def tallies(on: Transaction, campaign: str) -> list[Row]:
    """What the campaign's contacts are, grouped: `status`, `outcome` (or empty), `called`, `n`."""
    statement = written("select status, outcome, called, n from campaign_tallies where campaign_id = :campaign and n > 0")
    return all_rows(await on.execute(statement, {"campaign": campaign}))


async def exhaust(on: Transaction, campaign: str, most: int, by_outcome: Mapping[str, int], now: datetime) -> int:
    """Contacts that wait for another attempt, not for a callback, and have used up `most`, or what `by_outcome` allows after
    their last outcome, are failed; how many. Whoever calls holds the campaign's lock."""
    statement = written("""
        update campaign_contacts t set status = 'failed', reason = 'attempts_exhausted', completed_at = :now
        where t.campaign_id = :campaign and t.waiting and t.attempts > 0 and t.callback_at is null
          and t.attempts >= least(:most, (cast(:by_outcome as jsonb) ->> t.outcome)::int)""")
    values = {"campaign": campaign, "most": most, "by_outcome": json.dumps(dict(by_outcome)), "now": now}
    return (await on.execute(statement, values)).rowcount


async def remove(on: Transaction, campaign: str, contacts: Collection[str], now: datetime) -> int:
    """Take contacts out that wait or were skipped, once what was queued for them is taken back; how many. One that was called
    before keeps its calls and therefore its row, as skipped."""
    values = {"campaign": campaign, "contacts": list(contacts), "now": now}
    waiting = "t.campaign_id = :campaign and t.contact_id = any(:contacts) and t.status in ('pending', 'skipped')"
    deleted = written(f"delete from campaign_contacts t where {waiting} and t.attempt_seq = 0")
    kept = written(f"""
        update campaign_contacts t
        set status = 'skipped', reason = 'removed', completed_at = coalesce(t.completed_at, cast(:now as timestamptz))
        where {waiting} and t.attempt_seq > 0 and (t.status, t.reason) is distinct from ('skipped', 'removed')""")
    gone = (await on.execute(deleted, {k: v for k, v in values.items() if k != "now"})).rowcount
    return gone + (await on.execute(kept, values)).rowcount
