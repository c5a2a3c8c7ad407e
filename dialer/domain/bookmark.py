"""How far a reader has come in the history: which transactions it has seen, and where it stands among those it has not.

The ids of history rows become visible out of their order: a transaction that took a small id may commit after one that took a
large id was read. A bookmark therefore remembers a snapshot of Postgres, not an id: unread is what this snapshot did not see.
Nothing is ever passed over, however late it commits. Written as text it is the event id of a stream; pure.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Self

LARGEST: Final = 2**63 - 1
MOST_OPEN: Final = 2_000
LONGEST: Final = 48_000
"""Characters of a bookmark's text."""

_SNAPSHOT: Final = r"[0-9]{1,19}(?:-[0-9]{1,19})*"
_TEXT: Final = re.compile(rf"({_SNAPSHOT})(?:_({_SNAPSHOT})_([0-9]{{1,19}})_([0-9]{{1,19}}))?")


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All transactions below `end` had ended, but for those in `open`."""

    end: int
    open: tuple[int, ...] = ()

    @classmethod
    def of(cls, written: str) -> Self:
        """From Postgres's own spelling, `xmin:xmax:xip,xip`."""
        _, end, open_ = written.split(":")
        return cls(int(end), tuple(int(each) for each in open_.split(",") if each))

    def __str__(self) -> str:
        return "-".join(map(str, (self.end, *self.open)))


@dataclass(frozen=True, slots=True)
class Bookmark:
    """Everything that `seen` saw was read. In the middle of a long read, which goes up to `until`, everything up to the position
    `xid`, `id` was read too."""

    seen: Snapshot
    until: Snapshot | None = None
    xid: int = 0
    id: int = 0

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """None for what was never written by us."""
        found = _TEXT.fullmatch(text) if len(text) <= LONGEST else None
        if found is None:
            return None
        seen, until, xid, id = found.groups()
        read = cls(_snapshot(seen), None if until is None else _snapshot(until), int(xid or 0), int(id or 0))
        return read if max(read._numbers()) <= LARGEST else None

    def __str__(self) -> str:
        if self.until is None:
            return str(self.seen)
        return f"{self.seen}_{self.until}_{self.xid}_{self.id}"

    def _numbers(self) -> tuple[int, ...]:
        until = () if self.until is None else (self.until.end, *self.until.open)
        return (self.seen.end, *self.seen.open, *until, self.xid, self.id)

    @property
    def late(self) -> list[int]:
        """Transactions that were under way when `seen` was taken and may have ended since."""
        still = () if self.until is None else self.until.open
        return [xid for xid in self.seen.open if xid not in still and xid >= self.xid]

    @property
    def start(self) -> tuple[int, int]:
        """What began after `seen` is read from behind this position (transaction, row)."""
        return max((self.xid, self.id), (self.seen.end, 0))

    def turned(self, xid: int, id: int, until: Snapshot) -> Self:
        """After a page that ended at this row and left more to read."""
        return type(self)(self.seen, until, xid, id)

    def behind(self, now: Snapshot) -> bool:
        """False for a bookmark of another ledger, which is ahead of all that happened in this one."""
        return max(self._numbers()[:1] + (() if self.until is None else (self.until.end,))) <= now.end


def _snapshot(text: str) -> Snapshot:
    end, *open_ = map(int, text.split("-"))
    return Snapshot(end, tuple(sorted(set(open_)))[:MOST_OPEN])
