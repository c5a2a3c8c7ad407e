"""Which exceptions mean that Postgres is away or out of patience, so that floors above need not know its drivers."""

from __future__ import annotations

import asyncpg
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

AWAY = (
    OSError,
    TimeoutError,
    PoolTimeout,
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # of a connection whose last statement was given up while Postgres stood still
    asyncpg.CannotConnectNowError,
    asyncpg.InsufficientResourcesError,  # the disk or the memory is full, or all connections are taken
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.QueryCanceledError,
    asyncpg.LockNotAvailableError,
)


CUT = (
    asyncpg.PostgresConnectionError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
)


def is_cut(fault: BaseException) -> bool:
    """Whether only this one session ended, perhaps; what was read may be read again at once, by another."""
    if isinstance(fault, DBAPIError):
        return fault.orig is not None and _caused_by(fault.orig, CUT)
    return isinstance(fault, CUT)


def is_outage(fault: BaseException) -> bool:
    """Whether the same request may succeed a moment later."""
    if isinstance(fault, DBAPIError):
        return fault.connection_invalidated or (fault.orig is not None and _caused_by(fault.orig, AWAY))
    return isinstance(fault, AWAY)


def _caused_by(fault: BaseException, kinds: tuple[type[BaseException], ...]) -> bool:
    """SQLAlchemy wraps the driver's exception in one of its own."""
    return isinstance(fault, kinds) or isinstance(fault.__cause__, kinds)
