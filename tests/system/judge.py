"""The verdict on a chaos run, by the carrier's journal and the ledger alone: nothing here asks a role what it thinks it did."""

from __future__ import annotations

import heapq
import math
from bisect import bisect_right
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import groupby, pairwise

from adapters.simulated.carrier.journal import Entry
from adapters.simulated.carrier.verdict import dialled_twice, of_campaign, peak
from dialer.cli.demo.report import outside_window
from dialer.domain.campaign import rules_of
from dialer.domain.fence import FENCE_SECONDS
from dialer.store import claims
from dialer.store.database import Pool
from dialer.store.reports import enrolments_open, places_of_numbers
from tests.support.laws import laws_hold, nothing_left
from tests.support.ledger import Seed
from tests.system.frame import Found
from tests.system.stage import Stage

BUSY_SECONDS = 0.5
"""From the first byte of a request to the carrier's look at its clock, on a machine on which much else runs."""


@dataclass(frozen=True, slots=True)
class Held:
    """How long an attempt held its slot, and when the carrier had its call; seconds since 1970, None = not (yet). `asked`: when
    the carrier had the request for it that it made go wrong."""

    attempt: str
    enrolment: str
    state: str
    outcome: str | None
    claimed: float
    freed: float | None
    accepted: float | None
    over: float | None
    asked: float | None = None

    @property
    def dialled(self) -> float | None:
        return self.asked if self.accepted is None else self.accepted


async def judge(on: Stage, campaign: Seed, *, kills: Iterable[float] = ()) -> Found:
    """What became of a campaign that has come to rest. `kills`: when something was killed, seconds since 1970."""
    pool = on.pool
    entries = of_campaign(on.entries(), campaign.campaign)
    held = await holdings(on, campaign)
    moments = list(kills)
    rules = rules_of((await claims.rules(pool, [campaign.campaign]))[0])
    places = await places_of_numbers(pool, campaign.campaign)
    placed = {each.attempt for each in held if each.state != "queued"}
    broken = [await broken_law(lambda: laws_hold(pool)), await broken_law(lambda: nothing_left(pool))]
    if strangers := sum(entry.attempt not in placed for entry in entries):
        broken.append(f"{strangers} calls without an attempt")
    return Found(
        dials=len(entries),
        duplicates=dialled_twice(entries) + again(held, entries),
        lost=await enrolments_open(pool, campaign.campaign),
        over_cap=max(0, peak(entries) - on.layout.cap),
        outside_window=outside_window(entries, rules, places),
        leaked=await pool.fetchval("select coalesce(sum(active), 0) from scopes where key = $1", f"campaign:{campaign.campaign}"),
        unresolved=sum(each.outcome == "unknown" and each.accepted is not None for each in held),
        unclear_seconds=await _unclear(pool, campaign.campaign),
        seconds=max(starts) - min(starts) if (starts := [entry.accepted for entry in entries]) else 0.0,
        broken=tuple(filter(None, broken)),
        recoveries=tuple(recoveries(await _with_requests(on, held), on.layout.cap, moments)) if moments else (),
    )


def together(founds: Sequence[Found]) -> Found:
    """Several campaigns of one run as one: sums, and of times the longest. Laws that were judged for each are told once."""
    counts = ("dials", "duplicates", "lost", "over_cap", "outside_window", "leaked", "unresolved")
    return Found(
        **{name: sum(getattr(each, name) for each in founds) for name in counts},
        unclear_seconds=max(each.unclear_seconds for each in founds),
        broken=tuple(dict.fromkeys(law for each in founds for law in each.broken)),
        seconds=max(each.seconds for each in founds),
        recoveries=tuple(seconds for each in founds for seconds in each.recoveries),
    )


async def broken_law(law: Callable[[], Awaitable[None]]) -> str | None:
    """What a law says of how it is broken; None when it holds."""
    try:
        await law()
    except AssertionError as fault:
        return str(fault).splitlines()[0]
    return None


async def holdings(on: Stage, campaign: Seed) -> list[Held]:
    """The campaign's attempts in the order of their claims."""
    calls = {entry.attempt: entry for entry in of_campaign(on.entries(), campaign.campaign)}
    rows = await on.pool.fetch(
        """select a.id, a.campaign_contact_id, a.state, a.outcome, a.claimed_at,
             (select min(h.at) from history h where h.entity_id = a.id and h.after in ('ended', 'recalled')) as freed
           from call_attempts a where a.campaign_id = $1 order by a.claimed_at, a.id""",
        campaign.campaign,
    )

    def moment(at: datetime | None) -> float | None:
        return None if at is None else at.timestamp()

    return [
        Held(
            r["id"], r["campaign_contact_id"], r["state"], r["outcome"], r["claimed_at"].timestamp(), moment(r["freed"]),
            call.accepted if (call := calls.get(r["id"])) else None, call.ended if call else None,
        )
        for r in rows
    ]  # fmt: skip


