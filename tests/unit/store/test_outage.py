"""Which exceptions mean that the same request may succeed a moment later."""

from __future__ import annotations

import asyncpg
import pytest
from sqlalchemy.exc import DBAPIError

from dialer.store.outage import is_outage

FROZEN = asyncpg.InternalClientError("cannot switch to state 12; another operation (2) is in progress")


@pytest.mark.parametrize("fault", [asyncpg.DiskFullError("could not extend file"), asyncpg.OutOfMemoryError("out of memory")])
def test_a_postgres_whose_disk_is_full_is_away_and_comes_back(fault: Exception) -> None:
    assert is_outage(fault)
    assert is_outage(DBAPIError("insert", {}, fault))


@pytest.mark.parametrize("fault", [FROZEN, OSError("no route"), TimeoutError(), asyncpg.CannotConnectNowError("starting up")])
def test_a_postgres_that_stood_still_or_starts_is_away_and_no_fault_of_ours(fault: Exception) -> None:
    assert is_outage(fault)
    assert is_outage(DBAPIError("select 1", {}, fault))


def test_a_statement_that_is_wrong_is_no_outage() -> None:
    assert not is_outage(asyncpg.UndefinedColumnError("column"))
    assert not is_outage(ValueError())
