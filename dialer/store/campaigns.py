"""Campaigns as people see and change them, and the locks that a change takes.

Rows in, rows out, no decisions. A campaign's lock is its row of `scopes`; whoever also takes attempts back locks every scope
those attempts hold, in the order of their keys, before anything else.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any, Literal, TypeAlias

from sqlalchemy import ColumnElement, Select, and_, func, insert, select, true, tuple_, update

from dialer.domain.cursor import After
from dialer.domain.machine import FINAL_CAMPAIGN
from dialer.store.claims import Claimed
from dialer.store.database import Pool
from dialer.store.rows import Row, all_rows, row_or_none
from dialer.store.tables import assistants, campaign_tallies, campaigns, companies, phone_numbers, scopes
from dialer.store.transaction import Transaction
from dialer.store.written import written

Deleted: TypeAlias = Literal["exclude", "include", "only"]

LOCK_ROUNDS = 5
TERMINAL = ("completed", "failed", "skipped")


def _with_counts() -> Select[Any]:
    """Every column, the counts of the API and the first caller ID's number."""
    tally = campaign_tallies.c

    def sum_where(condition: ColumnElement[bool]) -> ColumnElement[int]:
        return func.coalesce(func.sum(tally.n).filter(condition), 0)

    counts = (
        select(
            sum_where(true()).label("total_contacts"),
            sum_where(tally.called).label("contacts_called"),
            sum_where(tally.status.in_(TERMINAL)).label("contacts_completed"),
            sum_where(tally.outcome == "answered").label("contacts_answered"),
        )
        .where(tally.campaign_id == campaigns.c.id)
        .lateral("counts")
    )
    first = phone_numbers.c.id == campaigns.c.from_number_ids[1]
    from_number = select(phone_numbers.c.phone_number).where(first).scalar_subquery().label("from_number")
    return select(campaigns, from_number, counts).join(counts, true())


async def find(on: Transaction, team: str, campaign: str) -> Row | None:
    """A campaign of this team, deleted ones too; a direct call is none."""
    wanted = (campaigns.c.id == campaign, campaigns.c.team_id == team, campaigns.c.kind == "campaign")
    found = await on.execute(_with_counts().where(*wanted))
    return row_or_none(found)


async def listing(
    on: Transaction,
    team: str,
    *,
    status: str | None = None,
    assistant: str | None = None,
    deleted: Deleted = "exclude",
    limit: int = 50,
    offset: int = 0,
    after: After | None = None,
) -> tuple[list[Row], int]:
    """One page, newest first, and how many there are in all."""
    c = campaigns.c
    wanted = [c.team_id == team, c.kind == "campaign"]
    if status is not None:
        wanted.append(c.status == status)
    if assistant is not None:
        wanted.append(c.assistant_id == assistant)
    if deleted != "include":
        wanted.append(c.deleted_at.is_(None) if deleted == "exclude" else c.deleted_at.is_not(None))
    count = await on.scalar(select(func.count()).select_from(campaigns).where(and_(*wanted)))
    if after is not None:
        wanted.append(tuple_(c.created_at, c.id) < after)
    page = _with_counts().where(and_(*wanted)).order_by(c.created_at.desc(), c.id.desc()).limit(limit).offset(offset)
    return all_rows(await on.execute(page)), count or 0


async def add(on: Transaction, values: Mapping[str, Any]) -> str:
    """The new campaign's id."""
    created: str = (await on.execute(insert(campaigns).values(**values).returning(campaigns.c.id))).scalar_one()
    return created


async def change(on: Transaction, campaign: str, now: datetime, values: Mapping[str, Any]) -> None:
    await on.execute(update(campaigns).where(campaigns.c.id == campaign).values(**values, updated_at=now))


async def set_budget(on: Transaction, campaign: str, calls: int | None) -> None:
    """How many calls the run may still release; None = as many as there are."""
    await on.execute(update(scopes).where(scopes.c.key == f"campaign:{campaign}").values(budget=calls))


async def team_of(pool: Pool, campaign: str) -> str | None:
    """Whose campaign it is, for those who work for all teams."""
    team: str | None = await pool.fetchval("select team_id from campaigns where id = $1 and deleted_at is null", campaign)
    return team


async def assistant_of(on: Transaction, team: str, assistant: str) -> Row | None:
    """The assistant, which cannot be deleted until the transaction ends."""
    wanted = select(assistants).where(assistants.c.id == assistant, assistants.c.team_id == team)
    return row_or_none(await on.execute(wanted.with_for_update(read=True, key_share=True)))


async def numbers_of(on: Transaction, team: str, numbers: Collection[str]) -> dict[str, Row]:
    """Those of these phone numbers that are the team's, by id. They cannot be deleted until the transaction ends."""
    wanted = select(phone_numbers).where(phone_numbers.c.id.in_(numbers), phone_numbers.c.team_id == team)
    held = wanted.order_by(phone_numbers.c.id).with_for_update(read=True, key_share=True)
    return {row["id"]: row for row in all_rows(await on.execute(held))}


async def has_company(on: Transaction, team: str, company: str) -> bool:
    """Whether the team has this company, which then cannot be deleted until the transaction ends."""
    wanted = select(companies.c.id).where(companies.c.id == company, companies.c.team_id == team)
    return bool(await on.scalar(wanted.with_for_update(read=True, key_share=True)))


