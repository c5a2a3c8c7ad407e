"""ElevenLabs as it behaves: numbers by ids, each for its own kind of telephony; the analysis comes after the end, and the webhook
with it; the webhook of a call that did not come about does not say whose it was; no call can be ended."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any

from aiohttp import web

from adapters.conformance import Act
from adapters.elevenlabs.adapter import ElevenLabsAdapter
from adapters.elevenlabs.translate import SIGNATURE, sign
from tests.support.providers.base import Callback, FakeProvider
from tests.support.providers.calls import FakeCall, Order, Stage
from tests.support.providers.harness import ProviderHarness, harness_of

API_KEY = "elevenlabs-key"
SIGNING_SECRET = "elevenlabs-secret"
CALLER_ID, NUMBER_ID = "+493011111", "phnum-1"
SIP_CALLER_ID, SIP_NUMBER_ID = "+493022222", "phnum-2"
_NOT_TOLD = "the webhook of a call that did not come about names the conversation alone; whose it was the ledger knows"
EXEMPT = {
    **dict.fromkeys((Act.BUSY, Act.DECLINED, Act.NO_ANSWER, Act.INVALID, Act.UNREACHABLE), _NOT_TOLD),
    Act.TALK_ON: "there is no way to end a call",
}
RESULTS = {Act.MACHINE: "voicemail", Act.BUSY: "busy", Act.NO_ANSWER: "no_answer"}
NUMBERS = [
    {"phone_number": CALLER_ID, "phone_number_id": NUMBER_ID, "provider": "twilio", "label": "a"},
    {"phone_number": SIP_CALLER_ID, "phone_number_id": SIP_NUMBER_ID, "provider": "sip_trunk", "label": "b"},
    {"phone_number": "+493033333", "phone_number_id": "phnum-3", "provider": "exotel", "label": "c"},
]


class ElevenLabsProvider(FakeProvider):
    talks_after_the_end = True

    def __init__(self) -> None:
        super().__init__()
        self.filters = True
        """Whether the list heeds what it is asked for."""

    def routes(self) -> Sequence[web.RouteDef]:
        return [
            web.post("/v1/convai/twilio/outbound-call", self.place),
            web.post("/v1/convai/sip-trunk/outbound-call", self.place),
            web.get("/v1/convai/conversations", self._list),
            web.get("/v1/convai/conversations/{ref}", self._show),
            web.get("/v1/convai/phone-numbers", self._numbers),
        ]

    def authorized(self, request: web.Request) -> bool:
        return request.headers.get("xi-api-key") == API_KEY

    async def order(self, request: web.Request) -> Order:
        asked = await request.json()
        assert asked["agent_phone_number_id"] == (SIP_NUMBER_ID if "sip-trunk" in request.path else NUMBER_ID)
        assert all(isinstance(each, str | int | float) for each in _client(asked)["dynamic_variables"].values())
        return Order(_client(asked)["user_id"], asked["to_number"], asked["agent_phone_number_id"], "", asked)

    async def accepted(self, call: FakeCall) -> web.Response:
        return web.json_response({"success": True, "message": "ok", "conversation_id": call.ref, "callSid": "CA1"})

    def refused(self, order: Order) -> web.Response:
        detail = [{"loc": ["body", "to_number"], "msg": "is not valid", "type": "value_error"}]
        return web.json_response({"detail": detail}, status=422)

    def callbacks(self, call: FakeCall, stage: Stage) -> Sequence[Callback]:
        if stage is Stage.RESULT:
            return [_signed("post_call_transcription", self._record(call))]
        if stage is Stage.ENDED and not call.answered:
            return [_signed("call_initiation_failure", self._failure(call))]
        return []

    async def _list(self, request: web.Request) -> web.Response:
        calls = [call for call in self.calls.values() if not self.filters or call.order.attempt == request.query.get("user_id")]
        shown = ("conversation_id", "agent_id", "status")
        items = [{name: value for name, value in self._record(call).items() if name in shown} for call in calls]
        return web.json_response({"conversations": items[: int(request.query["page_size"])], "has_more": False})

    async def _show(self, request: web.Request) -> web.Response:
        call = self.calls.get(request.match_info["ref"])
        return web.json_response(self._record(call) if call else {"detail": {"status": "not_found"}}, status=200 if call else 404)

    async def _numbers(self, request: web.Request) -> web.Response:
        return web.json_response(NUMBERS)

    def _failure(self, call: FakeCall) -> dict[str, Any]:
        reason = {Act.BUSY: "busy", Act.NO_ANSWER: "no-answer"}.get(call.act, "unknown")
        body = {"Called": call.order.to, "CallSid": "CA1", "CallStatus": "failed"}
        return {"conversation_id": call.ref, "failure_reason": reason, "metadata": {"type": "twilio", "body": body}}

    def _record(self, call: FakeCall) -> dict[str, Any]:
        start = int(call.at.get(Stage.ANSWERED, call.placed))
        ended, phone = "failed", {"direction": "outbound", "type": "twilio", "external_number": call.order.to}
        phone |= {"phone_number_id": call.order.caller_id, "agent_number": CALLER_ID, "stream_sid": "MZ1", "call_sid": "CA1"}
        if call.answered:
            ended = "done" if Stage.RESULT in call.at else "processing"
        if call.over:
            phone["call_result"] = RESULTS.get(call.act, "answered" if call.answered else "failed")
        metadata: dict[str, Any] = {"start_time_unix_secs": start, "call_duration_secs": 0, "phone_call": phone}
        record = {
            "agent_id": call.order.asked["agent_id"],
            "conversation_id": call.ref,
            "user_id": call.order.attempt,
            "status": ended if call.over else "in-progress" if call.answered else "initiated",
            "conversation_initiation_client_data": _client(call.order.asked),
            "transcript": [],
            "metadata": metadata,
            "has_audio": call.answered,
        }
        if call.over and call.answered:
            record["transcript"] = [{"role": "agent", "message": "Guten Tag"}, {"role": "user", "message": "Ja?"}]
            metadata |= {"call_duration_secs": 7, "cost": 500, "cost_fiat": 0.12}
        if Stage.RESULT in call.at:
            size = {"data_collection_id": "size", "value": 3, "rationale": "said so"}
            record["analysis"] = {
                "transcript_summary": "They talked.",
                "call_successful": "success",
                "data_collection_results": {"size": size},
            }
        return record


def _client(asked: Mapping[str, Any]) -> Mapping[str, Any]:
    found: Mapping[str, Any] = asked["conversation_initiation_client_data"]
    return found


def _signed(kind: str, data: Mapping[str, Any]) -> Callback:
    body = json.dumps({"type": kind, "event_timestamp": int(time.time()), "data": data}, ensure_ascii=False).encode()
    return Callback(body, {SIGNATURE: sign(SIGNING_SECRET, str(int(time.time())), body)})


def make(url: str, timeout: float, *, numbers: Mapping[str, str] | None = None) -> ElevenLabsAdapter:
    return ElevenLabsAdapter(
        "elevenlabs",
        api_key=API_KEY,
        signing_secret=SIGNING_SECRET,
        base_url=url,
        numbers={CALLER_ID: NUMBER_ID} if numbers is None else numbers,
        timeout=timeout,
    )


def harness() -> AbstractAsyncContextManager[ProviderHarness]:
    return harness_of(ElevenLabsProvider(), make, acts=frozenset(Act) - EXEMPT.keys(), voice="agent-1")
