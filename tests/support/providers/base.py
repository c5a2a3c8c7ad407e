"""A provider over HTTP that does not exist, to be made one of a kind.

A provider's fake subclasses `FakeProvider` and adds what is its own: how a placement is read and answered, how a refusal looks,
look-ups, hang-ups, callbacks and their signature. The base makes answers go wrong on the wire and delivers the callbacks.
"""

from __future__ import annotations

import asyncio
import socket
import struct
import time
from abc import abstractmethod
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Self

import aiohttp
from aiohttp import web

from adapters.conformance import Act
from tests.support.providers.calls import FakeCall, FakeCarrier, Order, Stage

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True)
class Callback:
    """One POST to our side. An empty `url` is that of the call, or of the provider."""

    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    url: str = ""


@dataclass(frozen=True, slots=True)
class Seen:
    """A request of ours, placements and all others: what was in the path and query as it was encoded, and the whole body."""

    method: str
    path: str
    query: str
    body: bytes
    content_type: str


class FakeProvider(FakeCarrier):
    """Used inside `async with`; listens at `url`, a free port of the loopback."""

    def __init__(self) -> None:
        super().__init__()
        self.repeats = 1
        """How often each callback is sent."""
        self.backwards = False
        """Whether the callbacks of a call are held back until it is over, and sent in reverse."""
        self.seen: list[Seen] = []
        """All requests with the right key, as they came."""
        self.heard: Counter[tuple[str, int]] = Counter()
        """How our side answered callbacks: which (true, again, forged) and the HTTP status."""
        self._held: defaultdict[str, list[Callback]] = defaultdict(list)

    # What a provider's own fake fills in.

    @abstractmethod
    def routes(self) -> Sequence[web.RouteDef]:
        """Its API; placements are `web.post(path, self.place)`."""

    @abstractmethod
    def authorized(self, request: web.Request) -> bool:
        """Whether the key is right; else the answer is 401."""

    @abstractmethod
    async def order(self, request: web.Request) -> Order:
        """Read a placement, as strictly as the provider does; whatever it raises is answered 500."""

    @abstractmethod
    async def accepted(self, call: FakeCall) -> web.Response:
        """The answer to a placement."""

    @abstractmethod
    def refused(self, order: Order) -> web.Response:
        """A definite no."""

    def throttled(self, order: Order) -> web.Response:
        """Too many requests."""
        return web.json_response({"error": "too many requests"}, status=429, headers={"Retry-After": "1"})

    def callbacks(self, call: FakeCall, stage: Stage) -> Sequence[Callback]:
        """What is told of a stage, signed. Nothing by default: for one that speaks by socket, which overrides `tell`."""
        return ()

    # What every fake does.

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar(), timeout=aiohttp.ClientTimeout(total=10))
        app = web.Application(middlewares=[self._guard()])
        app.router.add_routes(self.routes())
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(self, *exc: object) -> None:
        try:
            await self.close()
        finally:
            await self._runner.cleanup()
            await self._session.close()

    async def place(self, request: web.Request) -> web.StreamResponse:
        """The handler of placements."""
        order = await self.order(request)
        self.requests[order.attempt] += 1
        answer = self.play(order).answer
        if answer is Act.REFUSE:
            return self.refused(order)
        if answer is Act.THROTTLE:
            return self.throttled(order)
        call = self.begin(order)
        match answer:
            case Act.ERROR_AFTER:
                return web.json_response({"error": "internal"}, status=503)
            case Act.GARBAGE_AFTER:
                return web.Response(status=200, body=b"<html>welcome</html>", content_type="text/html")
            case Act.RESET_AFTER:
                _reset(request)
                return web.Response(status=500)
            case Act.HANG_AFTER:
                await asyncio.sleep(60)
        return await self.accepted(call)

    async def tell(self, call: FakeCall, stage: Stage) -> None:
        if call.play.lied and len(call.at) == 1:
            await self._lie(call)
        if self.backwards or call.play.backwards:
            self._held[call.ref].extend(self.callbacks(call, stage))
        else:
            await self._send(call, self.callbacks(call, stage))

    async def told_all(self, call: FakeCall) -> None:
        await self._send(call, self._held.pop(call.ref, [])[::-1])

    async def _send(self, call: FakeCall, news: Sequence[Callback]) -> None:
        for callback in news:
            url = callback.url or call.order.callback_url or self.webhook_url
            for copy in range(max(self.repeats, call.play.repeats)):
                self.told.append((call.order.attempt, path_of(url), callback.body))
                await self._post(url, callback, "again" if copy else "true")

    async def _lie(self, call: FakeCall) -> None:
        """What is not so of a call that has just begun, in its carrier's words: that it ended, one way and the other."""
        now = time.time()
        dead = replace(call, act=Act.INVALID, at={Stage.ENDED: now})
        talked = replace(call, act=Act.MACHINE, at=dict.fromkeys((Stage.RINGING, Stage.ANSWERED, Stage.ENDED, Stage.RESULT), now))
        for twin, stages in ((dead, (Stage.ENDED,)), (talked, (Stage.ENDED, Stage.RESULT))):
            for stage in stages if self.talks_after_the_end else stages[:1]:
                for callback in self.callbacks(twin, stage):
                    url = callback.url or call.order.callback_url or self.webhook_url
                    for headers in (_spoiled(callback.headers), _bare(callback.headers)):
                        await self._post(url, replace(callback, headers=headers), "forged")

    async def _post(self, url: str, callback: Callback, which: str) -> None:
        async with self._session.post(url, data=callback.body, headers=callback.headers) as response:
            await response.read()
            self.heard[which, response.status] += 1

    def _guard(self) -> Any:
        @web.middleware
        async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
            if not self.authorized(request):
                return web.json_response({"error": "unauthorized"}, status=401)
            body, asked = await request.read(), request.rel_url
            self.seen.append(Seen(request.method, asked.raw_path, asked.raw_query_string, body, request.content_type))
            return await handler(request)

        return guard


def path_of(url: str) -> str:
    """Path and query, without the first slash."""
    return url.split("/", 3)[-1]


def _proves(name: str) -> bool:
    """Whether a header of a callback holds its signature."""
    return name.lower() != "content-type" and "timestamp" not in name.lower()


def _spoiled(headers: Mapping[str, str]) -> Mapping[str, str]:
    """The same with another character near the end of the signature, where each still means something in hex and base64."""

    def other(value: str) -> str:
        return f"{value[:-10]}{'1' if value[-10] == '0' else '0'}{value[-9:]}"

    return {name: other(value) if _proves(name) else value for name, value in headers.items()}


def _bare(headers: Mapping[str, str]) -> Mapping[str, str]:
    """The same without a signature."""
    return {name: value for name, value in headers.items() if not _proves(name)}


def _reset(request: web.Request) -> None:
    """Break the connection with a reset instead of an orderly end."""
    if (transport := request.transport) is not None:
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        transport.abort()
