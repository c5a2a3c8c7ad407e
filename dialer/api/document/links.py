"""Links: what can be done with the thing that an answer brought, as machines follow them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from dialer.api.document.names import BASE
from dialer.api.document.schemas import Document, Json, resolved, without_null

GIVEN: Final[Mapping[str, tuple[str, str, str]]] = {
    "importContacts": ("downloadImportRejects", "batch_id", "$response.body#/batch_id"),
}
"""Operation → (next operation, its parameter, where its value stands)."""


def links(document: Document, operation: Json) -> dict[str, Any]:
    """From an answer that brought a new thing to every operation on that thing."""
    named: str = operation["operationId"]
    found = dict(_to_the_thing(document, operation)) if named.startswith("create") else {}
    if given := GIVEN.get(named):
        target, parameter, where = given
        found[target] = {"operationId": target, "parameters": {parameter: where}}
    return found


def _to_the_thing(document: Document, operation: Json) -> Iterator[tuple[str, Json]]:
    content = operation["responses"].get("200", {}).get("content", {}).get("application/json", {})
    for name, field in resolved(document, content.get("schema")).get("properties", {}).items():
        if "id" not in without_null(document, field).get("properties", {}):
            continue
        below = f"{BASE}/{_many(name).replace('_', '-')}/{{id}}"
        for path, operations in document["paths"].items():
            if path != below and not path.startswith(below + "/"):
                continue
            for target in (each["operationId"] for each in operations.values()):
                yield target, {"operationId": target, "parameters": {"id": f"$response.body#/{name}/id"}}


def _many(one: str) -> str:
    return one[:-1] + "ies" if one.endswith("y") else one + "s"
