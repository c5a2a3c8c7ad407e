"""The HTTP in front of the simulated carrier, and how it is started.

POST /calls · GET /calls?attempt=… · GET /calls/{id} · POST /calls/{id}/hangup · GET /journal[?calls=0] · GET and PUT /script ·
GET /healthz. Everything but /healthz wants `Authorization: Bearer <api key>`. Like most real carriers it is not idempotent: a
second POST with the same attempt id is a second call, and the journal says so.
"""

from __future__ import annotations

import asyncio
import hmac
import re
import signal
import socket
import struct
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import msgspec
from aiohttp import web

from adapters.simulated.carrier.calls import Exchange, Order, Throttled, record
from adapters.simulated.carrier.courier import Courier
from adapters.simulated.carrier.journal import Entry, Journal, Trouble
from adapters.simulated.carrier.script import Loss, Refusal, Script, handling, parse
from adapters.simulated.carrier.timer import MachineTimer, Timer

_NUMBER = re.compile(r"\+[1-9][0-9]{6,14}")
_FLUSH_SECONDS = 0.1
_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
_ORDER = msgspec.json.Decoder(Order)


class Carrier:
    """A running carrier, inside `async with`; `url` tells where it listens. Port 0 picks a free one.

    With a `journal_path` that exists the books are continued. `timer` None: the calls live by the machine's clock.
    """

    def __init__(
        self,
        script: Script | None = None,
        *,
        api_key: str,
        signing_secret: str,
        host: str = "127.0.0.1",
        port: int = 0,
        journal_path: Path | None = None,
        timer: Timer | None = None,
    ) -> None:
        self._first_script = script or Script()
        self._key = api_key.encode()
        self._secret = signing_secret
        self._host, self._port = host, port
        self._journal_path = journal_path
        self._timer = timer
        self._requests_for: Counter[str] = Counter()
        self.requests: Counter[str] = Counter()
        """Placement requests that were read, refused ones too, per attempt id."""
        self.troubles: list[Trouble] = []
        """Those that the script made go wrong, in their order."""

    async def __aenter__(self) -> Carrier:
        async with AsyncExitStack() as stack:
            self.journal = Journal.open(self._journal_path)
            stack.callback(self.journal.close)
            self.courier = await stack.enter_async_context(Courier(self._secret))
            self._clock = self._timer or MachineTimer()
            self._exchange = Exchange(self._first_script, self.journal, self.courier.tell, self._clock)
            stack.callback(self._exchange.close)
            self._flush()
            stack.callback(self._stop_flushing)
            runner = web.AppRunner(self._app(), access_log=None, shutdown_timeout=0.5)
            stack.push_async_callback(runner.cleanup)
            await runner.setup()
            await web.TCPSite(runner, self._host, self._port, backlog=1024).start()
            self.port: int = runner.addresses[0][1]
            self._stack = stack.pop_all()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._stack.aclose()

    @property
    def url(self) -> str:
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"http://{host}:{self.port}"

    @property
    def script(self) -> Script:
        """How calls behave; assigning another one changes the calls that are accepted from then on."""
        return self._exchange.script

    @script.setter
    def script(self, script: Script) -> None:
        self._exchange.script = script

    def _app(self) -> web.Application:
        app = web.Application(middlewares=[self._guard])
        app.router.add_post("/calls", self._place)
        app.router.add_get("/calls", self._list)
        app.router.add_get("/calls/{id}", self._show)
        app.router.add_post("/calls/{id}/hangup", self._hang_up)
        app.router.add_get("/journal", self._books)
        app.router.add_get("/script", self._tell_script)
        app.router.add_put("/script", self._change_script)
        app.router.add_get("/healthz", self._healthz)
        return app

    def _flush(self) -> None:
        self.journal.flush()
        self._flusher = asyncio.get_running_loop().call_later(_FLUSH_SECONDS, self._flush)

    def _stop_flushing(self) -> None:
        self._flusher.cancel()

    @property
    def _guard(self) -> Any:
        expected = b"Bearer " + self._key

        @web.middleware
        async def guard(request: web.Request, handler: _Handler) -> web.StreamResponse:
            given = request.headers.get("Authorization", "").encode("utf-8", "surrogateescape")
            if request.path != "/healthz" and not hmac.compare_digest(given, expected):
                return _json({"error": "unauthorized"}, 401)
            return await handler(request)

        return guard

    async def _place(self, request: web.Request) -> web.StreamResponse:
        try:
            order = _ORDER.decode(await request.read())
        except msgspec.DecodeError as error:
            return _json({"error": "bad_request", "detail": str(error)}, 400)
        self.requests[order.attempt] += 1
        if not _NUMBER.fullmatch(order.to):
            return _json({"error": "invalid_number"}, 400)
        try:
            wait = self._exchange.admit()
        except Throttled as throttled:
            return _slow_down(throttled.retry_after)
        self._requests_for[order.to] += 1
        plan = handling(self.script, order.to, self._requests_for[order.to])
        if trouble := plan.refusal or plan.loss:
            self.troubles.append(Trouble(self._clock.now(), order.attempt, order.to, trouble))
        if plan.refusal:
            return await self._misbehave(request, plan.refusal)
        entry = self._exchange.accept(order, wait)
        if plan.loss:
            return await self._misbehave(request, plan.loss)
        if plan.latency:
            await asyncio.sleep(plan.latency)
        return _json({"id": entry.id, "status": "queued" if wait else "dialing"}, 201)

    async def _misbehave(self, request: web.Request, trouble: Refusal | Loss) -> web.StreamResponse:
        match trouble:
            case "refuse_429":
                return _slow_down(self.script.faults.retry_after)
            case "refuse_401":
                return _json({"error": "unauthorized"}, 401)
            case "refuse_503":
                return _json({"error": "unavailable"}, 503, {"Retry-After": str(max(1, round(self.script.faults.retry_after)))})
            case "refuse_400":
                return _json({"error": "invalid_number"}, 400)
            case "error_before" | "error_after":
                return _json({"error": "internal"}, 503)
            case "garbage_after":
                return web.Response(status=201, body=b"<html>welcome</html>", content_type="text/html")
            case "hang_before" | "hang_after":
                await asyncio.sleep(self.script.faults.hang_seconds)
                return _json({"error": "timeout"}, 504)
            case "reset_before" | "reset_after":
                _reset(request)
                return web.Response(status=500)

    async def _list(self, request: web.Request) -> web.StreamResponse:
        attempt = request.query.get("attempt")
        if not attempt:
            return _json({"error": "bad_request", "detail": "name the attempt: /calls?attempt=…"}, 400)
        return _json({"calls": [record(entry) for entry in self.journal.by_attempt(attempt)]})

    async def _show(self, request: web.Request) -> web.StreamResponse:
        entry = self._named(request)
        return _json(record(entry)) if entry else _json({"error": "not_found"}, 404)

    async def _hang_up(self, request: web.Request) -> web.StreamResponse:
        entry = self._named(request)
        if entry is None:
            return _json({"error": "not_found"}, 404)
        self._exchange.hang_up(entry)
        return _json(record(entry))

    def _named(self, request: web.Request) -> Entry | None:
        return self.journal.entries.get(request.match_info["id"])

    async def _books(self, request: web.Request) -> web.StreamResponse:
        self.journal.flush()
        books: dict[str, Any] = {
            "summary": self.journal.summary(),
            "requests": self.requests.total(),
            "troubles": self.troubles,
            "callbacks": {"delivered": self.courier.delivered, "given_up": self.courier.given_up},
        }
        if request.query.get("calls") != "0":
            books["calls"] = list(self.journal.entries.values())
        return _json(books)

    async def _tell_script(self, request: web.Request) -> web.StreamResponse:
        return _json(self.script)

    async def _change_script(self, request: web.Request) -> web.StreamResponse:
        try:
            self.script = parse(await request.read())
        except ValueError as error:
            return _json({"error": "bad_request", "detail": str(error)}, 400)
        return _json(self.script)

    async def _healthz(self, request: web.Request) -> web.StreamResponse:
        limit = self.script.max_live
        return _json({"ok": True, "free": max(0, limit - self.journal.live) if limit else None})


