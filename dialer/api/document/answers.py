"""Which errors an operation can give, with an example and the headers of each; and the headers of its success.

Only what can happen is promised: no 404 where nothing is looked up, no 409 where no state stands in the way, no 413 without a
body.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from dialer.api.document.names import BASE
from dialer.api.document.schemas import Document, Json, resolved
from dialer.domain.idempotency import LONGEST, PATTERN

NO_STATE: Final = {"deleteSuppression"}
"""Changes that no state forbids."""

LOOKED_UP: Final = ("Id", "Ids")
OWN: Final = {"teamId", "externalId"}
"""Ids of a body that are never looked up among the team's things."""

SAID: Final[Mapping[str, tuple[str, str, Mapping[str, list[str]]]]] = {
    "400": (
        "A parameter or a field is missing or wrong; `details` says which",
        "limit: input should be less than or equal to 500",
        {"limit": ["input should be less than or equal to 500"]},
    ),
    "401": ("No key, or one that is unknown, expired or revoked", "Unauthorized", {}),
    "403": (
        "The key lacks the scope, or belongs to another team than `teamId`",
        "This key may not do that: it lacks the scope contacts:write.",
        {},
    ),
    "404": ("There is no such thing in the key's team", "There is no contact cont_0198f3c2a4d17c3e8b1f5d2a9e604b77.", {}),
    "409": (
        "The state of things does not allow this, or the Idempotency-Key was used for another request",
        "The campaign is completed and cannot become running.",
        {},
    ),
    "413": ("The body is too large", "The request is too large.", {}),
    "415": ("The body is of the wrong type", "The body must be JSON; send it with Content-Type: application/json.", {}),
    "431": (
        "The address and the headers are too large",
        "The head of the request is too large; send fewer or shorter headers.",
        {},
    ),
    "429": ("The key made too many requests; wait as long as `Retry-After` says", "Too many requests with this key.", {}),
    "500": (
        "A fault on our side; nothing of it is told but a request id",
        "Something went wrong on our side; tell us the request id 4f1c2ab09d3e5f60.",
        {},
    ),
    "503": (
        "A store is away; try again",
        "The service cannot reach its database at the moment; try again.",
        {},
    ),
}


def _header(description: str, schema: Json, example: Any, *, always: bool = True) -> Json:
    return {"description": description, "required": always, "schema": schema, "example": example}


TEXT: Final[Json] = {"type": "string"}
WHOLE: Final[Json] = {"type": "integer", "minimum": 0}
REQUEST_ID: Final = _header("Names this request in our logs", TEXT, "4f1c2ab09d3e5f60")
REPLAYED: Final = _header(
    "`true` on an answer that repeats the first one to this Idempotency-Key",
    {"type": "string", "enum": ["true"]},
    "true",
    always=False,
)
RETRY_AFTER: Final = _header("Seconds to wait before trying again", WHOLE, 1, always=False)
HEADERS: Final[Mapping[str, Mapping[str, Json]]] = {
    "401": {"WWW-Authenticate": _header("How to authenticate", TEXT, "Bearer")},
    "429": {
        "Retry-After": RETRY_AFTER,
        "RateLimit-Limit": _header("Requests an hour that the key may make", WHOLE, 1000, always=False),
        "RateLimit-Remaining": _header("How many of them are left", WHOLE, 0, always=False),
        "RateLimit-Reset": _header("Seconds until there are more", WHOLE, 12, always=False),
    },
    "503": {"Retry-After": RETRY_AFTER},
}

IDEMPOTENCY_KEY: Final[Json] = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "A key of your own, such as a UUID: sent again within 24 hours with the same request, it gets the first answer"
    " (with `Idempotent-Replayed: true`) and has no second effect; with another request it is a 409.",
    "schema": {"type": "string", "minLength": 1, "maxLength": LONGEST, "pattern": PATTERN},
    "example": "0198f3c2-a4d1-7c3e-8b1f-5d2a9e604b77",
}


def statuses(document: Document, method: str, path: str, operation: Json) -> Iterator[str]:
    """The errors that the operation can really give."""
    body = resolved(document, operation.get("requestBody"))
    yield "400"
    if not path.startswith(BASE):
        if method == "post":
            yield from ("403", "404", "413")
        yield from ("500", "503")
        return
    yield from ("401", "403")
    if "{" in path or any(_looked_up(name) for name in _fields(document, body)):
        yield "404"
    if method != "get" and operation["operationId"] not in NO_STATE:
        yield "409"
    if body:
        yield from ("413", "415")
    yield from ("429", "431", "500", "503")


def _looked_up(field: str) -> bool:
    return field.endswith(LOOKED_UP) and field not in OWN


def _fields(document: Document, body: Json) -> Iterator[str]:
    for content in body.get("content", {}).values():
        yield from resolved(document, content["schema"]).get("properties", {})


def error(status: str) -> Json:
    """The response object of one error status."""
    description, sentence, fields = SAID[status]
    example: Json = {"success": False, "error": sentence, "details": {"fieldErrors": dict(fields), "formErrors": []}}
    if status in ("500", "503"):
        example["request_id"] = "4f1c2ab09d3e5f60"
    return {
        "description": description,
        "headers": {"X-Request-Id": REQUEST_ID, **HEADERS.get(status, {})},
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/ErrorAnswer"}, "example": example}},
    }
