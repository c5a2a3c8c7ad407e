"""A fake Twilio: calls over its REST API of 2010-04-01, status callbacks, and its vices.

It places whatever it is asked to as often as it is asked to, may keep calls in a queue, lists calls page by page, forgets the
callback's address in its records, signs no time, and tells who picked up in a callback that has no time either.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager, suppress
from email.utils import formatdate
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit
from xml.etree import ElementTree

from aiohttp import web

from adapters.conformance import Act
from adapters.options import Secret
from adapters.session import basic
from adapters.twilio.adapter import TwilioAdapter
from adapters.twilio.detection import Detection
from adapters.twilio.search import Doubts
from adapters.twilio.signed import SIGNATURE, sign
from adapters.twilio.voice import Voice
from tests.support.providers.base import Callback, FakeProvider
from tests.support.providers.calls import FakeCall, Order, Stage
from tests.support.providers.harness import ProviderHarness, harness_of

ACCOUNT = "AC" + "0" * 32
TOKEN = "token-of-the-fake"
ROOT = f"/2010-04-01/Accounts/{ACCOUNT}"
ENDS = {
    Act.BUSY: ("busy", 486),
    Act.DECLINED: ("busy", 603),
    Act.NO_ANSWER: ("no-answer", 487),
    Act.INVALID: ("failed", 404),
    Act.UNREACHABLE: ("failed", 503),
}


class TwilioProvider(FakeProvider):
    def __init__(self) -> None:
        super().__init__()
        self.queue: asyncio.Event | None = None
        """Calls wait for it before they ring, as they do above the account's calls per second; None: there is no queue."""
        self.refuses_with = (400, 21211)
        """HTTP status and error code of a definite no."""
        self.page = 2
        """Calls on a page of the list."""
        self.elsewhere = ""
        """Where the list says that it goes on, instead of on its next page."""
        self.paths: list[str] = []
        """Of all requests."""
        self.account = {"status": "active"}
        self.balance: dict[str, str] | None = {"balance": "12.5", "currency": "USD"}

    def routes(self) -> Sequence[web.RouteDef]:
        return [
            web.post(f"{ROOT}/Calls.json", self.place),
            web.get(f"{ROOT}/Calls.json", self._list),
            web.get(ROOT + "/Calls/{sid}.json", self._show),
            web.post(ROOT + "/Calls/{sid}.json", self._change),
            web.get(f"{ROOT}.json", self._account),
            web.get(f"{ROOT}/Balance.json", self._balance),
        ]

    def authorized(self, request: web.Request) -> bool:
        self.paths.append(request.path)
        return request.headers.get("Authorization") == basic(ACCOUNT, TOKEN)

    async def order(self, request: web.Request) -> Order:
        assert request.content_type == "application/x-www-form-urlencoded"
        asked = parse_qs(await request.text(), strict_parsing=True)
        assert len(asked["To"]) == len(asked["From"]) == 1 and ("Twiml" in asked) != ("Url" in asked)
        for twiml in asked.get("Twiml", ()):
            assert len(twiml) <= 4000 and ElementTree.fromstring(twiml).tag == "Response"
        callback = asked["StatusCallback"][0].partition("#")[0]
        attempt = parse_qs(urlsplit(callback).query)["attempt"][0]
        return Order(attempt, asked["To"][0], asked["From"][0], callback, asked)

    def new_ref(self, order: Order) -> str:
        return f"CA{len(self.calls) + 1:032x}"

    async def accepted(self, call: FakeCall) -> web.Response:
        return web.json_response(self._record(call), status=201)

    def refused(self, order: Order) -> web.Response:
        status, code = self.refuses_with
        return _error(status, code, f"The number {order.to} cannot be called.")

    def throttled(self, order: Order) -> web.Response:
        return _error(429, 20429, "Too Many Requests")

    def callbacks(self, call: FakeCall, stage: Stage) -> Sequence[Callback]:
        told = [self._progress(call, stage)]
        if len(call.at) == 1:
            told.insert(0, self._callback(call, {"CallStatus": "initiated", "Timestamp": formatdate(call.placed)}))
        who = call.order.asked.get("AsyncAmdStatusCallback")
        if who and stage is Stage.ANSWERED:
            url = who[0].partition("#")[0]
            told.append(self._callback(call, {"AnsweredBy": answered_by(call), "MachineDetectionDuration": "3600"}, url))
        return told

    def _progress(self, call: FakeCall, stage: Stage) -> Callback:
        told = {"CallStatus": status(call, stage), "Timestamp": formatdate(call.at[stage]), "SequenceNumber": str(len(call.at))}
        if stage is Stage.ENDED:
            told["CallDuration"] = "0"
            told["SipResponseCode"] = "200" if call.answered else str(ENDS.get(call.act, ("canceled", 487))[1])
        return self._callback(call, told)

    def _callback(self, call: FakeCall, told: dict[str, str], url: str = "") -> Callback:
        form = {
            "CallSid": call.ref,
            "AccountSid": ACCOUNT,
            "To": call.order.to,
            "From": call.order.caller_id,
            "Empty": "",
            **told,
        }
        signature = sign(TOKEN, url or call.order.callback_url, {name: [value] for name, value in form.items()})
        headers = {SIGNATURE: signature, "Content-Type": "application/x-www-form-urlencoded; charset=UTF-8"}
        return Callback(urlencode(form).encode(), headers, url)

    async def _live(self, call: FakeCall) -> None:
        if self.queue is not None:
            waits = [asyncio.create_task(self.queue.wait()), asyncio.create_task(call.hung_up.wait())]
            try:
                await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for wait in waits:
                    wait.cancel()
                    with suppress(asyncio.CancelledError):
                        await wait
        await super()._live(call)

    async def _list(self, request: web.Request) -> web.Response:
        wanted = {name.lower(): value for name, value in request.query.items() if name in {"To", "From", "Status"}}
        records = [self._record(call) for call in reversed(self.calls.values())]
        found = [record for record in records if all(record[name] == value for name, value in wanted.items())]
        size, number = min(int(request.query.get("PageSize", 50)), self.page), int(request.query.get("Page", 0))
        more = found[(number + 1) * size :]
        following = f"{ROOT}/Calls.json?{urlencode({**request.query, 'Page': number + 1})}" if more else None
        following = self.elsewhere or following
        return web.json_response({"calls": found[number * size :][:size], "page": number, "next_page_uri": following})

    async def _show(self, request: web.Request) -> web.Response:
        call = self.calls.get(request.match_info["sid"])
        return web.json_response(self._record(call)) if call else _error(404, 20404, "not found")

    async def _change(self, request: web.Request) -> web.Response:
        call = self.calls.get(request.match_info["sid"])
        if call is None:
            return _error(404, 20404, "not found")
        wanted = (await request.post())["Status"]
        assert wanted in {"canceled", "completed"}
        if call.over or (wanted == "canceled" and call.answered):
            return _error(400, 21220, "Invalid call state")
        self.hang_up(call)
        return web.json_response(self._record(call))

    async def _account(self, request: web.Request) -> web.Response:
        return web.json_response(self.account)

    async def _balance(self, request: web.Request) -> web.Response:
        return web.json_response(self.balance) if self.balance else _error(404, 20404, "not found")

    def _record(self, call: FakeCall) -> dict[str, Any]:
        stage = next(reversed(call.at), None)
        ended = call.at.get(Stage.ENDED)
        return {
            "sid": call.ref,
            "to": call.order.to,
            "from": call.order.caller_id,
            "direction": "outbound-api",
            "status": status(call, stage) if stage else "queued",
            "date_created": formatdate(call.placed),
            "date_updated": formatdate(call.placed),
            "start_time": formatdate(next(iter(call.at.values()))) if call.at else None,
            "end_time": formatdate(ended) if ended else None,
            "duration": "0" if ended else None,
            "answered_by": answered_by(call) if call.answered and "MachineDetection" in call.order.asked else None,
        }


