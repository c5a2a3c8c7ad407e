"""The carrier's own books: every accepted call, when it began and ended, and how many there were at once.

Promises: the file (JSON lines, appended) holds one line per change, a call's first line whole and the later ones only what is
new, so folding the file gives exactly the entries in memory; `Journal.open` does that, and a restarted carrier goes on where
it stopped. The journal counts by what the carrier did and never asks the dialer. It is not a log: it holds whole numbers.
"""

from __future__ import annotations

import os
from collections import defaultdict
from pathlib import Path
from typing import Any, BinaryIO, Literal

import msgspec

from adapters.simulated.carrier.script import Loss, Refusal

CAMPAIGN = "campaign"
"""The label of a call that names its campaign."""


class Entry(msgspec.Struct, kw_only=True, rename={"caller_id": "from"}):
    """One call. Times are seconds since 1970 by the carrier's clock; a call is live from `accepted` to `ended`."""

    id: str
    attempt: str
    to: str
    caller_id: str
    labels: dict[str, str]
    nth: int
    """Which call to this number it is, from 1."""
    accepted: float
    same_attempt: bool
    """A call with this attempt id had been accepted before."""
    beside_live: bool
    """Another call to this number was live when this one was accepted."""
    dialled: float | None = None
    """When the carrier began to dial: later than `accepted` only when it queued the call."""
    ringing: float | None = None
    answered: float | None = None
    ended: float | None = None
    resulted: float | None = None
    answered_by: Literal["human", "machine"] | None = None
    opted_out: bool = False
    """Said that they do not want to be called again."""
    call_back_at: float | None = None
    """When they asked to be called."""
    extracted: dict[str, Any] | None = None
    """What they told: name → value."""
    transcript: str | None = None
    """What was said."""
    hung_up: bool = False
    """Ended by the caller."""
    sip: int | None = None
    q850: int | None = None
    reason: str | None = None

    @property
    def campaign(self) -> str:
        return self.labels.get(CAMPAIGN, "")

    @property
    def outcome(self) -> str:
        """One word for the end: human, machine, cancelled, or the carrier's reason; "" while the call is live."""
        if self.ended is None:
            return ""
        return self.answered_by or ("cancelled" if self.hung_up else self.reason or "")


class Trouble(msgspec.Struct, frozen=True):
    """A request that went wrong as the script wants it. `at` is seconds since 1970 by the carrier's clock."""

    at: float
    attempt: str
    to: str
    what: Refusal | Loss


class Summary(msgspec.Struct, kw_only=True):
    """The journal in figures. `peaks` are the most calls live at once, per campaign and per caller ID."""

    accepted: int
    live: int
    peak: int
    peaks_by_campaign: dict[str, int]
    peaks_by_caller_id: dict[str, int]
    same_attempt: int
    beside_live: int
    dialled_twice: int
    """Calls that should not have been: same attempt id, or beside a live call to the same number."""


class Journal:
    """The entries, their indexes and their file."""

    def __init__(self) -> None:
        self.entries: dict[str, Entry] = {}
        self._by_attempt: defaultdict[str, list[Entry]] = defaultdict(list)
        self._calls_to: defaultdict[str, int] = defaultdict(int)
        self._live_to: defaultdict[str, int] = defaultdict(int)
        self._live: defaultdict[tuple[str, str], int] = defaultdict(int)
        self._peak: defaultdict[tuple[str, str], int] = defaultdict(int)
        self._same_attempt = self._beside_live = self._dialled_twice = 0
        self._file: BinaryIO | None = None
        self._encode = msgspec.json.Encoder().encode

    @classmethod
    def open(cls, path: Path | None) -> Journal:
        """Continue the journal in `path`, or keep one in memory only. A line cut off by a crash is dropped."""
        journal = cls()
        if path is not None:
            journal._file = path.open("a+b")
            journal._file.seek(0)
            whole = 0
            for line in journal._file:
                if not line.endswith(b"\n"):
                    break
                journal._replay(line)
                whole += len(line)
            os.truncate(path, whole)
        return journal

    def accept(self, *, id: str, attempt: str, to: str, caller_id: str, labels: dict[str, str], at: float) -> Entry:
        """Write down an accepted call; it is live from now on, and known to a carrier that goes on after a kill."""
        entry = Entry(
            id=id,
            attempt=attempt,
            to=to,
            caller_id=caller_id,
            labels=labels,
            nth=self._calls_to[to] + 1,
            accepted=at,
            same_attempt=attempt in self._by_attempt,
            beside_live=self._live_to[to] > 0,
        )
        self._began(entry)
        self._write(entry)
        self.flush()
        return entry

    def note(self, entry: Entry, **changes: Any) -> None:
        """Write down what has just become known of a call."""
        self._change(entry, changes)
        self._write({"id": entry.id, **changes})

    def by_attempt(self, attempt: str) -> list[Entry]:
        return self._by_attempt.get(attempt, [])

    def is_live_to(self, to: str) -> bool:
        return self._live_to[to] > 0

    @property
    def live(self) -> int:
        return self._live[("", "")]

    def summary(self) -> Summary:
        return Summary(
            accepted=len(self.entries),
            live=self.live,
            peak=self._peak[("", "")],
            peaks_by_campaign={key: peak for (scope, key), peak in self._peak.items() if scope == "campaign"},
            peaks_by_caller_id={key: peak for (scope, key), peak in self._peak.items() if scope == "caller_id"},
            same_attempt=self._same_attempt,
            beside_live=self._beside_live,
            dialled_twice=self._dialled_twice,
        )

    def flush(self) -> None:
        """Hand what is written to the operating system."""
        if self._file is not None:
            self._file.flush()

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def _write(self, line: Entry | dict[str, Any]) -> None:
        if self._file is not None:
            self._file.write(self._encode(line) + b"\n")

    def _replay(self, line: bytes) -> None:
        fields = msgspec.json.decode(line, type=dict[str, Any])
        entry = self.entries.get(fields["id"])
        if entry is None:
            self._began(msgspec.convert(fields, Entry))
        else:
            self._change(entry, fields)

    def _began(self, entry: Entry) -> None:
        self.entries[entry.id] = entry
        self._by_attempt[entry.attempt].append(entry)
        self._calls_to[entry.to] += 1
        self._live_to[entry.to] += 1
        self._same_attempt += entry.same_attempt
        self._beside_live += entry.beside_live
        self._dialled_twice += entry.same_attempt or entry.beside_live
        for scope in _scopes(entry):
            self._live[scope] += 1
            self._peak[scope] = max(self._peak[scope], self._live[scope])

    def _change(self, entry: Entry, changes: dict[str, Any]) -> None:
        if entry.ended is None and changes.get("ended") is not None:
            self._live_to[entry.to] -= 1
            for scope in _scopes(entry):
                self._live[scope] -= 1
        for name, value in changes.items():
            setattr(entry, name, value)


def read(path: Path) -> list[Entry]:
    """The entries that a journal file tells of, in the order of acceptance; the file may still be growing."""
    journal = Journal()
    with path.open("rb") as file:
        for line in file:
            if line.endswith(b"\n"):
                journal._replay(line)
    return list(journal.entries.values())


def _scopes(entry: Entry) -> tuple[tuple[str, str], ...]:
    return ("", ""), ("campaign", entry.campaign), ("caller_id", entry.caller_id)
