"""What stands between campaigns' contacts and their calls: the readings behind the preflight. Rows out, no decisions."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from typing import Any, TypeAlias

from dialer.store import places
from dialer.store.claims import literal
from dialer.store.rows import Row, all_rows, one_row, row_or_none
from dialer.store.transaction import Transaction
from dialer.store.written import written
from scheduler.frequency import FrequencyCap

CapsByPlace: TypeAlias = Mapping[int, Collection[FrequencyCap]]
"""The frequency caps of those place sets that have any."""

CAPS = """
    left join unnest(cast(:capped as int[]), cast(:caps as text[])) as k(place_set_id, caps) on k.place_set_id = t.place_set_id"""
HELD = """
    case when k.caps is not null then
      held_until(cast(k.caps as integer[]), t.team_id, t.to_number, t.contact_id, :now) end"""
"""Until when the caps of its place, which `CAPS` joins, hold `t` back."""


def _columns(caps: CapsByPlace) -> dict[str, list[Any]]:
    return {"capped": list(caps), "caps": [literal(each) for each in caps.values()]}


async def of_campaign(on: Transaction, campaign: str) -> Row:
    """The campaign's row with `team_policy_packs`, `team_caps`, `trunk`, `outbound_enabled`, `budget`, `slots` and `slots_used`
    of its own semaphore, and `free`, the room of the scopes all its calls share, budgets left aside; below 0 where a cap was
    lowered; `most` is that room with no call under way. Null = unlimited."""
    statement = written("""
        select c.*, t.policy_packs as team_policy_packs, t.frequency_caps as team_caps,
               s.adapter as trunk, s.outbound_enabled, own.budget, own.cap as slots, own.active as slots_used, shared.*
        from campaigns c join teams t on t.id = c.team_id join assistants s on s.id = c.assistant_id
          join scopes own on own.key = 'campaign:' || c.id
          cross join lateral (
            select min(x.cap - x.active) as free, min(x.cap) as most from scopes x
            where x.key in
              ('assistant:' || s.id, 'campaign:' || c.id, 'fleet', 'team:' || c.team_id, 'trunk:' || s.adapter)) shared
        where c.id = :campaign""")
    return one_row(await on.execute(statement, {"campaign": campaign}))


async def fullest(on: Transaction, campaign: str) -> Row | None:
    """Of the semaphores that all calls of the campaign share, the one with the least room: `scope` (the word before its key's
    colon), `active` and `cap`. None where none is limited."""
    statement = written("""
        select split_part(x.key, ':', 1) as scope, x.active, x.cap
        from campaigns c join assistants s on s.id = c.assistant_id
          join scopes x on x.key in
            ('assistant:' || s.id, 'campaign:' || c.id, 'fleet', 'team:' || c.team_id, 'trunk:' || s.adapter)
        where c.id = :campaign and x.cap is not null order by x.cap - x.active, x.key limit 1""")
    return row_or_none(await on.execute(statement, {"campaign": campaign}))


async def of_numbers(on: Transaction, campaign: str, now: datetime) -> list[Row]:
    """Per active caller ID: until when it rests (`resting_until`, null = it does not), `today`, how many calls its day has left,
    `most`, its slots, and `free`, those that are. Null of these = unlimited."""
    statement = written("""
        select n.id, x.cap - x.active as free, x.cap as most,
               case when n.resting_until > cast(:now as timestamptz) then n.resting_until end as resting_until,
               x.day_limit
                 - case when x.day = (cast(:now as timestamptz) at time zone 'UTC')::date then x.day_used else 0 end as today
        from campaigns c
          join assistants s on s.id = c.assistant_id
          join phone_numbers n on n.id = any(c.from_number_ids) and n.status = 'active' and n.adapter = s.adapter
          join scopes x on x.key = 'number:' || n.id
        where c.id = :campaign""")
    return all_rows(await on.execute(statement, {"campaign": campaign, "now": now}))


async def of_contacts(on: Transaction, enrolments: Collection[str], now: datetime) -> list[Row]:
    """Per enrolment what concerns it alone. `suppressed_until` far beyond any date = for ever; `busy`: the person or the number
    is being called already."""
    statement = written(f"""
        select t.id, t.status, t.reason, t.contact_id, t.to_number, t.next_attempt_at, t.created_at, t.callback_at, p.do_not_call,
               {places.COLUMNS},
               (select max(coalesce(x.expires_at, 'infinity')) from suppressions x
                where x.phone_number = t.to_number and (x.expires_at is null or x.expires_at > :now)
                  and (x.scope = 'global' or (x.scope = 'team' and x.team_id = t.team_id) or x.campaign_id = t.campaign_id))
                 as suppressed_until,
               exists (
                 select from call_attempts a where a.ended_at is null and a.contact_id = t.contact_id)
               or exists (
                 select from call_attempts a where a.ended_at is null and a.team_id = t.team_id and a.to_number = t.to_number)
               or exists (
                 select from call_attempts a where a.ended_at is null and a.trunk = s.adapter and a.to_number = t.to_number)
               as busy
        from campaign_contacts t
          join contacts p on p.id = t.contact_id
          join place_sets z on z.id = t.place_set_id
          join campaigns c on c.id = t.campaign_id
          join assistants s on s.id = c.assistant_id
        where t.id = any(:enrolments)""")
    return all_rows(await on.execute(statement, {"enrolments": list(enrolments), "now": now}))


async def suppressions_of(on: Transaction, enrolment: str, now: datetime) -> list[Row]:
    """The entries that hold for the number of an enrolment: `id`, `scope`, `reason`, `source`, `expires_at`."""
    statement = written("""
        select x.id, x.scope, x.reason, x.source, x.expires_at
        from campaign_contacts t join suppressions x on x.phone_number = t.to_number
        where t.id = :enrolment and (x.expires_at is null or x.expires_at > :now)
          and (x.scope = 'global' or (x.scope = 'team' and x.team_id = t.team_id) or x.campaign_id = t.campaign_id)
        order by x.id""")
    return all_rows(await on.execute(statement, {"enrolment": enrolment, "now": now}))


async def heads(on: Transaction, campaign: str) -> list[str]:
    """The enrolment of each lane that is due first: one look into the lanes' index for each."""
    statement = written("""
        select head.id from lanes l cross join lateral (
          select c.id from campaign_contacts c
          where c.campaign_id = l.campaign_id and c.place_set_id = l.place_set_id and c.priority = l.priority
            and c.waiting
          order by c.next_attempt_at, c.id limit 1) head
        where l.campaign_id = :campaign and l.pending > 0""")
    return list((await on.execute(statement, {"campaign": campaign})).scalars())


