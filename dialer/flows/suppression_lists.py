"""Suppressions from a CSV file and as one.

A file is read twice: first as a whole, so that one that cannot be read changes nothing; then piece by piece, so that no campaign
is locked for long. A piece goes through three hands, one after the other and each on its own piece at the same time: it is read,
its numbers are suppressed, its enrolments that wait are stopped. Who is suppressed and not stopped yet is not called: the claim
asks, and so does the dial. A crash in between leaves some of the numbers suppressed, some enrolments waiting, and no receipt:
importing the file again, with the same idempotency key too, does the rest. The answer comes after the fence: from then on no call
to any of the numbers starts.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import islice
from typing import BinaryIO, Final, TypeAlias, TypeVar

from dialer.domain.errors import Invalid
from dialer.domain.fence import FENCE_SECONDS
from dialer.domain.phone import NotPhone, Phone, normalise
from dialer.flows.campaigns.look import found
from dialer.flows.campaigns.means import Means
from dialer.flows.cells import cell, line, lines
from dialer.flows.importing.columns import DELIMITERS, SPELLINGS, plain
from dialer.flows.importing.options import ERRORS_TOLD, RowError
from dialer.flows.importing.sheet import FileRefused, Sheet
from dialer.flows.returned import refuse_returned
from dialer.flows.teams import find_team
from dialer.store import audit, callability, campaigns, suppression_lists
from dialer.store.database import Database
from dialer.store.receipts import promised, repeatable
from dialer.store.suppression_lists import Listed, Where
from dialer.store.transaction import Transaction, reading, transaction

PIECE: Final = 2_500

COLUMNS: Final = ("phone_number", "scope", "campaign_id", "reason", "source", "expires_at", "created_at")
"""Of an export; an import reads the first, fourth, fifth and sixth again, whatever their order."""

LONGEST: Final = 500
_NAMES: Final[Mapping[str, frozenset[str]]] = {
    "phone_number": frozenset(map(plain, ("phone_number", *SPELLINGS["phone"]))),
    "reason": frozenset({"reason"}),
    "source": frozenset({"source"}),
    "expires_at": frozenset(map(plain, ("expires_at", "expires", "until"))),
}

Entry: TypeAlias = Listed | RowError
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class ListOptions:
    """`reason`, `source` and `expires_at` are for rows that have none of their own."""

    reason: str | None = None
    source: str | None = None
    expires_at: datetime | None = None
    delimiter: str = ","


@dataclass(frozen=True, slots=True)
class ListResult:
    """total = imported + updated + failed. `updated` were suppressed already, or further up in the file. `stopped`: enrolments
    that waited and are skipped, or put off until the entry's end."""

    imported: int
    updated: int
    failed: int
    total: int
    stopped: int
    errors: tuple[RowError, ...]


async def import_suppressions(
    means: Means,
    actor: str,
    where: Where,
    file: BinaryIO,
    options: ListOptions,
    *,
    progress: Callable[[int], None] | None = None,
) -> ListResult:
    """Suppress every number of a CSV file. `progress` gets the number of rows that are through, after each piece.

    Raises Invalid for options or a file that cannot be read as a whole, NotFound for a team or campaign that is not there: then
    nothing was changed. A number that cannot be read is an error of its row.
    """
    now = means.clock.now()
    region = await _region(means.database, where, options, now)
    columns = await asyncio.to_thread(_surveyed, file, options.delimiter)
    rows = _entries(file, options, columns, region, now)
    work = _Import(means, actor, where, now)
    piece: list[Entry] = await asyncio.to_thread(_take, rows)
    held: list[Listed] = []
    while piece or held:
        hands = asyncio.to_thread(_take, rows), work.suppress(piece), work.stop(held)
        read, suppressed, stopped = await asyncio.gather(*hands, return_exceptions=True)  # one that fails leaves nobody at work
        piece, held, _ = _done(read), _done(suppressed), _done(stopped)
        if progress is not None:
            progress(work.total)
    result = await work.finish()
    if work.scopes:
        await means.ringer.wake(work.scopes)
    return result


def _done(result: T | BaseException) -> T:
    if isinstance(result, BaseException):
        raise result
    return result


def _take(rows: Iterator[Entry]) -> list[Entry]:
    return list(islice(rows, PIECE))


async def _region(database: Database, where: Where, options: ListOptions, now: datetime) -> str:
    """Where numbers without a country code are read; a global list belongs to no team, so its numbers need theirs."""
    if options.delimiter not in DELIMITERS:
        raise FileRefused(f"is none of {', '.join(DELIMITERS.values())}; send one of them", field="delimiter")
    if options.expires_at is not None and options.expires_at <= now:
        raise Invalid({"expiresAt": "lies in the past; send a time to come, or leave it out for ever"})
    if where.scope == "campaign":
        if where.campaign is None or where.team is None:
            raise Invalid({"campaignId": "is required for the scope campaign"})
        async with reading(database) as on:
            await found(on, where.team, where.campaign)
    elif where.campaign is not None:
        raise Invalid({"campaignId": "is only for the scope campaign; leave it out"})
    return "" if where.team is None else (await find_team(database, where.team)).default_region


def _surveyed(file: BinaryIO, delimiter: str) -> Mapping[str, int]:
    """The columns of a file that can be read to its end; raises FileRefused for one that cannot."""
    sheet = Sheet(file, delimiter)
    columns: dict[str, int] = {}
    for index, name in enumerate(sheet.header):
        for column, spellings in _NAMES.items():
            if plain(name) in spellings:
                columns.setdefault(column, index)
    if "phone_number" not in columns:
        raise FileRefused("no column for phone_number; name one of the columns phone_number in the first row", row=1, column=1)
    if not sum(1 for _ in sheet):
        raise FileRefused("the file has a header and no rows; it needs a row for each number", row=2, column=1)
    return columns


