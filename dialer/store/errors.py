"""What the ledger's laws refuse, in words that floors above may know."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy.exc import IntegrityError

from dialer.store.transaction import Transaction


class Taken(Exception):
    """Another row has this name or number already."""


class InUse(Exception):
    """Other rows refer to this one."""


@asynccontextmanager
async def laws(on: Transaction) -> AsyncIterator[None]:
    """Raises Taken or InUse for what a constraint refuses, and leaves the transaction usable."""
    try:
        async with on.begin_nested():
            yield
    except IntegrityError as fault:
        match getattr(fault.orig, "sqlstate", None):
            case "23505":  # unique_violation
                raise Taken from fault
            case "23503":  # foreign_key_violation
                raise InUse from fault
        raise
