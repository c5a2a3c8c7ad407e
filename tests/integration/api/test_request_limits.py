"""Heads and bodies that are too large, too many or too deep: a clear refusal, never a fault."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator

import pytest

from dialer.api.bodies import DEEPEST
from dialer.api.errors import MOST_BODY, MOST_HEAD, MOST_HEADERS
from dialer.serve import serve
from tests.support.api import Api

CONTACTS = "/api/crm/contacts"


def deep(levels: int) -> bytes:
    """An object that holds arrays, so many levels in all."""
    return b'{"customFields":' + b"[" * (levels - 1) + b"]" * (levels - 1) + b"}"


async def test_a_body_that_is_too_deep_is_a_400_that_says_so(api: Api) -> None:
    for levels in (DEEPEST + 1, 900, 5_000, 100_000):
        for method in ("POST", "PATCH", "PUT", "DELETE"):
            answer = await api.send(method, CONTACTS + "/x", deep(levels))
            assert (answer.status, answer.json["error"]) == (400, f"The body is nested deeper than {DEEPEST} levels; flatten it.")


async def test_a_body_as_deep_as_allowed_is_judged_by_its_fields(api: Api) -> None:
    answer = await api.send("POST", CONTACTS, deep(DEEPEST))
    assert answer.status == 400 and "customFields" in answer.faults


async def test_deep_json_in_a_form_field_is_a_400(api: Api) -> None:
    answer = await api.upload(CONTACTS + "/import", b"a\nb\n", teamId=api.team, columnMapping="[" * 100_000)
    assert answer.status == 400 and "columnMapping" in answer.faults


async def test_numbers_without_end_are_a_400(api: Api) -> None:
    answer = await api.send("POST", CONTACTS, b'{"campaignPriority":' + b"9" * 10_000 + b"}")
    assert answer.status == 400


async def test_only_a_form_may_be_large(api: Api) -> None:
    large = b"x" * (MOST_BODY + 1)
    for path, headers in ((CONTACTS, {"idempotency-key": "k"}), (CONTACTS + "/import", {}), (CONTACTS, {}), ("/hooks/sim", {})):
        answer = await api.send("POST", path, large, headers={"content-type": "text/csv", **headers})
        expected = 404 if path == "/hooks/sim" else 413  # there is no such trunk here: its body is never read
        assert (answer.status, answer.json["success"]) == (expected, False)


async def test_too_many_headers_are_a_431(api: Api) -> None:
    headers = {f"x-{n}": "1" for n in range(MOST_HEADERS)}
    answer = await api.send("GET", CONTACTS, query={"teamId": api.team}, headers=headers)
    assert (answer.status, answer.json["success"]) == (431, False)
    few = {f"x-{n}": "1" for n in range(MOST_HEADERS - 5)}
    assert (await api.send("GET", CONTACTS, query={"teamId": api.team}, headers=few)).status == 200


async def test_a_head_that_is_too_large_is_a_431(api: Api) -> None:
    for query, headers in (({"search": "x" * MOST_HEAD}, {}), ({}, {"x-large": "x" * MOST_HEAD})):
        answer = await api.send("GET", CONTACTS, query={"teamId": api.team, **query}, headers=headers)
        assert (answer.status, answer.json["details"]) == (431, {"fieldErrors": {}, "formErrors": []})


@pytest.fixture
async def port(api: Api) -> AsyncIterator[int]:
    """The API behind the real server."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        free: int = probe.getsockname()[1]
    stop = asyncio.Event()
    serving = asyncio.ensure_future(serve(api.app, "127.0.0.1", free, stop))
    for _ in range(200):
        try:
            (await asyncio.open_connection("127.0.0.1", free))[1].close()
            break
        except OSError:
            await asyncio.sleep(0.02)
    yield free
    stop.set()
    await serving


async def told(port: int, *pieces: bytes) -> bytes:
    """All that the server says to these pieces before it closes or falls silent."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
        async with asyncio.timeout(5):
            return await reader.read(65_536)
    finally:
        writer.close()


async def test_a_head_without_end_is_cut_off_by_the_server(port: int) -> None:
    endless = b"GET /healthz HTTP/1.1\r\nhost: x\r\nx-endless: " + b"x" * (MOST_HEAD + 1)
    for pieces in ([endless], [endless[:100], endless[100:]]):
        head, _, body = (await told(port, *pieces)).partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 431 ")
        assert json.loads(body)["success"] is False


async def test_many_requests_on_one_connection_are_not_one_large_head(port: int) -> None:
    request = b"GET /healthz HTTP/1.1\r\nhost: x\r\nx-padding: " + b"x" * (MOST_HEAD // 2) + b"\r\n\r\n"
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for _ in range(5):
        writer.write(request[:1000])
        await writer.drain()
        await asyncio.sleep(0.01)
        writer.write(request[1000:])
        async with asyncio.timeout(5):
            assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 ")
            await reader.readexactly(len(b'{"status":"ok"}'))
    writer.close()
