"""The scheduler's book on the ledger, without Redis."""

from __future__ import annotations

from dialer.flows.release import LedgerBook, RulesReader
from dialer.store.claims import Claimed
from dialer.store.database import Database
from scheduler.clock import SystemClock
from tests.support.engine import TRUNK


class Deaf:
    """Stands for Redis: nobody listens, which is allowed at any moment."""

    async def heard(self) -> bool:
        return True

    async def dial(self, claimed: list[Claimed]) -> bool:
        return True

    async def wake(self, keys: object) -> None:
        return


def book(database: Database) -> LedgerBook:
    return LedgerBook(database.pool, Deaf(), SystemClock(), [TRUNK], RulesReader(database.pool))  # type: ignore[arg-type]
