"""Whether a callback comes from the provider: a signature over what it says, or at least a secret that both know. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal
from urllib.parse import parse_qs, urlencode, urlsplit

from adapters.base import Hook
from adapters.errors import Forged
from adapters.options import Secret
from adapters.signatures import TOLERANCE, fields, fresh, same, signature


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

    def sign(self, hook: Hook) -> Hook:
        """The same callback with the headers that prove it."""
        timestamp = str(int(hook.received_at.timestamp() * self.ticks))
        mac = self.prefix + signature(self.secret, self._message(hook, timestamp), digest=self.digest, form=self.encoding)
        parts = ((self.timestamp_field, timestamp), (self.field, mac))
        header = ",".join(f"{name}={value}" for name, value in parts if name) if self.field else mac
        timed = {self.timestamp_header: timestamp} if self.timestamp_header else {}
        return replace(hook, headers={**hook.headers, **timed, self.header: header})

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

    def show(self, hook: Hook) -> Hook:
        """The same callback with the token."""
        if self.header:
            return replace(hook, headers={**hook.headers, self.header: self.prefix + self.secret})
        return replace(hook, url=f"{hook.url}?{urlencode({self.query: self.secret})}")


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

    def sample(self, hook: Hook) -> Hook:
        """The same callback, proven. The token comes first: the address it may stand in may be signed."""
        shown = self.token.show(hook) if self.token else hook
        return self.signed.sign(shown) if self.signed else shown

    @property
    def tolerance(self) -> float:
        """Seconds that the provider's clock may differ from ours."""
        return self.signed.tolerance if self.signed else TOLERANCE

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
