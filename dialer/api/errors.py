"""Every error as the one envelope of the contract, whoever raised it. 422 is never used.

Promises that an internal fault tells the client nothing but a request id, which the log line carries too.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.routing import Match
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dialer.domain import errors
from dialer.queue import QueueUnavailable
from dialer.store.outage import is_outage

log = logging.getLogger(__name__)

STATUS: Mapping[type[errors.Refused], int] = {
    errors.Invalid: 400,
    errors.Unauthorized: 401,
    errors.Forbidden: 403,
    errors.NotFound: 404,
    errors.Conflict: 409,
}
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
SENTENCES = {
    404: "There is no such address; the addresses are listed at /docs.",
    405: "This address does not know that method; see /docs.",
    413: "The request is too large.",
    431: "The head of the request (address and headers) is too large; send fewer or shorter headers.",
}
# pydantic's words for what our clients meet most, as sentences with a remedy.
SAID = {
    "missing": "is required",
    "extra_forbidden": "is not a known field; remove it or correct its spelling",
    "json_invalid": "is not valid JSON",
}


class ErrorDetails(BaseModel):
    fieldErrors: dict[str, list[str]] = Field(default_factory=dict)
    formErrors: list[str] = Field(default_factory=list)


class ErrorAnswer(BaseModel):
    """The envelope of every error."""

    success: bool = False
    error: str
    details: ErrorDetails = Field(default_factory=ErrorDetails)
    request_id: str | None = None


MOST_HEADERS = 100
MOST_HEAD = 32 * 1024
"""Bytes of address and headers together."""
MOST_BODY = 8 * 1024 * 1024
MOST_FILE = 1024 * 1024 * 1024
LIMITS: Mapping[str, int] = {"/api/crm/contacts/import": MOST_FILE}
"""Bytes of a body, by address where it is not `MOST_BODY`."""

RESPONSES: dict[int | str, dict[str, Any]] = {
    400: {"model": ErrorAnswer, "description": "A parameter is missing or wrong"},
    401: {"model": ErrorAnswer, "description": "No key, or a key that is not valid"},
    403: {"model": ErrorAnswer, "description": "The key may not do this"},
    404: {"model": ErrorAnswer, "description": "There is no such resource"},
    409: {"model": ErrorAnswer, "description": "The state of the resource does not allow this"},
    413: {"model": ErrorAnswer, "description": "The request is too large"},
    415: {"model": ErrorAnswer, "description": "The body is of the wrong type"},
    429: {"model": ErrorAnswer, "description": "The key has sent its requests of the hour"},
    431: {"model": ErrorAnswer, "description": "The address and the headers are too large"},
    500: {"model": ErrorAnswer, "description": "A fault on our side"},
    503: {"model": ErrorAnswer, "description": "A store is away"},
}
"""For routers: what any operation may answer besides success."""


def answer(
    status: int,
    sentence: str,
    *,
    fields: Mapping[str, Sequence[str]] | None = None,
    form: Sequence[str] = (),
    request_id: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> JSONResponse:
    body: dict[str, Any] = {
        "success": False,
        "error": sentence,
        "details": {"fieldErrors": {name: list(said) for name, said in (fields or {}).items()}, "formErrors": list(form)},
    }
    if request_id is not None:
        body["request_id"] = request_id
    return JSONResponse(body, status, headers=None if headers is None else dict(headers))


def refusal(fault: errors.Refused) -> JSONResponse:
    """The answer to a request that was refused by the rules."""
    status = next(STATUS[kind] for kind in type(fault).__mro__ if kind in STATUS)
    if isinstance(fault, errors.Invalid):
        return answer(status, str(fault), fields=fault.fields, form=fault.form)
    return answer(status, str(fault), headers={"WWW-Authenticate": "Bearer"} if status == HTTPStatus.UNAUTHORIZED else None)


def invalid_of(faults: Sequence[Any], *, within: Sequence[str] = ("body", "query", "path", "header")) -> errors.Invalid:
    """What pydantic found, field by field, spelled as the client sent it; a nested field is `outer.inner`."""
    fields: dict[str, list[str]] = {}
    form: list[str] = []
    for fault in faults:
        where = [str(part) for part in fault["loc"]]
        if where and where[0] in within:
            where = where[1:]
        said = SAID.get(fault["type"]) or str(fault["msg"]).removeprefix("Value error, ")
        if fault["type"] == "json_invalid" or not where:
            form.append("The body is required." if fault["type"] == "missing" else f"The body {said[0].lower()}{said[1:]}.")
        else:
            fields.setdefault(".".join(where), []).append(said[0].lower() + said[1:])
    return errors.Invalid(fields, form=form)


async def _refused(_: Request, fault: Exception) -> JSONResponse:
    assert isinstance(fault, errors.Refused)
    return refusal(fault)


async def _invalid(request: Request, fault: Exception) -> JSONResponse:
    assert isinstance(fault, RequestValidationError)
    if fault.body is not None and not _is_json(request) and any(f["loc"] == ("body",) for f in fault.errors()):
        return answer(415, "The body must be JSON; send it with Content-Type: application/json.")
    return refusal(invalid_of(fault.errors()))


def _is_json(request: Request) -> bool:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    return kind == "application/json" or (kind.startswith("application/") and kind.endswith("+json"))


async def _http(request: Request, fault: Exception) -> JSONResponse:
    assert isinstance(fault, HTTPException)
    sentence = SENTENCES.get(fault.status_code) or str(fault.detail)
    headers = fault.headers if fault.status_code != HTTPStatus.METHOD_NOT_ALLOWED else {"Allow": ", ".join(_methods(request))}
    return answer(fault.status_code, sentence, headers=headers)


def _methods(request: Request) -> list[str]:
    """What this address knows; the router itself names the methods of one of its routes only."""
    scopes = {method: {**request.scope, "method": method} for method in METHODS}
    return [
        method for method, scope in scopes.items() if any(r.matches(scope)[0] is Match.FULL for r in request.app.router.routes)
    ]


class Guard:
    """The outermost ring: gives each request an id, bounds its head and its body, and turns what nobody caught into 500, or 503
    when a store is down."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = secrets.token_hex(8)
        started = False
        # Only forms are read in passing; anything else is read whole.
        form = any(n == b"content-type" and v.lower().startswith(b"multipart/") for n, v in scope["headers"])
        limit = LIMITS.get(scope["path"], MOST_BODY) if form else MOST_BODY
        read = 0

        async def receiving() -> Message:
            nonlocal read
            message = await receive()
            read += len(message.get("body", b""))
            if read > limit:
                raise HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
            return message

        async def sending(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                message["headers"] = [*message["headers"], (b"x-request-id", request_id.encode())]
            await send(message)

        if _head_too_large(scope):
            await answer(431, SENTENCES[431])(scope, receive, sending)
            return
        if "\x00" in scope["path"] or b"%00" in scope["query_string"]:
            await answer(400, "The address contains a NUL character; remove it.")(scope, receive, sending)
            return
        try:
            await self._app(scope, receiving, sending)
        except Exception as fault:
            if started:
                raise
            await self._failed(fault, request_id, scope["path"])(scope, receive, sending)

    @staticmethod
    def _failed(fault: Exception, request_id: str, path: str) -> JSONResponse:
        if isinstance(fault, HTTPException):  # of a ring; those of routes are caught further in
            return answer(fault.status_code, SENTENCES.get(fault.status_code) or str(fault.detail))
        if isinstance(fault, QueueUnavailable) or is_outage(fault):
            log.warning("request %s to %s: a store is away: %s", request_id, path, type(fault).__name__)
            sentence = "The service cannot reach its database at the moment; try again."
            return answer(503, sentence, request_id=request_id, headers={"Retry-After": "1"})
        log.error("request %s to %s failed", request_id, path, exc_info=fault)
        sentence = f"Something went wrong on our side; tell us the request id {request_id}."
        return answer(500, sentence, request_id=request_id)


def _head_too_large(scope: Scope) -> bool:
    headers = scope["headers"]
    size = sum(len(name) + len(value) + 4 for name, value in headers) + len(scope["path"]) + len(scope["query_string"])
    return len(headers) > MOST_HEADERS or size > MOST_HEAD


def install(app: FastAPI) -> None:
    app.add_exception_handler(errors.Refused, _refused)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
