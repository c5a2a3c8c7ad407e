"""The fake to copy: it speaks the simulated carrier's API, so that the simulated adapter can be tried against it."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any

from aiohttp import web

from adapters.conformance import Act
from adapters.simulated.adapter import SimulatedAdapter
from adapters.simulated.translate import SIGNATURE, TIMESTAMP, sign
from tests.support.providers.base import Callback, FakeProvider
from tests.support.providers.calls import FakeCall, Order, Stage
from tests.support.providers.harness import ProviderHarness, harness_of

API_KEY = "example-key"
SIGNING_SECRET = "example-secret"
SIP = {Act.BUSY: 486, Act.DECLINED: 603, Act.NO_ANSWER: 480, Act.INVALID: 404, Act.UNREACHABLE: 503}


class ExampleProvider(FakeProvider):
    def routes(self) -> Sequence[web.RouteDef]:
        return [
            web.post("/calls", self.place),
            web.get("/calls", self._list),
            web.get("/calls/{ref}", self._show),
            web.post("/calls/{ref}/hangup", self._hang_up),
            web.get("/healthz", self._health),
        ]

    def authorized(self, request: web.Request) -> bool:
        return request.path == "/healthz" or request.headers.get("Authorization") == f"Bearer {API_KEY}"

    async def order(self, request: web.Request) -> Order:
        asked = await request.json()
        return Order(asked["attempt"], asked["to"], asked["from"], asked["callback_url"], asked)

    async def accepted(self, call: FakeCall) -> web.Response:
        return web.json_response({"id": call.ref}, status=201)

    def refused(self, order: Order) -> web.Response:
        return web.json_response({"error": "invalid_number"}, status=400)

    def callbacks(self, call: FakeCall, stage: Stage) -> Sequence[Callback]:
        body = json.dumps(_payload(call, stage)).encode()
        timestamp = f"{time.time():.3f}"
        return [Callback(body, {TIMESTAMP: timestamp, SIGNATURE: sign(SIGNING_SECRET, timestamp, body)})]

    async def _list(self, request: web.Request) -> web.Response:
        return web.json_response({"calls": [_record(call) for call in self.of(request.query["attempt"])]})

    async def _show(self, request: web.Request) -> web.Response:
        call = self.calls.get(request.match_info["ref"])
        return web.json_response(_record(call)) if call else web.json_response({"error": "not_found"}, status=404)

    async def _hang_up(self, request: web.Request) -> web.Response:
        call = self.calls.get(request.match_info["ref"])
        if call is None:
            return web.json_response({"error": "not_found"}, status=404)
        self.hang_up(call)
        return web.json_response(_record(call))

    async def _health(self, request: web.Request) -> web.Response:
        return web.json_response({"ok": True, "free": None})


def _record(call: FakeCall) -> dict[str, Any]:
    events = [_payload(call, stage) for stage in call.at]
    return {"id": call.ref, "over": call.over, "answered": call.answered, "events": events}


def _payload(call: FakeCall, stage: Stage) -> dict[str, Any]:
    told = {"id": f"{call.ref}:{stage}", "type": f"call.{stage}", "call": call.ref, "attempt": call.order.attempt}
    if stage is not Stage.ENDED:
        return {**told, "at": call.at[stage]}
    return {
        **told,
        "at": call.at[stage],
        "answered": call.answered,
        "answered_by": ("machine" if call.act is Act.MACHINE else "human") if call.answered else None,
        "rang": Stage.RINGING in call.at,
        "cancelled": call.cancelled,
        "sip": 200 if call.answered else SIP.get(call.act),
    }


def make(url: str, timeout: float) -> SimulatedAdapter:
    return SimulatedAdapter("example", base_url=url, api_key=API_KEY, signing_secret=SIGNING_SECRET, timeout=timeout)


def harness() -> AbstractAsyncContextManager[ProviderHarness]:
    return harness_of(ExampleProvider(), make)
