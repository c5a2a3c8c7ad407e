"""What was said in calls: "do not call me again". Heard by the ledger itself (migration 0019); here is who has still to be told.

Rows in, rows out, no decisions.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from dialer.store.database import Pool
from dialer.store.statements import fetch


@dataclass(frozen=True, slots=True)
class OptOut:
    """`contacts`: whoever said it, and whoever else of the team has that number."""

    attempt: str
    contacts: tuple[str, ...]


async def unheard(pool: Pool, older_than: float, most: int) -> list[OptOut]:
    """Those whose contacts may wait for a call still, written more than `older_than` seconds ago; the oldest first."""
    return [OptOut(r["attempt_id"], tuple(r["contacts"])) for r in await fetch(pool, "opt_outs", older_than, most)]


async def withdrawn(pool: Pool, attempts: Collection[str], now: datetime) -> None:
    """Nobody waits for a call any more because of these."""
    await fetch(pool, "opt_outs_withdrawn", list(attempts), now)
