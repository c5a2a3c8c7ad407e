"""The carrier's own clock, by which its calls live: the machine's, or one that whoever runs the carrier moves by hand."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any, Protocol


class Alarm(Protocol):
    """Something that will happen, unless it is cancelled."""

    def cancel(self) -> None: ...


class Timer(Protocol):
    def now(self) -> float:
        """Seconds since 1970."""

    def later(self, seconds: float, step: Callable[..., None], *args: Any) -> Alarm:
        """Have `step(*args)` happen once, `seconds` from now."""


class MachineTimer:
    """The machine's clock. Used inside a running loop."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()

    def now(self) -> float:
        return time.time()

    def later(self, seconds: float, step: Callable[..., None], *args: Any) -> Alarm:
        return self._loop.call_later(seconds, step, *args)
