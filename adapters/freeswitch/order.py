"""What an originate says: whom to dial, where an answered call goes, and the variables that go with it. Pure.

An originate is one text in which {}, [], commas, quotes, pipes, `$` and spaces mean something: written by a stranger, they would
dial somebody else or run a command. What people typed goes in percent-encoded, and what cannot be encoded is refused.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote

from adapters.base import Call
from adapters.errors import Rejected
from adapters.events import Fault
from adapters.freeswitch.translate import ref_of

_NUMBER = re.compile(r"\+?[0-9]{2,20}", re.ASCII)
_ATTEMPT = re.compile(r"[\w-]{1,80}", re.ASCII)
_VOICE = re.compile(r"[\w.+-]{1,79}", re.ASCII)
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,60}", re.ASCII)
_AGENT_RINGS = 15
"""Seconds an agent has to pick up; whoever was called waits for it."""
LONGEST = 16_000
"""Characters of an originate. FreeSWITCH takes more; a list of contacts must not be able to flood it."""


@dataclass(frozen=True, slots=True)
class Bridge:
    """Answered calls are connected to a SIP agent; `{voice}` in `target` is the assistant's external id."""

    target: str


@dataclass(frozen=True, slots=True)
class Dialplan:
    """Answered calls go on in the XML dialplan. An empty `extension`: the assistant's external id."""

    context: str
    extension: str


def order(call: Call, trunk: str, endpoint: str, route: Bridge | Dialplan) -> str:
    """The originate. Raises `Rejected` for what cannot be written in it."""
    for known, what, form in (
        (call.to, "number", _NUMBER),
        (call.caller_id, "caller_id", _NUMBER),
        (call.attempt, "attempt", _ATTEMPT),
        (call.voice, "voice", _VOICE),
    ):
        if form.fullmatch(known) is None:
            problem = f"the {what} cannot be written in an originate; it must match {form.pattern}"
            raise Rejected(problem, fault=Fault.REQUEST, cause=f"bad_{what}")
    variables = ",".join(f"{name}={value}" for name, value in _variables(call, trunk).items())
    dialled = endpoint.format(number=call.to, digits=call.to.lstrip("+"))
    written = f"originate {{{variables}}}{dialled} {_goes_to(call, route)}"
    if len(written) > LONGEST:
        raise Rejected("the contact's variables are too long for an originate", fault=Fault.REQUEST, cause="too_long")
    return written


def _goes_to(call: Call, route: Bridge | Dialplan) -> str:
    if isinstance(route, Dialplan):
        return f"{route.extension or call.voice} XML {route.context}"
    told = f"sip_h_X-Attempt={call.attempt},sip_h_X-Voice={call.voice},originate_timeout={_AGENT_RINGS}"
    return f"&bridge({{{told}}}{route.target.format(voice=call.voice)})"


def _variables(call: Call, trunk: str) -> Mapping[str, str]:
    """Without `ignore_early_media` a ring-back tone would count as an answer and be connected to the voice."""
    typed = {
        **{f"dialer_label_{name}": value for name, value in call.labels.items() if _NAME.fullmatch(name)},
        **{f"dialer_var_{name}": value for name, value in call.variables.items() if _NAME.fullmatch(name)},
    }
    return {
        "origination_uuid": ref_of(call.attempt),
        "origination_caller_id_number": call.caller_id,
        "origination_caller_id_name": call.caller_id,
        "originate_timeout": str(call.ring),
        "ignore_early_media": "true",
        "hangup_after_bridge": "true",
        "execute_on_answer": f"'sched_hangup +{call.limit} allotted_timeout'",
        "dialer_trunk": trunk,
        "dialer_attempt": call.attempt,
        "dialer_voice": call.voice,
        "dialer_limit": str(call.limit),
        **{name: encoded(value) for name, value in typed.items()},
    }


def encoded(value: object) -> str:
    """Percent-encoded UTF-8: letters, digits and `_.-~` stay as they are. `url_decode` of FreeSWITCH undoes it."""
    return quote(str(value).encode(errors="replace"), safe="")
