"""A client of the event stream that speaks ASGI: it sees each event as it is sent, goes when told, and may take nothing."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from tests.support.api import Api


@dataclass(frozen=True, slots=True)
class Told:
    """`id` is the last event id after it, as a client keeps it."""

    kind: str
    data: Any
    id: str | None


@dataclass(slots=True)
class Listener:
    """`taking` unset: the client takes nothing, and whoever sends waits. `ended` is set when the server has ended the stream."""

    answered: asyncio.Future[int]
    taking: asyncio.Event = field(default_factory=asyncio.Event)
    gone: asyncio.Event = field(default_factory=asyncio.Event)
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    heard: asyncio.Queue[str] = field(default_factory=asyncio.Queue)
    last_id: str | None = None
    _ready: list[Told] = field(default_factory=list)

    async def next(self, kind: str | None = None) -> Told:
        """The next event, or the next of this kind."""
        while True:
            while not self._ready:
                self._ready += self._parsed(await self.piece())
            told = self._ready.pop(0)
            if kind is None or told.kind == kind:
                return told

    async def piece(self) -> str:
        async with asyncio.timeout(10):
            return await self.heard.get()

    def _parsed(self, piece: str) -> list[Told]:
        return [told for told in parsed(piece, self._keep) if told is not None]

    def _keep(self, id: str | None) -> str | None:
        self.last_id = id if id is not None else self.last_id
        return self.last_id


def parsed(text: str, keep: Any = lambda id: id) -> list[Told]:
    found = []
    for block in text.split("\n\n"):
        lines = dict(line.split(": ", 1) for line in block.splitlines() if not line.startswith(":"))
        if "data" in lines:
            found.append(Told(lines["event"], json.loads(lines["data"]), keep(lines.get("id"))))
    return found


@asynccontextmanager
async def listening(
    api: Api, campaign: str, last: str | None = None, headers: Mapping[str, str] | None = None, **query: Any
) -> AsyncIterator[Listener]:
    sent = {"host": "test", "authorization": f"Bearer {api.key}", **(headers or {})}
    if last is not None:
        sent["last-event-id"] = last
    path = f"/api/crm/campaigns/{campaign}/events"
    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "GET", "scheme": "http", "path": path,
        "raw_path": path.encode(), "root_path": "", "query_string": urlencode(query).encode(),
        "headers": [(name.encode(), value.encode()) for name, value in sent.items()],
        "client": ("127.0.0.1", 1), "server": ("test", 80),
    }  # fmt: skip
    listener = Listener(asyncio.get_running_loop().create_future())
    listener.taking.set()
    asked = False

    async def receive() -> dict[str, Any]:
        nonlocal asked
        if not asked:
            asked = True
            return {"type": "http.request", "body": b"", "more_body": False}
        await listener.gone.wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            listener.answered.set_result(message["status"])
            return
        await listener.taking.wait()
        if message.get("body"):
            listener.heard.put_nowait(message["body"].decode())

    async def run() -> None:
        await api.app(scope, receive, send)
        listener.ended.set()

    async with asyncio.TaskGroup() as group:
        group.create_task(run())
        try:
            async with asyncio.timeout(10):
                assert await listener.answered == 200
            yield listener
        finally:
            listener.gone.set()
            listener.taking.set()