def _entries(file: BinaryIO, options: ListOptions, columns: Mapping[str, int], region: str, now: datetime) -> Iterator[Entry]:
    file.seek(0)
    for row, cells in Sheet(file, options.delimiter):
        try:
            yield _entry(cells, columns, options, region, now)
        except Invalid as fault:
            ((name, (said, *_)),) = fault.fields.items()
            yield RowError(row, name, said)


def _entry(cells: list[str], columns: Mapping[str, int], options: ListOptions, region: str, now: datetime) -> Listed:
    """Raises Invalid with one field."""

    def text(column: str) -> str | None:
        index = columns.get(column)
        found = cells[index].strip() if index is not None and index < len(cells) else ""
        if len(found) > LONGEST:
            raise Invalid({column: f"is longer than {LONGEST} characters; shorten it"})
        return found or None

    match normalise(text("phone_number"), region):
        case NotPhone(said=said):
            raise Invalid({"phoneNumber": said})
        case Phone(number=number):
            ends = text("expires_at")
            expires_at = options.expires_at if ends is None else _instant(ends, now)
            return Listed(number, text("reason") or options.reason, text("source") or options.source, expires_at)


def _instant(text: str, now: datetime) -> datetime:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        at = None
    if at is None or at.tzinfo is None or not 1970 <= at.year <= 9998:
        raise Invalid({"expiresAt": "is no time with its zone; write it as UTC such as 2026-03-01T09:00:00Z"})
    if at <= now:
        raise Invalid({"expiresAt": "lies in the past; write a time to come, or leave it empty for ever"})
    return at


@dataclass(slots=True)
class _Import:
    means: Means
    actor: str
    where: Where
    now: datetime
    imported: int = 0
    updated: int = 0
    failed: int = 0
    stopped: int = 0
    errors: list[RowError] = field(default_factory=list)
    scopes: set[str] = field(default_factory=set)
    reached: list[str] = field(default_factory=list)
    calling: set[str] = field(default_factory=set)
    """Contacts who were in a call while their number was being suppressed."""

    @property
    def total(self) -> int:
        return self.imported + self.updated + self.failed

    async def suppress(self, piece: list[Entry]) -> list[Listed]:
        """The entries that hold now for the numbers of the piece."""
        faults = [entry for entry in piece if isinstance(entry, RowError)]
        good = _once([entry for entry in piece if isinstance(entry, Listed)])
        self.failed += len(faults)
        self.errors += faults[: ERRORS_TOLD - len(self.errors)]
        if not good:
            return []
        with repeatable():
            async with self._transaction() as on:
                born, held = await suppression_lists.put(on, self.where, good)
        self.imported += born
        self.updated += len(piece) - len(faults) - born
        return held

    async def stop(self, held: list[Listed]) -> None:
        """Enrolments that wait with these numbers, which are suppressed already. Most pieces of a list reach the same campaigns:
        those that the last one did are locked, and those that this one reaches besides are its next round."""
        while held and await self._stop(held):
            pass

    async def _stop(self, held: list[Listed]) -> list[str]:
        numbers = [each.number for each in held]
        with repeatable():
            async with self._transaction() as on:
                self.calling.update(await callability.in_a_call(on, numbers))
                scopes = await campaigns.lock_with_queued(on, self.reached)
                self.scopes.update(scopes)
                self.calling.update(await callability.in_a_call(on, numbers))  # until they were locked, calls began and ended
                stopped, others = await suppression_lists.stop_calling(on, self.where, held, self.reached, scopes, self.now)
        self.stopped += stopped
        self.reached = others or self.reached
        return others

    def _transaction(self) -> AbstractAsyncContextManager[Transaction]:
        return transaction(self.means.database, self.actor, for_all=self.where.team is None)

    async def finish(self) -> ListResult:
        counts = {name: getattr(self, name) for name in ("imported", "updated", "failed", "total", "stopped")}
        async with self._transaction() as on:
            await audit.record(
                on,
                team_id=self.where.team,
                actor=self.actor,
                action="suppressions.imported",
                entity_id=self.where.campaign,
                detail=counts | {"scope": self.where.scope},
            )
            result = promised(ListResult(**counts, errors=tuple(self.errors)))
        await self.means.pause(FENCE_SECONDS)
        now, for_all = self.means.clock.now(), self.where.team is None
        self.scopes.update(await refuse_returned(self.means.database, now, self.actor, self.calling, for_all=for_all))
        return result


def _once(entries: list[Listed]) -> list[Listed]:
    """Each number once, with the latest end; for ever is the latest."""
    kept: dict[str, Listed] = {}
    for entry in entries:
        before = kept.get(entry.number)
        longer = before is not None and (
            before.expires_at is None or (entry.expires_at is not None and entry.expires_at < before.expires_at)
        )
        kept[entry.number] = replace(entry, expires_at=before.expires_at) if before is not None and longer else entry
    return list(kept.values())


async def suppressions_csv(database: Database, team: str | None, where: Where | None = None) -> AsyncIterator[str]:
    """All entries of a team, its campaigns' too, or the global ones (`team` None), newest first, as the pieces of a CSV file.
    `where` narrows it. Raises `NotFound` at once for a campaign that is not the team's."""
    if where is not None and where.campaign is not None and team is not None:
        async with reading(database) as on:
            await found(on, team, where.campaign)
    return _pieces(suppression_lists.pages(database, where, team))


async def _pieces(pages: AsyncIterator[list[Mapping[str, object]]]) -> AsyncIterator[str]:
    yield line(COLUMNS)
    async for page in pages:
        yield lines([cell(row[name]) for name in COLUMNS] for row in page)
