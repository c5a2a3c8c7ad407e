"""Where a list is to go on: the keys of the last row that was seen, written as an opaque text.

A page that begins behind a place costs the same however deep it lies, and rows that are added meanwhile neither move nor repeat
what comes after it; an offset promises neither.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, TypeAlias

from dialer.domain.errors import Invalid

After: TypeAlias = tuple[Any, ...]
"""The keys of the last row that was seen, in the order in which the list is sorted."""

LONGEST: Final = 500
LARGEST: Final = 32_767


@dataclass(frozen=True, slots=True)
class Order:
    """How one list is sorted: its name, and its keys with their types, the last of them unique."""

    name: str
    keys: tuple[tuple[str, type], ...] = (("created_at", datetime), ("id", str))

    def cursor(self, row: Mapping[str, Any]) -> str:
        """The place behind this row."""
        values = [row[key] for key, _ in self.keys]
        plain = [value.astimezone(UTC).isoformat() if isinstance(value, datetime) else value for value in values]
        return base64.urlsafe_b64encode(json.dumps([self.name, *plain]).encode()).decode().rstrip("=")

    def after(self, cursor: str) -> After:
        """Raises Invalid for what is no cursor of this list."""
        try:
            read = json.loads(base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True))
            name, *values = read
            if name != self.name:
                raise ValueError
            return tuple(_key(value, kind) for value, (_, kind) in zip(values, self.keys, strict=True))
        except (ValueError, TypeError, RecursionError, binascii.Error):
            said = "is no cursor of this list; send the next_cursor of its last page, or leave it out to begin anew"
            raise Invalid({"cursor": said}) from None


def _key(value: object, kind: type) -> Any:
    """The key as Postgres takes it. Raises ValueError for what no row has."""
    if kind is datetime and isinstance(value, str):
        at = datetime.fromisoformat(value)
        if at.tzinfo is not None and 1970 <= at.year <= 9998:
            return at.astimezone(UTC)
        raise ValueError
    number = kind is int and isinstance(value, int) and not isinstance(value, bool) and abs(value) <= LARGEST
    if not number and not (kind is str and isinstance(value, str) and "\x00" not in value and value.isascii()):
        raise ValueError
    return value


CONTACTS: Final = Order("contacts")
COMPANIES: Final = Order("companies")
CAMPAIGNS: Final = Order("campaigns")
SUPPRESSIONS: Final = Order("suppressions")
ASSISTANTS: Final = Order("assistants")
PHONE_NUMBERS: Final = Order("phone_numbers")
CUSTOM_FIELDS: Final = Order("custom_fields", (("key", str),))
CALLS: Final = Order("calls", (("id", str),))
MEMBERS: Final = Order("campaign_contacts", (("priority", int), ("created_at", datetime), ("id", str)))
