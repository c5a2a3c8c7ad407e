"""A FreeSWITCH that does not exist: its event socket, with its vices.

An originate is taken before anything is done, and its job says how it went when the call is over, before or after the end of
the channel is told. An id is refused only while its channel lives, with the word for everything that is full. What happens while
nobody listens is told to nobody. Events go to those who subscribed to them and of whose filters one matches.
"""

from __future__ import annotations

import asyncio
import json
import re
import socket
import struct
import time
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager, suppress
from dataclasses import dataclass, field
from typing import Any, Self
from urllib.parse import urlsplit

from adapters.conformance import Act
from adapters.freeswitch.adapter import FreeswitchAdapter
from adapters.freeswitch.ear import Rhythm, Server
from adapters.freeswitch.order import Bridge, Dialplan
from tests.support.providers.calls import FakeCall, FakeCarrier, Order, Stage
from tests.support.providers.harness import ProviderHarness, harness_of

PASSWORD = "ClueCon"
CODES = {
    Act.BUSY: ("USER_BUSY", 17, 486),
    Act.DECLINED: ("CALL_REJECTED", 21, 603),
    Act.INVALID: ("UNALLOCATED_NUMBER", 1, 404),
    Act.UNREACHABLE: ("NORMAL_TEMPORARY_FAILURE", 41, 503),
}
"""Word, Q.850 cause and SIP code of what the network ends. All others are ended by FreeSWITCH's own timer, or by us."""
QUICK = Rhythm(first=0.01, longest=0.05, ping=60)
_NAMES = {
    Stage.RINGING: "CHANNEL_PROGRESS",
    Stage.ANSWERED: "CHANNEL_ANSWER",
    Stage.ENDED: "CHANNEL_HANGUP_COMPLETE",
}


def separated(text: str, delimiter: str) -> list[str]:
    """As FreeSWITCH separates: not within single quotes, which are dropped, and not after a backslash."""
    parts, part, quoted, escaped = [], "", False, False
    for character in text:
        if escaped:
            part, escaped = part + character, False
        elif character == "\\":
            escaped = True
        elif character == "'":
            quoted = not quoted
        elif character == delimiter and not quoted:
            parts.append(part)
            part = ""
        else:
            part += character
    return [each for each in [*parts, part] if each]


def originate(arguments: str) -> tuple[dict[str, str], str, list[str]]:
    """An originate taken apart: its variables, what it dials, and where the answered call goes."""
    leg, *goes_to = separated(arguments, " ")
    end = leg.find("}")
    assert leg[0] == "{" and end > 0 and "{" not in leg[1:end], "one pair of braces, around the variables"
    pairs = [pair.partition("=") for pair in separated(leg[1:end], ",")]
    return {name: value for name, _, value in pairs}, leg[end + 1 :], goes_to


@dataclass(eq=False)
class Listener:
    """A connection, and what it subscribed to."""

    writer: asyncio.StreamWriter
    events: set[str] = field(default_factory=set)
    filters: list[tuple[str, str]] = field(default_factory=list)

    def wants(self, event: Mapping[str, str]) -> bool:
        matches = not self.filters or any(event.get(name, "").lower() == value.lower() for name, value in self.filters)
        return event["Event-Name"] in self.events and matches

    def say(self, head: str, body: str = "") -> None:
        length = f"Content-Length: {len(body.encode())}\n" if body else ""
        self.writer.write(f"{head}\n{length}\n{body}".encode())