def status(call: FakeCall, stage: Stage) -> str:
    """How Twilio calls it."""
    if stage is not Stage.ENDED:
        return "ringing" if stage is Stage.RINGING else "in-progress"
    if call.answered:
        return "completed"
    return "canceled" if call.cancelled else ENDS[call.act][0]


def answered_by(call: FakeCall) -> str:
    return "machine_start" if call.act is Act.MACHINE else "human"


def _error(status: int, code: int, message: str) -> web.Response:
    return web.json_response({"code": code, "message": message, "status": status}, status=status)


def make(
    url: str,
    timeout: float,
    *,
    voice: Voice = Voice("stream", "wss://voice.example/{voice}"),  # noqa: B008 - it is frozen
    detection: Detection = Detection(),  # noqa: B008
    doubts: Doubts | None = None,
) -> TwilioAdapter:
    """An adapter for the fake at `url`."""
    return TwilioAdapter(
        "twilio",
        account=ACCOUNT,
        token=Secret(TOKEN),
        authorization=Secret(basic(ACCOUNT, TOKEN)),
        voice=voice,
        detection=detection,
        base_url=url,
        timeout=timeout,
        doubts=doubts,
    )


def harness() -> AbstractAsyncContextManager[ProviderHarness]:
    return harness_of(TwilioProvider(), make, acts=frozenset(Act) - {Act.MACHINE})
