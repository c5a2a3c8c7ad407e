"""Asterisk over ARI: its REST interface to place and hang up, its WebSocket to hear what becomes of the calls.

Owns the options of a `[adapters.NAME]` table of kind "asterisk".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from adapters.asterisk.adapter import AsteriskAdapter
from adapters.asterisk.order import Dialplan, Stasis
from adapters.base import AdapterSpec
from adapters.options import Options

_OPTIONS = {
    "base_url": "address of Asterisk's HTTP server, such as http://127.0.0.1:8088, with its prefix if it has one; required",
    "user": "ARI user of ari.conf, not read_only; required",
    "password": "secret, the user's password; required",
    "endpoint": "what is dialled, with {number} for +4930… or {digits} for 4930…, such as PJSIP/{number}@trunk; required",
    "app": "name of the ARI application, letters, digits and _; default dialer. One for each dialer that uses this Asterisk",
    "connect": "who connects the voice: dialplan (survives a restart of the dialer; default) or stasis",
    "context": "dialplan only: the context that answered calls go to; required there",
    "extension": "dialplan only: the extension; default the assistant's external id",
    "priority": "dialplan only: the priority, 1 to 10000; default 1",
    "ended": "the context whose extension s keeps how a call ended, as adapters/README.md shows it; default dialer-ended",
    "external_host": "stasis only: section of websocket_client.conf to connect to; default the assistant's external id",
    "format": "stasis only: audio format of that connection; default ulaw",
    "sip_403": "what SIP 403 means on this trunk: config (a person must look; default) or limit (too many calls at once)",
    "timeout": "seconds one request may take, 0.1 to 30; default 5",
}


def _build(name: str, options: Mapping[str, Any]) -> AsteriskAdapter:
    read = Options(options)
    base_url = read.url("base_url", example="http://127.0.0.1:8088")
    user = read.text("user", form="[^:\x00-\x20]+", example="dialer")
    password = read.secret("password")
    endpoint = read.text("endpoint", form=r"[^\s&{}]*\{(number|digits)\}[^\s&{}]*", example="PJSIP/{number}@trunk")
    app = read.text("app", default="dialer", form="[A-Za-z0-9_]{1,64}", example="dialer")
    connect = read.choice("connect", ("dialplan", "stasis"), default="dialplan")
    route: Dialplan | Stasis
    if connect == "dialplan":
        route = Dialplan(
            read.text("context", form=r"[\w.-]{1,79}", example="dialer-answered"),
            read.text("extension", default="", form=r"[\w.*#+-]{1,79}", example="s"),
            read.whole("priority", low=1, high=10000, default=1),
        )
    else:
        external_host = read.text("external_host", default="", form=r"[\w.-]{1,79}", example="agents")
        route = Stasis(app, external_host, read.text("format", default="ulaw", form="[a-z0-9]+", example="slin16"))
    ended = read.text("ended", default="dialer-ended", form=r"[\w.-]{1,79}", example="dialer-ended")
    foreign = ("external_host", "format") if connect == "dialplan" else ("context", "extension", "priority")
    for key in foreign:
        if key in options:
            read.fault(key, f"has no meaning where {connect} connects the voice", "remove it, or change connect")
    sip_403 = read.choice("sip_403", ("config", "limit"), default="config")
    timeout = read.number("timeout", low=0.1, high=30, default=5, unit="seconds")
    read.finish()
    return AsteriskAdapter(
        name,
        base_url=base_url,
        user=user,
        password=password,
        endpoint=endpoint,
        app=app,
        route=route,
        ended=ended,
        limit_403=sip_403 == "limit",
        timeout=timeout,
    )


def _beside(options: Mapping[str, Any]) -> Mapping[str, Any]:
    """Under the name of another application: the newest connection to one gets all of its events."""
    return {**options, "app": f"{str(options.get('app', 'dialer'))[:59]}_test"}


SPEC = AdapterSpec(kind="asterisk", build=_build, options=_OPTIONS, beside=_beside)
