"""One record of a file as the row of a contact, or the reason why it is none. Pure."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final

from dialer.domain.custom_field import NO, YES, CustomField
from dialer.domain.email import UNFIT, is_email
from dialer.domain.phone import NotPhone, Phone, normalise
from dialer.flows.importing.columns import Columns, spelled
from dialer.store.imports import Rejected, Staged
from scheduler.places import Place, is_subdivision, locate
from scheduler.zones import is_zone

MOST: Final[Mapping[str, int]] = {"first_name": 200, "last_name": 200, "company": 200, "notes": 20_000}
MOST_ELSE: Final = 500
MOST_TAGS: Final = 100
CUSTOM_TEXT: Final = 20_000


class _Fault(Exception):
    def __init__(self, field: str, said: str) -> None:
        super().__init__(said)
        self.field = field
        self.said = said


# A file often has few zones and many rows: the same number is rarely asked twice, the same written zone nearly always.
_known_zone = lru_cache(maxsize=1024)(is_zone)


# A list has few tags, and each on many rows.
@lru_cache(maxsize=1024)
def _tags(text: str) -> str | None:
    """As JSON."""
    tags = list(dict.fromkeys(tag.strip() for tag in text.split(";") if tag.strip()))
    if len(tags) > MOST_TAGS or any(len(tag) > MOST_ELSE for tag in tags):
        raise _Fault("tags", f"are too many or too long; {MOST_TAGS} tags of {MOST_ELSE} characters are allowed")
    return json.dumps(tags, ensure_ascii=False) if tags else None


class Reader:
    """Reads the records of one file. `region` is where numbers without a country code are read, `fields` are the custom
    fields that are defined. `places` are those that its rows had so far, each with the number by which they name it.
    Messages name problem and remedy, never a whole number.
    """

    def __init__(self, columns: Columns, region: str, fields: Iterable[CustomField] = ()) -> None:
        self._columns = columns
        self._region = region
        self.places: dict[Place, int] = {}
        self._fields = {field.key: field for field in fields}
        self._texts = [
            (name, index, MOST.get(name, MOST_ELSE))
            for name, index in columns.fields.items()
            if name not in ("phone", "phone_secondary", "do_not_call", "tags")
        ]

    def read(self, row: int, cells: Sequence[str]) -> Staged | Rejected:
        try:
            return self._read(row, cells)
        except _Fault as fault:
            return Rejected(row, fault.field, fault.said, list(cells))

    def _read(self, row: int, cells: Sequence[str]) -> Staged:
        width, have = self._columns.width, len(cells)
        if have > width:
            raise _Fault("row", f"has {have} cells where the header has {width}; put cells that contain the delimiter in quotes")
        texts: dict[str, str | None] = {}
        for name, index, most in self._texts:
            text = cells[index].strip() if index < have else ""
            if len(text) > most:
                raise _Fault(spelled(name), f"is longer than {most:,} characters; shorten it")
            texts[name] = text or None
        first, last = texts["first_name"], texts["last_name"]
        if first is None or last is None:
            raise _Fault("lastName" if first else "firstName", "is empty; every contact needs it")
        get = texts.get
        self._check(get)
        phone = self._phone(cells, "phone")
        second = self._phone(cells, "phone_secondary")
        place = locate(get("timezone"), get("region"), *((phone.number, phone.telling) if phone else (None, None)))
        there = locate(get("timezone"), get("region"), second.number, second.telling) if second else None
        return Staged(
            row,
            first,
            last,
            get("email"),
            phone.number if phone else None,
            second.number if second else None,
            get("job_title"),
            get("region"),
            get("lead_status"),
            get("source"),
            get("timezone"),
            get("preferred_contact_method"),
            self._do_not_call(cells),
            get("notes"),
            self._custom(cells),
            self._tags(cells),
            get("company"),
            place.source,
            self.places.setdefault(place, len(self.places)),
            None if there is None else self.places.setdefault(there, len(self.places)),
        )

    def _check(self, get: Callable[[str], str | None]) -> None:
        if (email := get("email")) is not None and not is_email(email):
            raise _Fault("email", UNFIT)
        if (zone := get("timezone")) is not None and not _known_zone(zone):
            raise _Fault("timezone", "is not a time zone; write an IANA name such as America/New_York")
        if (region := get("region")) is not None and not is_subdivision(region):
            raise _Fault("region", "is not a subdivision; write its ISO 3166-2 code such as US-CA")

    def _cell(self, cells: Sequence[str], name: str) -> str:
        index = self._columns.fields.get(name)
        return "" if index is None or index >= len(cells) else cells[index].strip()

    def _phone(self, cells: Sequence[str], name: str) -> Phone | None:
        text = self._cell(cells, name)
        match normalise(text, self._region) if text else None:
            case NotPhone(said=said):
                raise _Fault(spelled(name), said)
            case found:
                return found

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
        text = self._cell(cells, "tags")
        return _tags(text) if text else None

    def _custom(self, cells: Sequence[str]) -> str | None:
        """As JSON."""
        if not self._columns.custom:
            return None
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
