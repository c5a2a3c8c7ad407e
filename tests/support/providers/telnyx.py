"""A Telnyx that does not exist: Call Control's API as strict as it is, with signed callbacks, and a record of every event.

Its vices: callbacks that come twice and in reverse (`repeats`, `backwards`), no callback for a ring, short pages of live calls, a
call that is over is no error to look up but tells nothing of its end, and a second command with the same `command_id` is ignored,
for a minute.
"""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime
from typing import Any

from aiohttp import web
from nacl.signing import SigningKey

from adapters.conformance import Act
from adapters.telnyx.adapter import TelnyxAdapter
from adapters.telnyx.translate import SIGNATURE, TIMESTAMP
from tests.support.providers.base import Callback, FakeProvider
from tests.support.providers.calls import FakeCall, Order, Stage
from tests.support.providers.harness import ProviderHarness, harness_of

API_KEY = "KEY-of-the-account"
CONNECTION = "1494404757140276705"
SIGNING_KEY = SigningKey(b"telnyx signs with its own secret")
PUBLIC_KEY = bytes(SIGNING_KEY.verify_key)
WINDOW = 60.0
"""Seconds for which a `command_id` is remembered."""
ENDS = {
    Act.BUSY: ("user_busy", "486"),
    Act.DECLINED: ("call_rejected", "603"),
    Act.NO_ANSWER: ("timeout", "487"),
    Act.INVALID: ("not_found", "404"),
    Act.UNREACHABLE: ("unspecified", "503"),
}
STRICT = {
    "connection_id": str, "to": str, "from": str, "command_id": str, "client_state": str, "timeout_secs": int,
    "time_limit_secs": int, "webhook_url": str, "webhook_url_method": str, "assistant": dict, "stream_url": str,
    "stream_track": str, "stream_bidirectional_mode": str, "answering_machine_detection": str,
}  # fmt: skip
"""What a placement may hold."""


class TelnyxProvider(FakeProvider):
    def __init__(self) -> None:
        super().__init__()
        self.page = 2
        """Most live calls that one page shows."""
        self.refusal: tuple[int, dict[str, Any]] = (403, {"code": "90001", "title": "Forbidden", "detail": "Not allowed: D38"})
        self.recording = True
        """Whether events can be looked up."""

    def routes(self) -> Sequence[web.RouteDef]:
        return [
            web.post("/v2/calls", self.place),
            web.get("/v2/calls/{ref}", self._show),
            web.post("/v2/calls/{ref}/actions/hangup", self._hang_up),
            web.get(f"/v2/connections/{CONNECTION}/active_calls", self._active),
            web.get("/v2/call_events", self._events),
        ]

    def authorized(self, request: web.Request) -> bool:
        return request.headers.get("Authorization") == f"Bearer {API_KEY}"

    async def order(self, request: web.Request) -> Order:
        asked = await request.json()
        for name, value in asked.items():
            assert type(value) is STRICT[name], name
        assert asked["connection_id"] == CONNECTION
        assert asked["to"].startswith("+") and asked["from"].startswith("+")
        assert 5 <= asked["timeout_secs"] <= 600 and 30 <= asked["time_limit_secs"] <= 14_400
        attempt = base64.b64decode(asked["client_state"], validate=True).decode()
        return Order(attempt, asked["to"], asked["from"], asked.get("webhook_url", ""), asked)

    def new_ref(self, order: Order) -> str:
        return f"v3:{len(self.calls) + 1}/{order.attempt[-6:]}"

    def begin(self, order: Order) -> FakeCall:
        for call in self.calls.values():
            if call.order.asked["command_id"] == order.asked["command_id"] and time.time() - call.placed < WINDOW:
                return call
        return super().begin(order)

    async def accepted(self, call: FakeCall) -> web.Response:
        return web.json_response({"data": {**_names(call), "is_alive": False, "record_type": "call"}})

    def refused(self, order: Order) -> web.Response:
        status, error = self.refusal
        return web.json_response({"errors": [error]}, status=status)

    def throttled(self, order: Order) -> web.Response:
        error = {"code": "10011", "title": "Too many requests"}
        return web.json_response({"errors": [error]}, status=429, headers={"Retry-After": "1"})

    def callbacks(self, call: FakeCall, stage: Stage) -> Sequence[Callback]:
        news = _told(call, stage)
        return [
            signed({"data": event, "meta": {"attempt": 1}}) for event in (news if len(call.at) > 1 else [_began(call), *news])
        ]

    async def _active(self, request: web.Request) -> web.Response:
        live = [call for call in self.calls.values() if not call.over]
        start = int(request.query.get("page[after]", "0"))
        end = start + min(self.page, int(request.query["page[limit]"]))
        shown = [{**_names(call), "client_state": call.order.asked["client_state"]} for call in live[start:end]]
        return web.json_response({"data": shown, "meta": {"cursors": {"after": str(end) if end < len(live) else None}}})

    async def _events(self, request: web.Request) -> web.Response:
        since = datetime.fromisoformat(request.query["filter[occurred_at][gte]"])
        records = [
            {"record_type": "call_event", "type": "webhook", "name": event["event_type"], "metadata": {"data": event}}
            for call in self.calls.values()
            if self.recording and call.order.to == request.query["filter[to]"]
            for event in [_began(call), *(event for stage in call.at for event in _told(call, stage))]
            if datetime.fromisoformat(event["occurred_at"]) >= since
        ]
        command = {"record_type": "call_event", "type": "command", "name": "hangup", "metadata": {"status": "ok"}}
        return web.json_response({"data": [*records[::-1], command], "meta": {"total_results": len(records) + 1}})

    async def _show(self, request: web.Request) -> web.Response:
        call = self.calls.get(request.match_info["ref"])
        if call is None:
            return _gone(404, "10005")
        return web.json_response({"data": {**_names(call), "is_alive": not call.over, "record_type": "call"}})

    async def _hang_up(self, request: web.Request) -> web.Response:
        call = self.calls.get(request.match_info["ref"])
        if call is None:
            return _gone(422, "90015")
        if call.over:
            return _gone(422, "90018")
        self.hang_up(call)
        return web.json_response({"data": {"result": "ok"}})


