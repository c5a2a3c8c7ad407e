"""API keys: what they look like, what they may do, and the only form in which they are kept."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime

SCOPES = frozenset(
    {
        "*",
        "contacts:read",
        "contacts:write",
        "campaigns:read",
        "campaigns:write",
        "campaigns:run",
        "calls:read",
        "calls:create",
        "admin",
    }
)
PREFIXES = ("tk_live_", "tk_test_")
SHOWN = 12
"""How many characters of a key may be shown in lists."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Whoever asks: one key of one team."""

    key_id: str
    team_id: str
    scopes: frozenset[str]

    @property
    def actor(self) -> str:
        """How history and audit name this caller."""
        return f"key:{self.key_id}"

    def may(self, scope: str) -> bool:
        return "*" in self.scopes or scope in self.scopes


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key as the ledger knows it: without the key."""

    id: str
    team_id: str
    name: str
    prefix: str
    scopes: tuple[str, ...]
    expires_at: datetime | None
    revoked_at: datetime | None
    created_at: datetime


def new_key(*, live: bool = True) -> str:
    """A fresh key with 256 random bits. Whoever asked must show it now: only its hash is kept."""
    return PREFIXES[0 if live else 1] + secrets.token_urlsafe(32)


def hashed(key: str) -> bytes:
    """SHA-256: enough for random keys of 256 bits, and quick enough for every request."""
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).digest()


def looks_like_key(text: str) -> bool:
    return text.startswith(PREFIXES) and len(text) <= 100