async def _with_requests(on: Stage, held: Sequence[Held]) -> list[Held]:
    """The same with the requests that the carrier's script made go wrong."""
    asked = {each.attempt: each.at for each in await on.troubles()}
    return [replace(each, asked=asked.get(each.attempt)) for each in held]


async def late(on: Stage, campaign: Seed) -> int:
    """Calls that the carrier accepted later after their permit than the fence and a busy machine explain."""
    rows = await on.pool.fetch("select id, placing_at from call_attempts where placing_at is not null")
    permits = {row["id"]: row["placing_at"].timestamp() for row in rows}
    calls = of_campaign(on.entries(), campaign.campaign)
    return sum(entry.accepted - permits.get(entry.attempt, -math.inf) > FENCE_SECONDS + BUSY_SECONDS for entry in calls)


def again(held: Sequence[Held], entries: Sequence[Entry]) -> int:
    """Calls that should not have been though each was an attempt of its own: of an attempt that the ledger took back while the
    carrier had it (but for those that it or we ended before they rang), and to somebody who had been spoken to."""
    unheard = {e.attempt for e in entries if (e.dialled is None and e.ended is not None) or (e.hung_up and e.ringing is None)}
    recalled = sum(each.state == "recalled" and each.accepted is not None and each.attempt not in unheard for each in held)
    answered = {entry.attempt for entry in entries if entry.outcome == "human"}
    late = 0
    called = [each for each in held if each.accepted is not None]
    called.sort(key=lambda each: (each.enrolment, each.accepted or 0.0))
    for _, group in groupby(called, key=lambda each: each.enrolment):
        reached = False
        for each in group:
            late += reached
            reached |= each.attempt in answered
    return recalled + late


async def _unclear(pool: Pool, campaign: str) -> float:
    """The longest that an attempt stayed placing or unknown, by the history."""
    seconds: float = await pool.fetchval(
        """select coalesce(max(extract(epoch from next - at)), 0)::float8 from (
             select h.at, h.after, lead(h.at) over (partition by h.entity_id order by h.id) as next
             from history h where h.entity = 'attempt' and h.campaign_id = $1) turns
           where after in ('placing', 'unknown')""",
        campaign,
    )
    return seconds


def recoveries(held: Sequence[Held], cap: int, kills: Iterable[float]) -> list[float]:
    """For each kill the seconds until the last of the slots whose call was not up had its next dial (also one that the carrier
    made go wrong), or was taken again and hit by a later kill.

    A slot is what attempts hold one after another: a claim takes the one that has been free for longest. What happens when fewer
    than twice `cap` dials are still to come is left out: then a slot may stay free because nobody is due.
    """
    chains = slots(held)
    starts = sorted(each.accepted for each in held if each.accepted is not None)
    last = starts[-2 * cap] if len(starts) > 2 * cap else 0.0
    moments = sorted(kills)
    return [max((_next_dial(chain, at, moments, last) for chain in chains), default=0.0) for at in moments if at < last]


def longest_pause(starts: Sequence[float], begin: float, end: float) -> float:
    """The longest stretch of `begin` to `end` in which no call began; for ever when none began later. `starts` are in order."""
    first = bisect_right(starts, begin)
    if first == len(starts):
        return math.inf
    points = [begin, *(at for at in starts[first:] if at < end), max(begin, end)]
    return max(after - before for before, after in pairwise(points))


async def refills(on: Stage, campaign: Seed, begin: float, end: float) -> list[float]:
    """For each slot that was given back in this time: seconds until the next call on it was accepted. The end of the campaign,
    when slots stay free because nobody is due, is left out."""
    held = await holdings(on, campaign)
    tail = max((each.claimed for each in held[: -2 * on.layout.cap]), default=0.0)
    return [
        after.accepted - before.freed
        for chain in slots(held)
        for before, after in pairwise(chain)
        if before.freed and after.accepted and begin < before.freed < min(end, tail)
    ]


def slots(held: Sequence[Held]) -> list[list[Held]]:
    chains: list[list[Held]] = []
    free: list[tuple[float, int]] = []
    for each in held:
        if free and free[0][0] <= each.claimed:
            number = heapq.heappop(free)[1]
        else:
            number = len(chains)
            chains.append([])
        chains[number].append(each)
        if each.freed is not None:
            heapq.heappush(free, (each.freed, number))
    return chains


def _next_dial(chain: Sequence[Held], at: float, kills: Sequence[float], last: float) -> float:
    """Seconds from `at` to the slot's next dial; 0 when its call was up, or it was not taken any more before `last`."""
    first = bisect_right(chain, at, key=lambda each: math.inf if each.freed is None else each.freed)
    for each in chain[first:]:
        if each.claimed > last:
            break
        if each.dialled is not None and each.dialled > at:
            return each.dialled - at
        if each.accepted is not None and (each.over is None or at < each.over):
            break
        if each.claimed > at and each.accepted is None:
            hit = bisect_right(kills, each.claimed)
            if hit < len(kills) and kills[hit] < (each.freed or math.inf):
                return each.claimed - at
    return 0.0
