"""The places of second numbers that nobody has worked out: after an upgrade, or while a version before this one still writes.

Until then such a number is not called by a campaign, for nobody knows at which hours it may be.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from dialer.store import second_numbers
from dialer.store.database import Pool
from dialer.store.places import place_set_ids
from dialer.store.second_numbers import Unplaced
from scheduler.places import Place, locate

AT_ONCE = 500
"""Numbers that are worked out together, at some 35 µs each."""

ROUNDS = 40
"""How often that is done in one sweep; the next one goes on."""


async def place_second_numbers(pool: Pool, team: str | None = None, *, rounds: int | None = ROUNDS) -> int:
    """Work out the places of the contacts' second numbers, of one team or of all; how many. `rounds` None: all there are."""
    done = 0
    while rounds is None or (rounds := rounds - 1) >= 0:
        them = await second_numbers.unplaced(pool, AT_ONCE, team)
        places = await asyncio.to_thread(_places, them)
        ids = await place_set_ids(pool, set(places)) if places else {}
        placed = await second_numbers.place(pool, them, [ids[each] for each in places]) if them else 0
        done += placed
        if not placed:
            break  # nobody is left, or others are at it
    return done


def _places(them: Sequence[Unplaced]) -> list[Place]:
    return [locate(each.timezone, each.region, each.number) for each in them]