async def lock(on: Transaction, keys: Collection[str]) -> None:
    """Hold these scopes until the transaction ends. A change that is read from now on, is read in a new statement."""
    await on.execute(select(scopes.c.key).where(scopes.c.key.in_(sorted(keys))).order_by(scopes.c.key).with_for_update())


async def lock_one(on: Transaction, campaign: str) -> None:
    await lock(on, [f"campaign:{campaign}"])


async def lock_with_queued(on: Transaction, campaigns_: Collection[str], also: Collection[str] = ()) -> list[str]:
    """Lock campaigns with every scope that an attempt waiting to be dialled in them holds, and `also` these; the keys that are
    held now.

    What is released between the reading and the locking may hold more: then the locks are let go and taken anew with those,
    for they are taken in order or not at all. Past `LOCK_ROUNDS` such an attempt is left to the fence and the sweep.
    """
    keys = await keys_with_queued(on, campaigns_) | set(also)
    for _ in range(LOCK_ROUNDS):
        savepoint = await on.begin_nested()
        await lock(on, keys)
        more = await keys_with_queued(on, campaigns_) - keys
        if not more:
            await savepoint.commit()
            return sorted(keys)
        await savepoint.rollback()
        keys |= more
    await lock(on, keys)
    return sorted(keys)


async def keys_with_queued(on: Transaction, campaigns_: Collection[str]) -> set[str]:
    """The scopes of these campaigns and of their attempts that wait to be dialled."""
    if not campaigns_:
        return set()
    read = written(
        "select distinct key from call_attempts a, unnest(a.scopes) key"
        " where a.ended_at is null and a.state = 'queued' and a.campaign_id = any(:campaigns)"
    )
    held = set((await on.execute(read, {"campaigns": list(campaigns_)})).scalars())
    return held | {f"campaign:{campaign}" for campaign in campaigns_}


async def unfinished(on: Transaction, team: str) -> list[str]:
    """The team's campaigns that may call again, direct calls too."""
    wanted = (campaigns.c.team_id == team, campaigns.c.status.not_in(FINAL_CAMPAIGN))
    return list((await on.execute(select(campaigns.c.id).where(*wanted))).scalars())


async def renew_rules(on: Transaction, campaigns_: Collection[str], now: datetime) -> None:
    """What was released by their rules so far is not placed any more."""
    renewed = {"rules_version": campaigns.c.rules_version + 1, "updated_at": now}
    await on.execute(update(campaigns).where(campaigns.c.id.in_(sorted(campaigns_))).values(**renewed))


async def lock_team(on: Transaction, team: str) -> tuple[list[str], list[str]] | None:
    """Lock the team, its unfinished campaigns and every scope that their attempts which wait to be dialled hold: the campaigns
    and the keys that are held now. Until the transaction ends no campaign of the team is created. None where campaigns were
    created faster than they could be locked, `LOCK_ROUNDS` times."""
    read = written("select id from campaigns where team_id = :team and status not in ('completed', 'cancelled')")
    keys = {f"team:{team}"}
    for _ in range(LOCK_ROUNDS):
        savepoint = await on.begin_nested()
        await lock(on, keys)
        found = list((await on.execute(read, {"team": team})).scalars())
        more = await keys_with_queued(on, found) - keys
        if not more:
            await savepoint.commit()
            return sorted(found), sorted(keys)
        await savepoint.rollback()
        keys |= more
    return None


async def released(on: Transaction, campaign: str, since: datetime, until: datetime) -> list[Claimed]:
    """The calls of a campaign that were released between two moments."""
    read = written(
        "select id, campaign_contact_id, campaign_id, contact_id, trunk, to_number, from_number from call_attempts"
        " where campaign_id = :campaign and claimed_at between :since and :until"
    )
    return [Claimed(*row) for row in await on.execute(read, {"campaign": campaign, "since": since, "until": until})]


async def in_line(on: Transaction, claimed: Collection[Claimed]) -> list[Claimed]:
    """Calls of one campaign that were just released, in the order of its queue; a claim answers in the order of numbers."""
    read = written("select id from campaign_contacts where id = any(:ids) order by priority desc, next_attempt_at, id")
    by_enrolment = {each.enrolment: each for each in claimed}
    return [by_enrolment[id] for id in (await on.execute(read, {"ids": list(by_enrolment)})).scalars()]


async def take_back_queued(
    on: Transaction, campaign: str, held: Collection[str], reason: str, now: datetime, *, contacts: Collection[str] | None = None
) -> None:
    """Recall what waits to be dialled (`contacts` None = all of it); its contacts are pending again. `held`: the scopes that are
    locked."""
    statement = written("""
        with gone as (
          update call_attempts set state = 'recalled', ended_at = :now, reason = :reason
          where campaign_id = :campaign and ended_at is null and state = 'queued' and scopes <@ cast(:held as text[])
            and (cast(:contacts as text[]) is null or contact_id = any(:contacts))
          returning campaign_contact_id
        )
        update campaign_contacts t set status = 'pending', next_attempt_at = :now, reason = :reason
        from gone where t.id = gone.campaign_contact_id and t.status = 'queued'
    """)
    values = {"campaign": campaign, "held": list(held), "reason": reason, "now": now}
    await on.execute(statement, values | {"contacts": None if contacts is None else list(contacts)})
