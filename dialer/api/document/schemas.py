"""Looking things up in a document that is being made."""

from __future__ import annotations

from typing import Any, TypeAlias

Json: TypeAlias = dict[str, Any]
Document: TypeAlias = Json


def resolved(document: Document, found: Json | None) -> Json:
    """What a reference refers to, or the thing itself."""
    while found and "$ref" in found:
        at: Any = document
        for step in found["$ref"].removeprefix("#/").split("/"):
            at = at[step]
        found = at
    return found or {}


def without_null(document: Document, schema: Json) -> Json:
    """The schema of what a nullable field holds when it is not null."""
    schema = resolved(document, schema)
    kinds = [resolved(document, kind) for kind in schema.get("anyOf", [])]
    filled = [kind for kind in kinds if kind.get("type") != "null"]
    return {**filled[0], **{k: v for k, v in schema.items() if k != "anyOf"}} if filled else schema
