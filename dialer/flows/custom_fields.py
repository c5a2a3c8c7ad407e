"""Definitions of custom fields: made, changed, found and deleted.

A definition is asked whenever a contact is written from then on; what contacts hold already is left as it is, also when the
definition goes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final, TypeAlias

from dialer.domain.cursor import After
from dialer.domain.custom_field import CHOICES, CustomField, Kind, faults
from dialer.domain.errors import Conflict, Invalid, NotFound
from dialer.store import audit, custom_fields
from dialer.store.database import Database
from dialer.store.errors import Taken
from dialer.store.receipts import promised
from dialer.store.transaction import Transaction, reading, transaction

Row: TypeAlias = Mapping[str, Any]
MOST: Final = 500
"""Definitions of a team."""

FIXED: Final = ("key", "type")


async def create(database: Database, team: str, actor: str, values: Mapping[str, Any]) -> Row:
    """Raises Invalid, and Conflict for a key that is defined already."""
    kept = {"description": None, "extractable": False, **values, "options": list(values.get("options") or [])}
    _check_options(Kind(kept["type"]), kept["options"])
    async with transaction(database, actor) as on:
        _, count = await custom_fields.listing(on, team, limit=0, offset=0)
        if count >= MOST:
            raise Conflict(f"The team has {MOST} custom fields, which is the most; delete one first.")
        try:
            field = await custom_fields.add(on, {**kept, "team_id": team})
        except Taken:
            raise Conflict(f"key: there is already a custom field {kept['key']!r}; change that one.") from None
        await audit.record(on, team_id=team, actor=actor, action="custom_field.created", entity_id=field)
        return promised(await _found(on, team, field))


async def listing(database: Database, team: str, *, limit: int, offset: int, after: After | None = None) -> tuple[list[Row], int]:
    async with reading(database) as on:
        return await custom_fields.listing(on, team, limit=limit, offset=offset, after=after)


async def get(database: Database, team: str, field: str) -> Row:
    """Raises NotFound."""
    async with reading(database) as on:
        return await _found(on, team, field)


async def change(database: Database, team: str, actor: str, field: str, values: Mapping[str, Any], now: datetime) -> Row:
    """Set the given fields. Raises NotFound, Invalid, and Conflict for another key or type: contacts hold values of these."""
    async with transaction(database, actor) as on:
        before = await _found(on, team, field)
        for name in FIXED:
            if name in values and values[name] != before[name]:
                raise Conflict(f"{name}: stays as it is, because contacts hold such values; define another custom field instead.")
        kept = {name: value for name, value in values.items() if name not in FIXED}
        if "options" in kept:
            kept["options"] = list(kept["options"] or [])
            _check_options(Kind(before["type"]), kept["options"])
        if "extractable" in kept:
            kept["extractable"] = bool(kept["extractable"])
        await custom_fields.change(on, field, now, kept)
        await audit.record(on, team_id=team, actor=actor, action="custom_field.changed", entity_id=field)
        return await _found(on, team, field)


async def delete(database: Database, team: str, actor: str, field: str) -> None:
    """Raises NotFound."""
    async with transaction(database, actor) as on:
        await _found(on, team, field)
        await custom_fields.remove(on, field)
        await audit.record(on, team_id=team, actor=actor, action="custom_field.deleted", entity_id=field)


async def defined(database: Database, team: str) -> list[CustomField]:
    """What the team's contacts are held against."""
    async with reading(database) as on:
        rows, _ = await custom_fields.listing(on, team, limit=None, offset=0)
    return [CustomField(row["key"], Kind(row["type"]), tuple(row["options"])) for row in rows]


async def check(database: Database, team: str, values: Mapping[str, Any] | None) -> None:
    """Raises Invalid, naming `customFields.<key>`, for values that do not fit their definitions."""
    if values and (wrong := faults(await defined(database, team), values)):
        raise Invalid(wrong)


async def _found(on: Transaction, team: str, field: str) -> Row:
    row = await custom_fields.find(on, team, field)
    if row is None:
        raise NotFound(f"There is no custom field {field}; list your custom fields to find its id.")
    return row


def _check_options(kind: Kind, options: Sequence[str]) -> None:
    if kind in CHOICES and not options:
        raise Invalid({"options": f"is required for the type {kind}; name what may be chosen"})
    if kind not in CHOICES and options:
        raise Invalid({"options": f"has no meaning for the type {kind}; leave it out, or choose select or multi_select"})
    if len(set(options)) != len(options):
        raise Invalid({"options": "names something twice; name each option once"})
