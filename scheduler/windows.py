"""When calls may start: hours of the week, read as wall-clock time in every zone a phone may be in.

Owns hours, windows and the questions about them. A window is a set of wall-clock times; an instant is open when the clock on
every wall shows one of the times of the window that is read there. So a time that the clock skips is skipped, a time that comes
twice counts twice, and hours across midnight belong to the day they start on. On a date that a window's calendar shuts it is
shut from midnight to midnight, and so are the hours that start on it, past midnight too. `is_open`, `next_open`, `closes_at`
and `next_start` read the same spans and agree at every instant. No walls, or a zone nobody knows: shut, always.

Instants are aware datetimes; answers are UTC, or the instant asked about. Spans are worked out per UTC day and kept, so that
the usual question is two look-ups; nothing here reads a clock.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from typing import TypeAlias

from scheduler.holidays import Calendar
from scheduler.zones import DAY, changes, offsets

EPOCH_WEEKDAY = 3  # 1970-01-01 was a Thursday; Monday is 0
HORIZON = 370 * DAY  # a yearly rule comes round in it; what does not open by then is never callable
LASTING = 8 * DAY  # more than a week of weekly hours: what is open for so long has no closing worth a name
ALL_WEEK = range(7)

Span: TypeAlias = tuple[int, int]

_CLOCK = re.compile(r"([01]\d|2[0-3]):([0-5]\d)(?::([0-5]\d))?", re.ASCII)


def clock_time(text: str) -> int:
    """Seconds since midnight of "HH:MM" or "HH:MM:SS"; "24:00" is the end of the day. Raises ValueError."""
    if text in ("24:00", "24:00:00"):
        return DAY
    read = _CLOCK.fullmatch(text)
    if read is None:
        raise ValueError(f"{text!r} is not a time of day; write HH:MM or HH:MM:SS, from 00:00 to 24:00")
    return int(read[1]) * 3600 + int(read[2]) * 60 + int(read[3] or 0)


@dataclass(frozen=True, slots=True, order=True)
class Hours:
    """From `start` until just before `end`, in seconds since midnight. A start after the end crosses midnight; 0 to 86,400
    is the whole day. Raises ValueError when they are equal or outside the day."""

    start: int
    end: int

    def __post_init__(self) -> None:
        if not (0 <= self.start < DAY and 0 <= self.end <= DAY):
            raise ValueError("a call window starts between 00:00 and 23:59:59 and ends between 00:00 and 24:00")
        if self.start == self.end:
            raise ValueError("a call window may not end when it starts; for any time write 00:00 to 24:00")

    @classmethod
    def parse(cls, start: str, end: str) -> Hours:
        """`Hours.parse("09:00", "17:30")`. Raises ValueError."""
        return cls(clock_time(start), clock_time(end))


@dataclass(frozen=True, slots=True)
class CallWindow:
    """The hours of each weekday, Monday first; hours may overlap. A window without hours is never open. `calendar`: the dates on
    which they do not hold; None = every date is like another."""

    weekly: tuple[tuple[Hours, ...], ...]
    calendar: Calendar | None = None
    _hash: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if len(self.weekly) != len(ALL_WEEK):
            raise ValueError(f"a call window has seven days, Monday first, not {len(self.weekly)}")
        object.__setattr__(self, "_hash", hash((self.weekly, self.calendar)))

    def __hash__(self) -> int:
        """Worked out once: every question looks its window up."""
        return self._hash


@dataclass(frozen=True, slots=True)
class Wall:
    """A clock that shows the time of `zone`, and the window that is read there by `rule`."""

    window: CallWindow
    zone: str
    rule: str = ""


@dataclass(frozen=True, slots=True)
class Walls:
    """The clocks that must all show an open time."""

    each: tuple[Wall, ...]
    _hash: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_hash", hash(self.each))

    def __hash__(self) -> int:
        """Worked out once, as a window's."""
        return self._hash


def everywhere(window: CallWindow, zones: Iterable[str], rule: str = "") -> Walls:
    """One window on the walls of all these zones."""
    return Walls(tuple(Wall(window, zone, rule) for zone in zones))


