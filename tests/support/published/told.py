"""What a provider's callback may hold, by the models of its SDK."""

from __future__ import annotations

import ast
from importlib import import_module
from typing import Any

from google.protobuf import json_format

from tests.support.published import declared
from tests.support.published.declared import Declared


def faults(kind: str, told: Any) -> list[str]:
    """What is wrong with a callback by the models of the SDK. That something is left out is no fault: our fakes tell less than a
    provider does."""
    if kind == "livekit":
        try:
            json_format.ParseDict(told, import_module("livekit.protocol.webhook").WebhookEvent())
        except json_format.ParseError as error:
            return [str(error)]
        return []
    if told.get("type") == "call_initiation_failure":
        return []  # ElevenLabs' SDK has no model of it
    where, name, value = _model(kind, told)
    return [
        fault
        for fault in declared.faults(value, Declared(ast.Name(name), declared.module(where)))
        if not fault.endswith(": is missing")
    ]


def _model(kind: str, told: Any) -> tuple[str, str, Any]:
    """The module and the name of a callback's model, and the part of the callback that it is of."""
    match kind:
        case "telnyx":
            event = told["data"]["event_type"].replace(".", "_")
            return f"telnyx.types.{event}", _camel(event), told["data"]
        case "vapi":
            message = f"server_message_{told['message']['type'].replace('-', '_')}"
            return f"vapi.types.{message}", _camel(message), told["message"]
        case "retell":
            return "retell.types.phone_call_response", "PhoneCallResponse", told["call"]
        case "elevenlabs":
            return "elevenlabs.types.get_conversation_response_model", "GetConversationResponseModel", told["data"]
    raise LookupError(kind)


def _camel(name: str) -> str:
    return name.title().replace("_", "")
