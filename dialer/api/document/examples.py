"""An example for every body and parameter, made from its schema: the schema's own example, else what the field's name tells."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from dialer.api.document.schemas import Document, Json, resolved, without_null

SERIAL: Final = "0198f3c2a4d17c3e8b1f5d2a9e604b77"

IDS: Final[Mapping[str, str]] = {
    "team": "team",
    "company": "comp",
    "contact": "cont",
    "campaign": "camp",
    "campaign_contact": "cc",
    "assistant": "asst",
    "phone_number": "num",
    "from_number": "num",
    "call": "call",
    "batch": "batch",
    "suppression": "sup",
    "custom_field": "cf",
}
"""The prefix of an id, by what the field's name says before `_id`."""

OWN_ID: Final[Mapping[str, str]] = {
    "Contact": "cont", "ContactDetail": "cont", "Person": "cont", "Company": "comp", "CompanyRef": "comp",
    "Assistant": "asst", "OutboundAssistant": "asst", "PhoneNumber": "num", "Campaign": "camp", "Member": "cc",
    "CallingMember": "cc", "Call": "call", "CallDetail": "call", "Suppression": "sup",
}  # fmt: skip
"""The prefix of the field `id`, by the name of the schema that has it."""

VALUES: Final[Mapping[str, Any]] = {
    "first_name": "Ada",
    "last_name": "Lovelace",
    "email": "ada@example.com",
    "phone": "+14155552671",
    "phone_secondary": None,
    "phone_number": "+14155552671",
    "to_number": "+14155552671",
    "from_number": "+14155550123",
    "job_title": "Analyst",
    "region": "US-CA",
    "lead_status": "new",
    "timezone": "America/Los_Angeles",
    "preferred_contact_method": "phone",
    "notes": "Prefers the morning.",
    "custom_fields": {"plan": "gold"},
    "tags": ["spring"],
    "name": "Spring offer",
    "website": "https://example.com",
    "industry": "engineering",
    "company_size": "11-50",
    "address_line1": "1 Market Street",
    "address_line2": None,
    "city": "San Francisco",
    "state": "CA",
    "postal_code": "94105",
    "country": "US",
    "adapter": "simulated",
    "external_id": "agent-7",
    "call_window_start": "09:00",
    "call_window_end": "17:00",
    "call_window_timezone": "America/New_York",
    "settings": {"ringTimeoutSeconds": 25},
    "search": "ada",
    "tag": "spring",
    "source": "website",
    "reason": "asked not to be called",
    "description": "Customers of last spring.",
    "column_mapping": '{"Given": "firstName"}',
    "file": "first_name,last_name,phone\nAda,Lovelace,+14155552671\n",
    "cursor": None,
    "next_cursor": None,
    "scheduled_start_at": None,
    "deleted_at": None,
    "pause_reason": None,
    "fault": None,
    "scope": "team",
    "status": "pending",
    "message": "1 added.",
    "errors": [],
    "invalid": [],
    "count": 1,
    "total": 1,
    "offset": 0,
    "limit": 50,
}
"""By the field's snake_case name, where it fits the schema."""

FORMATS: Final[Mapping[str, Any]] = {"date-time": "2026-03-02T17:04:05Z", "date": "2026-03-02", "uri": "https://example.com"}


def example(document: Document, schema: Json, name: str = "", owner: str = "") -> Any:
    """A value that the schema allows. `name` is the field it is for, in any spelling; `owner` the schema that field is of."""
    nullable = any(kind.get("type") == "null" for kind in resolved(document, schema).get("anyOf", []))
    references = [kind.get("$ref", "") for kind in (schema, *schema.get("anyOf", ()))]
    owner_of_fields = "".join(references).rpartition("/")[2] or owner
    schema = without_null(document, schema)
    field = _snake(name)
    if "examples" in schema:
        return schema["examples"][0]
    if "const" in schema:
        return schema["const"]
    if field in VALUES and (VALUES[field] is None) <= nullable and _fits(VALUES[field], schema):
        return VALUES[field]
    if "enum" in schema:
        return schema["enum"][0]
    if "default" in schema and schema["default"] is not None:
        return schema["default"]
    match schema.get("type"):
        case "object" if "properties" in schema:
            return _fields(document, schema, owner_of_fields)
        case "object":
            return {}
        case "array":
            return [example(document, schema.get("items", {}), _one(field), owner)]
        case "integer" | "number":
            return max(schema.get("minimum", 0), 1 if schema.get("maximum", 1) >= 1 else 0)
        case "boolean":
            return False
        case "string":
            return _text(schema, field, owner)
    return None


def _fields(document: Document, schema: Json, owner: str) -> dict[str, Any]:
    """Requests are shown with what is required and what is commonly sent; answers whole."""
    required = set(schema.get("required", ()))
    return {
        name: example(document, field, name, owner)
        for name, field in schema["properties"].items()
        if name in required or (_snake(name) in SHOWN and required)
    }


SHOWN: Final = {"phone", "email", "timezone", "reason", "assistant_id"}
"""Optional fields that are worth showing in an example of a request."""


def _text(schema: Json, field: str, owner: str) -> str:
    if given := FORMATS.get(schema.get("format", "")):
        return str(given)
    if field == "id":
        return f"{OWN_ID.get(owner, owner[:4].lower() or 'id')}_{SERIAL}"
    if field.endswith("_id"):
        return f"{IDS.get(field.removesuffix('_id'), 'id')}_{SERIAL}"
    return "text"[: schema.get("maxLength", 4)]


def _fits(value: Any, schema: Json) -> bool:
    if value is None:
        return True
    if "enum" in schema:
        return value in schema["enum"]
    kinds = {"string": str, "integer": int, "array": list, "object": dict}
    return isinstance(value, kinds.get(schema.get("type", ""), ())) and ("properties" not in schema)


def _snake(name: str) -> str:
    return "".join(f"_{c.lower()}" if c.isupper() else c for c in name)


def _one(plural: str) -> str:
    return plural.removesuffix("s")