def signed(envelope: dict[str, Any], *, at: float | None = None, key: SigningKey = SIGNING_KEY) -> Callback:
    """A callback as Telnyx sends it; `at`: seconds since 1970."""
    body = json.dumps(envelope).encode()
    timestamp = f"{time.time() if at is None else at:.0f}"
    signature = key.sign(timestamp.encode() + b"|" + body).signature
    return Callback(body, {TIMESTAMP: timestamp, SIGNATURE: base64.b64encode(signature).decode()})


def _gone(status: int, code: str) -> web.Response:
    return web.json_response({"errors": [{"code": code, "title": "Invalid call", "detail": "It is not there."}]}, status=status)


def _names(call: FakeCall) -> dict[str, Any]:
    return {"call_control_id": call.ref, "call_leg_id": f"leg-{call.ref}", "call_session_id": f"session-{call.ref}"}


def _event(call: FakeCall, name: str, at: float, **more: Any) -> dict[str, Any]:
    payload = {**_names(call), "connection_id": CONNECTION, "client_state": call.order.asked["client_state"]}
    payload |= {"from": call.order.caller_id, "to": call.order.to, **more}
    occurred = datetime.fromtimestamp(at, UTC).isoformat().replace("+00:00", "Z")
    return {"record_type": "event", "event_type": name, "id": f"{call.ref}:{name}", "occurred_at": occurred, "payload": payload}


def _began(call: FakeCall) -> dict[str, Any]:
    return _event(call, "call.initiated", call.placed, direction="outgoing", state="bridging")


def _told(call: FakeCall, stage: Stage) -> list[dict[str, Any]]:
    at = call.at[stage]
    if stage is Stage.ANSWERED:
        who = [_event(call, "call.machine.detection.ended", at, result="machine" if call.act is Act.MACHINE else "human")]
        return [_event(call, "call.answered", at), *(who if "answering_machine_detection" in call.order.asked else [])]
    if stage is not Stage.ENDED:
        return []
    if call.answered:
        word, sip = "normal_clearing", "200"
    else:
        word, sip = ("originator_cancel", "487") if call.cancelled else ENDS[call.act]
    return [_event(call, "call.hangup", at, hangup_cause=word, sip_hangup_cause=sip, hangup_source="callee")]


def make(url: str, timeout: float) -> TelnyxAdapter:
    return TelnyxAdapter(
        "telnyx",
        api_key=API_KEY,
        public_key=PUBLIC_KEY,
        connection_id=CONNECTION,
        detection="detect",
        base_url=url,
        timeout=timeout,
    )


ACTS = frozenset(Act) - {Act.MACHINE}


def harness() -> AbstractAsyncContextManager[ProviderHarness]:
    return harness_of(TelnyxProvider(), make, acts=ACTS, voice="assistant-1")
