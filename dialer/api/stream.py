"""Server-sent events as an answer that ends: with its client, with its key, with this process, or because nobody takes them.

A client is sent the next piece when it has taken the last one, so a slow one costs one piece and the socket's buffer. Whatever
ends a stream, the client resumes it with its last event id, on any process.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from typing import Any, Final

from fastapi import Response
from starlette.types import Receive, Scope, Send

from dialer.store.outage import is_outage
from scheduler.clock import Clock, unless_stopped

LOOK_SECONDS: Final = 0.5
"""Between two readings while nothing happens, and half of it while something does."""

HEARTBEAT_SECONDS: Final = 15.0
KEY_SECONDS: Final = 1.0
"""How long a stream may outlive its key."""

STALL_SECONDS: Final = 30.0
"""How long a client may take no byte before its stream ends."""

END_SECONDS: Final = 1.0
"""How long a client that takes nothing may hold up the end of its stream."""

log = logging.getLogger(__name__)


def frame(event: str, data: Mapping[str, Any], id: str | None = None) -> str:
    """One event; without `id` the client keeps the last one it got."""
    named = "" if id is None else f"id: {id}\n"
    return f"{named}event: {event}\ndata: {json.dumps(data, default=_time, ensure_ascii=False)}\n\n"


def _time(value: Any) -> str:
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    raise TypeError(f"{type(value).__name__} cannot be sent")


class EventStream(Response):
    """`read` gives the next text, empty when nothing happened, and whether more waits; `welcome` says whether the key is still
    good. `once`: end when there is nothing more."""

    media_type = "text/event-stream"

    def __init__(
        self,
        read: Callable[[], Awaitable[tuple[str, bool]]],
        welcome: Callable[[], Awaitable[bool]],
        clock: Clock,
        stopping: asyncio.Event,
        room: asyncio.Semaphore,
        *,
        once: bool,
    ) -> None:
        super().__init__(headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
        del self.headers["content-length"]
        self._read = read
        self._welcome = welcome
        self._clock = clock
        self._stopping = stopping
        self._room = room
        self._once = once

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        over = asyncio.Event()
        async with self._room, asyncio.TaskGroup() as group:
            watching = (group.create_task(_gone(receive, over)), group.create_task(_told(self._stopping, over)))
            try:
                await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
                await self._speak(send, over)
                await self._send(send, over, "", end=True)
            finally:
                for task in watching:
                    task.cancel()

    async def _speak(self, send: Send, over: asyncio.Event) -> None:
        now = self._clock.monotonic
        spoke = asked = now()
        try:
            while not over.is_set():
                if now() - asked >= KEY_SECONDS:
                    asked = now()
                    if not await self._welcome():
                        return
                text, more = await self._read()
                if text or now() - spoke >= HEARTBEAT_SECONDS:
                    spoke = now()
                    await self._send(send, over, text or ": nothing new\n\n")
                if not more:
                    if self._once:
                        return
                    await unless_stopped(over, self._clock.sleep(LOOK_SECONDS / 2 if text else LOOK_SECONDS))
        except Exception as fault:
            if not is_outage(fault):
                raise
            log.warning("an event stream ends, a store is away: %s", type(fault).__name__)

    async def _send(self, send: Send, over: asyncio.Event, text: str, *, end: bool = False) -> None:
        message = {"type": "http.response.body", "body": text.encode(), "more_body": not end}
        try:
            async with asyncio.timeout(END_SECONDS if end else STALL_SECONDS):
                await (send(message) if end else unless_stopped(over, _sent(send, message)))
        except TimeoutError:
            over.set()


async def _sent(send: Send, message: Any) -> None:
    await send(message)


async def _gone(receive: Receive, over: asyncio.Event) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    over.set()


async def _told(stopping: asyncio.Event, over: asyncio.Event) -> None:
    await stopping.wait()
    over.set()
