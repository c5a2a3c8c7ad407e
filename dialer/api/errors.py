"""Every error as the one envelope of the contract, whoever raised it. 422 is never used.

Promises that an internal fault tells the client nothing but a request id, which the log line carries too.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, Literal

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException
from starlette.routing import compile_path
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dialer.api.shapes import WaitingFor
from dialer.domain import errors
from dialer.queue import QueueUnavailable
from dialer.store.outage import is_cut, is_outage

log = logging.getLogger(__name__)

STATUS: Mapping[type[errors.Refused], int] = {
    errors.Invalid: 400,
    errors.Unauthorized: 401,
    errors.Forbidden: 403,
    errors.NotFound: 404,
    errors.Conflict: 409,
}
SAFE = ("GET", "HEAD")
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
SENTENCES = {
    404: "There is no such address; the addresses are listed at /docs.",
    405: "This address does not know that method; see /docs.",
    413: "The request is too large.",
    431: "The head of the request (address and headers) is too large; send fewer or shorter headers.",
}
UNREADABLE = "The body cannot be read as JSON; send UTF-8 text that is not nested thousands deep."
# pydantic's words for what our clients meet most, as sentences with a remedy.
SAID = {
    "missing": "is required",
    "extra_forbidden": "is not a known field; remove it or correct its spelling",
    "json_invalid": "is not valid JSON",
}


class ErrorDetails(BaseModel):
    model_config = ConfigDict(extra="forbid")

    fieldErrors: dict[str, list[str]] = Field(description="What is wrong, by field as the client spells it")
    formErrors: list[str] = Field(description="What is wrong with the request as a whole")


class ErrorAnswer(BaseModel):
    """The envelope of every error."""

    model_config = ConfigDict(extra="forbid")

    success: Literal[False]
    error: str = Field(description="One sentence")
    details: ErrorDetails
    request_id: str = Field(default="", description="Only with 500 and 503: what to tell us")
    waiting_for: WaitingFor | None = Field(default=None, description="Of a call that may not be made now: why, and until when")


MOST_HEADERS = 100
MOST_HEAD = 32 * 1024
"""Bytes of address and headers together."""
MOST_BODY = 8 * 1024 * 1024
MOST_FILE = 1024 * 1024 * 1024
LIMITS: Mapping[str, int] = {"/api/crm/contacts/import": MOST_FILE, "/api/crm/suppressions/import": MOST_FILE}
"""Bytes of a body, by address where it is not `MOST_BODY`."""


def answer(
    status: int,
    sentence: str,
    *,
    fields: Mapping[str, Sequence[str]] | None = None,
    form: Sequence[str] = (),
    request_id: str | None = None,
    headers: Mapping[str, str] | None = None,
    waiting_for: Mapping[str, Any] | None = None,
) -> JSONResponse:
    body: dict[str, Any] = {
        "success": False,
        "error": sentence,
        "details": {"fieldErrors": {name: list(said) for name, said in (fields or {}).items()}, "formErrors": list(form)},
    }
    if request_id is not None:
        body["request_id"] = request_id
    if waiting_for is not None:
        body["waiting_for"] = dict(waiting_for)
    return JSONResponse(body, status, headers=None if headers is None else dict(headers))


def refusal(fault: errors.Refused) -> JSONResponse:
    """The answer to a request that was refused by the rules."""
    status = next(STATUS[kind] for kind in type(fault).__mro__ if kind in STATUS)
    if isinstance(fault, errors.Invalid):
        return answer(status, str(fault), fields=fault.fields, form=fault.form)
    if isinstance(fault, errors.NotNow):
        return answer(status, str(fault), waiting_for=WaitingFor.model_validate(fault.waiting_for).model_dump(mode="json"))
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
    if sentence == "There was an error parsing the body":  # the framework's words for what is not even JSON with a mistake
        return answer(fault.status_code, UNREADABLE, form=[UNREADABLE])
    headers = fault.headers if fault.status_code != HTTPStatus.METHOD_NOT_ALLOWED else {"Allow": ", ".join(_methods(request))}
    return answer(fault.status_code, sentence, headers=headers)


def _methods(request: Request) -> list[str]:
    """What this address knows; the router itself names the methods of one of its routes only. `/contacts/import` is an address
    of its own, not the contact `import`."""
    paths: Mapping[str, Mapping[str, Any]] = request.app.openapi()["paths"]
    fitting = [path for path in paths if compile_path(path)[0].match(request.scope["path"])]
    if not fitting:  # the documents themselves
        return ["GET", "HEAD"]
    known = paths[min(fitting, key=lambda path: path.count("{"))]
    return [method for method in METHODS if ("get" if method == "HEAD" else method.lower()) in known]


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
        heard = 0

        async def receiving() -> Message:
            nonlocal read, heard
            heard += 1
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
        for again in (True, False):
            try:
                await self._app(dict(scope), receiving, sending)
                return
            except Exception as fault:
                if started:
                    raise
                if again and scope["method"] in SAFE and heard == 0 and is_cut(fault):
                    continue  # the session ended in the middle: it was only read, so it is read again by another
                await self._failed(fault, request_id, scope["path"])(scope, receive, sending)
                return

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
