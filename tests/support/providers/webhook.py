"""The imaginary provider of adapters/README.md: it speaks what the example there describes.

Its vices: it places a call again for the same attempt, whatever the Idempotency-Key; it queues; it forgets what its filter is
called (`ignores_filters`) and then lists every call; how a call failed is told by a SIP code, under a word that says nothing.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import time
import tomllib
from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from copy import deepcopy
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from aiohttp import web

import adapters
from adapters import registry
from adapters.base import TelephonyAdapter
from adapters.conformance import Act
from tests.support.providers.base import Callback, FakeProvider
from tests.support.providers.calls import FakeCall, Order, Stage
from tests.support.providers.harness import ProviderHarness, harness_of

README = Path(adapters.__file__).with_name("README.md")
REASONS = {
    Act.BUSY: ("busy", 486),
    Act.DECLINED: ("rejected", 603),
    Act.NO_ANSWER: ("no-answer", 480),
    Act.INVALID: ("failed", 404),
    Act.UNREACHABLE: ("failed", 503),
}


def example() -> str:
    """The example configuration, as it stands in adapters/README.md."""
    (found,) = re.findall(r"```toml\n(\[adapters\.acme\]\n.*?)```", README.read_text("utf-8"), re.DOTALL)
    return str(found)


def options(**changes: Any) -> dict[str, Any]:
    """The adapter's own options in the example, but for `changes`."""
    return {key: value for key, value in deepcopy(_read()).items() if key not in {"kind", "calls_per_second"}} | changes


@cache
def _read() -> dict[str, Any]:
    found: dict[str, Any] = tomllib.loads(example())["adapters"]["acme"]
    return found


class AcmeProvider(FakeProvider):
    talks_after_the_end = True

    def __init__(self) -> None:
        super().__init__()
        self.given = options()
        self.ignores_filters = False

    def routes(self) -> Sequence[web.RouteDef]:
        return [
            web.post("/calls", self.place),
            web.get("/calls", self._list),
            web.get("/calls/{ref}", self._show),
            web.post("/calls/{ref}/hangup", self._hang_up),
            web.get("/status", self._status),
        ]

    def authorized(self, request: web.Request) -> bool:
        return request.headers.get("Authorization") == f"Bearer {self.given['api_key']}"

    async def order(self, request: web.Request) -> Order:
        asked = await request.json()
        assert asked.keys() == self.given["place"]["json"].keys()
        assert request.headers["Idempotency-Key"] == asked["metadata"]["attempt"]
        return Order(asked["metadata"]["attempt"], asked["to"], asked["from"], asked["events_url"], asked)

    async def accepted(self, call: FakeCall) -> web.Response:
        return web.json_response({"data": {"id": call.ref, "status": "queued"}}, status=202)

    def refused(self, order: Order) -> web.Response:
        return web.json_response({"error": {"code": "invalid_destination"}}, status=422)

    def callbacks(self, call: FakeCall, stage: Stage) -> Sequence[Callback]:
        event = "call.analyzed" if stage is Stage.RESULT else f"call.{stage}"
        body = json.dumps({"event": event, "occurred_at": _iso(call.at[stage]), "call": _record(call)}).encode()
        return [Callback(body, signed(self.given["signing_secret"], body, time.time()))]

    async def _list(self, request: web.Request) -> web.Response:
        asked = list(self.calls.values()) if self.ignores_filters else self.of(request.query["reference"])
        return web.json_response({"data": [_record(call) for call in asked]})

    async def _show(self, request: web.Request) -> web.Response:
        call = self.calls.get(request.match_info["ref"])
        return web.json_response({"data": _record(call)}) if call else _not_found()

    async def _hang_up(self, request: web.Request) -> web.Response:
        call = self.calls.get(request.match_info["ref"])
        if call is None:
            return _not_found()
        self.hang_up(call)
        return web.Response(status=202)

    async def _status(self, request: web.Request) -> web.Response:
        return web.json_response({"ok": True})


def signed(secret: str, body: bytes, now: float) -> Mapping[str, str]:
    """The headers of a callback sent at `now`, in seconds since 1970."""
    stamp = f"{now:.0f}"
    digest = hmac.new(secret.encode(), f"{stamp}.".encode() + body, hashlib.sha256).hexdigest()
    return {"X-Acme-Timestamp": stamp, "X-Acme-Signature": f"sha256={digest}"}


def _not_found() -> web.Response:
    return web.json_response({"error": {"code": "call_not_found"}}, status=404)


def _iso(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).isoformat()


def _record(call: FakeCall) -> dict[str, Any]:
    at = {f"{stage}_at": _iso(moment) for stage, moment in call.at.items()}
    status = "ended" if call.over else "talking" if call.answered else "ringing" if call.at else "queued"
    record = {"id": call.ref, "metadata": call.order.asked["metadata"], "status": status, **at}
    if call.over:
        reason, sip = ("canceled", 487) if call.cancelled else REASONS.get(call.act, ("hangup", 200))
        who = ("voicemail" if call.act is Act.MACHINE else "human") if call.answered else None
        record |= {"end_reason": reason, "sip_code": sip, "answered_by": who, "price": "0.04", "currency": "EUR"}
    if Stage.RESULT in call.at:
        record["analysis"] = {"summary": "They talked.", "finished_at": _iso(call.at[Stage.RESULT]), "success": True}
    return record


def make(url: str, timeout: float) -> TelephonyAdapter:
    return registry.build("acme", "webhook", options(base_url=url, timeout=timeout))


def harness() -> AbstractAsyncContextManager[ProviderHarness]:
    return harness_of(AcmeProvider(), make)
