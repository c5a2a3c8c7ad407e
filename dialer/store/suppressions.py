"""Numbers that may not be called, and the enrolments that this concerns.

Rows in, rows out, no decisions. A suppression is of one campaign, of a team, or global (then no team owns it).
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, TypeAlias

from sqlalchemy import and_, delete, func, select, text, tuple_
from sqlalchemy.dialects.postgresql import insert

from dialer.domain.cursor import After
from dialer.store.callable_numbers import HAS, OF_ENROLLED
from dialer.store.rows import Row, all_rows, one_row, row_or_none
from dialer.store.tables import suppressions
from dialer.store.transaction import Transaction
from dialer.store.written import written

Scope: TypeAlias = Literal["global", "team", "campaign"]


@dataclass(frozen=True, slots=True)
class Entry:
    """`expires_at` None = for ever."""

    scope: Scope
    team: str | None
    campaign: str | None
    number: str
    reason: str | None = None
    source: str | None = None
    expires_at: datetime | None = None


async def put(on: Transaction, entry: Entry) -> Row:
    """Add, or overwrite the entry of the same number and scope."""
    statement = insert(suppressions).values(
        scope=entry.scope, team_id=entry.team, campaign_id=entry.campaign, phone_number=entry.number,
        reason=entry.reason, source=entry.source, expires_at=entry.expires_at,
    )  # fmt: skip
    new = statement.excluded
    statement = statement.on_conflict_do_update(
        index_elements=["phone_number", "scope", text("coalesce(team_id, '')"), text("coalesce(campaign_id, '')")],
        set_={"reason": new.reason, "source": new.source, "expires_at": new.expires_at},
    )
    return one_row(await on.execute(statement.returning(suppressions)))


async def put_for_ever(on: Transaction, team: str, numbers: Collection[str], reason: str, source: str) -> None:
    """Add an entry of the team for each of these numbers that never ends; one that there is keeps its reason and source, and ends
    no more."""
    rows = [{"scope": "team", "team_id": team, "phone_number": n, "reason": reason, "source": source} for n in sorted(numbers)]
    statement = insert(suppressions).values(rows)
    await on.execute(
        statement.on_conflict_do_update(
            index_elements=["phone_number", "scope", text("coalesce(team_id, '')"), text("coalesce(campaign_id, '')")],
            set_={"expires_at": None},
        )
    )


async def listing(
    on: Transaction,
    team: str | None,
    *,
    number: str | None,
    campaign: str | None,
    scope: Scope | None = None,
    limit: int,
    offset: int,
    after: After | None = None,
) -> tuple[list[Row], int]:
    """One page of the team's own entries (None = of the global ones), newest first, and how many there are in all."""
    c = suppressions.c
    wanted = [c.team_id.is_(None) if team is None else c.team_id == team]
    if scope is not None:
        wanted.append(c.scope == scope)
    if number is not None:
        wanted.append(c.phone_number == number)
    if campaign is not None:
        wanted.append(c.campaign_id == campaign)
    count = await on.scalar(select(func.count()).select_from(suppressions).where(and_(*wanted)))
    if after is not None:
        wanted.append(tuple_(c.created_at, c.id) < after)
    page = select(suppressions).where(and_(*wanted)).order_by(c.created_at.desc(), c.id.desc()).limit(limit).offset(offset)
    return all_rows(await on.execute(page)), count or 0


async def remove(on: Transaction, team: str | None, suppression: str) -> Row | None:
    """The entry that is gone now; None when the team has none of this id, or there is no global one (`team` None)."""
    c = suppressions.c
    statement = delete(suppressions).where(c.id == suppression, c.team_id.is_(None) if team is None else c.team_id == team)
    return row_or_none(await on.execute(statement.returning(suppressions)))


_REACHED = "(:scope = 'global' or (:scope = 'team' and t.team_id = :team) or t.campaign_id = :campaign)"


def _scope(entry: Entry) -> dict[str, Any]:
    return {"number": entry.number, "scope": entry.scope, "team": entry.team, "campaign": entry.campaign}


