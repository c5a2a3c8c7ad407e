"""An Asterisk that does not exist: ARI's REST and its WebSocket, with their vices.

An id is refused (409) only while its channel lives. What happens while no socket is connected is told to nobody, and a call that
is answered then in Stasis is hung up. The newest socket of an application gets everything; the one before stays open and silent.
When nobody answers, Asterisk's own timer ends the call and makes up a SIP code 480, though the trunk be dead. At the end of a
call it runs the context that adapters/README.md shows, if it has it.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime, timedelta
from typing import Any

from aiohttp import web

from adapters.asterisk.adapter import AsteriskAdapter
from adapters.asterisk.ear import Rhythm
from adapters.asterisk.order import Dialplan, Stasis
from adapters.conformance import Act
from adapters.session import basic
from tests.support.providers.base import FakeProvider
from tests.support.providers.calls import FakeCall, Order, Stage
from tests.support.providers.dialplan import context, run
from tests.support.providers.harness import ProviderHarness, harness_of

USER, PASSWORD = "dialer", "example-password"
CODES = {Act.BUSY: ("BUSY", 17, 486), Act.DECLINED: ("NOANSWER", 21, 603), Act.INVALID: ("NOANSWER", 1, 404)}
"""Final dial status, cause and SIP code of what the network ends. All others are ended by Asterisk's own timer."""
QUICK = Rhythm(first=0.01, longest=0.05, beat=0.05, misses=4)


