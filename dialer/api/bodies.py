"""Bodies as the rings around the routes see them: read once, bounded in depth, handed on.

Everything but a multipart body is read whole before a route begins (the routes would do it anyway, and `Guard` bounds its size),
so that one that is nested too deeply is refused before any parser recurses into it.
"""

from __future__ import annotations

import re
from typing import Final

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dialer.api.errors import refusal
from dialer.domain.errors import Invalid

DEEPEST: Final = 32
"""Levels of arrays and objects in a JSON body."""

TEXTS: Final = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z)', re.DOTALL)
"""JSON's strings; one that is not closed reaches to the end, so that the search stays linear."""
OTHERS: Final = bytes(set(range(256)) - set(b"[]{}"))
ALIKE: Final = bytes.maketrans(b"{}", b"[]")


def is_form(headers: Headers) -> bool:
    return headers.get("content-type", "").lower().startswith("multipart/")


def too_deep(body: bytes) -> bool:
    """Whether arrays and objects are nested deeper than allowed; no parser is needed, and every step runs over the whole body.

    Only brackets are left, and each round takes away the innermost pairs: as many rounds as there are levels.
    """
    if body.count(b"[") + body.count(b"{") <= DEEPEST:
        return False
    left = TEXTS.sub(b"", body).translate(ALIKE, OTHERS)
    for _ in range(DEEPEST):
        if b"[]" not in left:
            break
        left = left.replace(b"[]", b"")
    return b"[]" in left or left.count(b"[") > DEEPEST


async def read(receive: Receive) -> bytes | None:
    """The whole body; None when the client went away."""
    pieces: list[bytes] = []
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        pieces.append(message.get("body", b""))
        if not message.get("more_body", False):
            return b"".join(pieces)


def again(body: bytes, receive: Receive) -> Receive:
    """A `receive` that begins with a body that was read before."""
    told = False

    async def receiving() -> Message:
        nonlocal told
        if told:
            return await receive()
        told = True
        return {"type": "http.request", "body": body, "more_body": False}

    return receiving


class Depth:
    """Refuses bodies under /api that are nested too deeply."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        bodiless = scope["type"] != "http" or scope["method"] in ("GET", "HEAD") or not scope["path"].startswith("/api/")
        if bodiless or is_form(Headers(scope=scope)):
            await self._app(scope, receive, send)
            return
        body = await read(receive)
        if body is None:
            return
        if too_deep(body):
            await refusal(Invalid({}, form=[f"The body is nested deeper than {DEEPEST} levels; flatten it."]))(
                scope, receive, send
            )
            return
        await self._app(scope, again(body, receive), send)
