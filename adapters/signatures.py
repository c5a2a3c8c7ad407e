"""Whether a callback comes from whom it says: comparisons in constant time, HMACs, timestamps. All refuse with `Forged`.

Pure, and quiet: nothing is told of what was expected. Check the signature before the timestamp.
"""

from __future__ import annotations

import base64
import hmac
from collections.abc import Mapping
from datetime import datetime
from typing import Literal

from adapters.errors import Forged

TOLERANCE = 300.0
"""Seconds a callback's timestamp may differ from our clock; an older one may be a replay. What Twilio, Telnyx and Retell use."""


def signature(
    secret: str, message: bytes, *, digest: Literal["sha1", "sha256"] = "sha256", form: Literal["hex", "base64"] = "hex"
) -> str:
    """The HMAC of `message` as text. Raises `Forged` for an empty secret: anybody could sign with it."""
    if not secret:
        raise Forged("there is no secret to check callbacks with")
    found = hmac.digest(secret.encode(), message, digest)
    return found.hex() if form == "hex" else base64.b64encode(found).decode()


def same(given: str, expected: str) -> None:
    """Raises `Forged` unless both are the same, and not empty. Takes as long whatever `given` is."""
    # Compared as bytes: compare_digest refuses text that is not ASCII, and a header may hold what no encoding knows.
    if not hmac.compare_digest(given.encode("utf-8", "surrogateescape"), expected.encode()) or not expected:
        raise Forged


def fresh(timestamp: str, received_at: datetime, *, tolerance: float = TOLERANCE, ticks: int = 1) -> None:
    """Raises `Forged` unless `timestamp`, in `1/ticks` seconds since 1970, is within `tolerance` seconds of the arrival."""
    try:
        age = received_at.timestamp() - float(timestamp) / ticks
    except (ValueError, OverflowError):
        raise Forged from None
    if not abs(age) <= tolerance:
        raise Forged(f"the callback's timestamp is more than {tolerance / 60:g} minutes off")


def fields(header: str) -> Mapping[str, str]:
    """A header like `t=1757000000,v0=abc` as its fields; of a name that comes twice, the last."""
    return {name.strip(): value.strip() for name, mark, value in (part.partition("=") for part in header.split(",")) if mark}
