"""FreeSWITCH over its event socket (ESL), inbound: one connection to place calls and hear what becomes of them, one to ask.

Owns the options of a `[adapters.NAME]` table of kind "freeswitch".
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from adapters.base import AdapterSpec
from adapters.freeswitch.adapter import FreeswitchAdapter
from adapters.freeswitch.ear import Server
from adapters.freeswitch.order import Bridge, Dialplan
from adapters.options import Options

_OPTIONS = {
    "host": "where the event socket is; default 127.0.0.1. It is not encrypted: put a tunnel between machines",
    "port": "its port; default 8021",
    "password": "secret, that of event_socket.conf.xml; required",
    "endpoint": "what is dialled, with {number} for +4930… or {digits} for 4930…, such as sofia/gateway/trunk/{digits}; required",
    "connect": "who connects the voice: sip (a SIP agent; default) or dialplan",
    "target": "sip only: the agent, with {voice} for the assistant's external id, such as sofia/gateway/agents/{voice}; required",
    "context": "dialplan only: the context that answered calls go to; required there",
    "extension": "dialplan only: the extension; default the assistant's external id",
    "sip_403": "what SIP 403 means on this trunk: config (a person must look; default) or limit (too many calls at once)",
    "timeout": "seconds an answer may take, 0.1 to 30; default 5",
}
_DIALLED = r"[\w./@:;=+-]*"
"""Of what a dial string may consist, its placeholder aside: nothing that would dial two, or carry variables."""
_NAME = re.compile(r"\w[\w.-]{0,63}", re.ASCII)


def _build(name: str, options: Mapping[str, Any]) -> FreeswitchAdapter:
    read = Options(options)
    if _NAME.fullmatch(name) is None:
        read.fault("name", "the trunk's name cannot be written in an originate", "use letters, digits, . _ and -, up to 64")
    host = read.text("host", default="127.0.0.1", form=r"[^\s/@]+", example="127.0.0.1")
    port = read.whole("port", low=1, high=65535, default=8021)
    password = read.secret("password")
    if "\n" in password or "\r" in password:
        read.fault("password", "more than one line", "set it to the one line of event_socket.conf.xml")
    example = "sofia/gateway/trunk/{digits}"
    endpoint = read.text("endpoint", form=rf"(?a:{_DIALLED}\{{(number|digits)\}}{_DIALLED})", example=example)
    connect = read.choice("connect", ("sip", "dialplan"), default="sip")
    target = ""
    route: Bridge | Dialplan
    if connect == "sip":
        target = read.text("target", form=rf"(?a:{_DIALLED}(\{{voice\}})?{_DIALLED})", example="sofia/gateway/agents/{voice}")
        route = Bridge(target)
    else:
        extension = read.text("extension", default="", form=r"(?a:[\w.*#+-]{1,79})", example="sales")
        route = Dialplan(read.text("context", form=r"(?a:[\w.-]{1,79})", example="dialer-answered"), extension)
    for key, dialled in (("endpoint", endpoint), ("target", target)):
        if ":_:" in dialled:
            read.fault(key, "dials more than one", "leave :_: out")
    for key in ("context", "extension") if connect == "sip" else ("target",):
        if key in options:
            read.fault(key, f"has no meaning where {connect} connects the voice", "remove it, or change connect")
    sip_403 = read.choice("sip_403", ("config", "limit"), default="config")
    timeout = read.number("timeout", low=0.1, high=30, default=5, unit="seconds")
    read.finish()
    return FreeswitchAdapter(
        name, Server(host, port, password, timeout), endpoint=endpoint, route=route, limit_403=sip_403 == "limit"
    )


SPEC = AdapterSpec(kind="freeswitch", build=_build, options=_OPTIONS)