def _json(value: Any, status: int = 200, headers: dict[str, str] | None = None) -> web.Response:
    return web.Response(body=msgspec.json.encode(value), status=status, headers=headers, content_type="application/json")


def _slow_down(seconds: float) -> web.Response:
    # The header knows whole seconds only, the body is exact.
    headers = {"Retry-After": str(max(1, round(seconds)))}
    return _json({"error": "rate_limited", "retry_after": round(seconds, 3)}, 429, headers)


def _reset(request: web.Request) -> None:
    """Break the connection with a reset instead of an orderly end."""
    transport = request.transport
    if transport is not None:
        peer: socket.socket = transport.get_extra_info("socket")
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        transport.abort()


async def serve(
    host: str,
    port: int,
    script: Script,
    journal_path: Path | None,
    *,
    api_key: str,
    signing_secret: str,
    ready: Callable[[str], None],
) -> None:
    """Run a carrier until cancelled or told to end (SIGTERM), its books whole; `ready(url)` is called once it listens, with the
    port that was bound."""
    loop, ended = asyncio.get_running_loop(), asyncio.Event()
    async with Carrier(
        script, api_key=api_key, signing_secret=signing_secret, host=host, port=port, journal_path=journal_path
    ) as carrier:
        loop.add_signal_handler(signal.SIGTERM, ended.set)
        try:
            ready(carrier.url)
            await ended.wait()
        finally:
            loop.remove_signal_handler(signal.SIGTERM)
