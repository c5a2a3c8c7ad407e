"""Idempotency keys: what a client may send as one, how long it is remembered, and what makes two requests the same request.

A fingerprint covers method, address, query and body. It is taken while the body passes by, so that a file of a gigabyte is never
held for it. The boundary of a multipart body is left out: clients draw a new one each time they send the same form again.
"""

from __future__ import annotations

import hashlib
import re
from datetime import timedelta
from typing import Final

from dialer.domain.errors import Invalid

HEADER: Final = "Idempotency-Key"
LONGEST: Final = 255
PATTERN: Final = r"^[\x21-\x7e]+$"
REMEMBERED: Final = timedelta(hours=24)
BOUNDARY: Final = re.compile(r'boundary="?([^";,\s]+)', re.IGNORECASE)


def checked(keys: list[str]) -> str:
    """The one key of a request. Raises Invalid for more than one, and for one that is empty, too long or no visible ASCII."""
    if len(keys) != 1:
        raise Invalid({HEADER: "was sent more than once; send one"})
    key = keys[0]
    if not 1 <= len(key) <= LONGEST:
        raise Invalid({HEADER: f"has {len(key)} characters; send 1 to {LONGEST}"})
    if not re.fullmatch(PATTERN, key):
        raise Invalid({HEADER: "has characters other than visible ASCII; a UUID is a good key"})
    return key


class Fingerprint:
    """SHA-256 over `parts` and whatever is added, in whatever pieces it comes."""

    def __init__(self, *parts: str, content_type: str = "") -> None:
        kind = content_type.partition(";")[0].strip().lower()
        found = BOUNDARY.search(content_type) if kind.startswith("multipart/") else None
        self._boundary = b"--" + found[1].encode("latin-1") if found else b""
        self._sum = hashlib.sha256("\0".join((*parts, kind)).encode("utf-8", "surrogatepass") + b"\0")
        self._rest = b""

    def add(self, piece: bytes) -> None:
        if not self._boundary:
            self._sum.update(piece)
            return
        *parts, last = (self._rest + piece).split(self._boundary)
        for part in parts:
            self._sum.update(part + b"\0")
        kept = len(self._boundary) - 1  # may be the beginning of a boundary that ends in the next piece
        self._sum.update(last[: max(len(last) - kept, 0)])
        self._rest = last[max(len(last) - kept, 0) :]

    def digest(self) -> bytes:
        """Of all that was added so far."""
        done = self._sum.copy()
        done.update(self._rest)
        return done.digest()