class FakeAsterisk(FakeProvider):
    def __init__(self) -> None:
        super().__init__()
        self.dialled: list[str] = []
        """The attempt of every channel that was made: the journal of whose phone rang."""
        self.variables: dict[str, str] = {}
        self.writes: Counter[str] = Counter()
        """How often each variable was written by REST."""
        self.started = datetime.now(UTC) - timedelta(hours=1)
        self.version = "22.10.1"
        self.allocates = True
        """Whether it can make channels."""
        self.deaf = False
        """Whether it refuses sockets, and nothing else."""
        self.takes_media = True
        """Whether the voice can be reached."""
        self.keeps = True
        """Whether the dialplan has the context of the hangup handler."""
        self.set_on: defaultdict[str, dict[str, str]] = defaultdict(dict)
        """Variables that the dialplan set, by channel."""
        self.codes: tuple[str, int, int | None] | None = None
        """Instead of `CODES`."""
        self.ears: defaultdict[str, list[web.WebSocketResponse]] = defaultdict(list)
        """Sockets of each application that are open, the one that is spoken to last."""
        self.connects = 0
        self.media: dict[str, Mapping[str, Any]] = {}
        """External media that are alive, by channel."""
        self.bridges: dict[str, list[str]] = {}
        self._dialling: set[str] = set()

    def routes(self) -> Sequence[web.RouteDef]:
        return [
            web.get("/ari/events", self._listen),
            web.get("/ari/asterisk/info", self._info),
            web.get("/ari/asterisk/variable", self._get_variable),
            web.post("/ari/asterisk/variable", self._set_variable),
            web.post("/ari/channels/externalMedia", self._external_media),
            web.post("/ari/channels/{id}", self.place),
            web.get("/ari/channels/{id}", self._show),
            web.delete("/ari/channels/{id}", self._delete),
            web.get("/ari/bridges", self._list_bridges),
            web.post("/ari/bridges", self._make_bridge),
            web.post("/ari/bridges/{id}/addChannel", self._add_channel),
            web.delete("/ari/bridges/{id}", self._delete_bridge),
        ]

    def authorized(self, request: web.Request) -> bool:
        return request.headers.get("Authorization") == basic(USER, PASSWORD)

    async def order(self, request: web.Request) -> Order:
        asked = await request.json()
        assert ("app" in asked) != ("context" in asked)
        assert all(isinstance(value, str) for value in asked["variables"].values())
        number = asked["endpoint"].removeprefix("PJSIP/").removesuffix("@trunk")
        channel = {**asked, "channel": request.match_info["id"]}
        return Order(asked["variables"]["DIALER_ATTEMPT"], number, asked["callerId"], asked=channel)

    async def place(self, request: web.Request) -> web.StreamResponse:
        there = self.calls.get(request.match_info["id"])
        if there is not None and not there.over:
            self.requests[there.order.attempt] += 1
            return _error(409, "Channel with given unique ID already exists")
        if not self.allocates:
            self.requests[(await self.order(request)).attempt] += 1
            return web.json_response({"error": "Allocation failed"}, status=500)
        return await super().place(request)

    def new_ref(self, order: Order) -> str:
        self.dialled.append(order.attempt)
        for name, value in order.asked["variables"].items():
            if name.startswith("GLOBAL("):
                self.variables[name[7:-1]] = value
        return str(order.asked["channel"])

    async def accepted(self, call: FakeCall) -> web.Response:
        return web.json_response(self._channel(call))

    def refused(self, order: Order) -> web.Response:
        return _error(400, "Invalid endpoint specified")

    async def set_variable(self, call: FakeCall, name: str, value: str) -> None:
        """The dialplan sets one on the channel."""
        self.set_on[call.ref][name] = value
        await self._say({"type": "ChannelVarset", "variable": name, "value": value, "channel": self._channel(call)})

    async def tell(self, call: FakeCall, stage: Stage) -> None:
        if stage is Stage.ENDED:
            set_at_the_end = self._hang_up(call)
        if call.ref not in self._dialling:
            self._dialling.add(call.ref)
            await self._say({"type": "Dial", "dialstatus": "", "peer": {**self._channel(call), "state": "Down"}})
        match stage:
            case Stage.RINGING:
                await self._dial(call, "RINGING")
                await self._say({"type": "ChannelStateChange", "channel": self._channel(call)})
            case Stage.ANSWERED:
                await self._answer(call)
            case Stage.ENDED:
                await self._destroy(call, set_at_the_end)

    async def cut(self) -> None:
        """Close every socket."""
        for ears in list(self.ears.values()):
            for ear in list(ears):
                await ear.close()

    async def leave(self, media: str) -> None:
        """The voice hangs up."""
        if self.media.pop(media, None) is not None:
            self._part(media)
            await self._say({"type": "ChannelDestroyed", "cause": 16, "channel": {"id": media, "state": "Up"}})

    async def _answer(self, call: FakeCall) -> None:
        await self._dial(call, "ANSWER")
        await self._say({"type": "ChannelStateChange", "channel": self._channel(call)})
        if (app := call.order.asked.get("app")) is None:
            if call.act is Act.MACHINE:
                await self.set_variable(call, "AMDSTATUS", "MACHINE")
        elif self.ears[app]:
            args = call.order.asked["appArgs"].split(",")
            await self._say({"type": "StasisStart", "args": args, "channel": self._channel(call)})
        else:
            self.hang_up(call)  # "Stasis app not active"

    def _ends_by(self, call: FakeCall) -> tuple[str, int, int | None]:
        if call.answered:
            return "", 0, None
        if call.hung_up.is_set():
            return "", 16, None
        return self.codes or CODES.get(call.act, ("", 19, 480))

    def _hang_up(self, call: FakeCall) -> Mapping[str, str]:
        """Run the channel's hangup handler, while the channel is there, and with the network's last code."""
        final, cause, sip = self._ends_by(call)
        heard = f"SIP {sip}" if final else "SIP 200" if call.answered else "SIP 180" if Stage.RINGING in call.at else ""
        channel = self._channel(call)
        known = {
            **call.order.asked["variables"],
            **self.set_on.pop(call.ref, {}),
            "HANGUPCAUSE": str(cause),
            f"HANGUPCAUSE({channel['name']},tech)": heard and f"{heard} as the network words it",
            "CHANNEL(name)": channel["name"],
            "CHANNEL(state)": channel["state"],
            "STRFTIME(,UTC,%FT%T.%3qZ)": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z",
        }
        handler = call.order.asked["variables"]["CHANNEL(hangup_handler_push)"]
        if not self.keeps:
            return {}
        done = run(context(handler.removesuffix(",s,1")), known)
        self.variables |= {name[7:-1]: value for name, value in done.items() if name.startswith("GLOBAL(")}
        return {name: value for name, value in done.items() if not name.startswith("GLOBAL(")}

    async def _destroy(self, call: FakeCall, set_at_the_end: Mapping[str, str]) -> None:
        final, cause, sip = self._ends_by(call)
        if final:
            await self._dial(call, final)
        for name, value in set_at_the_end.items():
            await self.set_variable(call, name, value)
        self._part(call.ref)
        told = {"cause": cause, "cause_txt": f"cause {cause}", "channel": self._channel(call)}
        await self._say({"type": "ChannelDestroyed", **told, **({} if sip is None else {"tech_cause": sip})})

    async def _dial(self, call: FakeCall, status: str) -> None:
        await self._say({"type": "Dial", "dialstatus": status, "peer": self._channel(call)})

    async def _say(self, message: Mapping[str, Any]) -> None:
        """To the newest socket of each application; lost where there is none."""
        told = {**message, "timestamp": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "+0000"}
        for ears in list(self.ears.values()):
            if ears and not ears[-1].closed:
                try:
                    await ears[-1].send_json(told)
                except ConnectionError:
                    continue

    def _channel(self, call: FakeCall) -> dict[str, Any]:
        state = "Up" if call.answered else "Ringing" if Stage.RINGING in call.at else "Down"
        return {"id": call.ref, "name": "PJSIP/trunk-00000001", "state": state}

    def _part(self, channel: str) -> None:
        for members in self.bridges.values():
            if channel in members:
                members.remove(channel)

    async def _listen(self, request: web.Request) -> web.StreamResponse:
        app = request.query["app"]
        if self.deaf:
            return web.Response(status=502)
        ear = web.WebSocketResponse()
        await ear.prepare(request)
        before = self.ears[app][-1:]
        self.ears[app].append(ear)
        self.connects += 1
        try:
            for replaced in before:
                await replaced.send_json({"type": "ApplicationReplaced", "application": app})
            async for _ in ear:
                pass
        finally:
            self.ears[app].remove(ear)
        return ear

    async def _info(self, request: web.Request) -> web.Response:
        status = {"startup_time": self.started.strftime("%Y-%m-%dT%H:%M:%S.000+0000")}
        return web.json_response({"system": {"version": self.version}, "status": status})

    async def _get_variable(self, request: web.Request) -> web.Response:
        return web.json_response({"value": self.variables.get(request.query["variable"], "")})

    async def _set_variable(self, request: web.Request) -> web.Response:
        self.variables[request.query["variable"]] = request.query["value"]
        self.writes[request.query["variable"]] += 1
        return web.Response(status=204)

    async def _show(self, request: web.Request) -> web.Response:
        call = self.calls.get(request.match_info["id"])
        return _error(404, "Channel not found") if call is None or call.over else web.json_response(self._channel(call))

    async def _delete(self, request: web.Request) -> web.Response:
        channel = request.match_info["id"]
        if channel in self.media:
            await self.leave(channel)
        elif (call := self.calls.get(channel)) is None or call.over:
            return _error(404, "Channel not found")
        else:
            self.hang_up(call)
        return web.Response(status=204)

    async def _external_media(self, request: web.Request) -> web.Response:
        asked = await request.json()
        if not self.takes_media:
            return _error(500, "Failed to create external media")
        channel = {"id": asked["channelId"], "state": "Up"}
        self.media[asked["channelId"]] = asked
        # Sooner than the answer.
        await self._say({"type": "StasisStart", "args": [], "channel": channel})
        return web.json_response(channel)

    async def _list_bridges(self, request: web.Request) -> web.Response:
        return web.json_response([{"id": bridge, "channels": members} for bridge, members in self.bridges.items()])

    async def _make_bridge(self, request: web.Request) -> web.Response:
        self.bridges[request.query["bridgeId"]] = []
        return web.json_response({"id": request.query["bridgeId"], "channels": []})

    async def _add_channel(self, request: web.Request) -> web.Response:
        self.bridges[request.match_info["id"]] += request.query["channel"].split(",")
        return web.Response(status=204)

    async def _delete_bridge(self, request: web.Request) -> web.Response:
        gone = self.bridges.pop(request.match_info["id"], None)
        return _error(404, "Bridge not found") if gone is None else web.Response(status=204)


def _error(status: int, words: str) -> web.Response:
    return web.json_response({"message": words}, status=status)


def make(
    url: str,
    timeout: float,
    *,
    route: Dialplan | Stasis | None = None,
    password: str = PASSWORD,
    limit_403: bool = False,
    marked: float = 3600.0,
) -> AsteriskAdapter:
    return AsteriskAdapter(
        "asterisk",
        base_url=url,
        user=USER,
        password=password,
        endpoint="PJSIP/{number}@trunk",
        route=route or Dialplan("answered", "", 1),
        limit_403=limit_403,
        timeout=timeout,
        rhythm=QUICK,
        marked=marked,
    )


ACTS = frozenset(Act) - {Act.THROTTLE}


def harness() -> AbstractAsyncContextManager[ProviderHarness]:
    return harness_of(FakeAsterisk(), make, acts=ACTS)


def stasis_harness() -> AbstractAsyncContextManager[ProviderHarness]:
    """Where we connect the voice, nobody tells a machine from a person."""

    def stasis(url: str, timeout: float) -> AsteriskAdapter:
        return make(url, timeout, route=Stasis("dialer", "", "ulaw"))

    return harness_of(FakeAsterisk(), stasis, acts=ACTS - {Act.MACHINE})
