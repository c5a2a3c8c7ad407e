"""What LiveKit is asked for: an agent in the attempt's room, then the callee in it. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from adapters.base import Call
from adapters.livekit.translate import CALLEE, room_of


def to_dispatch(call: Call) -> Mapping[str, Any]:
    """An agent of the assistant's name. The number is not told: the agent sees it as an attribute of the callee, if it may."""
    metadata = {"attempt": call.attempt, "labels": dict(call.labels), "variables": dict(call.variables)}
    return {"room": room_of(call.attempt), "agent_name": call.voice, "metadata": json.dumps(metadata)}


def to_dial(call: Call, trunk: str) -> Mapping[str, Any]:
    """The callee over this SIP trunk; answered when the phone is. The ring timeout is always set: LiveKit's own is 3 minutes."""
    return {
        "sip_trunk_id": trunk,
        "sip_call_to": call.to,
        "sip_number": call.caller_id,
        "room_name": room_of(call.attempt),
        "participant_identity": CALLEE,
        "participant_metadata": json.dumps({"attempt": call.attempt}),
        "ringing_timeout": f"{call.ring}s",
        "max_call_duration": f"{call.limit}s",
        "wait_until_answered": True,
    }
