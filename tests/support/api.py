"""The API in the test's own process: a small client that speaks ASGI, and a context with a clock that stands still.

async with open_api(database, redis_url) as api:
    answer = await api.post("/api/crm/contacts", {"teamId": api.team, "firstName": "Ada", "lastName": "Lovelace"})
    assert answer.status == 200 and answer.json["contact"]["first_name"] == "Ada"
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import urlencode

from fastapi import FastAPI
from starlette.routing import BaseRoute, Route

from adapters.base import TelephonyAdapter
from adapters.events import CallEvent
from dialer.api.app import build
from dialer.api.context import ApiContext
from dialer.domain.keys import SHOWN, hashed, new_key
from dialer.flows.ring import Ringer
from dialer.queue import Bell, JobQueue, Quotas, close, connect
from dialer.settings import Settings
from dialer.store.database import Database
from scheduler.clock import Clock, SystemClock

BOUNDARY = "----dialer-test"


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def text(self) -> str:
        return self.body.decode()

    @property
    def faults(self) -> dict[str, list[str]]:
        """The fieldErrors of an error answer."""
        found: dict[str, list[str]] = self.json["details"]["fieldErrors"]
        return found


@dataclass(slots=True)
class Waits:
    """Stands in for the waiting of the fence: notes the seconds and returns at once."""

    seconds: list[float] = field(default_factory=list)

    async def __call__(self, seconds: float) -> None:
        self.seconds.append(seconds)


@dataclass(frozen=True)
class Api:
    """One team's view of the API. `team` and `key` are a fresh team's unless changed by `using`."""

    app: FastAPI
    context: ApiContext
    bell: Bell
    waits: Waits
    team: str
    key: str | None

    def using(self, key: str | None) -> Api:
        return replace(self, key=key)

    async def get(self, path: str, **query: Any) -> Answer:
        return await self.send("GET", path, query=query)

    async def post(self, path: str, body: Any = None, **query: Any) -> Answer:
        return await self.send("POST", path, body, query=query)

    async def put(self, path: str, body: Any) -> Answer:
        return await self.send("PUT", path, body)

    async def patch(self, path: str, body: Any) -> Answer:
        return await self.send("PATCH", path, body)

    async def delete(self, path: str, body: Any = None) -> Answer:
        return await self.send("DELETE", path, body)

    async def upload(self, path: str, file: bytes, *, name: str = "contacts.csv", **fields: str) -> Answer:
        """A multipart form with one file and text fields."""
        parts = [
            f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{key}"\r\n\r\n{value}\r\n'.encode()
            for key, value in fields.items()
        ]
        head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\nContent-Type: text/csv\r\n\r\n'
        body = b"".join([*parts, head.encode(), file, f"\r\n--{BOUNDARY}--\r\n".encode()])
        return await self.send("POST", path, body, headers={"content-type": f"multipart/form-data; boundary={BOUNDARY}"})

    async def send(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        query: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Bytes go as they are, anything else but None as JSON."""
        sent = {"host": "test"}
        if self.key is not None:
            sent["authorization"] = f"Bearer {self.key}"
        content = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        if content:
            sent |= {"content-type": "application/json", "content-length": str(len(content))}
        sent |= {name.lower(): value for name, value in (headers or {}).items()}
        return await _call(self.app, method, path, query or {}, sent, content)


async def _call(
    app: FastAPI, method: str, path: str, query: Mapping[str, Any], headers: Mapping[str, str], content: bytes
) -> Answer:
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": urlencode({k: v for k, v in query.items() if v is not None}, doseq=True).encode(),
        "headers": [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()],
        "client": ("127.0.0.1", 1),
        "server": ("test", 80),
    }
    pieces = [content[at : at + 65_536] for at in range(0, len(content), 65_536)] or [b""]
    messages: list[dict[str, Any]] = []
    answered = asyncio.Event()

    async def receive() -> dict[str, Any]:
        if pieces:
            return {"type": "http.request", "body": pieces.pop(0), "more_body": bool(pieces)}
        await answered.wait()  # whoever reads on waits for the client to go away
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        messages.append(message)
        if message["type"] == "http.response.body" and not message.get("more_body", False):
            answered.set()

    await app(scope, receive, send)
    start = next(m for m in messages if m["type"] == "http.response.start")
    said = {name.decode().lower(): value.decode("latin-1") for name, value in start["headers"]}
    return Answer(start["status"], said, b"".join(m.get("body", b"") for m in messages if m["type"] == "http.response.body"))


async def nothing_released(_campaign: str, _most: int | None = None) -> Sequence[Any]:
    return []


async def nobody_hung_up(_campaign: str) -> None:
    return None


async def nothing_followed(_trunk: str, _events: Sequence[CallEvent]) -> None:
    return None


def nothing_suspected(_trunks: Iterable[str]) -> None:
    return None


async def fresh_team(database: Database, name: str, scopes: Iterable[str] = ("*",)) -> tuple[str, str]:
    """A new team's id and a key for it."""
    key = new_key()
    team: str = await database.pool.fetchval(
        """with team as (insert into teams (name, default_region) values ($1, 'US') returning id)
           insert into api_keys (team_id, name, key_hash, prefix, scopes)
             select id, 'test', $2, $3, $4 from team returning team_id""",
        name, hashed(key), key[:SHOWN], list(scopes),
    )  # fmt: skip
    return team, key


_ROUTES: dict[bool, list[BaseRoute]] = {}


def app_of(context: ApiContext) -> FastAPI:
    """The API as its role builds it. What FastAPI works out of a route at its first request (some 50 ms for those of one test) is
    the same for every context, so the routes are those of the first one."""
    app = build(context)
    routes = _ROUTES.setdefault(context.settings.http.metrics_port is None, app.router.routes)
    for at, (mine, first) in enumerate(zip(app.router.routes, routes, strict=True)):
        if not isinstance(mine, Route):  # a route of its own belongs to its app
            app.router.routes[at] = first
    return app


@asynccontextmanager
async def open_api(
    database: Database,
    redis_url: str,
    *,
    clock: Clock | None = None,
    trunks: Mapping[str, TelephonyAdapter] | None = None,
    settings: Settings | None = None,
    **doors: Any,
) -> AsyncIterator[Api]:
    """`doors` are further fields of the context, such as `release`, `preview`, `hang_up`, `follow` or `pause`."""
    redis = connect(redis_url)
    await redis.flushdb()
    clock = clock or SystemClock()
    waits = Waits()
    bell = Bell(redis)
    chosen: dict[str, Any] = {
        "pause": waits,
        "release": nothing_released,
        "preview": nothing_released,
        "hang_up": nobody_hung_up,
        "follow": nothing_followed,
        "suspect": nothing_suspected,
    } | doors
    context = ApiContext(
        database=database,
        clock=clock,
        settings=settings or Settings.model_validate({"http": {"requests_per_hour": 0}}),
        ringer=Ringer(bell, JobQueue(redis, "dialer:test")),
        quotas=Quotas(redis),
        trunks=trunks or {},
        **chosen,
    )
    team, key = await fresh_team(database, "Team")
    try:
        yield Api(app_of(context), context, bell, waits, team, key)
    finally:
        await close(redis)