async def places_of(on: Transaction, campaign: str) -> list[Row]:
    """The place sets at which somebody of the campaign waits: `id` and its columns."""
    statement = written(f"""
        select distinct z.id, {places.COLUMNS} from lanes l join place_sets z on z.id = l.place_set_id
        where l.campaign_id = :campaign and l.pending > 0""")
    return all_rows(await on.execute(statement, {"campaign": campaign}))


async def crowds(on: Transaction, campaign: str, now: datetime, expiry: timedelta | None, caps: CapsByPlace) -> list[Row]:
    """The campaign's pending contacts in groups that one verdict holds for: `n` of them at the same place, due by now or in the
    same hour from `next_attempt_at` on (the earliest of them), with the same `do_not_call`, `suppressed_until`, `busy` and
    `no_number`, put off for the same `reason`, and, where they expire so long after their enrolment, enrolled in the same hour
    from `enrolled_at` on, expired or not; and, where there are `caps`, held back by them to the same hour from `capped_until` on.
    One pass over them, 100,000 in half a second, and half a second more for each cap."""
    statement = written(f"""
        with live as materialized (
          select contact_id, team_id, trunk, to_number from call_attempts where ended_at is null
        ), trunk as materialized (
          select s.adapter as name, c.team_id from campaigns c join assistants s on s.id = c.assistant_id where c.id = :campaign
        ), people as (
          select t.place_set_id, t.next_attempt_at, t.created_at, p.do_not_call, t.to_number is null as no_number,
                 t.created_at <= cast(:since as timestamptz) as expired,
                 case when cast(:since as timestamptz) is not null then date_trunc('hour', t.created_at) end as born,
                 case when t.next_attempt_at > :now then date_trunc('hour', t.next_attempt_at) end as hour,
                 case when t.next_attempt_at > :now
                   then case when t.next_attempt_at = t.callback_at then 'callback' else t.reason end end as reason,
                 t.contact_id in (select contact_id from live)
                   or t.to_number in (
                     select l.to_number from live l, trunk k where l.trunk = k.name or l.team_id = k.team_id) as busy,
                 (select max(coalesce(x.expires_at, 'infinity')) from suppressions x
                  where x.phone_number = t.to_number and (x.expires_at is null or x.expires_at > :now)
                    and (x.scope = 'global' or (x.scope = 'team' and x.team_id = t.team_id) or x.campaign_id = t.campaign_id))
                   as suppressed_until,
                 {HELD} as held
          from campaign_contacts t join contacts p on p.id = t.contact_id {CAPS}
          where t.campaign_id = :campaign and t.waiting)
        select g.*, {places.COLUMNS} from (
          select place_set_id, do_not_call, no_number, hour, reason, busy, suppressed_until, born, expired, count(*) as n,
                 min(next_attempt_at) as next_attempt_at, min(created_at) as enrolled_at, min(held) as capped_until
          from people group by 1, 2, 3, 4, 5, 6, 7, 8, 9, date_trunc('hour', held)) g
        join place_sets z on z.id = g.place_set_id order by g.next_attempt_at, g.place_set_id""")
    values = {"campaign": campaign, "now": now, "since": _since(now, expiry), **_columns(caps)}
    return all_rows(await on.execute(statement, values))


