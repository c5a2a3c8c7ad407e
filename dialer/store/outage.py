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
    asyncpg.TooManyConnectionsError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.QueryCanceledError,
    asyncpg.LockNotAvailableError,
)


def is_outage(fault: BaseException) -> bool:
    """Whether the same request may succeed a moment later."""
    if isinstance(fault, DBAPIError):
        return fault.connection_invalidated or (fault.orig is not None and _caused_by_outage(fault.orig))
    return isinstance(fault, AWAY)


def _caused_by_outage(fault: BaseException) -> bool:
    """SQLAlchemy wraps the driver's exception in one of its own."""
    return isinstance(fault, AWAY) or isinstance(fault.__cause__, AWAY)
