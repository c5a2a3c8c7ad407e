"""Fail points: named moments between two writes at which a process may be told to die, to be stopped, or to stand still.

They lie in the real code, for such a moment is microseconds wide and cannot be hit from outside. A process reaches none of them
unless it was armed (`arm`), which only the roles do, from the environment variable `DIALER_FAILPOINTS`:

    DIALER_FAILPOINTS="K1=kill:0.01, K9=stop:0.02, K5=block:0.001:35, seed=7"

Point, action and chance at each passing (0 to 1): `kill` and `stop` send the process SIGKILL and SIGSTOP, `block` keeps its event
loop from running for so many seconds, once for each point. `seed` (default 1) makes the draws of each point repeatable. Unarmed,
a point costs one look at an empty dictionary. They are here since two of them lie inside the request that places a call, and an
adapter imports nothing of dialer.
"""

from __future__ import annotations

import asyncio
import logging
import os
import re
import signal
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from random import Random
from typing import TypeVar

T = TypeVar("T")

VARIABLE = "DIALER_FAILPOINTS"

POINTS: Mapping[str, str] = {
    "K1": "the intent to dial is committed, nothing was sent",
    "K2": "the connection to the carrier is ready, no byte has left, and the fence is about to be looked at for the last time",
    "K3": "the carrier has answered, the answer is unread",
    "K4": "the answer is read, the carrier's id is not written",
    "K5": "the carrier's id is committed",
    "K6": "a callback is read and translated, nothing of it is committed",
    "K7": "what a callback told is committed, the carrier has no answer",
    "K8": "when a contact is called again is decided, not written",
    "K9": "the claim is under way: it holds its locks, or has just committed and nobody was rung for what it released",
    "K10": "the carrier has told what became of a silent attempt, nothing of it is written, others of the batch wait",
    "K11": "a batch of an import is copied and not yet in the contacts, other batches are there already",
    "K12": "the worker drains",
}
"""Every point and what is true there."""

WITHIN_SECONDS = 0.02
"""A point that lasts (K9, K12) strikes at a random moment of so many seconds from its beginning."""

_FORM = re.compile(r"(?P<point>K\d+)=(?:(?P<action>kill|stop):(?P<chance>[\d.]+)|block:(?P<share>[\d.]+):(?P<seconds>[\d.]+))")

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Charge:
    """What an armed point does, and how often."""

    action: str
    chance: float
    seconds: float
    rng: Random

    def strikes(self) -> bool:
        return self.rng.random() < self.chance


_armed: dict[str, Charge] = {}


def parse(text: str) -> dict[str, Charge]:
    """The charges that a value of `DIALER_FAILPOINTS` names; none for an empty one. Raises `ValueError` (`problem; remedy`)."""
    parts = [part for each in text.split(",") if (part := each.strip())]
    seeds = [part.removeprefix("seed=") for part in parts if part.startswith("seed=")]
    charges: dict[str, Charge] = {}
    for part in parts:
        if part.startswith("seed="):
            continue
        found = _FORM.fullmatch(part)
        if found is None:
            raise ValueError(f"has {part!r}, which is not a fail point; write K1=kill:0.01, K1=stop:0.01 or K1=block:0.01:35")
        point = found["point"]
        if point not in POINTS or point in charges:
            why = "twice" if point in charges else "which there is not"
            raise ValueError(f"names {point} {why}; write each of {', '.join(POINTS)} once at most")
        chance = _number(found["chance"] or found["share"], point)
        if not 0 < chance <= 1:
            raise ValueError(f"gives {point} the chance {chance:g}; write a number above 0 and up to 1")
        seed = seeds[-1] if seeds else "1"
        charges[point] = Charge(
            found["action"] or "block", chance, _number(found["seconds"] or "0", point), Random(f"{seed} {point}")
        )
    if seeds and not charges:
        raise ValueError("has a seed and no fail point; add one, or unset it")
    return charges


def _number(text: str, point: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"gives {point} {text!r}, which is not a number; write one like 0.01") from None


def arm(text: str) -> None:
    """Make this process reach the points that `text` names, and no others. Raises `ValueError`."""
    charges = parse(text)
    _armed.clear()
    _armed.update(charges)
    if charges:
        log.warning("fail points are armed, this process will harm itself: %s", ", ".join(charges))


def failpoint(point: str) -> None:
    """Pass this point. A strike never returns (kill), or returns when the process goes on (stop) or the time is over (block)."""
    if _armed and (charge := _armed.get(point)) is not None and charge.strikes():
        _strike(point, charge)


async def failpoint_during(point: str, work: Awaitable[T]) -> T:
    """Await `work`, which is this point for as long as it lasts."""
    if _armed and (charge := _armed.get(point)) is not None and charge.strikes():
        asyncio.get_running_loop().call_later(charge.rng.uniform(0, WITHIN_SECONDS), _strike, point, charge)
    return await work


def _strike(point: str, charge: Charge) -> None:
    log.warning("fail point %s: %s", point, charge.action)
    if charge.action == "block":
        _armed.pop(point, None)
    _ACTIONS[charge.action](charge.seconds)


_ACTIONS: Mapping[str, Callable[[float], None]] = {
    "kill": lambda _: os.kill(os.getpid(), signal.SIGKILL),
    "stop": lambda _: os.kill(os.getpid(), signal.SIGSTOP),
    "block": time.sleep,
}
