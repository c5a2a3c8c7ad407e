"""Whether a callback comes from the provider: a signature over what it says, or at least a secret that both know. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal
from urllib.parse import parse_qs, urlsplit

from adapters.base import Hook
from adapters.errors import Forged
from adapters.options import Secret
from adapters.signatures import fields, fresh, same, signature


@dataclass(frozen=True, slots=True)
class Signed:
    """`field`: the part of a header like `t=1757000000,v1=abc` that is the signature; `signed`: what is signed, with {body},
    {timestamp} and {url}; `ticks` of the timestamp are one second; `tolerance` in seconds."""

    secret: Secret
    header: str
    field: str
    prefix: str
    digest: Literal["sha1", "sha256"]
    encoding: Literal["hex", "base64"]
    signed: str
    timestamp_header: str
    timestamp_field: str
    ticks: int
    tolerance: float

    def verify(self, hook: Hook) -> None:
        """Raises `Forged`."""
        given = hook.headers.get(self.header, "")
        parts = fields(given) if self.field or self.timestamp_field else {}
        timestamp = parts.get(self.timestamp_field, "") if self.timestamp_field else hook.headers.get(self.timestamp_header, "")
        expected = signature(self.secret, self._message(hook, timestamp), digest=self.digest, form=self.encoding)
        same(parts.get(self.field, "") if self.field else given, self.prefix + expected)
        if self.timestamp_header or self.timestamp_field:
            fresh(timestamp, hook.received_at, tolerance=self.tolerance, ticks=self.ticks)

    def _message(self, hook: Hook, timestamp: str) -> bytes:
        said = {"body": hook.body, "timestamp": _bytes(timestamp), "url": _bytes(hook.url)}
        parts = re.split(r"\{(body|timestamp|url)\}", self.signed)
        return b"".join(said[part] if at % 2 else part.encode() for at, part in enumerate(parts))


@dataclass(frozen=True, slots=True)
class Token:
    """A secret that comes with each callback, in a header or in the query of its address."""

    secret: Secret
    header: str
    prefix: str
    query: str

    def verify(self, hook: Hook) -> None:
        """Raises `Forged`."""
        given = hook.headers.get(self.header, "") if self.header else query(hook.url, self.query)
        same(given, self.prefix + self.secret if self.header else self.secret)


@dataclass(frozen=True, slots=True)
class Proof:
    """Whatever is configured has to hold."""

    signed: Signed | None
    token: Token | None

    def verify(self, hook: Hook) -> None:
        """Raises `Forged`."""
        asked = [each for each in (self.signed, self.token) if each]
        if not asked:
            raise Forged("there is nothing to check callbacks with")
        for each in asked:
            each.verify(hook)

    @property
    def query(self) -> Mapping[str, str]:
        """What the address of callbacks has to say for it."""
        return {self.token.query: self.token.secret} if self.token and self.token.query else {}


def query(url: str, name: str) -> str:
    """The one value of that parameter; "" if there is none, or several: then nobody knows which is meant."""
    values = parse_qs(urlsplit(url).query).get(name, [])
    return values[0] if len(values) == 1 else ""


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")
