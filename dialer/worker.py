"""What the queue's jobs do: three lines each, calling one flow. Jobs are doorbells; the ledger decides what still holds."""

from __future__ import annotations

from typing import Any

from dialer.flows.place import Placer
from dialer.flows.ring import PLACE
from dialer.queue import Function, func

PLACE_SECONDS = 15.0
"""Longest time a dial job may take: a second for its rate token, the fence, and what an adapter allows for one placement."""


async def place(ctx: dict[str, Any], attempt: str, campaign: str, trunk: str) -> None:
    placer: Placer = ctx["placer"]
    await placer.place(attempt, campaign, trunk)


FUNCTIONS: list[Function] = [func(place, name=PLACE, timeout=PLACE_SECONDS, max_tries=1)]
