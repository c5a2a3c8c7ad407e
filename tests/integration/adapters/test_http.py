"""`post_once` against raw TCP servers that count what really arrives: at most one transmission, nothing late, nothing guessed."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import aiohttp
import pytest

from adapters import http
from adapters.base import Departure
from adapters.errors import Ambiguous, PlaceError, RateLimited, Rejected, TooLate, Unavailable
from adapters.events import Fault
from tests.support.carrier import eventually

Behave = Callable[["Wire", asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

OK = b"HTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\n{}"


class Wire:
    """A server that does nothing by itself; counts connections, complete requests and bytes."""

    def __init__(self) -> None:
        self.url = ""
        self.connections = 0
        self.requests = 0
        self.bytes = 0
        self.quiet = asyncio.Event()
        """Set when a connection was closed by the client."""

    async def request(self, reader: asyncio.StreamReader) -> bool:
        """Read one request; False when the client closed instead."""
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            byte = await reader.read(1)
            if not byte:
                self.quiet.set()
                return False
            head += byte
            self.bytes += 1
        length = next(int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length"))
        self.bytes += len(await reader.readexactly(length))
        self.requests += 1
        return True


@asynccontextmanager
async def wire(behave: Behave) -> AsyncIterator[Wire]:
    state = Wire()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        state.connections += 1
        try:
            await behave(state, reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    state.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/calls"
    try:
        yield state
    finally:
        server.close()


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as opened:
        yield opened


async def post(session: aiohttp.ClientSession, url: str, *, timeout: float = 2.0, within: float = 2.0) -> http.Answer:
    before = time.monotonic() + within
    return await http.post_once(session, url, body=b'{"to": "x"}', timeout=timeout, start_before=before, departure=Departure())


def answering(raw: bytes) -> Behave:
    async def behave(state: Wire, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await state.request(reader):
            writer.write(raw)

    return behave


async def hang_up_after_reading(state: Wire, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await state.request(reader)


async def reset_after_reading(state: Wire, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await state.request(reader)
    writer.transport.abort()


async def read_for_ever(state: Wire, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while await state.request(reader):
        pass


async def test_a_2xx_answer_is_returned_whole(session: aiohttp.ClientSession) -> None:
    async with wire(answering(b'HTTP/1.1 201 Created\r\nX-Id: 7\r\nContent-Length: 9\r\n\r\n{"a": 10}')) as server:
        answer = await post(session, server.url)
    assert (answer.status, answer.json(), answer.headers["x-id"]) == (201, {"a": 10}, "7")


@pytest.mark.parametrize("behave", [hang_up_after_reading, reset_after_reading, read_for_ever])
async def test_a_request_without_an_answer_is_ambiguous_and_sent_once(session: aiohttp.ClientSession, behave: Behave) -> None:
    async with wire(behave) as server:
        with pytest.raises(PlaceError) as failed:
            await post(session, server.url, timeout=0.4)
        assert (failed.type, server.requests) == (Ambiguous, 1)


async def test_a_request_that_is_given_up_is_not_left_to_the_kernel_to_deliver_later(session: aiohttp.ClientSession) -> None:
    ends: asyncio.Queue[str] = asyncio.Queue()

    async def read_to_the_end(state: Wire, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await state.request(reader)
            await reader.read(1)
            ends.put_nowait("closed")
        except ConnectionResetError:
            ends.put_nowait("reset")

    async with asyncio.timeout(20), wire(read_to_the_end) as server:
        with pytest.raises(Ambiguous):
            await post(session, server.url, timeout=0.2)
        assert await ends.get() == "reset", "what the kernel still holds would arrive when the line is mended"


async def test_a_connection_whose_request_was_answered_is_closed_in_order() -> None:
    ends: asyncio.Queue[str] = asyncio.Queue()

    async def answer(state: Wire, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await state.request(reader)
        writer.write(OK)
        try:
            ends.put_nowait("closed" if not await reader.read(1) else "more")
        except ConnectionResetError:
            ends.put_nowait("reset")

    async with asyncio.timeout(20), wire(answer) as server:
        async with aiohttp.ClientSession() as session:
            await post(session, server.url)
        assert await ends.get() == "closed"


@pytest.mark.parametrize(
    "raw",
    [
        b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 503 No\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 303 See\r\nLocation: /other\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 302 Found\r\nLocation: /calls\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 409 Conflict\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 408 Slow\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 201 Created\r\nContent-Length: 900\r\n\r\nhalf",
        b"HTTP/1.1 201 Created\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nnope",
        b"\x00\x01 not http at all\r\n\r\n",
    ],
)
async def test_an_answer_that_proves_nothing_is_ambiguous_and_sent_once(session: aiohttp.ClientSession, raw: bytes) -> None:
    async with wire(answering(raw)) as server:
        with pytest.raises(Ambiguous):
            await post(session, server.url, timeout=0.5)
        assert server.requests == 1


async def test_an_answer_without_end_is_ambiguous(session: aiohttp.ClientSession) -> None:
    async def babble(state: Wire, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await state.request(reader)
        writer.write(b"HTTP/1.1 201 Created\r\n\r\n")
        while True:
            writer.write(b"x" * 65536)
            await writer.drain()

    async with wire(babble) as server:
        with pytest.raises(Ambiguous):
            await post(session, server.url)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 422, 307, 308])
async def test_a_refusal_is_rejected(session: aiohttp.ClientSession, status: int) -> None:
    raw = b"HTTP/1.1 %d No\r\nLocation: /calls\r\nContent-Length: 0\r\n\r\n" % status
    async with wire(answering(raw)) as server:
        with pytest.raises(Rejected) as refusal:
            await post(session, server.url)
        assert refusal.value.fault is (Fault.REQUEST if status in (400, 422) else Fault.CONFIG)
        assert server.requests == 1


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (b"Retry-After: 7\r\n", 7.0),
        (b"Date: Tue, 01 Sep 2026 10:00:00 GMT\r\nRetry-After: Tue, 01 Sep 2026 10:00:30 GMT\r\n", 30.0),
        (b"Retry-After: Tue, 01 Sep 2026 10:00:30 GMT\r\n", None),
        (b"Retry-After: soon\r\n", None),
        (b"", None),
    ],
)
async def test_429_says_how_long_to_wait(session: aiohttp.ClientSession, header: bytes, seconds: float | None) -> None:
    async with wire(answering(b"HTTP/1.1 429 Slow\r\n" + header + b"Content-Length: 0\r\n\r\n")) as server:
        with pytest.raises(RateLimited) as limited:
            await post(session, server.url)
    assert limited.value.retry_after == seconds


async def test_a_refused_connection_is_unavailable(session: aiohttp.ClientSession) -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        with pytest.raises(Unavailable):
            await post(session, f"http://127.0.0.1:{bound.getsockname()[1]}/")


async def test_a_name_that_does_not_resolve_is_unavailable(session: aiohttp.ClientSession) -> None:
    with pytest.raises(Unavailable):
        await post(session, "http://carrier.invalid/calls")


@pytest.mark.parametrize("url", ["carrier/calls", "http://[half/calls"])
async def test_an_address_that_is_none_is_unavailable(session: aiohttp.ClientSession, url: str) -> None:
    with pytest.raises(Unavailable):
        await post(session, url)


async def test_a_failed_tls_handshake_is_unavailable_and_sends_no_request(session: aiohttp.ClientSession) -> None:
    async def speak_plain(state: Wire, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(b"this is not TLS at all, not even nearly\r\n")

    async with wire(speak_plain) as server:
        with pytest.raises(Unavailable):
            await http.post_once(
                session,
                server.url.replace("http:", "https:"),
                body=b"{}",
                timeout=2,
                start_before=time.monotonic() + 2,
                departure=Departure(),
            )


async def test_a_connection_that_never_gets_ready_is_given_up_at_the_fence(session: aiohttp.ClientSession) -> None:
    async def reading(state: Wire, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.read(1024):
            pass

    began = time.monotonic()
    async with wire(reading) as server:
        with pytest.raises(Unavailable):
            secure = server.url.replace("http:", "https:")
            await http.post_once(session, secure, body=b"{}", timeout=5, start_before=began + 0.2, departure=Departure())
        assert time.monotonic() - began < 1.5


async def test_a_full_pool_is_unavailable() -> None:
    async with wire(read_for_ever) as server, aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=1)) as session:
        first = asyncio.create_task(post(session, server.url, timeout=1.0))
        await eventually(lambda: server.requests == 1)
        with pytest.raises(Unavailable):
            await post(session, server.url, within=0.2)
        with pytest.raises(Ambiguous):
            await first
        assert server.requests == 1


async def test_nothing_is_sent_when_it_is_too_late_from_the_start(session: aiohttp.ClientSession) -> None:
    async with wire(read_for_ever) as server:
        with pytest.raises(TooLate):
            await post(session, server.url, within=-0.001)
        assert server.connections == 0


@pytest.mark.parametrize("moment", ["on_connection_create_end", "on_connection_reuseconn", "on_request_headers_sent"])
async def test_not_one_byte_leaves_when_the_loop_was_blocked_past_the_fence(moment: str) -> None:
    """The connection is ready in time, then something blocks the loop just before the request is written."""
    armed = False

    async def block(*_: object) -> None:
        if armed:
            time.sleep(0.15)  # noqa: ASYNC251 - blocking the loop is the point

    trace = aiohttp.TraceConfig()
    getattr(trace, moment).append(block)
    async with wire(answering(OK)) as server, aiohttp.ClientSession(trace_configs=[trace]) as session:
        if moment == "on_connection_reuseconn":
            await post(session, server.url)
        before, armed = server.bytes, True
        with pytest.raises(TooLate):
            await post(session, server.url, within=0.1)
        async with asyncio.timeout(2):
            await server.quiet.wait()
        assert server.bytes == before
        assert server.connections == 1


async def test_a_dead_connection_in_the_pool_is_not_tried_again(session: aiohttp.ClientSession) -> None:
    """aiohttp repeats idempotent methods by itself on a connection that the server closed; a POST must not be repeated."""

    async def answer_once_then_drop(state: Wire, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await state.request(reader)
        writer.write(OK)
        await state.request(reader)

    async with wire(answer_once_then_drop) as server:
        await post(session, server.url)
        with pytest.raises(Ambiguous):
            await post(session, server.url)
        assert (server.connections, server.requests) == (1, 2)


async def test_a_connection_the_server_closed_in_the_pool_sends_at_most_once(session: aiohttp.ClientSession) -> None:
    async def answer_once_then_close(state: Wire, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await state.request(reader)
        writer.write(OK)

    async with wire(answer_once_then_close) as server:
        for number in range(1, 6):
            try:
                await post(session, server.url)
            except (Ambiguous, Unavailable):
                continue
            assert server.requests <= number
        assert server.requests <= 5


async def test_a_closed_session_is_unavailable() -> None:
    session = aiohttp.ClientSession()
    await session.close()
    with pytest.raises(Unavailable):
        await post(session, "http://127.0.0.1:9/")


async def test_errors_repeat_neither_the_address_nor_the_body(session: aiohttp.ClientSession) -> None:
    with pytest.raises(Unavailable) as error:
        await post(session, "http://carrier.invalid/calls?to=+4930123456&key=secret")
    assert "+4930123456" not in str(error.value)
    assert "secret" not in str(error.value)
