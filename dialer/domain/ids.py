"""Ids: the kind, an underscore, 48 bits of Unix milliseconds and 80 random bits in hex. Sortable by time, opaque to others.

The SQL function `new_id` makes the same shape for rows that are born in bulk.
"""

from __future__ import annotations

import secrets
import time
from typing import Literal, TypeAlias

Kind: TypeAlias = Literal["team", "key", "comp", "cont", "asst", "num", "camp", "cc", "call", "sup", "batch"]


def new_id(kind: Kind) -> str:
    return f"{kind}_{time.time_ns() // 1_000_000:012x}{secrets.token_hex(10)}"
