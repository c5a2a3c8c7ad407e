"""An open event stream over a real socket: it does not hold up the end of the process."""

from __future__ import annotations

import asyncio
import socket
import time
from dataclasses import replace

import aiohttp

from dialer.api.app import build
from dialer.serve import DRAIN_SECONDS, serve
from dialer.store.database import Database
from tests.support.api import open_api
from tests.support.ledger import seed


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


async def test_an_open_stream_ends_with_the_process(database: Database, redis_url: str) -> None:
    async with open_api(database, redis_url) as api:
        where = await seed(database.pool, contacts=2)
        await database.pool.execute("update api_keys set team_id = $1", where.team)
        stop = asyncio.Event()
        app = build(replace(api.context, stopping=stop))
        port = free_port()
        url = f"http://127.0.0.1:{port}/api/crm/campaigns/{where.campaign}/events"
        serving = asyncio.ensure_future(serve(app, "127.0.0.1", port, stop))
        async with aiohttp.ClientSession(headers={"authorization": f"Bearer {api.key}"}) as session:
            answer = await opened(session, url)
            assert (await answer.content.readuntil(b"\n\n")).startswith(b"event: status")
            assert (await answer.content.readuntil(b"\n\n")).startswith(b"id: ")
            began = time.monotonic()
            stop.set()
            await answer.content.read()
            await serving
            assert time.monotonic() - began < DRAIN_SECONDS / 3


async def opened(session: aiohttp.ClientSession, url: str) -> aiohttp.ClientResponse:
    """The answer, once the server listens."""
    async with asyncio.timeout(10):
        while True:
            try:
                return await session.get(url)
            except aiohttp.ClientConnectionError:
                await asyncio.sleep(0.02)
