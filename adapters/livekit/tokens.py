"""LiveKit's tokens (JWT, HS256): the ones we ask with, and the ones its webhooks come with. And the clock that ours need."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from adapters.base import Hook
from adapters.errors import Forged
from adapters.signatures import same, signature

LIFE = 600
"""Seconds for which a token of ours is good."""
LEEWAY = 60
"""Seconds that two clocks may differ."""
_HEAD = {"alg": "HS256", "typ": "JWT"}


def now() -> datetime:
    """The time until when a token is good has to be told by a clock."""
    return datetime.now(UTC)


def sign(claims: Mapping[str, Any], secret: str) -> str:
    """A token with these claims."""
    head = f"{_encode(_HEAD)}.{_encode(claims)}"
    return f"{head}.{_mac(secret, head)}"


def access(key: str, secret: str, room: str, at: datetime) -> str:
    """A token to ask anything with that concerns one room, good for `LIFE` from `at` on."""
    since = int(at.timestamp())
    video = {"roomAdmin": True, "roomCreate": True, "roomList": True, "room": room}
    claims = {
        "iss": key,
        "sub": "dialer",
        "nbf": since - LEEWAY,
        "exp": since + LIFE,
        "video": video,
        "sip": {"call": True},
    }
    return sign(claims, secret)


def of_webhook(key: str, secret: str, body: bytes, at: datetime) -> str:
    """The token that a webhook with this body comes with, made at `at`."""
    since = int(at.timestamp())
    return sign({"iss": key, "nbf": since, "exp": since + LIFE, "sha256": digest(body)}, secret)


def verify(key: str, secret: str, hook: Hook) -> None:
    """Raises `Forged` unless the webhook's token was made with our secret, is of its time, and names the hash of the body."""
    head, _, given = hook.headers.get("authorization", "").removeprefix("Bearer ").rpartition(".")
    same(given, _mac(secret, head))
    try:
        kind, claims = (_decode(part) for part in head.split("."))
        begins, ends = float(claims.get("nbf", 0)), float(claims["exp"])
        meant, named = (kind["alg"], claims["iss"]) == (_HEAD["alg"], key), str(claims["sha256"])
    except (ValueError, LookupError, TypeError, AttributeError):
        raise Forged from None
    if not meant or not begins - LEEWAY <= hook.received_at.timestamp() <= ends + LEEWAY:
        raise Forged
    same(named, digest(hook.body))


def digest(body: bytes) -> str:
    """The hash of a webhook's body, as its token names it."""
    return base64.b64encode(hashlib.sha256(body).digest()).decode()


def _mac(secret: str, head: str) -> str:
    mac = signature(secret, head.encode("utf-8", "surrogateescape"), form="base64")
    return mac.translate(str.maketrans("+/", "-_", "="))


def _encode(part: Mapping[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode()


def _decode(part: str) -> Any:
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
