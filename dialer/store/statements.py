"""The statements by name, read once from their files, and the one way to run those that take locks."""

from __future__ import annotations

import re
from contextlib import suppress
from functools import cache
from importlib.resources import files
from typing import Any

import asyncpg

from dialer.store.database import Connection, Pool

FILES = ("queries.sql", "caps.sql", "sweeps.sql")
SKIP_MARK = "/*skip*/"


@cache
def _all() -> dict[str, str]:
    text = "\n".join(files("dialer.store").joinpath(name).read_text(encoding="utf-8") for name in FILES)
    parts = re.split(r"^-- name: (\w+)\n", text, flags=re.MULTILINE)
    return {name: body.strip() for name, body in zip(parts[1::2], parts[2::2], strict=True)}


@cache
def statement(name: str, *, skip_locked: bool = False) -> str:
    """The text of a statement. Raises `KeyError` for a name that is in none of the files."""
    body = _all()[name]
    return body.replace(SKIP_MARK, " skip locked" if skip_locked else "")


def names() -> tuple[str, ...]:
    return tuple(_all())


async def fetch(on: Pool | Connection, name: str, *args: Any) -> list[asyncpg.Record]:
    rows: list[asyncpg.Record] = await on.fetch(statement(name), *args)
    return rows


async def fetch_locking(pool: Pool, name: str, *args: Any, wait: bool = True) -> list[asyncpg.Record]:
    """Run a statement that begins with its locks: wait for them in line, and when that takes too long (or runs into a deadlock
    with somebody who does not keep the order), or without `wait` at once, pass over the scopes that are taken."""
    if wait:
        with suppress(asyncpg.LockNotAvailableError, asyncpg.DeadlockDetectedError):
            return await fetch(pool, name, *args)
    rows: list[asyncpg.Record] = await pool.fetch(statement(name, skip_locked=True), *args)
    return rows
