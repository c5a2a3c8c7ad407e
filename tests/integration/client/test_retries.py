"""What the client repeats and what it must not, against a peer that answers by a script and notes what it heard."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import web

from dialer.client import Ambiguous, Conflict, DialerClient, NotFound, RateLimited, Unavailable, Unexpected

GOOD = {"success": True, "contact": {"id": "cont_1"}}
CUT = object()
"""The connection is cut instead of an answer."""

Heard = tuple[str, str, str | None, bytes]


@dataclass
class Peer:
    script: list[Any]
    heard: list[Heard] = field(default_factory=list)
    waits: list[float] = field(default_factory=list)
    url: str = ""

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.heard.append((request.method, request.path_qs, request.headers.get("Idempotency-Key"), await request.read()))
        said = self.script.pop(0)
        if said is CUT:
            assert request.transport is not None
            request.transport.abort()
            return web.Response()
        if callable(said):
            response: web.StreamResponse = await said(request)
            return response
        status, body, *headers = said
        return web.Response(status=status, text=json.dumps(body), headers=headers[0] if headers else None)

    async def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)

    def client(self, **patience: Any) -> DialerClient:
        return DialerClient(self.url, "tk_test_secret", "team_1", sleep=self.sleep, chance=lambda: 0.5, **patience)


@asynccontextmanager
async def peer(*script: Any) -> AsyncIterator[Peer]:
    found = Peer(list(script))
    app = web.Application()
    app.router.add_route("*", "/{rest:.*}", found.answer)
    runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    found.url = f"http://{host}:{port}"
    try:
        yield found
    finally:
        await runner.cleanup()


def error(sentence: str = "no") -> dict[str, Any]:
    return {"success": False, "error": sentence, "details": {"fieldErrors": {}, "formErrors": []}}


async def test_reading_is_repeated_until_it_works() -> None:
    async with peer(CUT, CUT, (503, error(), {"Retry-After": "2"}), (502, "x"), (200, GOOD)) as there, there.client() as dialer:
        assert (await dialer.contacts.get("cont_1"))["id"] == "cont_1"
    assert there.waits == [0.1875, 2.0, 0.75]
    assert len(there.heard) == 5


async def test_a_post_is_repeated_with_the_same_key_and_body() -> None:
    busy = (409, error("busy"), {"Retry-After": "1"})
    async with peer(CUT, (503, error()), busy, (200, GOOD)) as there, there.client() as dialer:
        await dialer.contacts.create(first_name="Ada", last_name="Lovelace")
    keys = {key for _, _, key, _ in there.heard}
    assert len(keys) == 1 and None not in keys
    assert len({body for *_, body in there.heard}) == 1
    assert len(there.heard) == 4


async def test_a_file_is_repeated_to_the_last_byte() -> None:
    async with peer((503, error()), (200, {"success": True, "batch_id": None})) as there, there.client() as dialer:
        await dialer.contacts.import_csv(b"first_name\nAda\n", idempotency_key="mine")
    assert there.heard[0] == there.heard[1]
    assert there.heard[0][2] == "mine"


async def test_two_requests_have_two_keys() -> None:
    async with peer((200, GOOD), (200, GOOD)) as there, there.client() as dialer:
        await dialer.contacts.create(first_name="Ada")
        await dialer.contacts.create(first_name="Ada")
    assert len({key for _, _, key, _ in there.heard}) == 2


@pytest.mark.parametrize("lost", [CUT, (500, error()), (503, error())], ids=["cut", "500", "503"])
async def test_a_change_whose_answer_is_lost_is_not_repeated(lost: Any) -> None:
    async with peer(lost) as there, there.client() as dialer:
        with pytest.raises(Ambiguous):
            await dialer.contacts.update("cont_1", do_not_call=True)
    assert len(there.heard) == 1


async def test_a_post_that_never_gets_an_answer_is_ambiguous() -> None:
    async with peer(CUT, CUT) as there, there.client(tries=2) as dialer:
        with pytest.raises(Ambiguous):
            await dialer.contacts.create(first_name="Ada")
    assert len(there.heard) == 2


async def test_an_outage_after_a_lost_answer_is_still_ambiguous() -> None:
    async with peer(CUT, (503, error())) as there, there.client(tries=2) as dialer:
        with pytest.raises(Ambiguous):
            await dialer.contacts.create(first_name="Ada")


async def test_what_was_never_sent_had_no_effect() -> None:
    async with peer() as there:
        pass
    async with there.client(tries=3) as dialer:
        with pytest.raises(Unavailable):
            await dialer.contacts.delete("cont_1")
    assert len(there.waits) == 2


async def test_who_asks_too_often_waits_as_long_as_told() -> None:
    async with peer((429, error(), {"Retry-After": "7"}), (200, GOOD)) as there, there.client() as dialer:
        await dialer.contacts.update("cont_1", notes="x")
    assert there.waits == [7.0]


async def test_nobody_waits_longer_than_the_caller_wants() -> None:
    async with peer((429, error(), {"Retry-After": "3599"})) as there, there.client(longest_wait=60) as dialer:
        with pytest.raises(RateLimited) as refused:
            await dialer.contacts.get("cont_1")
    assert refused.value.retry_after == 3599
    assert there.waits == []


@pytest.mark.parametrize(("status", "kind"), [(404, NotFound), (409, Conflict)])
async def test_a_no_is_not_asked_again(status: int, kind: type[Exception]) -> None:
    async with peer((status, error("There is no such thing."))) as there, there.client() as dialer:
        with pytest.raises(kind, match="no such thing"):
            await dialer.contacts.create(first_name="Ada")
    assert len(there.heard) == 1


async def test_a_slow_answer_is_a_lost_one() -> None:
    async def never(_: web.Request) -> web.StreamResponse:
        await asyncio.sleep(3600)
        raise AssertionError

    async with peer(never) as there, there.client(timeout=0.05, tries=1) as dialer:
        with pytest.raises(Unavailable):
            await dialer.contacts.get("cont_1")


async def test_an_answer_of_somebody_else_is_told() -> None:
    async with peer((200, ["no object"])) as there, there.client() as dialer:
        with pytest.raises(Unexpected):
            await dialer.contacts.get("cont_1")


async def test_no_error_repeats_the_number_or_the_key() -> None:
    async with peer(CUT) as there, there.client(tries=1) as dialer:
        with pytest.raises(Ambiguous) as lost:
            await dialer.suppressions.create(phone_number="+14155552671")
    assert "5552671" not in str(lost.value) and "secret" not in str(lost.value)


async def test_lists_follow_the_cursor_when_there_is_one() -> None:
    first = {"success": True, "contacts": [{"id": "a"}], "count": 2, "next_cursor": "x/1"}
    last = {"success": True, "contacts": [{"id": "b"}], "count": 2, "next_cursor": None}
    async with peer((200, first), (200, last)) as there, there.client() as dialer:
        assert [each["id"] async for each in dialer.contacts.list(page=1, do_not_call=False)] == ["a", "b"]
    assert "cursor=x/1" in there.heard[1][1] and "doNotCall=false" in there.heard[1][1]


def frames(*pieces: bytes, cut: bool = True) -> Callable[[web.Request], Any]:
    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        for piece in pieces:
            await response.write(piece)
        if cut:
            assert request.transport is not None
            request.transport.close()
        return response

    return answer


async def seen(dialer: DialerClient, number: int) -> Sequence[Any]:
    async with aclosing(dialer.campaigns.events("camp_1")) as events:
        return [await anext(events) for _ in range(number)]


async def test_events_go_on_where_the_connection_was_lost() -> None:
    resumed: list[str | None] = []

    async def second(request: web.Request) -> web.StreamResponse:
        resumed.append(request.headers.get("Last-Event-ID"))
        response: web.StreamResponse = await frames(b'event: call\r\ndata: {"n": 3}\r\nid: 9\r\n\r\n', cut=False)(request)
        return response

    started = frames(b": hello\n\nevent: counts\ndata: {", b'"n":\ndata: 1}\nid: 7\n\n', b"data: plain\n\nevent: half")
    async with peer(started, (503, error()), second) as there, there.client() as dialer:
        one, two, three = await seen(dialer, 3)
    assert (one.kind, one.data, one.id) == ("counts", {"n": 1}, "7")
    assert (two.kind, two.data, two.id) == ("message", "plain", "7")
    assert (three.kind, three.data, three.id) == ("call", {"n": 3}, "9")
    assert resumed == ["7"]


async def test_events_are_given_up_when_nobody_answers() -> None:
    async with peer(*[(503, error())] * 3) as there, there.client(tries=3) as dialer:
        with pytest.raises(Unavailable):
            await seen(dialer, 1)
    assert len(there.heard) == 3


async def test_a_file_that_is_cut_off_is_not_taken_for_whole() -> None:
    async def half(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": "100"})
        await response.prepare(request)
        await response.write(b"id,name\n")
        assert request.transport is not None
        request.transport.close()
        return response

    async with peer(half) as there, there.client() as dialer:
        with pytest.raises(Unavailable):
            _ = [piece async for piece in dialer.campaigns.export("camp_1")]
