"""What is kept as an email address."""

from __future__ import annotations

import re
from typing import Final

_EMAIL: Final = re.compile(r"[^@\s]+@[^@\s]+")

UNFIT: Final = "is not an email address; write it as name@example.com"


def is_email(text: str) -> bool:
    return _EMAIL.fullmatch(text) is not None
