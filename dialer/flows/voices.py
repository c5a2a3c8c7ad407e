"""Who speaks and with which caller ID: assistants and phone numbers.

An assistant and the numbers assigned to it use the same adapter, and that adapter is configured. What stops calls (one
that may not call any more, a cap) is answered after the fence: from then on none starts against it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from typing import Any, TypeAlias

from dialer.domain.cursor import After
from dialer.domain.errors import Conflict, Invalid, NotFound
from dialer.domain.fence import FENCE_SECONDS
from dialer.domain.phone import phone_of
from dialer.domain.reputation import health
from dialer.flows.campaigns.means import Speaking, Trunks
from dialer.store import assistants, numbers, teams
from dialer.store.database import Database
from dialer.store.errors import InUse, Taken
from dialer.store.receipts import promised
from dialer.store.transaction import Transaction, reading, transaction

Row: TypeAlias = Mapping[str, Any]

FENCED = frozenset({"outbound_enabled", "status", "max_concurrent_calls"})


async def create_assistant(means: Trunks, team_id: str, actor: str, values: Mapping[str, Any]) -> Row:
    """Raises Invalid."""
    _check_adapter(values["adapter"], means.trunks)
    async with transaction(means.database, actor) as on:
        assistant_id = await assistants.add(on, {**_filled(values), "team_id": team_id})
        return promised(await _assistant(on, team_id, assistant_id))


async def list_assistants(
    database: Database, team_id: str, *, outbound_enabled: bool | None, limit: int, offset: int, after: After | None = None
) -> tuple[list[Row], int]:
    async with reading(database) as on:
        return await assistants.listing(on, team_id, outbound_enabled=outbound_enabled, limit=limit, offset=offset, after=after)


async def outbound_assistants(
    means: Trunks, team_id: str, *, limit: int, offset: int, after: After | None = None
) -> tuple[list[tuple[Row, list[Row]]], int]:
    """Assistants that may call out, each with the active numbers assigned to it."""
    now = means.clock.now()
    async with reading(means.database) as on:
        rows, count = await assistants.listing(on, team_id, outbound_enabled=True, limit=limit, offset=offset, after=after)
        assigned = await assistants.numbers_of(on, [row["id"] for row in rows])
        return [(row, [shown(each, now) for each in assigned.get(row["id"], [])]) for row in rows], count


async def get_assistant(database: Database, team_id: str, assistant_id: str) -> Row:
    """Raises NotFound."""
    async with reading(database) as on:
        return await _assistant(on, team_id, assistant_id)


async def change_assistant(means: Speaking, team_id: str, actor: str, assistant_id: str, values: Mapping[str, Any]) -> Row:
    """Raises Invalid, NotFound, and Conflict when numbers of another adapter are assigned to it."""
    if "adapter" in values:
        _check_adapter(values["adapter"], means.trunks)
    async with transaction(means.database, actor) as on:
        await _assistant(on, team_id, assistant_id)
        if "adapter" in values and await assistants.number_adapters(on, assistant_id) - {values["adapter"]}:
            raise Conflict("adapter: phone numbers of another adapter are assigned to the assistant; take them away first.")
        await assistants.change(on, assistant_id, means.clock.now(), _filled(values))
        changed = await _assistant(on, team_id, assistant_id)
    if FENCED & values.keys():
        await means.pause(FENCE_SECONDS)
    return changed


async def delete_assistant(database: Database, team_id: str, actor: str, assistant_id: str) -> None:
    """Raises NotFound, and Conflict while anything refers to it."""
    async with transaction(database, actor) as on:
        await _assistant(on, team_id, assistant_id)
        try:
            await assistants.remove(on, assistant_id)
        except InUse:
            raise Conflict(
                "Campaigns, calls or phone numbers refer to the assistant; set outboundEnabled to false instead."
            ) from None


async def create_number(means: Trunks, team_id: str, actor: str, values: Mapping[str, Any]) -> Row:
    """Raises Invalid, NotFound, Conflict."""
    _check_adapter(values["adapter"], means.trunks)
    async with transaction(means.database, actor) as on:
        kept = await _read_number(on, team_id, values)
        await _check_assignment(on, team_id, kept)
        try:
            number_id = await numbers.add(on, {**kept, "team_id": team_id})
        except Taken:
            raise _taken() from None
        return promised(shown(await _number(on, team_id, number_id), means.clock.now()))


async def list_numbers(
    means: Trunks,
    team_id: str,
    *,
    assistant_id: str | None,
    status: str | None,
    limit: int,
    offset: int,
    after: After | None = None,
) -> tuple[list[Row], int]:
    now = means.clock.now()
    async with reading(means.database) as on:
        rows, count = await numbers.listing(
            on, team_id, assistant_id=assistant_id, status=status, limit=limit, offset=offset, after=after
        )
    return [shown(row, now) for row in rows], count


async def get_number(means: Trunks, team_id: str, number_id: str) -> Row:
    """Raises NotFound."""
    async with reading(means.database) as on:
        return shown(await _number(on, team_id, number_id), means.clock.now())


def shown(row: Row, now: datetime) -> Row:
    """A number as people see it: a rest that is over is none, and its record in figures."""
    until = row["resting_until"]
    rests = until is not None and until > now
    record = health(row["recent"] or "")
    return {
        **row,
        "resting_until": until if rests else None,
        "resting_reason": row["resting_reason"] if rests else None,
        "calls_today": row["day_used"] if row["day"] == now.astimezone(UTC).date() else 0,
        "recent_calls": record.endings,
        "answer_share": record.answered,
        "blocked_share": record.blocked,
    }


async def change_number(means: Speaking, team_id: str, actor: str, number_id: str, values: Mapping[str, Any]) -> Row:
    """`resting_until` None ends the number's rest. Raises Invalid, NotFound, Conflict."""
    if "adapter" in values:
        _check_adapter(values["adapter"], means.trunks)
    async with transaction(means.database, actor) as on:
        before = await _number(on, team_id, number_id)
        kept = await _read_number(on, team_id, {name: value for name, value in values.items() if name != "resting_until"})
        await _check_assignment(on, team_id, {**before, **kept})
        try:
            await numbers.change(on, number_id, means.clock.now(), kept)
        except Taken:
            raise _taken() from None
        if "resting_until" in values:
            await numbers.end_rest(on, number_id)
        changed = await _number(on, team_id, number_id)
    if FENCED & values.keys():
        await means.pause(FENCE_SECONDS)
    return shown(changed, means.clock.now())


