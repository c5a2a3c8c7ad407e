"""Companies: made, changed, found and deleted."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, TypeAlias

from dialer.domain.cursor import After
from dialer.domain.errors import Conflict, NotFound
from dialer.store import companies
from dialer.store.database import Database
from dialer.store.errors import InUse, Taken
from dialer.store.receipts import promised
from dialer.store.transaction import Transaction, reading, transaction

Row: TypeAlias = Mapping[str, Any]


async def create(database: Database, team_id: str, actor: str, values: Mapping[str, Any]) -> Row:
    """Raises Conflict for a name that the team has already, in whatever case."""
    async with transaction(database, actor) as on:
        try:
            company_id = await companies.add(
                on, {**values, "custom_fields": values.get("custom_fields") or {}, "team_id": team_id}
            )
        except Taken:
            raise _taken(values["name"]) from None
        return promised(await _found(on, team_id, company_id))


async def listing(
    database: Database,
    team_id: str,
    *,
    search: str | None,
    industry: str | None,
    limit: int,
    offset: int,
    after: After | None = None,
) -> tuple[list[Row], int]:
    async with reading(database) as on:
        return await companies.listing(on, team_id, search=search, industry=industry, limit=limit, offset=offset, after=after)


async def get(database: Database, team_id: str, company_id: str) -> Row:
    """Raises NotFound."""
    async with reading(database) as on:
        return await _found(on, team_id, company_id)


async def change(database: Database, team_id: str, actor: str, company_id: str, values: Mapping[str, Any], now: datetime) -> Row:
    """Set the given fields, null clears. Raises NotFound, Conflict."""
    kept = {**values, "custom_fields": values["custom_fields"] or {}} if "custom_fields" in values else values
    async with transaction(database, actor) as on:
        await _found(on, team_id, company_id)
        try:
            await companies.change(on, company_id, now, kept)
        except Taken:
            raise _taken(values["name"]) from None
        return await _found(on, team_id, company_id)


async def delete(database: Database, team_id: str, actor: str, company_id: str) -> None:
    """Raises NotFound, and Conflict while contacts or campaigns belong to it."""
    async with transaction(database, actor) as on:
        await _found(on, team_id, company_id)
        await companies.lock(on, company_id)
        company = await _found(on, team_id, company_id)
        if number := company["contact_count"]:
            raise Conflict(f"The company has {number} contact{'' if number == 1 else 's'}; move or delete them first.")
        try:
            await companies.remove(on, company_id)
        except InUse:
            raise Conflict("A campaign belongs to the company; it has to stay.") from None


async def _found(on: Transaction, team_id: str, company_id: str) -> Row:
    row = await companies.find(on, team_id, company_id)
    if row is None:
        raise NotFound(f"There is no company {company_id}.")
    return row


def _taken(name: str) -> Conflict:
    return Conflict(f"name: there is already a company {name!r}; choose another name or use that one.")
