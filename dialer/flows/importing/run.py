"""The import itself: read a batch, check it, copy it, in one transaction, so that a crash leaves nothing visible.

The next batches are read and checked while Postgres works on the last one: in a thread, or for a large file in a process of its
own (`apart`), since checking takes a core. Memory holds a few batches, whatever the file's size.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import BinaryIO, Final, Protocol

from adapters.failpoints import failpoint
from dialer.domain.errors import Conflict, NotFound
from dialer.domain.fence import FENCE_SECONDS
from dialer.flows import custom_fields
from dialer.flows.campaigns.means import Means
from dialer.flows.importing.apart import NextBatch, reading_of
from dialer.flows.importing.batches import Batch
from dialer.flows.importing.columns import DELIMITERS, resolve
from dialer.flows.importing.options import ERRORS_TOLD, ImportOptions, ImportResult, RowError
from dialer.flows.importing.rows import Reader
from dialer.flows.importing.sheet import FileRefused, Sheet
from dialer.flows.relocate import relocate
from dialer.flows.returned import refuse_returned
from dialer.store import audit, callability, companies, imports, teams
from dialer.store.database import Database
from dialer.store.places import place_set_ids
from dialer.store.receipts import promised
from dialer.store.transaction import Transaction, reading, transaction

AHEAD: Final = 4
"""Batches that wait for Postgres, whose index of trigrams makes one batch take three times as long as the next: 1 MB each."""

NOTHING_HELD: Final = callability.Held((), ())


class Importing(Means, Protocol):
    @property
    def imports(self) -> asyncio.Semaphore:
        """The room for imports that read their file in a process of its own; more of them wait."""


async def import_contacts(
    means: Importing,
    team_id: str,
    actor: str,
    file: BinaryIO,
    options: ImportOptions,
    *,
    name: str,
    progress: Callable[[int], None] | None = None,
) -> ImportResult:
    """Import a CSV file; `name` is only kept. `progress` gets the number of rows that are through, after each batch.

    Raises FileRefused when the file cannot be read as a whole, NotFound for a team or company that is not there, Conflict
    while another import of the team is under way. Then nothing was imported.
    """
    if options.delimiter not in DELIMITERS:
        raise FileRefused(f"is none of {', '.join(DELIMITERS.values())}; send one of them", field="delimiter")
    region = await _region(means.database, team_id, options.default_company_id)
    sheet = await asyncio.to_thread(Sheet, file, options.delimiter)
    fields = await custom_fields.defined(means.database, team_id)
    reader = Reader(resolve(sheet.header, options.column_mapping, options.delimiter), region, fields)
    async with (
        reading_of(file, sheet, options.delimiter, reader, means.imports) as next_batch,
        _undoable(means.database, actor, undo=options.dry_run) as on,
    ):
        batch_id = await imports.begin(on, team_id, _storable(name), sheet.header)
        if batch_id is None:
            raise Conflict("Another import of this team is under way; try again when it has ended.")
        work = _Import(means, on, team_id, actor, batch_id, options)
        await _each_batch(next_batch, work.write, progress)
        result = promised(await work.finish())
    if work.changed and not options.dry_run:
        await means.pause(FENCE_SECONDS)
        back = await refuse_returned(means.database, means.clock.now(), actor, work.stopped)
        await means.ringer.wake({*work.held.scopes, *back})
    return result


def _storable(name: str) -> str:
    """A file may be named by any bytes: those that are not UTF-8 come as lone surrogates, and Postgres keeps no NUL."""
    return name.encode(errors="replace").decode().replace("\x00", "?")


class _DryRun(Exception):
    """Everything was tried; nothing is to be kept."""


@asynccontextmanager
async def _undoable(database: Database, actor: str, *, undo: bool) -> AsyncIterator[Transaction]:
    try:
        async with transaction(database, actor) as on:
            yield on
            if undo:
                raise _DryRun
    except _DryRun:
        return


async def _region(database: Database, team_id: str, company_id: str | None) -> str:
    async with reading(database) as on:
        team = await teams.get(on, team_id)
        if team is None:
            raise NotFound("teamId: there is no such team.")
        if company_id is not None and await companies.find(on, team_id, company_id) is None:
            raise NotFound(f"defaultCompanyId: there is no company {company_id}; send the id of one of your team.")
    return team.default_region


async def _each_batch(
    next_batch: NextBatch, write: Callable[[Batch], Awaitable[None]], progress: Callable[[int], None] | None
) -> None:
    """Read and write at the same time. Raises what either raised."""
    ahead: asyncio.Queue[Batch | None] = asyncio.Queue(AHEAD)
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(_read(next_batch, ahead))
            group.create_task(_written(ahead, write, progress))
    except ExceptionGroup as faults:
        raise faults.exceptions[0] from None


async def _read(next_batch: NextBatch, ahead: asyncio.Queue[Batch | None]) -> None:
    batch = await next_batch()
    if batch is None:
        raise FileRefused("the file has a header and no rows; it needs a row for each contact", row=2, column=1)
    await ahead.put(batch)
    while batch is not None:
        batch = await next_batch()
        await ahead.put(batch)


async def _written(
    ahead: asyncio.Queue[Batch | None], write: Callable[[Batch], Awaitable[None]], progress: Callable[[int], None] | None
) -> None:
    done = 0
    while (batch := await ahead.get()) is not None:
        await write(batch)
        done += batch.rows
        if progress is not None:
            progress(done)


@dataclass(slots=True)
class _Import:
    means: Importing
    on: Transaction
    team_id: str
    actor: str
    batch_id: str
    options: ImportOptions
    imported: int = 0
    repeated: int = 0
    failed: int = 0
    errors: list[RowError] = field(default_factory=list)
    held: callability.Held = NOTHING_HELD
    changed: bool = False
    stopped: Collection[str] = ()
    """Contacts that the file forbids to call."""

    @property
    def _keep(self) -> bool:
        return self.options.duplicate_mode != "skip"

    async def write(self, batch: Batch) -> None:
        if batch.failed:
            self.failed += batch.failed
            self.errors += batch.errors[: ERRORS_TOLD - len(self.errors)]
            await imports.reject(self.on, self.batch_id, batch.rejected)
        if batch.places:
            ids = await place_set_ids(self.means.database.pool, batch.places)
            await imports.know_places(self.on, {number: ids[place] for place, number in batch.places.items()})
        if batch.staged:
            await imports.stage(self.on, batch.staged)
            failpoint("K11")
            if self.options.auto_create_companies:
                await imports.add_companies(self.on, self.team_id)
            self._count(await imports.add_staged(self.on, self.team_id, self.options.default_company_id, keep=self._keep))

    def _count(self, added: tuple[int, int]) -> None:
        born, repeated = added
        self.imported += born
        self.repeated += repeated

    async def finish(self) -> ImportResult:
        self._count(await imports.add_nameless(self.on, self.team_id, self.options.default_company_id, keep=self._keep))
        if self._keep and self.repeated:
            await self._settle()
        updated, skipped = (self.repeated, 0) if self._keep else (0, self.repeated)
        total = self.imported + self.repeated + self.failed
        counts = {"imported": self.imported, "updated": updated, "skipped": skipped, "failed": self.failed, "total": total}
        await imports.finish(self.on, self.batch_id, counts)
        await audit.record(
            self.on, team_id=self.team_id, actor=self.actor, action="contacts.imported", entity_id=self.batch_id, detail=counts
        )
        return ImportResult(**counts, errors=tuple(self.errors), batch_id=None if self.options.dry_run else self.batch_id)

    async def _settle(self) -> None:
        """Overwrite what was there. Locks first, as whoever changes one contact."""
        replace, now = self.options.duplicate_mode == "replace", self.means.clock.now()
        held = await callability.hold(
            self.on,
            partial(imports.stirred_wait_in, self.on, replace=replace),
            partial(imports.lock_stirred, self.on, replace=replace),
        )
        if held is None:
            raise Conflict("Contacts of the file were enrolled again and again meanwhile; import it again.")
        self.held, _ = held
        stops, moves = await imports.settle(self.on, self.options.default_company_id, now, replace=replace)
        # A row that fills in what is missing says where somebody is together with what was known.
        elsewhere = await relocate(self.on, self.means.database.pool, partial(imports.told_places, self.on), now)
        moves = list(dict.fromkeys((*moves, *elsewhere)))
        await callability.withdraw(self.on, stops, self.held, now)
        await callability.readdress(self.on, moves, self.held, now)
        self.changed, self.stopped = bool(stops or moves), stops