def _since(now: datetime, expiry: timedelta | None) -> datetime | None:
    """Whoever was enrolled by then has expired."""
    return None if expiry is None else now - expiry


async def endings(on: Transaction, campaign: str) -> list[Row]:
    """Contacts that are called no more: `status`, `reason`, `n`."""
    statement = written("""
        select status, reason, count(*) as n from campaign_contacts
        where campaign_id = :campaign and status in ('completed', 'failed', 'skipped') group by 1, 2 order by 1, 2""")
    return all_rows(await on.execute(statement, {"campaign": campaign}))


async def pending_groups(on: Transaction, campaign: str, now: datetime, expiry: timedelta | None, caps: CapsByPlace) -> list[Row]:
    """The campaign's pending contacts by place and by whether they are due, have expired and are held back by `caps`:
    `place_set_id`, its columns, `later`, `expired`, `capped`, `n`, the earliest `next_attempt_at` and `capped_until` and the
    newest `enrolled_at`."""
    statement = written(f"""
        select g.*, {places.COLUMNS} from (
          select place_set_id, next_attempt_at > :now as later, expired, held is not null as capped,
                 count(*) as n, min(next_attempt_at) as next_attempt_at, min(held) as capped_until, max(created_at) as enrolled_at
          from (
            select t.place_set_id, next_attempt_at, created_at,
                   coalesce(created_at <= cast(:since as timestamptz), false) as expired, {HELD} as held
            from campaign_contacts t {CAPS} where campaign_id = :campaign and waiting) people
          group by 1, 2, 3, 4) g
        join place_sets z on z.id = g.place_set_id order by g.place_set_id, g.later, g.expired, g.capped""")
    values = {"campaign": campaign, "now": now, "since": _since(now, expiry), **_columns(caps)}
    return all_rows(await on.execute(statement, values))


async def pending_in(
    on: Transaction, campaign: str, group: Row, now: datetime, expiry: timedelta | None, caps: CapsByPlace, limit: int
) -> list[Row]:
    """Enrolments of one such group in calling order: `id`, `contact_id`."""
    statement = written(f"""
        select id, contact_id from campaign_contacts t {CAPS}
        where campaign_id = :campaign and waiting and t.place_set_id = :place_set
          and next_attempt_at {">" if group["later"] else "<="} :now
          and coalesce(created_at <= cast(:since as timestamptz), false) = :expired
          and ({HELD} is not null) = :capped_now
        order by priority desc, next_attempt_at, id limit :limit""")
    chosen = {"place_set": group["place_set_id"], "expired": group["expired"], "capped_now": group["capped"]}
    values = {"campaign": campaign, "now": now, "limit": limit, "since": _since(now, expiry), **_columns(caps)}
    return all_rows(await on.execute(statement, values | chosen))


async def given_up(on: Transaction, campaign: str, limit: int) -> list[Row]:
    """Contacts that were skipped or failed: `contact_id`, `status`, `outcome`, `reason`; in the order of enrolment."""
    statement = written("""
        select contact_id, status, outcome, reason from campaign_contacts
        where campaign_id = :campaign and status in ('skipped', 'failed')
        order by priority desc, created_at, id limit :limit""")
    return all_rows(await on.execute(statement, {"campaign": campaign, "limit": limit}))
