"""The OpenAPI document, made true and complete: what routes and types tell, corrected and filled by the rules of `document/`.

A request that is not valid is answered 400, never 422.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from fastapi import FastAPI

from dialer.api.document import answers, names, requests
from dialer.api.document.examples import example
from dialer.api.document.formats import LOOKS, add_formats
from dialer.api.document.links import links
from dialer.api.document.schemas import Document, Json, resolved, without_null
from dialer.api.errors import ErrorAnswer

NO_KEY: list[Json] = []
TEXTS = {
    "text/csv": "first_name,last_name,phone\nAda,Lovelace,+14155552671\n",
    "text/plain": "dialer_attempts_total 12.0\n",
    "*/*": "as the carrier expects it",
}
"""Answers that are no JSON."""


def install(app: FastAPI) -> None:
    made = app.openapi

    def document() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = completed(made())
        return app.openapi_schema

    app.openapi = document  # type: ignore[method-assign]


def completed(document: Document) -> Document:
    """The document as FastAPI made it, completed in place."""
    _schemas(document)
    operations = list(_operations(document))
    for method, path, operation in operations:
        operation["operationId"] = names.operation_id(method, path)
    for method, path, operation in operations:
        _security(operation)
        _parameters(document, method, path, operation)
        _request(document, operation)
        _responses(document, method, path, operation)
    for method, _, operation in operations:
        if method == "post" and (found := links(document, operation)):
            operation["responses"]["200"]["links"] = found
    used = {tag for _, _, operation in operations for tag in operation["tags"]}
    document["tags"] = [{"name": tag, "description": said} for tag, said in names.TAGS.items() if tag in used]
    return document


def _operations(document: Document) -> Iterator[tuple[str, str, Json]]:
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            yield method, path, operation


def _schemas(document: Document) -> None:
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    made = ErrorAnswer.model_json_schema(ref_template="#/components/schemas/{model}", mode="serialization")
    schemas |= made.pop("$defs", {})
    schemas["ErrorAnswer"] = made
    document["components"]["schemas"] = dict(sorted(schemas.items()))
    add_formats(document)


def _security(operation: Json) -> None:
    """Each scheme alone is enough; the scopes stand in the requirement, and in words for people."""
    needed = operation.setdefault("security", NO_KEY)
    scopes = sorted({scope for requirement in needed for each in requirement.values() for scope in each})
    if scopes:
        said = f"Needs the scope {' and '.join(f'`{scope}`' for scope in scopes)}."
        operation["description"] = "\n\n".join(filter(None, [operation.get("description"), said]))


def _parameters(document: Document, method: str, path: str, operation: Json) -> None:
    parameters: list[Json] = operation.setdefault("parameters", [])
    for parameter in parameters:
        # Nothing in an address is null: a parameter is there or it is not.
        parameter["schema"] = schema = without_null(document, parameter["schema"])
        name = parameter["name"]
        if parameter["in"] == "path":
            schema |= {"minLength": 1, "maxLength": 200}
            parameter["description"] = f"Which {_thing(path, name)}"
            parameter["example"] = example(document, {"type": "string"}, f"{_thing(path, name).replace(' ', '_')}_id")
        else:
            said = parameter.get("description") or schema.get("description") or PARAMETERS.get(name)
            parameter["description"] = said or f"Only those with this {_words(name)}"
            parameter["example"] = example(document, schema, name)
            schema |= LOOKS.get(name, {})
    named = {parameter["name"] for parameter in parameters}
    if method == "post" and path.startswith(names.BASE) and "Idempotency-Key" not in named:
        parameters.append(answers.IDEMPOTENCY_KEY)
    if not parameters:
        del operation["parameters"]


PARAMETERS = {
    "teamId": "The team of the key",
    "limit": "How many at most",
    "offset": "How many to leave out first",
    "cursor": "`next_cursor` of the page before; instead of `offset`",
    "doNotCall": "Only those who may not be called (`true`), or may (`false`)",
    "hasPhone": "Only those with a phone number (`true`), or without one (`false`)",
    "deleted": "Whether deleted ones are left out, shown too, or shown alone",
    "limitPending": "How many of the next ones to show",
    "limitCalling": "How many of those under way to show",
    "limitCalls": "How many of the newest calls to show",
}


def _thing(path: str, name: str) -> str:
    """`contact` for `{id}` of `/contacts/{id}`, `batch` for `{batch_id}`, `adapter` for `{adapter}`."""
    if name != "id":
        return name.removesuffix("_id").replace("_", " ")
    before = path.partition("/{id}")[0].rpartition("/")[2].replace("-", " ")
    return before[:-3] + "y" if before.endswith("ies") else before.removesuffix("s")


def _words(name: str) -> str:
    return "".join(f" {c.lower()}" if c.isupper() else c for c in name)


def _request(document: Document, operation: Json) -> None:
    body = resolved(document, operation.get("requestBody"))
    for content in body.get("content", {}).values():
        # A body that may be left out is still never null.
        kinds = [kind for kind in content["schema"].get("anyOf", []) if kind.get("type") != "null"]
        if kinds:
            content["schema"] = kinds[0]
        if {"example", "examples"} & content.keys():
            continue
        shown = requests.BODIES.get(operation["operationId"])
        if shown is None:
            content["example"] = example(document, content["schema"])
        else:
            content["examples"] = {name: {"value": value} for name, value in shown.items()}


def _responses(document: Document, method: str, path: str, operation: Json) -> None:
    found: dict[str, Json] = operation["responses"]
    found.pop("422", None)
    for status in answers.statuses(document, method, path, operation):
        if status not in found:
            found[status] = answers.error(status)
    for status, response in found.items():
        headers = response.setdefault("headers", {})
        headers.setdefault("X-Request-Id", answers.REQUEST_ID)
        if status.startswith("2"):
            if response.get("description") in (None, "Successful Response"):
                response["description"] = operation["summary"]
            if method == "post" and path.startswith(names.BASE):
                headers.setdefault("Idempotent-Replayed", answers.REPLAYED)
        for kind, content in response.get("content", {}).items():
            if not {"example", "examples"} & content.keys():
                content["example"] = TEXTS.get(kind) or example(document, content.get("schema", {}))
    operation["responses"] = dict(sorted(found.items()))
