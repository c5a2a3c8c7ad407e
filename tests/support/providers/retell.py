"""Retell as it behaves: a key keeps a placement from being made twice, a call beyond the limit is accepted and ends at once, and
of calls that never connect there is neither a start nor a time."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any

from aiohttp import web

from adapters.conformance import Act
from adapters.retell.adapter import RetellAdapter
from adapters.retell.translate import SIGNATURE, sign
from tests.support.providers.base import Callback, FakeProvider
from tests.support.providers.calls import FakeCall, Order, Stage
from tests.support.providers.harness import ProviderHarness, harness_of

API_KEY = "retell-key"
WEBHOOK_KEY = "retell-webhook-key"
CALLER_ID = "+493011111"
NO_SLOT = "concurrency_limit_reached"
EXEMPT = {Act.INVALID: "Retell is not certain that nobody has a number: it has to say so twice, on different days"}
WORDS = {
    Act.MACHINE: "voicemail_reached",
    Act.BUSY: "dial_busy",
    Act.DECLINED: "user_declined",
    Act.NO_ANSWER: "dial_no_answer",
    Act.INVALID: "invalid_destination",
    Act.UNREACHABLE: "sip_routing_error",
}
TURNS = [
    {"role": "agent", "content": "Guten Tag", "words": []},
    {"role": "user", "content": "Rufen Sie nicht mehr an.", "words": []},
]


class RetellProvider(FakeProvider):
    talks_after_the_end = True

    def __init__(self) -> None:
        super().__init__()
        self.limit = 20
        """Calls at once."""
        self.said = ""
        """The word with which answered calls end; "" for that of their act."""
        self.filters = True
        """Whether the list heeds what it is asked for."""

    def routes(self) -> Sequence[web.RouteDef]:
        return [
            web.post("/v2/create-phone-call", self.place),
            web.post("/v3/list-calls", self._list),
            web.get("/v2/get-call/{ref}", self._show),
            web.post("/v2/stop-call/{ref}", self._stop),
            web.get("/get-concurrency", self._concurrency),
        ]

    def authorized(self, request: web.Request) -> bool:
        return request.headers.get("Authorization") == f"Bearer {API_KEY}"

    async def order(self, request: web.Request) -> Order:
        asked = await request.json()
        agent, variables = asked["agent_override"]["agent"], asked["retell_llm_dynamic_variables"]
        assert asked["from_number"] == CALLER_ID and asked["override_agent_id"]
        assert 5_000 <= agent["ring_duration_ms"] <= 300_000 and 60_000 <= agent["max_call_duration_ms"] <= 7_200_000
        assert all(isinstance(value, str) for value in variables.values())
        return Order(asked["idempotency_key"], asked["to_number"], CALLER_ID, agent.get("webhook_url", ""), asked)

    def begin(self, order: Order) -> FakeCall:
        return next(iter(self.of(order.attempt)), None) or super().begin(order)

    async def accepted(self, call: FakeCall) -> web.Response:
        return web.json_response(self._record(call), status=201)

    def refused(self, order: Order) -> web.Response:
        return web.json_response({"status": "error", "message": "to_number is not valid"}, status=422)

    def callbacks(self, call: FakeCall, stage: Stage) -> Sequence[Callback]:
        events = {Stage.ANSWERED: ["call_started"], Stage.ENDED: ["call_ended"], Stage.RESULT: ["call_analyzed"]}.get(stage, [])
        if stage is Stage.ENDED and not call.answered:
            events = ["call_ended", "call_analyzed"]
        return [_signed({"event": event, "call": self._record(call)}) for event in events]

    async def _live(self, call: FakeCall) -> None:
        if sum(not other.over for other in self.calls.values()) > self.limit:
            call.act = Act.UNREACHABLE
            call.hung_up.set()
        await super()._live(call)

    async def _list(self, request: web.Request) -> web.Response:
        asked = await request.json()
        (by,) = asked["filter_criteria"]["metadata"]
        assert (by["type"], by["op"], by["key"]) == ("string", "eq", "attempt")
        calls = [
            call for call in self.calls.values() if not self.filters or call.order.asked["metadata"]["attempt"] == by["value"]
        ]
        items = [{name: value for name, value in self._record(call).items() if "transcript" not in name} for call in calls]
        return web.json_response({"items": items[: asked["limit"]], "has_more": len(items) > asked["limit"]})

    async def _show(self, request: web.Request) -> web.Response:
        call = self.calls.get(request.match_info["ref"])
        return web.json_response(self._record(call) if call else {"message": "not found"}, status=200 if call else 404)

    async def _stop(self, request: web.Request) -> web.Response:
        call = self.calls.get(request.match_info["ref"])
        if call is None or call.over:
            return web.json_response({"message": "the call is not ongoing"}, status=422 if call else 404)
        self.hang_up(call)
        return web.Response(status=204)

    async def _concurrency(self, request: web.Request) -> web.Response:
        used = sum(not call.over for call in self.calls.values())
        told = {"current_concurrency": used, "concurrency_limit": self.limit, "reserved_inbound_concurrency": 2}
        return web.json_response(told)

    def _record(self, call: FakeCall) -> dict[str, Any]:
        asked = call.order.asked
        record: dict[str, Any] = {
            "call_id": call.ref,
            "call_type": "phone_call",
            "direction": "outbound",
            "agent_id": asked["override_agent_id"],
            "from_number": asked["from_number"],
            "to_number": asked["to_number"],
            "metadata": asked["metadata"],
            "call_status": "registered",
        }
        if call.answered:
            record |= {"call_status": "ongoing", "start_timestamp": _ms(call.at[Stage.ANSWERED])}
        if not call.over:
            return record
        record["disconnection_reason"] = self._word(call)
        if not call.answered:
            return {**record, "call_status": "not_connected"}
        record |= {"call_status": "ended", "end_timestamp": _ms(call.at[Stage.ENDED]), "duration_ms": 1000}
        record |= {"transcript": "Agent: Guten Tag\nUser: Rufen Sie nicht mehr an.\n", "transcript_object": TURNS}
        if Stage.RESULT in call.at:
            record["recording_url"] = "https://storage.example/recording.wav"
            record["call_cost"] = {"combined_cost": 12.5}
            record["call_analysis"] = {
                "call_summary": "They talked.",
                "call_successful": True,
                "in_voicemail": call.act is Act.MACHINE,
                "custom_analysis_data": {"size": 3},
            }
        return record

    def _word(self, call: FakeCall) -> str:
        if call.hung_up.is_set():
            return NO_SLOT if call.act is Act.UNREACHABLE else "manual_stopped"
        return WORDS.get(call.act, self.said or "user_hangup")


def _signed(payload: Mapping[str, Any]) -> Callback:
    body = json.dumps(payload, ensure_ascii=False).encode()
    return Callback(body, {SIGNATURE: sign(WEBHOOK_KEY, str(_ms(time.time())), body)})


def _ms(seconds: float) -> int:
    return int(seconds * 1000)


def make(url: str, timeout: float) -> RetellAdapter:
    return RetellAdapter("retell", api_key=API_KEY, webhook_key=WEBHOOK_KEY, base_url=url, timeout=timeout)


def harness() -> AbstractAsyncContextManager[ProviderHarness]:
    return harness_of(RetellProvider(), make, acts=frozenset(Act) - EXEMPT.keys(), voice="agent-1")
