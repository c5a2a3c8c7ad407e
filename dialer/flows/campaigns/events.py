"""What happens in a campaign, as it happens: turns of the campaign, its contacts and its calls, and the counts after them.

Promises that whoever reads on from the bookmark of a reading misses nothing that was committed, however late, on whichever
process; and that counts are those of the very moment up to which was read. A reader that breaks off before it took a reading's
bookmark gets that reading again: turns have an id to know them by.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias

from adapters.events import Outcome
from dialer.domain.bookmark import Bookmark
from dialer.domain.errors import NotFound
from dialer.domain.outcome import disposition
from dialer.flows.campaigns.dashboard import counts_of
from dialer.store import events
from dialer.store.database import Database
from scheduler.clock import Clock

PAGE: Final = 500
"""Turns of one reading."""

Kind: TypeAlias = Literal["status", "contact", "call", "counts", "reset"]
Event: TypeAlias = tuple[Kind, Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Reading:
    """`events` in the order in which they happened; `more` when others wait already."""

    events: Sequence[Event]
    bookmark: Bookmark
    more: bool


class Following:
    """One reader of one campaign."""

    def __init__(self, database: Database, clock: Clock, team: str, campaign: str, after: Bookmark | None) -> None:
        """`after` None = from now on."""
        self._database = database
        self._clock = clock
        self._team = team
        self._campaign = campaign
        self._after = after
        self._counts: Mapping[str, Any] | None = None

    async def read(self) -> Reading:
        """What happened since the last reading. The first one tells where the campaign stands. Raises `NotFound`."""
        after = self._after
        seen = await events.read(self._database.pool, self._team, self._campaign, after, PAGE)
        if seen is None:
            raise NotFound(f"There is no campaign {self._campaign}; list your campaigns to find its id.")
        told: list[Event] = []
        if after is not None and not after.behind(seen.now):
            told.append(("reset", {"reason": "this event id is not of this ledger; what happened meanwhile is not told"}))
            after = None
        if after is None:
            told.append(("status", self._standing(seen)))
            self._after = Bookmark(seen.now)
        else:
            told += [_event(turn, self._campaign) for turn in sorted(seen.turns, key=lambda turn: turn["id"])]
            self._after = self._next(after, seen)
        caught_up = self._after == Bookmark(seen.now)
        counts = counts_of(seen.tallies)
        if caught_up and counts != self._counts:
            self._counts = counts
            told.append(("counts", {"campaign_id": self._campaign, **counts}))
        return Reading(told, self._after, not caught_up)

    @staticmethod
    def _next(after: Bookmark, seen: events.Seen) -> Bookmark:
        until = after.until or seen.now
        if len(seen.turns) < PAGE:
            return Bookmark(until)
        last = max(seen.turns, key=lambda turn: (turn["xid"], turn["id"]))
        return after.turned(last["xid"], last["id"], until)

    def _standing(self, seen: events.Seen) -> dict[str, Any]:
        told = {"id": None, "at": self._clock.now(), "campaign_id": self._campaign, "before": None, "status": seen.status}
        return told | {"reason": seen.pause_reason, "actor": None}


def _event(turn: Mapping[str, Any], campaign: str) -> Event:
    told = {
        **{name: turn[name] for name in ("id", "at", "before", "reason", "actor")},
        "campaign_id": campaign,
        "status": turn["after"],
    }
    word = turn["outcome"]
    match turn["entity"]:
        case "campaign":
            return "status", told
        case "contact":
            whose = {"campaign_contact_id": turn["entity_id"], "contact_id": turn["contact_id"]}
            return "contact", told | whose | {"outcome": word, "attempts": turn["attempts"]}
        case _:
            whose = {name: turn[name] for name in ("campaign_contact_id", "contact_id", "attempt_no")}
            outcome = disposition(Outcome(word)).value if word else None
            return "call", told | {"call_id": turn["entity_id"]} | whose | {"outcome": outcome, "detail": word}
