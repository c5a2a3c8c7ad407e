"""The outermost ring: what it does with a request whose database session was ended in the middle."""

from __future__ import annotations

from typing import Any

import asyncpg
import pytest
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

from dialer.api.errors import Guard

CUT = asyncpg.ConnectionDoesNotExistError("connection was closed in the middle of operation")


class Cut:
    """An application whose session is ended so many times before it answers."""

    def __init__(self, times: int, fault: Exception) -> None:
        self.left, self.fault, self.asked = times, fault, 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.asked += 1
        if self.left:
            self.left -= 1
            raise self.fault
        await PlainTextResponse("read")(scope, receive, send)


async def status(app: Cut, method: str) -> int:
    told: list[Any] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        told.append(message)

    scope = {"type": "http", "method": method, "path": "/x", "query_string": b"", "headers": []}
    await Guard(app)(scope, receive, send)
    return int(told[0]["status"])


async def test_a_read_whose_session_was_ended_is_read_again() -> None:
    app = Cut(1, CUT)
    assert (await status(app, "GET"), app.asked) == (200, 2)


async def test_it_is_read_again_once_only() -> None:
    app = Cut(2, CUT)
    assert (await status(app, "GET"), app.asked) == (503, 2)


@pytest.mark.parametrize(
    ("method", "fault"), [("POST", CUT), ("GET", TimeoutError()), ("GET", asyncpg.QueryCanceledError("slow"))]
)
async def test_neither_a_change_nor_what_took_long_is_done_again(method: str, fault: Exception) -> None:
    app = Cut(1, fault)
    assert (await status(app, method), app.asked) == (503, 1)