@lru_cache(maxsize=1024)
def _daily(hours: Hours, days: frozenset[int]) -> CallWindow:
    return CallWindow(tuple((hours,) if day in days else () for day in ALL_WEEK))


def daily(start: str, end: str, days: Iterable[int] = ALL_WEEK) -> CallWindow:
    """The same hours on each of `days` (0 = Monday … 6 = Sunday). Raises ValueError."""
    chosen = frozenset(days)
    if not chosen <= frozenset(ALL_WEEK):
        raise ValueError("days of the week are 0 (Monday) to 6 (Sunday)")
    return _daily(Hours.parse(start, end), chosen)


def is_open(walls: Walls, at: datetime) -> bool:
    """Whether all walls are open at `at`."""
    day, second = divmod(_seconds(at), DAY)
    return any(start <= second < end for start, end in _spans(walls, day))


def closes_at(walls: Walls, at: datetime) -> datetime | None:
    """The first instant from `at` on at which a wall is shut: `at` itself when one is shut now, None when all stay open for
    eight days or longer."""
    now = _seconds(at)
    day, second = divmod(now, DAY)
    for start, end in _spans(walls, day):
        if start <= second < end:
            shut = day * DAY + end if end < DAY else _shut_from(walls, day + 1)
            return None if shut is None or shut - now >= LASTING else _instant(shut)
    return at


def next_open(walls: Walls, at: datetime) -> datetime | None:
    """The first instant from `at` on at which all walls are open: `at` itself when they are open now, None when they are not
    within 370 days (never callable)."""
    now = _seconds(at)
    day, second = divmod(now, DAY)
    for start, end in _spans(walls, day):
        if second < end:
            return at if start <= second else _instant(day * DAY + start)
    opens = _open_from(walls, day + 1)
    return None if opens is None or opens - now > HORIZON else _instant(opens)


def next_start(walls: Walls, at: datetime, margin: int) -> datetime | None:
    """The first instant from `at` on at which a call may start and ring for `margin` seconds before a wall shuts: `at`
    itself when it may start now, None when there is none within 370 days."""
    closes = closes_at(walls, at)
    if closes is None or (closes - at).total_seconds() > margin:
        return at
    opens = next_open(walls, closes)
    return None if opens is None else _start_from(walls, opens, margin)


@lru_cache(maxsize=16_384)
def _start_from(walls: Walls, opens: datetime, margin: int) -> datetime | None:
    first, found = opens, next_open(walls, opens)
    while found is not None and (found - first).total_seconds() <= HORIZON:
        closes = closes_at(walls, found)
        if closes is None or (closes - found).total_seconds() > margin:
            return found
        found = next_open(walls, closes)
    return None


def shut_by(walls: Walls, at: datetime, margin: int) -> str | None:
    """The rule for whose sake a call has to wait longest from `at` on, as `next_start` reads it; None when it need not wait, or
    there are no walls. Where they only shut it for good together, the rule with which it comes about."""
    if next_start(walls, at, margin) == at:
        return None
    last: tuple[datetime, str] | None = None
    sofar: tuple[Wall, ...] = ()
    for rule, own in _by_rule(walls):
        sofar += own.each
        starts = next_start(own, at, margin)
        if starts is None or next_start(Walls(sofar), at, margin) is None:
            return rule
        if starts > at and (last is None or starts > last[0]):
            last = starts, rule
    return None if last is None else last[1]


@lru_cache(maxsize=4096)
def _by_rule(walls: Walls) -> tuple[tuple[str, Walls], ...]:
    found: dict[str, list[Wall]] = {}
    for wall in walls.each:
        found.setdefault(wall.rule, []).append(wall)
    return tuple((rule, Walls(tuple(each))) for rule, each in found.items())


