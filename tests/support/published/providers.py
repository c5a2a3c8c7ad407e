"""What each provider publishes of the requests that our adapters make."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from typing import Any
from urllib.parse import parse_qs

from google.protobuf import json_format, message_factory

from tests.support.providers.base import Seen
from tests.support.published.declared import module, shape
from tests.support.published.operations import Operation, operation


@dataclass(frozen=True, slots=True)
class Published:
    """`exempt`: a fault that is none → why. `bodies_only`: what has no body is not looked at."""

    operations: Callable[[], tuple[Operation, ...]]
    exempt: Mapping[str, str] = field(default_factory=dict)
    bodies_only: bool = False

    def named(self, seen: Seen) -> str:
        """The operation that a request is; empty if it is none that is published."""
        return next((each.name for each in self.operations() if each.is_meant(seen.method, seen.path)), "")

    def faults(self, seen: Seen) -> list[str]:
        """What the provider's SDK could not have sent, exemptions included; none if it could have sent it."""
        if self.bodies_only and not seen.body:
            return []
        for each in self.operations():
            if each.is_meant(seen.method, seen.path):
                body = None if not seen.body else of_form(seen.body) if is_form(seen) else json.loads(seen.body)
                return each.faults(body, of_form(seen.query), form=is_form(seen))
        return [f"{seen.method}: no such request"]


class LiveKit:
    """Its server's services as protobufs: a path is a service and a method, whose descriptor names the message."""

    exempt: Mapping[str, str] = {}

    def operations(self) -> tuple[str, ...]:
        names = ("SIP/CreateSIPParticipant", "AgentDispatchService/CreateDispatch", "RoomService/ListParticipants")
        return (*names, "RoomService/DeleteRoom", "RoomService/ListRooms")

    def named(self, seen: Seen) -> str:
        name = seen.path.removeprefix("/twirp/livekit.")
        return name if name in self.operations() else ""

    def faults(self, seen: Seen) -> list[str]:
        service, _, method = self.named(seen).partition("/")
        home = {"SIP": "sip", "AgentDispatchService": "agent_dispatch", "RoomService": "room"}.get(service)
        if home is None or seen.method != "POST":
            return [f"{seen.method}: no such request"]
        described = import_module(f"livekit.protocol.{home}").DESCRIPTOR.services_by_name[service].methods_by_name[method]
        message = message_factory.GetMessageClass(described.input_type)()
        try:
            json_format.ParseDict(json.loads(seen.body), message)
        except json_format.ParseError as error:
            return [str(error)]
        return [f"body.{each.name}: is deprecated" for each, _ in message.ListFields() if each.GetOptions().deprecated]


def is_form(seen: Seen) -> bool:
    return seen.content_type == "application/x-www-form-urlencoded"


def of_form(text: str | bytes) -> dict[str, Any]:
    """The fields of a form or a query; one that comes more than once is a list."""
    told = parse_qs(text.decode() if isinstance(text, bytes) else text, keep_blank_values=True)
    return {name: values if len(values) > 1 else values[0] for name, values in told.items()}


@cache
def _twilio() -> tuple[Operation, ...]:
    account = "twilio.rest.api.v2010.account"
    return tuple(
        operation(where, owner, name, root="2010-04-01")
        for where, owner, name in (
            (f"{account}.call", "CallList", "_create"),
            (f"{account}.call", "CallList", "page"),
            (f"{account}.call", "CallContext", "_fetch"),
            (f"{account}.call", "CallContext", "_update"),
            (f"{account}.balance", "BalanceList", "_fetch"),
            (account, "AccountContext", "_fetch"),
        )
    )


@cache
def _telnyx() -> tuple[Operation, ...]:
    return tuple(
        operation(f"telnyx.resources.{where}", owner, name, root="v2")
        for where, owner, name in (
            ("calls.calls", "CallsResource", "dial"),
            ("calls.calls", "CallsResource", "retrieve_status"),
            ("calls.actions", "ActionsResource", "hangup"),
            ("connections", "ConnectionsResource", "list_active_calls"),
            ("call_events", "CallEventsResource", "list"),
        )
    )


@cache
def _vapi() -> tuple[Operation, ...]:
    calls = "vapi.calls.raw_client"
    message = module("vapi.types.client_inbound_message_message")
    ends = message.bound["ClientInboundMessageMessage_EndCall"]
    assert isinstance(ends, ast.ClassDef)
    return (
        *(operation(calls, "RawCallsClient", name) for name in ("create", "list", "get", "delete")),
        operation("vapi.phone_numbers.raw_client", "RawPhoneNumbersClient", "list"),
        Operation("control", "POST", re.compile("/control/[^/]+"), shape(ends, message), None),
    )


@cache
def _retell() -> tuple[Operation, ...]:
    return (
        *(operation("retell.resources.call", "CallResource", name) for name in ("create_phone_call", "list", "retrieve", "stop")),
        operation("retell.resources.concurrency", "ConcurrencyResource", "retrieve"),
    )


@cache
def _elevenlabs() -> tuple[Operation, ...]:
    return tuple(
        operation(f"elevenlabs.conversational_ai.{where}.raw_client", owner, name)
        for where, owner, name in (
            ("twilio", "RawTwilioClient", "outbound_call"),
            ("sip_trunk", "RawSipTrunkClient", "outbound_call"),
            ("conversations", "RawConversationsClient", "list"),
            ("conversations", "RawConversationsClient", "get"),
            ("phone_numbers", "RawPhoneNumbersClient", "list"),
        )
    )


@cache
def _asterisk() -> tuple[Operation, ...]:
    source = module("tests.support.published.asterisk")
    found = []
    # The one with a name before the one whose name is anything.
    for name, path in (("ExternalMedia", "/ari/channels/externalMedia"), ("OriginateWithId", "/ari/channels/[^/]+")):
        declared = source.bound[name]
        assert isinstance(declared, ast.ClassDef)
        found.append(Operation(name, "POST", re.compile(path), shape(declared, source), None))
    return tuple(found)


PUBLISHED: Mapping[str, Published | LiveKit] = {
    "twilio": Published(_twilio),
    "telnyx": Published(
        _telnyx,
        exempt={
            "query.page: no such key": "the SDK pages by numbers only; Telnyx's own document (developers.telnyx.com, operation"
            " ListConnectionActiveCalls) takes page[limit] and page[after], and its answers hold those cursors"
        },
    ),
    "vapi": Published(_vapi),
    "retell": Published(_retell),
    "elevenlabs": Published(_elevenlabs),
    "livekit": LiveKit(),
    "asterisk": Published(
        _asterisk,
        exempt={
            "body.transport_data: no such key": "came with the transport websocket (20.16, 22.6, 23.0), and the text is older"
        },
        bodies_only=True,
    ),
}
"""Kind → what is published. Of FreeSWITCH, which takes lines of text, nothing is; a `webhook` says what its table tells it to."""
