"""The rejected rows of an import as a CSV file that can be corrected and imported again."""

from __future__ import annotations

from collections.abc import AsyncIterator

from dialer.domain.errors import NotFound
from dialer.flows.cells import harmless, line
from dialer.store import imports
from dialer.store.database import Database
from dialer.store.transaction import reading

ADDED = ("rejected_row", "rejected_field", "rejected_message")


async def rejects_csv(database: Database, team_id: str, batch_id: str) -> AsyncIterator[str]:
    """The file's own header and cells with row, field and message behind them, as pieces of text. Raises NotFound at once."""
    async with reading(database) as on:
        batch = await imports.find_batch(on, team_id, batch_id)
    if batch is None:
        raise NotFound(f"There is no import {batch_id}.")
    return _pieces(database, batch_id, batch["header"])


async def _pieces(database: Database, batch_id: str, header: list[str]) -> AsyncIterator[str]:
    yield line([*map(harmless, header), *ADDED])
    async with reading(database) as on:
        async for row in imports.rejects(on, batch_id):
            cells = [*row["cells"], *[""] * (len(header) - len(row["cells"]))]
            yield line([*map(harmless, cells), str(row["row_number"]), row["field"], row["message"]])
