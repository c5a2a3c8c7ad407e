"""A team's client of the API role that runs on a stage: requests with the moments of their sending and of their answer."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp

from tests.system.stage import Stage

AT_ONCE = 256
"""Connections."""
PATIENCE_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Answer:
    """`sent` is just before the request left, `answered` when the whole answer was there; seconds since 1970."""

    status: int
    json: Any
    sent: float
    answered: float

    @property
    def good(self) -> bool:
        return 200 <= self.status < 300


@dataclass(frozen=True, slots=True)
class Client:
    http: aiohttp.ClientSession
    team: str

    async def send(self, method: str, path: str, body: Any = None) -> Answer:
        """`path` is what follows `/api/crm`; a `FormData` goes as a form, anything else but None as JSON."""
        how = {"data": body} if isinstance(body, aiohttp.FormData) else {"json": body}
        sent = time.time()
        async with self.http.request(method, f"/api/crm{path}", **how) as answer:
            told = await answer.json()
            return Answer(answer.status, told, sent, time.time())

    async def get(self, path: str) -> Any:
        """What is answered. Raises AssertionError where that is no success."""
        return await self._well("GET", path, None)

    async def post(self, path: str, body: Any = None) -> Any:
        """As `get`."""
        return await self._well("POST", path, body)

    async def _well(self, method: str, path: str, body: Any) -> Any:
        answer = await self.send(method, path, body)
        assert answer.good, f"{method} {path}: {answer.status} {answer.json}"
        return answer.json


@asynccontextmanager
async def client(on: Stage, team: str, key: str) -> AsyncIterator[Client]:
    async with aiohttp.ClientSession(
        on.api_url,
        headers={"Authorization": f"Bearer {key}"},
        connector=aiohttp.TCPConnector(limit=AT_ONCE),
        timeout=aiohttp.ClientTimeout(total=PATIENCE_SECONDS),
    ) as http:
        yield Client(http, team)
