"""One record of a file as the row of a contact, or the reason why it is none. Pure."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, TypeAlias

from dialer.domain.custom_field import NO, YES, CustomField
from dialer.domain.phone import MISSING, NotPhone, Phone, normalise
from dialer.flows.contacts import EMAIL, SUBDIVISION
from dialer.flows.importing.columns import Columns, spelled
from dialer.store.imports import Staged
from scheduler.zones import candidates, is_zone

MOST: Final[Mapping[str, int]] = {"first_name": 200, "last_name": 200, "company": 200, "notes": 20_000}
MOST_ELSE: Final = 500
MOST_TAGS: Final = 100
CUSTOM_TEXT: Final = 20_000

Zones: TypeAlias = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Reject:
    """`field` as requests spell it; `message` names problem and remedy, never a whole phone number."""

    row: int
    field: str
    message: str
    cells: list[str]


@dataclass(frozen=True, slots=True)
class Good:
    """A staged row but for its place set's id, and the zones that this set has."""

    staged: Staged
    zones: Zones


class _Fault(Exception):
    def __init__(self, field: str, said: str) -> None:
        super().__init__(said)
        self.field = field
        self.said = said


# A file often has few zones and many rows: the same number is rarely asked twice, the same written zone nearly always.
_known_zone = lru_cache(maxsize=1024)(is_zone)


class Reader:
    """Reads the records of one file. `region` is where numbers without a country code are read, `fields` are the custom fields
    that are defined."""

    def __init__(self, columns: Columns, region: str, fields: Iterable[CustomField] = ()) -> None:
        self._columns = columns
        self._region = region
        self._fields = {field.key: field for field in fields}
        self._texts = [
            (name, index)
            for name, index in columns.fields.items()
            if name not in ("phone", "phone_secondary", "do_not_call", "tags")
        ]

    def read(self, row: int, cells: Sequence[str]) -> Good | Reject:
        try:
            return self._read(row, cells)
        except _Fault as fault:
            return Reject(row, fault.field, fault.said, list(cells))

    def _read(self, row: int, cells: Sequence[str]) -> Good:
        width, have = self._columns.width, len(cells)
        if have > width:
            raise _Fault("row", f"has {have} cells where the header has {width}; put cells that contain the delimiter in quotes")
        texts: dict[str, str | None] = {}
        for name, index in self._texts:
            text = cells[index].strip() if index < have else ""
            if len(text) > MOST.get(name, MOST_ELSE):
                raise _Fault(spelled(name), f"is longer than {MOST.get(name, MOST_ELSE):,} characters; shorten it")
            texts[name] = text or None
        for name in ("first_name", "last_name"):
            if texts[name] is None:
                raise _Fault(spelled(name), "is empty; every contact needs it")
        get = texts.get
        self._check(get)
        phone = self._phone(cells, "phone")
        place = candidates(get("timezone"), phone)
        return Good(
            Staged(
                row=row,
                first_name=texts["first_name"] or "",
                last_name=texts["last_name"] or "",
                email=get("email"),
                phone=phone,
                phone_secondary=self._phone(cells, "phone_secondary"),
                job_title=get("job_title"),
                region=get("region"),
                lead_status=get("lead_status"),
                source=get("source"),
                timezone=get("timezone"),
                preferred_contact_method=get("preferred_contact_method"),
                do_not_call=self._do_not_call(cells),
                notes=get("notes"),
                custom_fields=self._custom(cells),
                tags=self._tags(cells),
                company=get("company"),
                place_source=place.source,
            ),
            place.zones,
        )

    def _check(self, get: Callable[[str], str | None]) -> None:
        if (email := get("email")) is not None and not EMAIL.fullmatch(email):
            raise _Fault("email", "is not an email address; write it as name@example.com")
        if (zone := get("timezone")) is not None and not _known_zone(zone):
            raise _Fault("timezone", "is not a time zone; write an IANA name such as America/New_York")
        if (region := get("region")) is not None and not SUBDIVISION.fullmatch(region):
            raise _Fault("region", "is not a subdivision; write its ISO 3166-2 code such as US-CA")

    def _cell(self, cells: Sequence[str], name: str) -> str:
        index = self._columns.fields.get(name)
        return "" if index is None or index >= len(cells) else cells[index].strip()

    def _phone(self, cells: Sequence[str], name: str) -> str | None:
        match normalise(self._cell(cells, name), self._region):
            case Phone(number=number):
                return number
            case NotPhone() as why if why is MISSING:
                return None
            case NotPhone(said=said):
                raise _Fault(spelled(name), said)

    def _do_not_call(self, cells: Sequence[str]) -> bool | None:
        text = self._cell(cells, "do_not_call").casefold()
        if not text:
            return None
        if text in YES:
            return True
        if text in NO:
            return False
        raise _Fault("doNotCall", "is neither yes nor no; write yes or no")

    def _tags(self, cells: Sequence[str]) -> str | None:
        """As JSON."""
        text = self._cell(cells, "tags")
        tags = list(dict.fromkeys(tag.strip() for tag in text.split(";") if tag.strip())) if text else []
        if len(tags) > MOST_TAGS or any(len(tag) > MOST_ELSE for tag in tags):
            raise _Fault("tags", f"are too many or too long; {MOST_TAGS} tags of {MOST_ELSE} characters are allowed")
        return json.dumps(tags, ensure_ascii=False) if tags else None

    def _custom(self, cells: Sequence[str]) -> str | None:
        """As JSON."""
        found: dict[str, Any] = {}
        for key, index in self._columns.custom.items():
            text = cells[index].strip() if index < len(cells) else ""
            if len(text) > CUSTOM_TEXT:
                raise _Fault(f"custom.{key}", f"is longer than {CUSTOM_TEXT:,} characters; shorten it")
            if text:
                found[key] = self._typed(key, text)
        return json.dumps(found, ensure_ascii=False) if found else None

    def _typed(self, key: str, text: str) -> Any:
        field = self._fields.get(key)
        try:
            return text if field is None else field.read(text)
        except ValueError as fault:
            raise _Fault(f"customFields.{key}", str(fault)) from None
