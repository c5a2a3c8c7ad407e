"""How often somebody may be called: caps over rolling windows of time.

Owns the decision whether, after the calls that were made, another may start, and if not, from when on. All caps that apply hold
together: the strictest wins. Reads no clock and knows nobody; whose calls they are is told by whoever asks.

A window is its hours long and ends at the call that is asked about: calls that lie exactly so far apart are not in one window. It
is kept two minutes longer, for the clocks that wrote the times may differ.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Literal, TypeAlias

Per: TypeAlias = Literal["number", "person"]
Counts: TypeAlias = Literal["attempts", "conversations"]

MARGIN = timedelta(seconds=125)
"""How much longer a call counts. Two machines that place calls may each differ from the database by 60 s, and up to a few
seconds pass between what the ledger says of a call and its first byte at the carrier."""


@dataclass(frozen=True, slots=True)
class FrequencyCap:
    """In any `hours` (≥ 1) on end, no call after the `calls`-th (≥ 1) to one number or to one person: after so many attempts,
    or so many of them in which somebody was spoken to. `rule` says where the cap comes from."""

    calls: int
    hours: int
    per: Per
    counts: Counts
    rule: str

    @property
    def span(self) -> timedelta:
        """How long a call counts."""
        return timedelta(hours=self.hours) + MARGIN

    def __str__(self) -> str:
        counted = "call" if self.counts == "attempts" else "conversation"
        return f"{self.calls} {counted}{'' if self.calls == 1 else 's'} in {self.hours} h per {self.per} ({self.rule})"


@dataclass(frozen=True, slots=True)
class Past:
    """A call that was made, or may have been: when it was placed and, if somebody was or may have been spoken to, when that
    ended."""

    placed: datetime
    spoken: datetime | None = None


@dataclass(frozen=True, slots=True)
class History:
    """The calls to a number and those to a person, whoever of the two the others were to."""

    number: tuple[Past, ...] = ()
    person: tuple[Past, ...] = ()


@dataclass(frozen=True, slots=True)
class Hold:
    """Nobody is called before `until`, by this cap."""

    until: datetime
    cap: FrequencyCap


def held(caps: Iterable[FrequencyCap], history: History, at: datetime) -> Hold | None:
    """What lets no call start at `at`, and from when on one may if none is made meanwhile; None = one may now."""
    holds = [Hold(ends, cap) for cap in caps if (ends := _ends(cap, _times(cap, history), at)) is not None]
    return max(holds, key=lambda hold: hold.until, default=None)


def _times(cap: FrequencyCap, history: History) -> list[datetime]:
    calls = history.number if cap.per == "number" else history.person
    if cap.counts == "attempts":
        return [call.placed for call in calls]
    return [max(call.placed, call.spoken) for call in calls if call.spoken is not None]


def _ends(cap: FrequencyCap, times: Collection[datetime], at: datetime) -> datetime | None:
    if len(times) < cap.calls:
        return None
    ends = sorted(times, reverse=True)[cap.calls - 1] + cap.span
    return ends if ends > at else None


WEEK = 7 * 24 + 1
"""Hours of seven days, one of which may have 25 of them: where clocks are set back, a call must not come an hour too early."""

PRESETS: Mapping[str, tuple[FrequencyCap, ...]] = MappingProxyType(
    {
        "3-in-24-hours": (
            FrequencyCap(3, 24, "number", "attempts", "3-in-24-hours"),
            FrequencyCap(3, 24, "person", "attempts", "3-in-24-hours"),
        ),
        "7-in-7-days": (FrequencyCap(7, WEEK, "person", "attempts", "7-in-7-days"),),
        "7-days-after-a-conversation": (FrequencyCap(1, WEEK, "person", "conversations", "7-days-after-a-conversation"),),
    }
)
"""Caps by name. The first is what Florida, Oklahoma and Maryland allow; the others are those of Regulation F, 12 CFR
1006.14(b)(2): no more than seven calls within seven consecutive days, and none within seven days after a conversation, whose
own day is the first of them. A conversation on a Monday, whenever it ends, leaves the days up to Sunday: by any clock of the
callee they are over at most seven times 24 hours, and the hour by which clocks are set back, after its end. So a rolling window
keeps the rule, and lets the next call start no earlier than the rule does, and up to a day and an hour later."""