def _seconds(at: datetime) -> int:
    if at.tzinfo is None:
        raise ValueError("an instant needs a time zone; pass an aware datetime")
    return int(at.timestamp() // 1)


def _instant(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


@lru_cache(maxsize=16_384)
def _date_spans(window: CallWindow, weekday: int, late: bool) -> tuple[Span, ...]:
    """The window's spans of one wall-clock date, in seconds since its midnight. `late`: with what the hours of the day before
    leave past midnight."""
    own = [(hours.start, hours.end if hours.start < hours.end else DAY) for hours in window.weekly[weekday]]
    left = [(0, hours.end) for hours in window.weekly[weekday - 1] if 0 < hours.end < hours.start] if late else []
    return _joined(own + left)


def _joined(spans: Iterable[Span]) -> tuple[Span, ...]:
    joined: list[Span] = []
    for start, end in sorted(spans):
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((start, end))
    return tuple(joined)


@lru_cache(maxsize=65_536)
def _zone_spans(window: CallWindow, held: tuple[Span, ...], weekday: int, shut: int) -> tuple[Span, ...]:
    """Open spans of a UTC day, in seconds since its midnight, in a zone whose `offsets` on that day are `held`. `shut`: which
    dates from two days before to one after it are shut, a bit each."""
    spans: list[Span] = []
    for index, (since, east) in enumerate(held):
        until = held[index + 1][0] if index + 1 < len(held) else DAY
        for turn in (-1, 0, 1):  # the dates that walls show during a UTC day: its own and its neighbours
            if shut >> turn + 2 & 1:
                continue
            midnight = turn * DAY - east
            for start, end in _date_spans(window, (weekday + turn) % 7, not shut >> turn + 1 & 1):
                low, high = max(midnight + start, since), min(midnight + end, until)
                if low < high:
                    spans.append((low, high))
    return _joined(spans)


def _spans_of(window: CallWindow, held: tuple[Span, ...], day: int) -> tuple[Span, ...]:
    shut = 0 if window.calendar is None else window.calendar.around(day)
    return _zone_spans(window, held, (day + EPOCH_WEEKDAY) % 7, shut)


@lru_cache(maxsize=65_536)
def _spans(walls: Walls, day: int) -> tuple[Span, ...]:
    """Spans of one UTC day in which every wall is open."""
    common: tuple[Span, ...] = ((0, DAY),) if walls.each else ()
    seen: set[tuple[CallWindow, tuple[Span, ...]]] = set()
    for wall in walls.each:
        window, held = wall.window, offsets(wall.zone, day)
        if (window, held) in seen:  # many walls show the same
            continue
        seen.add((window, held))
        common = _intersection(common, _spans_of(window, held, day))
        if not common:
            break
    return common


def _intersection(some: tuple[Span, ...], others: tuple[Span, ...]) -> tuple[Span, ...]:
    return tuple(
        (max(start, low), min(end, high)) for start, end in some for low, high in others if max(start, low) < min(end, high)
    )


@lru_cache(maxsize=65_536)
def _shut_from(walls: Walls, day: int) -> int | None:
    """The first shut second from the midnight of `day` on, None if there is none in the days that matter to `closes_at`."""
    for later in range(day, day + LASTING // DAY + 1):
        spans = _spans(walls, later)
        if not spans or spans[0][0] > 0:
            return later * DAY
        if spans[0][1] < DAY:
            return later * DAY + spans[0][1]
    return None


@lru_cache(maxsize=65_536)
def _open_from(walls: Walls, day: int) -> int | None:
    """The first open second from the midnight of `day` on, None if there is none within the horizon.

    Weeks in which no zone changes its offset are alike: only the first week, and the days from each change to a week
    after it, can bring something new; and so can the days a week after those of which a shut date took something.
    """
    last = day + HORIZON // DAY
    starts = {day}.union(*(changes(zone, day, last) for zone in {wall.zone for wall in walls.each}))
    days = {start + step for start in starts for step in range(8)}
    for calendar in {wall.window.calendar for wall in walls.each if wall.window.calendar is not None}:
        days |= {shut + step for shut in calendar.between(day - 2, last) for step in range(6, 10)}
    for later in sorted(each for each in days if each >= day):
        spans = _spans(walls, later)
        if spans:
            return later * DAY + spans[0][0]
    return None
