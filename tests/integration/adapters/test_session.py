"""The client that adapters share: what goes over the wire, and that whatever goes wrong is one quiet error."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from aiohttp import web

from adapters.errors import AdapterError, Ambiguous
from adapters.http import LONGEST_ANSWER, reference
from adapters.session import Session, basic
from tests.support.carrier import call

NUMBER = "+493012345678"


@pytest.fixture
async def server() -> AsyncIterator[str]:
    async def echo(request: web.Request) -> web.Response:
        told = {
            "method": request.method,
            "path": request.raw_path,
            "body": (await request.read()).decode(),
            "type": request.headers.get("Content-Type"),
            "key": request.headers.get("Authorization"),
            "more": request.headers.get("X-More"),
        }
        return web.json_response(told, status=int(request.query.get("status", 200)), headers={"Set-Cookie": "a=b"})

    async def away(request: web.Request) -> web.Response:
        raise web.HTTPFound("/echo")

    async def long(request: web.Request) -> web.Response:
        return web.Response(body=b"x" * (LONGEST_ANSWER + 1))

    async def cut(request: web.Request) -> web.Response:
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    app = web.Application()
    app.router.add_routes(
        [web.get("/away", away), web.get("/long", long), web.get("/cut", cut), web.route("*", "/{tail:.*}", echo)]
    )
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/api/"
    finally:
        await runner.cleanup()


async def test_requests_go_out_as_they_were_meant_and_come_back_whatever_the_status(server: str) -> None:
    async with Session(server, timeout=2, headers={"Authorization": basic("u", "p")}) as session:
        answer = await session.ask("GET", "/calls", params=[("to", NUMBER), ("status", "404")], headers={"X-More": "1"})
        got = answer.json()
        assert (answer.status, got["method"], got["path"]) == (404, "GET", "/api/calls?to=%2B493012345678&status=404")
        assert (got["body"], got["type"], got["key"], got["more"]) == ("", None, "Basic dTpw", "1")
        form = (await session.ask("POST", "/calls/a%2Fb", form=[("a", "ü"), ("a", "2")])).json()
        assert (form["path"], form["body"]) == ("/api/calls/a%2Fb", "a=%C3%BC&a=2")
        assert form["type"] == "application/x-www-form-urlencoded"
        gone = (await session.ask("DELETE", "/calls/1", json={"why": 1})).json()
        assert (gone["method"], gone["body"], gone["type"]) == ("DELETE", '{"why": 1}', "application/json")


async def test_a_placement_carries_json_or_a_form_and_its_answer_names_the_call(server: str) -> None:
    async with Session(server, timeout=2) as session:
        placed = await session.place(call("call_1", NUMBER), "/calls", json={"to": NUMBER})
        assert (placed.json()["body"], placed.json()["type"]) == (f'{{"to": "{NUMBER}"}}', "application/json")
        placed = await session.place(call("call_1", NUMBER), "/calls", form={"to": NUMBER}, headers={"X-More": "1"})
        assert (placed.json()["body"], placed.json()["more"]) == ("to=%2B493012345678", "1")
        assert reference(placed, "method") == "POST"
        for path in (("id",), ("method", "id"), ("key",), ()):
            with pytest.raises(Ambiguous) as raised:
                reference(placed, *path)
            assert NUMBER not in str(raised.value)


@pytest.mark.parametrize("path", ["/../long", "/../cut"])
async def test_an_answer_that_does_not_come_whole_is_one_error_without_the_number(server: str, path: str) -> None:
    async with Session(server, timeout=2) as session:
        with pytest.raises(AdapterError, match="could not be asked") as raised:
            await session.ask("GET", path, params={"to": NUMBER})
        assert NUMBER not in str(raised.value) and "127.0.0.1" not in str(raised.value)


async def test_nobody_there_a_closed_session_and_a_wrong_address_are_errors_too() -> None:
    async with Session("http://127.0.0.1:9", timeout=2) as session:
        with pytest.raises(AdapterError, match="could not be asked"):
            await session.ask("GET", "/")
    with pytest.raises(AdapterError, match="could not be asked"):
        await session.ask("GET", "/")
    with pytest.raises(RuntimeError, match="outside `async with`"):
        await Session("http://127.0.0.1:9", timeout=2).ask("GET", "/")


async def test_redirects_are_not_followed_and_cookies_not_kept(server: str) -> None:
    async with Session(server, timeout=2) as session:
        assert (await session.ask("GET", "/../away")).status == 302
        await session.ask("GET", "/echo")
        assert not list(session.client.cookie_jar)
