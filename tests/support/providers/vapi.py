"""Vapi as it behaves: calls wait while all slots are taken, a placement is never recognised as a repetition, the list of calls
knows times but no names, and a webhook speaks of much that is none of our business."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime
from typing import Any

from aiohttp import web

from adapters.conformance import Act
from adapters.vapi.adapter import VapiAdapter
from adapters.vapi.translate import SIGNATURE, TIMESTAMP, sign
from tests.support.providers.base import Callback, FakeProvider
from tests.support.providers.calls import FakeCall, Order, Stage
from tests.support.providers.harness import ProviderHarness, harness_of

API_KEY = "vapi-key"
SIGNING_SECRET = "vapi-secret"
CREDENTIAL = "credential-1"
CALLER_ID, NUMBER_ID = "+493011111", "number-1"
EXEMPT = {Act.DECLINED: "Vapi tells a call that was declined as busy"}
WORDS = {
    Act.MACHINE: "voicemail",
    Act.BUSY: "customer-busy",
    Act.DECLINED: "customer-busy",
    Act.NO_ANSWER: "customer-did-not-answer",
    Act.INVALID: "twilio-reported-customer-misdialed",
    Act.UNREACHABLE: "call.in-progress.error-providerfault-outbound-sip-503-service-unavailable",
}
STATUS = {Stage.RINGING: "ringing", Stage.ANSWERED: "in-progress", Stage.ENDED: "ended", Stage.RESULT: "ended"}
NUMBERS = [{"id": "number-0", "provider": "vapi"}, {"id": NUMBER_ID, "provider": "twilio", "number": CALLER_ID}]


class VapiProvider(FakeProvider):
    talks_after_the_end = True

    def __init__(self) -> None:
        super().__init__()
        self.slots = asyncio.Semaphore(10)
        self.others: list[dict[str, Any]] = []
        """Records of calls that somebody else makes in the same organisation."""
        self.numbers_asked = 0
        self.searches = 0

    def routes(self) -> Sequence[web.RouteDef]:
        return [
            web.post("/call", self.place),
            web.get("/call", self._list),
            web.get("/call/{ref}", self._show),
            web.delete("/call/{ref}", self._delete),
            web.get("/phone-number", self._numbers),
            web.post("/control/{ref}", self._control),
        ]

    def authorized(self, request: web.Request) -> bool:
        given = request.headers.get("Authorization")
        # Another host than the API's, which has no business with the key.
        return given is None if request.path.startswith("/control/") else given == f"Bearer {API_KEY}"

    async def order(self, request: web.Request) -> Order:
        asked = await request.json()
        assert asked["phoneNumberId"] == NUMBER_ID and asked["assistantId"] and len(asked["name"]) <= 40
        server = asked["assistantOverrides"].get("server", {})
        assert server.get("credentialId", CREDENTIAL) == CREDENTIAL
        return Order(asked["name"], asked["customer"]["number"], asked["phoneNumberId"], server.get("url", ""), asked)

    async def accepted(self, call: FakeCall) -> web.Response:
        limits = {"concurrencyLimit": 10, "concurrencyBlocked": self.slots.locked()}
        return web.json_response({**self._record(call), "subscriptionLimits": limits}, status=201)

    def refused(self, order: Order) -> web.Response:
        said = ["customer.number must be a valid phone number in the E.164 format"]
        return web.json_response({"message": said, "error": "Bad Request", "statusCode": 400}, status=400)

    def callbacks(self, call: FakeCall, stage: Stage) -> Sequence[Callback]:
        at = _ms(call.at[stage])
        update = {"type": "status-update", "status": STATUS[stage], "timestamp": at, "call": self._record(call)}
        report = {"type": "end-of-call-report", "call": self._record(call), **self._conversation(call)}
        if stage is Stage.RESULT:
            return [_signed(report)]
        if stage is not Stage.ENDED:
            return [_signed(update), _signed({"type": "conversation-update", "timestamp": at, "call": self._record(call)})]
        update["endedReason"] = self._word(call)
        return [_signed(update)] if call.answered else [_signed(update), _signed(report)]

    async def _live(self, call: FakeCall) -> None:
        waits = asyncio.create_task(self.slots.acquire())
        gone = asyncio.create_task(call.hung_up.wait())
        try:
            await asyncio.wait({waits, gone}, return_when=asyncio.FIRST_COMPLETED)
            await super()._live(call)
        finally:
            gone.cancel()
            if waits.done() and not waits.cancelled():
                self.slots.release()
            waits.cancel()

    async def _list(self, request: web.Request) -> web.Response:
        self.searches += 1
        after, before = request.query.get("createdAtGe", ""), request.query.get("createdAtLt", "~")
        limit = int(request.query["limit"])
        records = [*self.others, *map(self._record, self.calls.values())]
        return web.json_response([each for each in records if after <= each["createdAt"] < before][:limit])

    async def _show(self, request: web.Request) -> web.Response:
        call = self.calls.get(request.match_info["ref"])
        return web.json_response(self._record(call) if call else {"message": "Not Found"}, status=200 if call else 404)

    async def _delete(self, request: web.Request) -> web.Response:
        call = self.calls[request.match_info["ref"]]
        assert not call.answered
        self.hang_up(call)
        return web.json_response(self._record(call))

    async def _control(self, request: web.Request) -> web.Response:
        assert await request.json() == {"type": "end-call"}
        call = self.calls[request.match_info["ref"]]
        if not call.answered:
            return web.Response(status=409)
        self.hang_up(call)
        return web.json_response({})

    async def _numbers(self, request: web.Request) -> web.Response:
        self.numbers_asked += 1
        return web.json_response(NUMBERS[: int(request.query["limit"])])

    def _word(self, call: FakeCall) -> str:
        return "manually-canceled" if call.hung_up.is_set() else WORDS.get(call.act, "customer-ended-call")

    def _record(self, call: FakeCall) -> dict[str, Any]:
        asked = call.order.asked
        kept = {name: asked[name] for name in ("name", "assistantId", "phoneNumberId", "customer", "assistantOverrides")}
        record = {
            **kept,
            "id": call.ref,
            "type": "outboundPhoneCall",
            "createdAt": _iso(call.placed),
            "updatedAt": _iso(max([call.placed, *call.at.values()])),
            "status": STATUS[list(call.at)[-1]] if call.at else "queued",
            "monitor": {"controlUrl": f"{self.url}/control/{call.ref}"},
        }
        if call.over:
            record |= {"endedReason": self._word(call), "endedAt": _iso(call.at[Stage.ENDED])}
        if Stage.RESULT in call.at or (call.over and not call.answered):
            record |= {name: value for name, value in self._conversation(call).items() if name not in record}
        return record

    def _conversation(self, call: FakeCall) -> dict[str, Any]:
        ended = {"endedReason": self._word(call), "endedAt": _iso(call.at.get(Stage.ENDED, call.placed))}
        if not call.answered:
            return {**ended, "artifact": {"messages": [], "transcript": ""}, "analysis": {}, "cost": 0}
        messages = [{"role": "bot", "message": "Guten Tag"}, {"role": "user", "message": "Ja, bitte?"}]
        return {
            **ended,
            "artifact": {
                "messages": messages,
                "transcript": "AI: Guten Tag\nUser: Ja, bitte?\n",
                "recordingUrl": "https://storage.example/recording.wav",
                "structuredOutputs": {"output-1": {"name": "interested", "result": True}},
            },
            "analysis": {"summary": "They talked.", "successEvaluation": "true", "structuredData": {"size": 3}},
            "cost": 0.12,
        }


def other(record_id: str, created: float) -> dict[str, Any]:
    """The record of somebody else's call to the same number."""
    return {"id": record_id, "status": "ended", "createdAt": _iso(created), "customer": {"number": "+49301234001"}}


def _signed(message: Mapping[str, Any]) -> Callback:
    body = json.dumps({"message": message}).encode()
    timestamp = str(_ms(time.time()))
    return Callback(body, {TIMESTAMP: timestamp, SIGNATURE: sign(SIGNING_SECRET, timestamp, body)})


def _ms(seconds: float) -> int:
    return int(seconds * 1000)


def _iso(seconds: float) -> str:
    moment = datetime.fromtimestamp(_ms(seconds) / 1000, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def make(url: str, timeout: float, *, numbers: Mapping[str, str] | None = None) -> VapiAdapter:
    return VapiAdapter(
        "vapi",
        api_key=API_KEY,
        signing_secret=SIGNING_SECRET,
        base_url=url,
        credential_id=CREDENTIAL,
        numbers={CALLER_ID: NUMBER_ID} if numbers is None else numbers,
        timeout=timeout,
    )


def harness() -> AbstractAsyncContextManager[ProviderHarness]:
    return harness_of(VapiProvider(), make, acts=frozenset(Act) - EXEMPT.keys(), voice="assistant-1")
