"""Telnyx Call Control: calls placed through a Call Control application, its voice an AI assistant of Telnyx's or a media stream.

Owns the options of an `[adapters.NAME]` table of kind "telnyx".
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

from adapters.base import AdapterSpec
from adapters.options import Options
from adapters.telnyx.adapter import DETECTIONS, TRACKS, TelnyxAdapter

_OPTIONS = {
    "api_key": "API key (v2) of the Telnyx account; required",
    "public_key": "public key of the account, base64, from the portal: callbacks are checked with it; required",
    "connection_id": "id of the Call Control application that places the calls; required",
    "stream_url": "ws or wss address the audio is streamed to, ?attempt=…&voice=… is appended; unset: an AI assistant speaks",
    "stream_track": f"what is streamed: {', '.join(TRACKS)}; default {TRACKS[0]}",
    "answering_machine_detection": f"{', '.join(DETECTIONS)}; Telnyx bills it; default {DETECTIONS[0]}",
    "base_url": "address of the API; default https://api.telnyx.com",
    "timeout": "seconds one request may take, 0.1 to 60; default 10",
}


def _build(name: str, options: Mapping[str, Any]) -> TelnyxAdapter:
    read = Options(options)
    api_key = read.secret("api_key")
    public_key = _public_key(read)
    connection_id = read.text("connection_id", form=r"[\w-]{1,64}", example='"1494404757140276705"')
    stream_url = (
        read.url("stream_url", schemes=("wss", "ws"), example="wss://voice.example.com/telnyx") if "stream_url" in options else ""
    )
    stream_track = read.choice("stream_track", TRACKS, default=TRACKS[0])
    detection = read.choice("answering_machine_detection", DETECTIONS, default=DETECTIONS[0])
    base_url = read.url("base_url", default="https://api.telnyx.com")
    timeout = read.number("timeout", low=0.1, high=60, default=10, unit="seconds")
    read.finish()
    return TelnyxAdapter(
        name,
        api_key=api_key,
        public_key=public_key,
        connection_id=connection_id,
        stream_url=stream_url,
        stream_track=stream_track,
        detection=detection,
        base_url=base_url,
        timeout=timeout,
    )


def _public_key(read: Options) -> bytes:
    text = read.secret("public_key").strip()
    try:
        key = base64.b64decode(text, validate=True)
    except ValueError:
        key = b""
    if text and len(key) != 32:
        read.fault("public_key", "not 32 bytes in base64", "copy it from the portal, Account, Keys & Credentials, Public Key")
    return key


SPEC = AdapterSpec(kind="telnyx", build=_build, options=_OPTIONS)
