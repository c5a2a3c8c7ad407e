"""What an originate says: whom to dial, where an answered call goes, and the variables that go with it. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from adapters.asterisk.kept import HANDLER, VARIABLE
from adapters.asterisk.names import marker_of
from adapters.base import Call
from adapters.errors import Rejected
from adapters.events import Fault

_NUMBER = re.compile(r"\+?[0-9]{2,20}")
_VOICE = re.compile(r"[\w.*#+-]{1,79}", re.ASCII)
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,60}")
_HEARD = frozenset({"DIALER_RESULT", VARIABLE})
"""What is believed where the dialplan sets it; a contact's field of that name would be taken for it."""


@dataclass(frozen=True, slots=True)
class Dialplan:
    """Answered calls go on in the dialplan, which needs nobody of ours. An empty `extension`: the assistant's external id."""

    context: str
    extension: str
    priority: int


@dataclass(frozen=True, slots=True)
class Stasis:
    """Answered calls are handed to us, and we connect the voice. An empty `external_host`: the assistant's external id."""

    app: str
    external_host: str
    format: str


def order(call: Call, endpoint: str, route: Dialplan | Stasis, ended: str) -> Mapping[str, Any]:
    """The body of the originate. `ended`: the context that keeps how the call ends. Raises `Rejected` for what cannot be written
    in it: `&` in a dial string would ring others."""
    if _NUMBER.fullmatch(call.to) is None:
        raise Rejected("the number is not one that can be dialled", fault=Fault.REQUEST, cause="bad_number")
    if _VOICE.fullmatch(call.voice) is None:
        problem = "the assistant's external id is no extension: letters, digits and . * # + - _, up to 79"
        raise Rejected(problem, fault=Fault.REQUEST, cause="bad_voice")
    return {
        "endpoint": endpoint.format(number=call.to, digits=call.to.lstrip("+")),
        "callerId": call.caller_id,
        "timeout": call.ring,
        **_goes_to(call, route),
        "variables": _variables(call, ended),
    }


def _goes_to(call: Call, route: Dialplan | Stasis) -> Mapping[str, Any]:
    if isinstance(route, Stasis):
        return {"app": route.app, "appArgs": f"{call.attempt},{call.voice}"}
    return {"context": route.context, "extension": route.extension or call.voice, "priority": route.priority}


def _variables(call: Call, ended: str) -> Mapping[str, str]:
    """Written by Asterisk once it has allocated the channel, the marker too. The absolute timeout counts from there, so it
    allows for the ringing; it ends a call even when nobody of ours is left to do so."""
    told = {
        f"DIALER_{name.upper()}": str(value)
        for name, value in {**call.labels, **call.variables}.items()
        if _NAME.fullmatch(name)  # another name might be a function, which would be called
    }
    return {
        **{name: value for name, value in told.items() if name not in _HEARD},
        HANDLER: f"{ended},s,1",
        f"GLOBAL({marker_of(call.attempt)})": "placed",
        "TIMEOUT(absolute)": str(call.ring + call.limit),
        "DIALER_ATTEMPT": call.attempt,
        "DIALER_VOICE": call.voice,
        "DIALER_LIMIT": str(call.limit),
    }
