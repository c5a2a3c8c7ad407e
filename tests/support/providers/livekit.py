"""A LiveKit server that does not exist: rooms, dispatches and SIP participants over Twirp, and signed webhooks.

Its vices: a placement is answered when the phone is, busy is HTTP 429 and a dead number 404, times are whole seconds, a webhook
about a failed call does not say why, and a room is forgotten with its last participant.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import time
from collections import defaultdict
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from email.utils import formatdate
from typing import Any

from aiohttp import web

from adapters.conformance import Act
from adapters.livekit import tokens
from adapters.livekit.adapter import LiveKitAdapter
from tests.support.providers.base import Callback, FakeProvider
from tests.support.providers.calls import FakeCall, Order, Stage
from tests.support.providers.harness import ProviderHarness, harness_of

API_KEY = "APIkey"
API_SECRET = "a secret of the server's"
TRUNK = "ST_trunk"
SIP = {
    Act.BUSY: (486, "resource_exhausted", 429),
    Act.DECLINED: (603, "permission_denied", 403),
    Act.NO_ANSWER: (480, "resource_exhausted", 429),
    Act.INVALID: (404, "not_found", 404),
    Act.UNREACHABLE: (503, "failed_precondition", 412),
}
REASONS = {Act.BUSY: "USER_REJECTED", Act.DECLINED: "USER_REJECTED", Act.NO_ANSWER: "USER_UNAVAILABLE"}
STRICT = {
    "sip_trunk_id": str, "sip_call_to": str, "sip_number": str, "room_name": str, "participant_identity": str,
    "participant_metadata": str, "ringing_timeout": str, "max_call_duration": str, "wait_until_answered": bool,
}  # fmt: skip
"""What a placement holds."""


class LiveKitProvider(FakeProvider):
    def __init__(self) -> None:
        super().__init__()
        self.dispatched: dict[str, dict[str, Any]] = {}
        """By room."""
        self.deleted: list[str] = []
        """Rooms that were asked to be deleted."""
        self.shows = True
        """Whether participants can be seen."""
        self.says = asyncio.Event()
        """Whether placements are answered; they wait for it."""
        self.says.set()
        self.picks_up = asyncio.Event()
        """Whether phones that ring are answered, or whatever becomes of them; they ring until then, or until they are hung up."""
        self.picks_up.set()
        self.cancelled = ("canceled", 408)
        """How a placement is answered whose call is hung up before it is answered."""
        self._turned: defaultdict[str, asyncio.Event] = defaultdict(asyncio.Event)

    def routes(self) -> Sequence[web.RouteDef]:
        return [
            web.post("/twirp/livekit.SIP/CreateSIPParticipant", self.place),
            web.post("/twirp/livekit.AgentDispatchService/CreateDispatch", self._dispatch),
            web.post("/twirp/livekit.RoomService/ListParticipants", self._participants),
            web.post("/twirp/livekit.RoomService/DeleteRoom", self._delete),
            web.post("/twirp/livekit.RoomService/ListRooms", self._rooms),
        ]

    def authorized(self, request: web.Request) -> bool:
        signed, _, mac = request.headers.get("Authorization", "").removeprefix("Bearer ").rpartition(".")
        expected = base64.urlsafe_b64encode(hmac.digest(API_SECRET.encode(), signed.encode(), "sha256")).rstrip(b"=").decode()
        if mac != expected:
            return False
        claims = json.loads(base64.urlsafe_b64decode(signed.split(".")[1] + "=="))
        video = claims["video"]
        allowed = video["roomAdmin"] and video["roomCreate"] and video["roomList"] and claims["sip"]["call"]
        return bool(allowed and claims["iss"] == API_KEY and claims["nbf"] <= time.time() < claims["exp"])

    async def order(self, request: web.Request) -> Order:
        asked = await request.json()
        assert {name: type(value) for name, value in asked.items()} == STRICT
        assert asked["room_name"] in self.dispatched, "nobody was dispatched before"
        assert asked["sip_trunk_id"] == TRUNK and asked["participant_identity"] == "callee" and asked["wait_until_answered"]
        return Order(asked["room_name"].removeprefix("call-"), asked["sip_call_to"], asked["sip_number"], asked=asked)

    def new_ref(self, order: Order) -> str:
        return str(order.asked["room_name"])

    async def accepted(self, call: FakeCall) -> web.Response:
        await self.says.wait()
        await self._turned[call.ref].wait()
        if call.answered:
            named = {
                "participant_id": f"PA_{call.ref}",
                "participant_identity": "callee",
                "room_name": call.ref,
                "sip_call_id": "SCL_1",
            }
            return web.json_response(named, headers=_date(call.at[Stage.ANSWERED]))
        if call.cancelled:
            return _error(*self.cancelled, "the room was deleted")
        sip, code, status = SIP[call.act]
        meta = {"sip_status_code": str(sip), "sip_status": "as the peer says"}
        return _error(code, status, f"INVITE failed: sip status: {sip}", meta, _date(call.at[Stage.ENDED]))

    def refused(self, order: Order) -> web.Response:
        return _error("invalid_argument", 400, "what is asked makes no sense")

    def throttled(self, order: Order) -> web.Response:
        return _error("resource_exhausted", 429, "quota exceeded")

    async def tell(self, call: FakeCall, stage: Stage) -> None:
        if stage in {Stage.ANSWERED, Stage.ENDED}:
            self._turned[call.ref].set()
        await super().tell(call, stage)
        while stage is Stage.RINGING and not (self.picks_up.is_set() or call.hung_up.is_set()):  # noqa: ASYNC110 - two bells
            await asyncio.sleep(0.005)

    def callbacks(self, call: FakeCall, stage: Stage) -> Sequence[Callback]:
        news = [] if len(call.at) > 1 else [signed(_told(call, "participant_joined", call.placed))]
        if stage is Stage.ENDED:
            news += [
                signed(_told(call, "participant_left", call.at[stage])),
                signed(_told(call, "room_finished", call.at[stage])),
            ]
        return news

    async def _dispatch(self, request: web.Request) -> web.Response:
        asked = await request.json()
        assert asked["agent_name"]
        self.dispatched[asked["room"]] = asked
        return web.json_response({"id": "AD_1", **asked})

    async def _participants(self, request: web.Request) -> web.Response:
        room = (await request.json())["room"]
        agent = [{"identity": "agent-1", "attributes": {}}] if room in self.dispatched and room not in self.deleted else []
        call = self.calls.get(room)
        if call is None or call.over or not self.shows:
            return web.json_response({"participants": agent})
        return web.json_response({"participants": [*agent, _participant(call)]})

    async def _delete(self, request: web.Request) -> web.Response:
        room = (await request.json())["room"]
        self.deleted.append(room)
        call = self.calls.get(room)
        if call is None or call.over:
            return _error("not_found", 404, "requested room does not exist")
        self.hang_up(call)
        return web.json_response({})

    async def _rooms(self, request: web.Request) -> web.Response:
        return web.json_response({"rooms": []})


def signed(told: dict[str, Any], *, secret: str = API_SECRET, **claims: Any) -> Callback:
    """A webhook as LiveKit sends it; `claims` change its token."""
    body = json.dumps(told).encode()
    sha256 = base64.b64encode(hashlib.sha256(body).digest()).decode()
    now = int(time.time())
    token = tokens.sign({"iss": API_KEY, "nbf": now, "exp": now + 300, "sha256": sha256, **claims}, secret)
    return Callback(body, {"Authorization": token, "Content-Type": "application/webhook+json"})


def _error(
    code: str, status: int, text: str, meta: dict[str, str] | None = None, headers: dict[str, str] | None = None
) -> web.Response:
    return web.json_response({"code": code, "msg": text, **({"meta": meta} if meta else {})}, status=status, headers=headers)


def _date(at: float) -> dict[str, str]:
    return {"Date": formatdate(at, usegmt=True)}


def _participant(call: FakeCall) -> dict[str, Any]:
    status = "active" if call.answered else "ringing" if Stage.RINGING in call.at else "dialing"
    return {"sid": f"PA_{call.ref}", "identity": "callee", "attributes": {"sip.callStatus": status}}


def _told(call: FakeCall, kind: str, at: float) -> dict[str, Any]:
    told = {"event": kind, "id": f"EV_{call.ref}_{kind}", "createdAt": str(int(at)), "room": {"sid": "RM_1", "name": call.ref}}
    if kind == "room_finished":
        return told
    reason = (
        "ROOM_DELETED"
        if call.hung_up.is_set()
        else "CLIENT_INITIATED"
        if call.answered
        else REASONS.get(call.act, "SIP_TRUNK_FAILURE")
    )
    left = {"disconnectReason": reason} if kind == "participant_left" else {}
    return {**told, "participant": {**_participant(call), **left}}


def make(url: str, timeout: float, *, patience: float = 5.0, look: float = 3.0, api_secret: str = API_SECRET) -> LiveKitAdapter:
    """`timeout` is not used: no answer is waited for that does not come. `look`: long, so that an error is there before it."""
    return LiveKitAdapter(
        "livekit", base_url=url, api_key=API_KEY, api_secret=api_secret, trunk_id=TRUNK, timeout=5, patience=patience, look=look
    )


def harness() -> AbstractAsyncContextManager[ProviderHarness]:
    return harness_of(LiveKitProvider(), make, acts=frozenset(Act) - {Act.MACHINE, Act.HANG_AFTER}, voice="agent-of-ours")