async def campaigns_to_call(on: Transaction, entry: Entry) -> list[str]:
    """Unfinished campaigns in which a contact with this number waits. By the contact's numbers, which are indexed: an enrolment
    that waits carries one of them."""
    statement = written(f"""
        select distinct t.campaign_id
        from teams m
          join contacts p on p.team_id = m.id and {HAS}
          join campaign_contacts t on t.contact_id = p.id
          join campaigns c on c.id = t.campaign_id and c.status not in ('completed', 'cancelled')
        where t.status in ('pending', 'queued') and {_REACHED} and (cast(:team as text) is null or m.id = :team)
    """)
    return list((await on.execute(statement, _scope(entry))).scalars())


async def contacts_at(on: Transaction, entry: Entry) -> list[str]:
    """Whom this number reaches, in the entry's team or in all of them."""
    statement = written(f"""
        select p.id from teams m join contacts p on p.team_id = m.id and {HAS}
        where cast(:team as text) is null or m.id = :team
    """)
    return list((await on.execute(statement, {"number": entry.number, "team": entry.team})).scalars())


WHOM_NEXT = "t.id, n.number, n.place, n.until, n.number is null or n.until = 'infinity' as ends"
"""Of an enrolment whose number is suppressed now, `OF_ENROLLED`: whom it calls instead, and when."""

STOP = """
        update campaign_contacts t
        set status = case when w.ends then 'skipped' else 'pending' end,
            outcome = case when w.ends then 'do_not_call' else t.outcome end,
            completed_at = case when w.ends then cast(:now as timestamptz) end,
            next_attempt_at = greatest(t.next_attempt_at, case when not w.ends then w.until end, cast(:now as timestamptz)),
            to_number = case when w.ends then t.to_number else w.number end,
            place_set_id = case when w.ends then t.place_set_id else w.place end,
            reason = 'suppressed'
        from stopped w where t.id = w.id and t.status in ('pending', 'queued')"""
"""What becomes of those of `stopped`, which has `WHOM_NEXT` of them."""


async def stop_calling(on: Transaction, entry: Entry, campaigns: Collection[str], held: Collection[str], now: datetime) -> int:
    """Enrolments of this number that wait in `campaigns` call the contact's other number, if they may, or are skipped or, until
    `expires_at`, put off; how many. `held`: the scopes that are locked; a queued attempt that holds another one is left to the
    fence."""
    statement = written(f"""
        with gone as (
          update call_attempts t set state = 'recalled', ended_at = :now, reason = 'suppressed'
          where t.ended_at is null and t.state = 'queued' and t.to_number = :number and t.campaign_id = any(:campaigns)
            and {_REACHED} and t.scopes <@ cast(:held as text[])
          returning t.campaign_contact_id
        ), waits as (
          select t.id from campaigns c
            join contacts p on p.team_id = c.team_id and {HAS}
            join campaign_contacts t on t.campaign_id = c.id and t.contact_id = p.id
          where c.id = any(:campaigns) and t.status = 'pending' and t.to_number = :number and {_REACHED}
          union
          select campaign_contact_id from gone
        ), stopped as (
          select {WHOM_NEXT}
          from waits join campaign_contacts t using (id) join contacts p on p.id = t.contact_id
            join campaigns c on c.id = t.campaign_id {OF_ENROLLED}
        ) {STOP}
    """)
    values = _scope(entry) | {"campaigns": list(campaigns), "held": list(held), "now": now}
    return (await on.execute(statement, values)).rowcount


async def call_again(on: Transaction, entry: Entry, campaigns: Collection[str], now: datetime) -> None:
    """Enrolments in `campaigns` that this entry had put off until its end are due now."""
    statement = written(f"""
        update campaign_contacts t
        set next_attempt_at = greatest(:now, t.callback_at), reason = case when t.callback_at is not null then 'callback' end
        from campaigns c join contacts p on p.team_id = c.team_id and {HAS}
        where c.id = any(:campaigns) and t.campaign_id = c.id and t.contact_id = p.id and t.to_number = :number
          and t.status = 'pending' and t.reason = 'suppressed' and t.next_attempt_at = :until and {_REACHED}
    """)
    await on.execute(statement, _scope(entry) | {"campaigns": list(campaigns), "now": now, "until": entry.expires_at})