class FakeFreeSwitch(FakeCarrier):
    """Used inside `async with`; `url` has its address."""

    def __init__(self) -> None:
        super().__init__()
        self.dialled: list[str] = []
        """The attempt of every channel that was made: the journal of whose phone rang."""
        self.lines: list[str] = []
        """Originates as they were read."""
        self.deaf = False
        """Whether new connections are closed at once."""
        self.breaks = False
        """Whether the connection breaks over each originate, which is obeyed."""
        self.frozen: set[Listener] = set()
        """Connections on which nothing is answered any more."""
        self.job_first = False
        """Whether a job says no before the end of its channel is told."""
        self.mute = False
        """Whether originates are taken and nothing comes of them; a test says what their jobs say."""
        self.refusal = "INVALID_GATEWAY"
        self.codes: tuple[str, int, int] | None = None
        """Instead of `CODES`."""
        self.connects = 0
        self.ready = True
        self.listeners: set[Listener] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *exc: object) -> None:
        try:
            await self.close()
        finally:
            self._server.close()
            self.cut()

    def cut(self) -> None:
        """Break every connection."""
        for listener in list(self.listeners):
            listener.writer.transport.abort()

    def new_ref(self, order: Order) -> str:
        self.dialled.append(order.attempt)
        return str(order.asked["variables"]["origination_uuid"])

    async def tell(self, call: FakeCall, stage: Stage) -> None:
        event = {"Event-Name": _NAMES[stage], **self._channel(call)}
        if stage is not Stage.ENDED:
            self._say(event)
            if stage is Stage.ANSWERED:
                self.job(call.ref, f"+OK {call.ref}")
            return
        word, q850, sip = self.codes or CODES.get(call.act, ("NO_ANSWER", 19, 487))
        if call.answered or call.hung_up.is_set():
            word, q850, sip = "NORMAL_CLEARING", 16, 200 if call.answered else 487
        event |= {"Hangup-Cause": word, "variable_hangup_cause_q850": str(q850), "variable_sip_term_status": str(sip)}
        if self.job_first and not call.answered:
            self.job(call.ref, f"-ERR {word}\n")
        self._say(event)
        if not self.job_first and not call.answered:
            self.job(call.ref, f"-ERR {word}\n")

    def _channel(self, call: FakeCall) -> dict[str, str]:
        variables = call.order.asked["variables"]
        state = "answered" if call.answered else "ringing" if Stage.RINGING in call.at else "early"
        told = {
            "Unique-ID": call.ref,
            "Answer-State": "hangup" if call.over else state,
            "Caller-Channel-Progress-Time": _micro(call, Stage.RINGING),
            "Caller-Channel-Progress-Media-Time": "0",
            "Caller-Channel-Answered-Time": _micro(call, Stage.ANSWERED),
            **{f"variable_{name}": value for name, value in variables.items()},
        }
        return {**told, "variable_dialer_answered_by": "MACHINE"} if call.act is Act.MACHINE and call.answered else told

    def job(self, ref: str, said: str) -> None:
        """The job of that id has ended."""
        self._say({"Event-Name": "BACKGROUND_JOB", "Job-UUID": ref, "Job-Command": "originate", "_body": said})

    def _say(self, event: Mapping[str, str]) -> None:
        body = json.dumps({**event, "Event-Date-Timestamp": str(int(time.time() * 1e6))})
        for listener in self.listeners:
            if listener.wants(event) and not listener.writer.is_closing():
                listener.say("Content-Type: text/event-json", body)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        listener = Listener(writer)
        self.connects += 1
        try:
            if self.deaf:
                return
            listener.say("Content-Type: auth/request")
            if await reader.readuntil(b"\n\n") != f"auth {PASSWORD}\n\n".encode():
                listener.say("Content-Type: command/reply\nReply-Text: -ERR invalid")
                listener.say("Content-Type: text/disconnect-notice", "Disconnected, goodbye.\n")
                return
            listener.say("Content-Type: command/reply\nReply-Text: +OK accepted")
            self.listeners.add(listener)
            while True:
                command, *headers = (await reader.readuntil(b"\n\n")).decode().strip("\n").split("\n")
                await self._obey(listener, command, dict(header.split(": ", 1) for header in headers))
        except (EOFError, OSError, asyncio.CancelledError):
            pass  # the last where the process ends: else the stream says so in twenty lines
        finally:
            self.listeners.discard(listener)
            writer.close()

    async def _obey(self, listener: Listener, command: str, headers: Mapping[str, str]) -> None:
        if listener in self.frozen:
            return
        verb, _, rest = command.partition(" ")
        reply = "Content-Type: command/reply\nReply-Text: "
        match verb:
            case "event":
                listener.events |= set(rest.removeprefix("json ").split())
                listener.say(f"{reply}+OK event listener enabled json")
            case "filter":
                name, _, value = rest.partition(" ")
                listener.filters.append((name, value))
                listener.say(f"{reply}+OK filter added. [{name}]=[{value}]")
            case "api":
                listener.say("Content-Type: api/response", self._api(*rest.split()))
            case "bgapi" if rest.startswith("originate "):
                await self._originate(listener, rest.removeprefix("originate "), headers["Job-UUID"])
            case _:
                listener.say(f"{reply}-ERR command not found")

    def _api(self, name: str, *arguments: str) -> str:
        if name == "status":
            ready = "is ready" if self.ready else "is not ready"
            up = sum(not call.over for call in self.calls.values())
            return (
                f"UP 0 years\nFreeSWITCH (Version 1.10.12) {ready}\n{up} session(s) - peak 9, last 5min 9 \n1000 session(s) max\n"
            )
        if name == "strepoch":
            return str(int(time.time()))
        call = self.calls.get(arguments[0])
        alive = call is not None and not call.over
        if name == "uuid_exists":
            return "true" if alive else "false"
        if call is None or not alive:
            return "-ERR No such channel!\n"
        if name == "uuid_kill":
            self.hang_up(call)
            return "+OK\n"
        return json.dumps(self._channel(call)) if arguments[1:] == ("json",) else "-USAGE"

    async def _originate(self, listener: Listener, arguments: str, job: str) -> None:
        variables, dialled, goes_to = originate(arguments)
        found = re.fullmatch(r"sofia/gateway/trunk/(\+[0-9]+)", dialled)
        assert found is not None, dialled
        self.lines.append(arguments)
        asked = {"variables": variables, "dialled": dialled, "goes_to": goes_to, "job": job}
        order = Order(variables["dialer_attempt"], found[1], variables["origination_caller_id_number"], asked=asked)
        self.requests[order.attempt] += 1
        accepted = f"Content-Type: command/reply\nReply-Text: +OK Job-UUID: {job}\nJob-UUID: {job}"
        there = self.calls.get(variables["origination_uuid"])
        answer = self.play(order).answer
        no = {Act.REFUSE: self.refusal, Act.THROTTLE: "DESTINATION_OUT_OF_ORDER"}.get(answer)
        if there is not None and not there.over:
            no = "DESTINATION_OUT_OF_ORDER"
        if no is not None:
            listener.say(accepted)
            self.job(job, f"-ERR {no}\n")
            return
        if self.mute:
            listener.say(accepted)
            return
        self.begin(order)
        match answer:
            case Act.ERROR_AFTER:
                listener.say("Content-Type: command/reply\nReply-Text: -ERR operation failed")
            case Act.GARBAGE_AFTER:
                listener.say("Content-Length: welcome")
            case _ if self.breaks or answer is Act.RESET_AFTER:
                peer = listener.writer.get_extra_info("socket")
                peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                listener.writer.transport.abort()
            case Act.HANG_AFTER:
                with suppress(asyncio.CancelledError):
                    await asyncio.sleep(60)
            case _:
                listener.say(accepted)


def _micro(call: FakeCall, stage: Stage) -> str:
    return str(int(call.at.get(stage, 0) * 1e6))


def make(
    url: str,
    timeout: float,
    *,
    route: Bridge | Dialplan | None = None,
    password: str = PASSWORD,
    limit_403: bool = False,
    grace: float = 0.3,
    rhythm: Rhythm = QUICK,
) -> FreeswitchAdapter:
    at: Any = urlsplit(url)
    return FreeswitchAdapter(
        "pbx",
        Server(at.hostname, at.port, password, timeout),
        endpoint="sofia/gateway/trunk/{number}",
        route=route or Bridge("sofia/gateway/agents/{voice}"),
        limit_403=limit_403,
        rhythm=rhythm,
        grace=grace,
    )


def harness() -> AbstractAsyncContextManager[ProviderHarness]:
    return harness_of(FakeFreeSwitch(), make)