async def delete_number(database: Database, team_id: str, actor: str, number_id: str) -> None:
    """Raises NotFound, and Conflict while an unfinished campaign shows it or calls refer to it."""
    async with transaction(database, actor) as on:
        await _number(on, team_id, number_id)
        await numbers.lock(on, number_id)
        if await numbers.unfinished_campaigns(on, number_id):
            raise Conflict("Unfinished campaigns show this number; take it out of them first.")
        try:
            await numbers.remove(on, number_id)
        except InUse:
            raise Conflict("Calls refer to this number; set its status to inactive instead.") from None


def _filled(values: Mapping[str, Any]) -> dict[str, Any]:
    """Nulls of columns that cannot be null become their default."""
    empty = {"external_id": "", "settings": {}}
    return {name: empty[name] if value is None and name in empty else value for name, value in values.items()}


def _check_adapter(adapter: str, trunks: Collection[str]) -> None:
    if adapter not in trunks:
        known = ", ".join(sorted(trunks)) or "none is configured"
        raise Invalid({"adapter": f"is not the name of a configured adapter; known: {known}"})


async def _read_number(on: Transaction, team_id: str, values: Mapping[str, Any]) -> dict[str, Any]:
    if "phone_number" not in values:
        return dict(values)
    team = await teams.get(on, team_id)
    assert team is not None  # the key's own team
    return {**values, "phone_number": phone_of(values["phone_number"], team.default_region, "phoneNumber")}


async def _check_assignment(on: Transaction, team_id: str, number: Mapping[str, Any]) -> None:
    assistant_id = number.get("assistant_id")
    if assistant_id is None:
        return
    assistant = await assistants.find(on, team_id, assistant_id, hold=True)
    if assistant is None:
        raise NotFound(f"assistantId: there is no assistant {assistant_id}; send the id of one of your team.")
    if assistant["adapter"] != number["adapter"]:
        raise Conflict(
            f"adapter: the number uses {number['adapter']}, the assistant {assistant['adapter']}; both must use the same adapter."
        )


async def _assistant(on: Transaction, team_id: str, assistant_id: str) -> Row:
    row = await assistants.find(on, team_id, assistant_id)
    if row is None:
        raise NotFound(f"There is no assistant {assistant_id}.")
    return row


async def _number(on: Transaction, team_id: str, number_id: str) -> Row:
    row = await numbers.find(on, team_id, number_id)
    if row is None:
        raise NotFound(f"There is no phone number {number_id}.")
    return row


def _taken() -> Conflict:
    return Conflict("phoneNumber: your team has this number already.")
