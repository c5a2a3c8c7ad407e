"""Carriers' callbacks: verified and translated by the trunk's adapter, followed, and only then answered.

A callback whose signature does not prove where it comes from is a 403 and changes nothing; its body is never logged. When the
ledger cannot be written the answer is a 503, so that the carrier tells it again.
"""

from __future__ import annotations

import logging

from fastapi import APIRouter, Request, Response

from adapters.base import Hook
from adapters.errors import Forged
from dialer.api.context import Context
from dialer.domain.errors import Forbidden, NotFound

log = logging.getLogger(__name__)

router = APIRouter(tags=["callbacks"])


@router.post("/hooks/{trunk}", summary="A carrier's callback", include_in_schema=False)
async def hear(trunk: str, request: Request, context: Context) -> Response:
    adapter = context.trunks.get(trunk)
    if adapter is None:
        raise NotFound("There is no adapter of this name in the configuration.")
    query = f"?{request.url.query}" if request.url.query else ""
    hook = Hook(
        request.method,
        f"{context.settings.http.base_url}/hooks/{trunk}{query}",
        {name.lower(): value for name, value in request.headers.items()},
        await request.body(),
        context.clock.now(),
    )
    try:
        events, reply = adapter.receive(hook)
    except Forged as fault:
        log.warning("a callback to %s was refused: %s", trunk, fault)
        raise Forbidden("The callback's signature is not valid.") from None
    await context.follow(trunk, events)
    return Response(reply.body, reply.status, media_type=reply.content_type)
