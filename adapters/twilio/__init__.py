"""Twilio Programmable Voice: an adapter for its REST API of 2010-04-01 and its status callbacks.

Owns the options of a `[adapters.NAME]` table of kind "twilio".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from adapters.base import AdapterSpec
from adapters.options import Options, Secret
from adapters.session import basic
from adapters.twilio.adapter import TwilioAdapter
from adapters.twilio.detection import Detection
from adapters.twilio.voice import Voice

_OPTIONS = {
    "account_sid": "the account or subaccount to call with, AC and 32 hex digits; required",
    "auth_token": "its primary auth token, which Twilio signs callbacks with; required",
    "api_key_sid": "an API key to send requests with, SK and 32 hex digits; unset: account_sid and auth_token are sent",
    "api_key_secret": "that API key's secret; required with api_key_sid",
    "connect": "whom an answered call is connected to: stream, sip or url; default stream",
    "target": "where: a wss:// address, a sip: URI, or the address of your TwiML; {voice} in it is the assistant; required",
    "machine_detection": "off, enable or detect_message_end, always asynchronous; default off",
    "machine_detection_timeout": "seconds until an undecided detection says unknown, 3 to 59; default 30",
    "base_url": "where the API is; default https://api.twilio.com",
    "timeout": "seconds one request may take, 0.1 to 60; default 10",
}
_HEX = "[0-9a-fA-F]{32}"


def _build(name: str, options: Mapping[str, Any]) -> TwilioAdapter:
    read = Options(options)
    account = read.text("account_sid", form=f"AC{_HEX}", example="AC0123…, as the console shows it")
    token = read.secret("auth_token")
    key = read.text("api_key_sid", default="", form=f"SK{_HEX}", example="SK0123…, as the console shows it")
    key_secret = read.secret("api_key_secret", default="")
    if bool(key) != bool(key_secret):
        read.fault("api_key_secret" if key else "api_key_sid", "missing", "set both of an API key, or neither")
    kind = read.choice("connect", ("stream", "sip", "url"), default="stream")
    voice = Voice(kind, _target(read, kind))
    detection = Detection(
        read.choice("machine_detection", ("off", "enable", "detect_message_end"), default="off"),
        read.whole("machine_detection_timeout", low=3, high=59, default=30, unit="seconds"),
    )
    base_url = read.url("base_url", default="https://api.twilio.com")
    timeout = read.number("timeout", low=0.1, high=60, default=10, unit="seconds")
    read.finish()
    return TwilioAdapter(
        name,
        account=account,
        token=Secret(token),
        authorization=Secret(basic(key, key_secret) if key else basic(account, token)),
        voice=voice,
        detection=detection,
        base_url=base_url,
        timeout=timeout,
    )


def _target(read: Options, kind: str) -> str:
    if kind == "sip":
        return read.text("target", form=r"sips?:[^\s@?]+@[^\s@]+", example="sip:{voice}@agents.example.com")
    if kind == "url":
        return read.url("target", example="https://voice.example.com/twiml/{voice}")
    return read.url("target", schemes=("wss",), example="wss://voice.example.com/{voice}")


SPEC = AdapterSpec(kind="twilio", build=_build, options=_OPTIONS)
