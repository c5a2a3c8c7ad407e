"""Carriers' callbacks: verified and translated by the trunk's adapter, followed, and only then answered.

A callback whose signature does not prove where it comes from is a 403 and changes nothing; its body is never logged. When the
ledger cannot be written the answer is a 503, so that the carrier tells it again.

This is the hot path of the API, several requests per call: an ASGI application of its own in front of the routes, which costs a
third of what a route with its dependencies does.
"""

from __future__ import annotations

import logging

from fastapi import APIRouter
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from adapters.base import Hook
from adapters.errors import Forged
from adapters.failpoints import failpoint
from dialer.api.context import ApiContext
from dialer.api.errors import refusal
from dialer.domain.errors import NO_SUCH_TRUNK, NOT_SIGNED, Forbidden, NotFound

PREFIX = "/hooks/"

router = APIRouter(tags=["callbacks"])
BODY = {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}, "example": "as the carrier writes it"}}

log = logging.getLogger(__name__)


class Hooks:
    """Answers `POST /hooks/{trunk}`; everything else goes on to `app`."""

    def __init__(self, app: ASGIApp, context: ApiContext) -> None:
        self._app = app
        self._context = context

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "POST" or not scope["path"].startswith(PREFIX):
            await self._app(scope, receive, send)
            return
        answer = await self._hear(scope, receive)
        await answer(scope, receive, send)

    async def _hear(self, scope: Scope, receive: Receive) -> Response:
        trunk = scope["path"].removeprefix(PREFIX)
        adapter = self._context.trunks.get(trunk)
        if adapter is None:
            return refusal(NotFound(NO_SUCH_TRUNK))
        query = scope["query_string"].decode("latin-1")
        hook = Hook(
            "POST",
            f"{self._context.settings.http.base_url}{PREFIX}{trunk}{'?' if query else ''}{query}",
            dict(Headers(scope=scope).items()),
            await Request(scope, receive).body(),
            self._context.clock.now(),
        )
        try:
            events, reply = adapter.receive(hook)
        except Forged as fault:
            log.warning("a callback to %s was refused: %s", trunk, fault)
            return refusal(Forbidden(NOT_SIGNED))
        failpoint("K6")
        try:
            await self._context.follow(trunk, events)
        except Exception:
            self._context.suspect([trunk])  # the carrier is told to tell it again, and may have lost patience by now
            raise
        failpoint("K7")
        return Response(reply.body, reply.status, media_type=reply.content_type if reply.body else None)


@router.post(
    "/hooks/{adapter}",
    summary="Hear what a carrier tells of its calls",
    status_code=204,
    response_class=Response,
    responses={200: {"description": "Heard; the body is for the carrier", "content": {"*/*": {}}}},
    openapi_extra={"requestBody": {"required": True, "content": BODY}},
)
async def hear(adapter: str) -> None:
    """As the carrier of the named adapter writes and signs it, of whatever content type."""
    raise NotFound  # never reached: `Hooks` stands before the routes; this is the place in the document
