"""Whether the ledger has of each call what the carrier's journal has of it, and when the carrier was asked for one."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise

from adapters.simulated.carrier.journal import Entry
from adapters.simulated.carrier.script import Event, Script, telling
from tests.support.ledger import Seed
from tests.system.judge import Held
from tests.system.stage import Stage

_ENDINGS: Mapping[str, str] = {
    "busy here": "busy",
    "decline": "declined",
    "not found": "invalid_number",
    "temporarily unavailable": "no_answer",
    "ring limit": "no_answer",
}
"""The carrier's reasons that are the callee's or the number's own, and what the ledger calls them."""


def ending(entry: Entry) -> str | None:
    """What the ledger has to call the end of this call; None when the carrier failed it, which is at nobody's expense."""
    return entry.answered_by or _ENDINGS.get(entry.reason or "")


def misjudged(held: Iterable[Held], entries: Iterable[Entry]) -> list[str]:
    """Attempts whose call ended otherwise than the ledger says."""
    outcomes = {each.attempt: each.outcome for each in held}
    return [entry.attempt for entry in entries if (end := ending(entry)) and outcomes.get(entry.attempt) != end]


def freed_early(held: Iterable[Held]) -> int:
    """Attempts that gave their slot back before the carrier's call was over."""
    return sum(each.accepted is not None and each.freed is not None and each.freed < (each.over or math.inf) for each in held)


def burned(tries: Mapping[str, int], entries: Iterable[Entry]) -> int:
    """Tries that numbers lost to the carrier: `tries` are those that the ledger counts for each, beyond the calls that ended
    as only the callee or the number can end one."""
    calls = Counter(entry.to for entry in entries if ending(entry))
    return sum(max(0, count - calls[to]) for to, count in tries.items())


async def tries(on: Stage, campaign: Seed) -> dict[str, int]:
    """The attempts that the ledger counts for each number of a campaign."""
    rows = await on.pool.fetch("select to_number, attempts from campaign_contacts where campaign_id = $1", campaign.campaign)
    return {row["to_number"]: row["attempts"] for row in rows}


async def not_ended_once(on: Stage, campaign: Seed) -> int:
    """Attempts that by the history gave their slot back not at all, or more than once."""
    count: int = await on.pool.fetchval(
        """select count(*) from call_attempts a where campaign_id = $1 and 1 <> (
             select count(*) from history h
             where h.entity_id = a.id and h.after in ('ended', 'recalled') and h.before <> 'ended')""",
        campaign.campaign,
    )
    return count


async def without_result(on: Stage, entries: Iterable[Entry]) -> int:
    """Answered calls whose result the carrier has and the ledger has not."""
    answered = [entry.attempt for entry in entries if entry.resulted]
    count: int = await on.pool.fetchval(
        "select count(*) from call_attempts where id = any($1::text[]) and result->>'summary' is null", answered
    )
    return count


def told(entry: Entry, script: Script) -> list[float]:
    """When the callbacks of this call were (or are to be) sent, of a script that holds none back for the next."""
    happened: Mapping[Event, float | None] = {
        "ringing": entry.ringing, "answered": entry.answered, "ended": entry.ended, "result": entry.resulted,
    }  # fmt: skip
    moments = []
    for event, at in happened.items():
        how = telling(script, entry.to, entry.nth, event)
        if at is not None and not how.lost:
            moments += [at + how.late + wait for wait in (0.0, *how.copies)]
    return moments


def told_beside_the_next(entries: Iterable[Entry], script: Script) -> int:
    """Callbacks of a call that were sent while the next call to the same number was live."""
    calls = {(entry.to, entry.nth): entry for entry in entries}
    late = 0
    for (to, nth), entry in calls.items():
        if after := calls.get((to, nth + 1)):
            late += sum(after.accepted <= at < (after.ended or math.inf) for at in told(entry, script))
    return late


def bouts(moments: Iterable[float], apart: float) -> list[list[float]]:
    """The moments, those together that lie less than `apart` seconds after one another."""
    groups: list[list[float]] = []
    for at in sorted(moments):
        if groups and at - groups[-1][-1] < apart:
            groups[-1].append(at)
        else:
            groups.append([at])
    return groups


def waits(groups: Sequence[Sequence[float]]) -> list[float]:
    """Seconds from the last of each bout to the first of the next."""
    return [after[0] - before[-1] for before, after in pairwise(groups)]
