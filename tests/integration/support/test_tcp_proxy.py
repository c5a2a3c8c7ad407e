"""The fault proxy does to connections what its modes say, and nothing else."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from tests.support.tcp_proxy import FaultProxy

SOON = 0.15
"""Seconds in which something that is not to happen would have happened."""


@asynccontextmanager
async def echo(heard: list[bytes]) -> AsyncIterator[FaultProxy]:
    """A server that repeats each line, behind a proxy."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while line := await reader.readline():
                heard.append(line)
                writer.write(line)
        except ConnectionError:
            pass
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with FaultProxy("127.0.0.1", server.sockets[0].getsockname()[1]) as proxy:
        yield proxy
    server.close()


class Client:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    @classmethod
    async def of(cls, proxy: FaultProxy) -> Client:
        return cls(*await asyncio.open_connection("127.0.0.1", proxy.port))

    async def ask(self, line: bytes, timeout: float = 5) -> bytes:
        self.writer.write(line)
        async with asyncio.timeout(timeout):
            return await self.reader.readline()


async def test_pass_changes_nothing() -> None:
    async with echo([]) as proxy:
        client = await Client.of(proxy)
        assert await client.ask(b"one\n") == b"one\n"
        large = b"x" * 50_000 + b"\n"
        assert await client.ask(large) == large
        client.writer.write_eof()
        assert await client.reader.read() == b""
        assert proxy.connections == 1


async def test_latency_is_added_in_both_directions() -> None:
    async with echo([]) as proxy:
        client = await Client.of(proxy)
        proxy.latency = 0.1
        began = time.monotonic()
        assert await client.ask(b"one\n") == b"one\n"
        assert time.monotonic() - began >= 0.2


async def test_refuse_turns_away_whoever_comes_and_keeps_who_is_there() -> None:
    async with echo([]) as proxy:
        inside = await Client.of(proxy)
        assert await inside.ask(b"one\n") == b"one\n"
        proxy.mode = "refuse"
        with pytest.raises(ConnectionResetError):
            await (await Client.of(proxy)).ask(b"two\n")
        assert await inside.ask(b"three\n") == b"three\n"


async def test_reset_breaks_what_is_open_and_what_comes() -> None:
    async with echo([]) as proxy:
        client = await Client.of(proxy)
        assert await client.ask(b"one\n") == b"one\n"
        proxy.mode = "reset"
        with pytest.raises(ConnectionResetError):
            await client.ask(b"two\n")
        proxy.mode = "pass"
        assert await (await Client.of(proxy)).ask(b"three\n") == b"three\n"


async def test_blackhole_swallows_both_ways_and_lets_go_on_pass() -> None:
    heard: list[bytes] = []
    async with echo(heard) as proxy:
        client = await Client.of(proxy)
        assert await client.ask(b"one\n") == b"one\n"
        proxy.mode = "blackhole"
        with pytest.raises(TimeoutError):
            await client.ask(b"two\n", SOON)
        assert heard == [b"one\n"]
        proxy.mode = "pass"
        assert await client.ask(b"") == b"two\n"


async def test_half_open_lets_requests_through_and_no_answer() -> None:
    heard: list[bytes] = []
    async with echo(heard) as proxy:
        client = await Client.of(proxy)
        proxy.mode = "half_open"
        with pytest.raises(TimeoutError):
            await client.ask(b"one\n", SOON)
        assert heard == [b"one\n"]
        proxy.mode = "pass"
        assert await client.ask(b"") == b"one\n"


async def test_a_server_that_is_away_is_a_reset_connection() -> None:
    async with FaultProxy("127.0.0.1", 1) as proxy:
        with pytest.raises(ConnectionResetError):
            await (await Client.of(proxy)).ask(b"one\n")
