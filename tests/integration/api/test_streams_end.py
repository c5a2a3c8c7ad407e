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


async def test_the_head_of_a_stream_is_all_there_is_of_it(database: Database, redis_url: str) -> None:
    """Its body has no end: whoever asks for the head alone would hold a stream for ever."""
    async with open_api(database, redis_url) as api:
        where = await seed(database.pool, contacts=2)
        await database.pool.execute("update api_keys set team_id = $1", where.team)
        stop, room, port = asyncio.Event(), asyncio.Semaphore(1), free_port()
        app = build(replace(api.context, stopping=stop, streams=room))
        url = f"http://127.0.0.1:{port}/api/crm/campaigns/{where.campaign}"
        serving = asyncio.ensure_future(serve(app, "127.0.0.1", port, stop))
        connector = aiohttp.TCPConnector(limit=1)
        async with aiohttp.ClientSession(connector=connector, headers={"authorization": f"Bearer {api.key}"}) as session:
            (await opened(session, f"http://127.0.0.1:{port}/healthz")).close()
            for path, kind in ((f"{url}/events", "text/event-stream"), (f"{url}/export", "text/csv"), (url, "application/json")):
                async with session.head(path) as answer:
                    assert (answer.status, await answer.read()) == (200, b"")
                    assert answer.headers["content-type"].startswith(kind)
            async with session.get(url) as answer:  # on the same connection
                assert (await answer.json())["campaign"]["id"] == where.campaign
            async with asyncio.timeout(10):
                await room.acquire()  # the stream has left it
            stop.set()
            await serving


async def opened(session: aiohttp.ClientSession, url: str) -> aiohttp.ClientResponse:
    """The answer, once the server listens."""
    async with asyncio.timeout(10):
        while True:
            try:
                return await session.get(url)
            except aiohttp.ClientConnectionError:
                await asyncio.sleep(0.02)
