"""What a change of contacts means for their enrolments: they are withdrawn from calling, or called elsewhere.

Whoever calls `withdraw` or `readdress` holds the locks of `hold`; a queued attempt that holds another scope is left to the fence
and the sweep.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from sqlalchemy import TextClause

from dialer.store.callable_numbers import OF_ENROLLED
from dialer.store.campaigns import LOCK_ROUNDS, keys_with_queued
from dialer.store.campaigns import lock as lock_scopes
from dialer.store.transaction import Transaction
from dialer.store.written import written

Locked = TypeVar("Locked")


@dataclass(frozen=True, slots=True)
class Held:
    """The unfinished campaigns in which contacts wait, and every scope that is locked."""

    campaigns: tuple[str, ...]
    scopes: tuple[str, ...]


async def waiting_in(on: Transaction, contacts: Collection[str]) -> list[str]:
    """The unfinished campaigns in which any of these contacts waits."""
    read = written("""
        select distinct t.campaign_id from campaign_contacts t join campaigns c on c.id = t.campaign_id
        where t.contact_id = any(:contacts) and t.status in ('pending', 'queued') and c.status not in ('completed', 'cancelled')
    """)
    return list((await on.execute(read, {"contacts": list(contacts)})).scalars())


async def hold(
    on: Transaction, waiting: Callable[[], Awaitable[Collection[str]]], lock: Callable[[], Awaitable[Locked]]
) -> tuple[Held, Locked] | None:
    """Lock the campaigns that `waiting` names, with what their queued attempts hold, and then the contacts, by `lock` (`for
    update`: an enrolment's key share has to wait for it); what `lock` said.

    For such is everybody's order. An enrolment that commits between the two read the contacts as they were before: then the locks
    are let go and taken anew. None when that happened `LOCK_ROUNDS` times.

    One savepoint, not one within another: who waits for a lock of a savepoint that was released into another waits for the end of
    the whole transaction, also when the other is rolled back, and keeps those out meanwhile who come for the lock once more.
    """
    for rounds_left in reversed(range(LOCK_ROUNDS)):
        savepoint = await on.begin_nested()
        found = tuple(await waiting())
        keys = await keys_with_queued(on, found)
        if keys:
            await lock_scopes(on, keys)
        if await keys_with_queued(on, found) <= keys or not rounds_left:
            locked = await lock()
            if set(await waiting()) <= set(found):
                await savepoint.commit()
                return Held(found, tuple(sorted(keys))), locked
        await savepoint.rollback()
    return None


# Gives back what was claimed and not placed, and names all enrolments of the contacts that now wait.
_WAITING = """
    with gone as (
      update call_attempts set state = 'recalled', ended_at = :now, reason = :reason
      where contact_id = any(:contacts) and campaign_id = any(:campaigns) and ended_at is null and state = 'queued'
        and scopes <@ cast(:held as text[])
      returning campaign_contact_id
    ), waits as (
      select t.id, t.contact_id from campaign_contacts t
      where t.contact_id = any(:contacts) and t.campaign_id = any(:campaigns)
        and (t.status = 'pending' or (t.status = 'queued' and t.id in (select campaign_contact_id from gone)))
    )
"""


# From `waits`: whom they call next.
_READDRESS = f"""
    , moved as (
      select t.id, n.number, n.place, n.until, p.phone is null as phoneless
      from waits join campaign_contacts t using (id) join contacts p on p.id = t.contact_id
        join campaigns c on c.id = t.campaign_id {OF_ENROLLED}
    )
    update campaign_contacts t
    set status = case when w.number is null then 'skipped' else 'pending' end,
        outcome = case when w.number is null then 'invalid_number' else t.outcome end,
        reason = case when w.number is null then case when phoneless then 'no_phone' else 'invalid_number' end
                      when w.until > :now then 'suppressed' end,
        completed_at = case when w.number is null then cast(:now as timestamptz) end,
        next_attempt_at = greatest(t.next_attempt_at, case when w.until < 'infinity' then w.until end),
        to_number = w.number, place_set_id = coalesce(w.place, t.place_set_id)
"""


async def withdraw(on: Transaction, contacts: Collection[str], held: Held, now: datetime) -> int:
    """Do not call: waiting enrolments of these contacts are skipped; how many."""
    statement = written(f"""{_WAITING}
        update campaign_contacts t
        set status = 'skipped', outcome = 'do_not_call', reason = :reason, completed_at = :now
        from waits where t.id = waits.id
    """)
    return await _run(on, statement, contacts, held, "do_not_call", now)


async def in_a_call(on: Transaction, numbers: Collection[str]) -> list[str]:
    """The contacts at these numbers who have an attempt that is not over."""
    read = written("select contact_id from call_attempts where ended_at is null and to_number = any(:numbers)")
    return list((await on.execute(read, {"numbers": list(numbers)})).scalars())


async def refuse_waiting(on: Transaction, contacts: Collection[str], campaigns: Collection[str], now: datetime) -> None:
    """Of the waiting enrolments of these contacts in `campaigns`, which are locked, those that do not call or a suppression for
    ever speaks against call the contact's other number, if they may, or are skipped."""
    statement = written(f"""
        with waits as (
          select t.id, n.number, n.place, n.until,
                 case when p.do_not_call then 'do_not_call'
                      when n.number is null or n.until = 'infinity' then 'suppressed' end as why
          from campaign_contacts t join contacts p on p.id = t.contact_id join campaigns c on c.id = t.campaign_id {OF_ENROLLED}
          where t.contact_id = any(:contacts) and t.campaign_id = any(:campaigns) and t.status = 'pending'
            and (p.do_not_call or exists (
              select from suppressions x
              where x.phone_number = t.to_number and x.expires_at is null
                and (x.scope = 'global' or (x.scope = 'team' and x.team_id = t.team_id) or x.campaign_id = t.campaign_id)))
        )
        update campaign_contacts t
        set status = case when w.why is null then 'pending' else 'skipped' end,
            outcome = case when w.why is null then t.outcome else 'do_not_call' end,
            reason = coalesce(w.why, 'suppressed'),
            completed_at = case when w.why is not null then cast(:now as timestamptz) end,
            next_attempt_at = greatest(t.next_attempt_at, case when w.why is null then w.until end),
            to_number = case when w.why is null then w.number else t.to_number end,
            place_set_id = case when w.why is null then w.place else t.place_set_id end
        from waits w where t.id = w.id and t.status = 'pending'
    """)
    await on.execute(statement, {"contacts": list(contacts), "campaigns": list(campaigns), "now": now})


async def readdress(on: Transaction, contacts: Collection[str], held: Held, now: datetime) -> int:
    """Waiting enrolments of these contacts call the numbers that they have now, at their places; without a number they are
    skipped. One that is called next and still theirs stays so. How many."""
    statement = written(f"""{_WAITING} {_READDRESS} from moved w where t.id = w.id""")
    return await _run(on, statement, contacts, held, "contact_changed", now)


async def readdress_campaign(on: Transaction, campaign: str, now: datetime) -> int:
    """The same for everybody who waits in a campaign that calls other numbers than before. Whoever calls holds its lock."""
    statement = written(f"""
        with waits as (select id from campaign_contacts where campaign_id = :campaign and waiting) {_READDRESS}
        from moved w where t.id = w.id and (t.to_number, t.place_set_id) is distinct from (w.number, w.place)
    """)
    return (await on.execute(statement, {"campaign": campaign, "now": now})).rowcount


async def _run(on: Transaction, statement: TextClause, contacts: Collection[str], held: Held, reason: str, now: datetime) -> int:
    if not held.campaigns:
        return 0
    values = {
        "contacts": list(contacts),
        "campaigns": list(held.campaigns),
        "held": list(held.scopes),
        "reason": reason,
        "now": now,
    }
    return (await on.execute(statement, values)).rowcount
