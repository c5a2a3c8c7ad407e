"""Ids: the kind, an underscore, 48 bits of Unix milliseconds and 80 random bits in hex. Sortable by time, opaque to others.

The SQL function `new_id` makes the same shape for rows that are born in bulk.
"""

from __future__ import annotations

import re
import secrets
import time
from typing import Literal, TypeAlias

Kind: TypeAlias = Literal["team", "key", "comp", "cont", "asst", "num", "camp", "cc", "call", "sup", "batch"]

PATTERN = re.compile(r"^[a-z]{2,5}_[0-9a-f]{32}$")


def new_id(kind: Kind) -> str:
    return f"{kind}_{time.time_ns() // 1_000_000:012x}{secrets.token_hex(10)}"
