"""When will everybody have been called once? An estimate from slots, the length of a call, and the call windows. Pure.

Calls flow at a steady pace through whatever windows are open, those first who may be called first. Retries, priorities and
other campaigns that share the slots are left aside: the answer is a lower bound that says how it was made.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from dialer.domain.campaign import CampaignRules
from scheduler.places import Place
from scheduler.windows import Walls, closes_at, next_start

HORIZON = timedelta(days=90)
"""Beyond this nothing is foretold."""


@dataclass(frozen=True, slots=True)
class Crowd:
    """`contacts` people at the same place, none to be called before `earliest` (UTC)."""

    place: Place
    contacts: int
    earliest: datetime


@dataclass(slots=True)
class _Queue:
    """One crowd on its way: `turns` is when it opens, while it is shut, or when it shuts, while it is open."""

    walls: Walls
    left: float
    opens: datetime
    shuts: datetime | None


def finish(crowds: Iterable[Crowd], rules: CampaignRules, per_second: float, now: datetime) -> datetime | None:
    """When the last of `crowds` is called at `per_second` > 0 calls a second; None when that is not within `HORIZON`, or not
    before the campaign's end. `now` when there is nobody to call."""
    queues = [each for crowd in crowds if (each := _queue(crowd, rules, now)) is not None]
    at = now
    while queues:
        if at - now > HORIZON:
            return None
        open_ones = [each for each in queues if each.opens <= at]
        turns = [each.shuts for each in open_ones if each.shuts is not None] + [e.opens for e in queues if e.opens > at]
        until = min(turns, default=None)
        done_at = at + timedelta(seconds=min(sum(each.left for each in open_ones) / per_second, HORIZON.total_seconds()))
        if open_ones and (until is None or done_at <= until):
            at = done_at
            queues = [each for each in queues if each.opens > at or each not in open_ones]
            continue
        assert until is not None
        _serve(open_ones, (until - at).total_seconds() * per_second)
        at = until
        queues = [each for each in queues if each.left > 0]
        for each in queues:
            if each.shuts is not None and each.shuts <= at and not _reopen(each, rules, at):
                return None
    return at


def _queue(crowd: Crowd, rules: CampaignRules, now: datetime) -> _Queue | None:
    queue = _Queue(rules.walls(crowd.place, now), float(crowd.contacts), now, None)
    return queue if crowd.contacts > 0 and _reopen(queue, rules, max(now, crowd.earliest)) else None


def _reopen(queue: _Queue, rules: CampaignRules, at: datetime) -> bool:
    """Find the next span in which calls may start, from `at` on; False when there is none."""
    opens = next_start(queue.walls, at, rules.margin)
    last = rules.last_start
    if opens is None or (last is not None and opens >= last):
        return False
    closes = closes_at(queue.walls, opens)
    queue.opens = opens
    ends = [end for end in (closes and closes - timedelta(seconds=rules.margin), last) if end is not None]
    queue.shuts = min(ends, default=None)
    return True


def _serve(queues: list[_Queue], calls: float) -> None:
    """Those whose window opened first are called first."""
    for each in sorted(queues, key=lambda queue: queue.opens):
        served = min(each.left, calls)
        each.left -= served
        calls -= served
        if each.left < 1e-6:
            each.left = 0.0
