"""What a text has to look like, where its type says only that it is a text: by the name of the field.

`phone` and `time-zone` are formats of our own: any spelling of a number that can be dialled, and an IANA name.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from dialer.api.document.schemas import Document, Json

PHONE: Final[Json] = {"format": "phone"}
ZONE: Final[Json] = {"format": "time-zone"}
OF_DAY: Final[Json] = {"pattern": r"^([01]\d|2[0-3]):[0-5]\d(:[0-5]\d)?$"}

LOOKS: Final[Mapping[str, Json]] = {
    "phone": PHONE,
    "phoneSecondary": PHONE,
    "phoneNumber": PHONE,
    "toNumber": PHONE,
    "fromNumber": PHONE,
    "timezone": ZONE,
    "callWindowTimezone": ZONE,
    "email": {"format": "email"},
    "region": {"pattern": "^[A-Z]{2}-[A-Z0-9]{1,3}$"},
    "callWindowStart": OF_DAY,
    "callWindowEnd": {"pattern": OF_DAY["pattern"] + "|^24:00$"},
}
FREE: Final = {("NewCompany", "phone"), ("CompanyChange", "phone")}
"""Kept as it is written."""


def add_formats(document: Document) -> None:
    """Fields of requests are those spelled in camelCase; answers are ours and need none."""
    for name, schema in document["components"]["schemas"].items():
        if schema.get("additionalProperties") is False and "success" not in schema.get("properties", {}):
            for field, looks in LOOKS.items():
                if field in schema.get("properties", {}) and (name, field) not in FREE and _of_request(schema):
                    for text in _texts(schema["properties"][field]):
                        text.update(looks)


def _of_request(schema: Json) -> bool:
    return not any("_" in field for field in schema["properties"])


def _texts(schema: Json) -> Iterator[Json]:
    for kind in (schema, *schema.get("anyOf", ())):
        if kind.get("type") == "string":
            yield kind
