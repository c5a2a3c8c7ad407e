"""Whom an answered call is connected to, as fields of the placement. Pure.

With TwiML in the placement itself nobody has to be asked when the call is answered, so it is connected while the dialer restarts.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode
from xml.sax.saxutils import escape, quoteattr

from adapters.base import Call
from adapters.errors import Rejected
from adapters.events import Fault

LONGEST_TWIML = 4000
"""Characters that the field Twiml takes."""
LONGEST_PARAMETER = 500
"""Characters of name and value of one <Parameter>; what is longer Twilio notices only when the call is answered."""

_NO_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What no XML 1.0 document may hold, not even escaped."""


@dataclass(frozen=True, slots=True)
class Voice:
    """`kind`: stream (a WebSocket), sip, or url (TwiML that somebody else serves). `{voice}` in `target` is the assistant."""

    kind: str
    target: str

    def fields(self, call: Call) -> list[tuple[str, str]]:
        """Raises `Rejected` where Twilio would not take it: the call would be answered, and end at once."""
        target = self.target.replace("{voice}", quote(call.voice, safe=""))
        if self.kind == "url":
            return [("Url", more(target, attempt=call.attempt, voice=call.voice)), ("Method", "POST")]
        twiml = _dial(target, call) if self.kind == "sip" else _stream(target, call)
        if len(twiml) > LONGEST_TWIML:
            raise _too_long(f"the TwiML, over {LONGEST_TWIML} characters")
        return [("Twiml", twiml)]


def more(url: str, **query: str) -> str:
    """The address with more in its query."""
    return f"{url}{'&' if '?' in url else '?'}{urlencode(query)}"


def _stream(url: str, call: Call) -> str:
    given = {**call.variables, "attempt": call.attempt, "voice": call.voice}
    parameters = "".join(f"<Parameter name={_quoted(name)} value={_quoted(value)}/>" for name, value in _texts(given))
    return f"<Response><Connect><Stream url={_quoted(url)}>{parameters}</Stream></Connect></Response>"


def _dial(uri: str, call: Call) -> str:
    """With the attempt and the assistant as headers of the INVITE, which is what a <Sip> can carry."""
    told = more(uri, **{"X-Attempt": call.attempt, "X-Voice": call.voice})
    return f"<Response><Dial callerId={_quoted(call.caller_id)}><Sip>{escape(told)}</Sip></Dial></Response>"


def _texts(given: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, value in given.items():
        if value is None:
            continue
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
        if len(name) + len(text) >= LONGEST_PARAMETER:
            raise _too_long(f"one variable, {LONGEST_PARAMETER} characters or more")
        yield name, text


def _quoted(text: str) -> str:
    return quoteattr(_NO_XML.sub("", text))


def _too_long(what: str) -> Rejected:
    return Rejected(
        f"too long for Twilio: {what}; shorten the fields of the contact", fault=Fault.REQUEST, cause="twiml_too_long"
    )
