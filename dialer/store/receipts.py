"""Receipts: which requests with an idempotency key have had their effect, and what they were answered.

A receipt is written in the transaction of the effect itself, so that after any crash either both are there or neither. Whoever
takes a request in carries a `Receipt` (a context variable, so that no flow has to hand it on); the first writing `transaction`
under it takes the key's lock, looks whether the key was used meanwhile, and writes the receipt last.

What a flow has to do: say inside that transaction what the answer will be (`promised`), or, where it is only known after the
commit, ask `unfinished` and then do only what comes after the commit. One that commits in pieces leaves those without a receipt
that may be done again (`repeatable`), so that the last one gets it. A flow that does nothing of it is safe too: it never runs
twice, and a replay after a crash is told that its answer is lost.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, TypeVar

from sqlalchemy.ext.asyncio import AsyncConnection

from dialer.domain.idempotency import REMEMBERED, Fingerprint
from dialer.store.database import Pool
from dialer.store.written import written as statement

T = TypeVar("T")

OLD: Final = f"created_at <= clock_timestamp() - interval '{REMEMBERED.total_seconds():.0f} s'"
AT_ONCE: Final = 10_000
"""Old receipts that one sweep deletes."""


class UnderWay(Exception):
    """The same request is being carried out at this moment; ask again."""


class AlreadyDone(Exception):
    """The request has had its effect before; nothing was done now."""


@dataclass(slots=True)
class Receipt:
    """Of the request that is being carried out. `scopes` are those of the key that sent it. `shape` makes the answer's body of
    what a flow promises. `unfinished` is when an earlier try committed its effect without coming to answer."""

    team: str
    key: str
    mark: Fingerprint
    scopes: list[str]
    shape: Callable[[Any], bytes] | None = None
    unfinished: datetime | None = None
    answer: bytes | None = None
    written: bool = False


@dataclass(frozen=True, slots=True)
class Kept:
    """A receipt in the ledger. `age` in seconds; `status` and `answer` are None until the answer is known."""

    fingerprint: bytes
    scopes: frozenset[str]
    status: int | None
    answer: bytes | None
    at: datetime
    age: float = field(compare=False)


_CURRENT: ContextVar[Receipt | None] = ContextVar("receipt", default=None)


@contextmanager
def carried(receipt: Receipt) -> Iterator[None]:
    """What is done within is done for this receipt."""
    token = _CURRENT.set(receipt)
    try:
        yield
    finally:
        _CURRENT.reset(token)


@contextmanager
def repeatable() -> Iterator[None]:
    """What commits within leaves no receipt: it may be done again, and has to be where what follows it is missing."""
    token = _CURRENT.set(None)
    try:
        yield
    finally:
        _CURRENT.reset(token)


def shaped_by(shape: Callable[[Any], bytes]) -> None:
    """How the answer will look once a flow has promised its result."""
    if (receipt := _CURRENT.get()) is not None:
        receipt.shape = shape


def promised(result: T) -> T:
    """Inside the transaction: this is what the request will be answered with, even if this process dies after the commit."""
    receipt = _CURRENT.get()
    if receipt is not None and receipt.shape is not None:
        receipt.answer = receipt.shape(result)
    return result


def unfinished() -> datetime | None:
    """When the effect of this request was committed by an earlier try that never came to answer; None for a first try. Only what
    comes after the commit is left to be done."""
    receipt = _CURRENT.get()
    return None if receipt is None else receipt.unfinished


@asynccontextmanager
async def kept_with(on: AsyncConnection) -> AsyncIterator[None]:
    """Wraps the work of a writing transaction. Raises `UnderWay`, `AlreadyDone`."""
    receipt = _CURRENT.get()
    if receipt is None or receipt.written:
        yield
        return
    if receipt.unfinished is not None:
        raise AlreadyDone
    await _claim(on, receipt)
    yield
    await on.execute(statement(WRITE), _values(receipt, receipt.answer))
    receipt.written = True


async def _claim(on: AsyncConnection, receipt: Receipt) -> None:
    """Two statements: what the holder of the lock before us committed is only seen by the second."""
    who = {"team": receipt.team, "key": receipt.key}
    name = "concat_ws(':', 'receipt', cast(:team as text), cast(:key as text))"
    if not await on.scalar(statement(f"select pg_try_advisory_xact_lock(hashtextextended({name}, 0))"), who):
        raise UnderWay
    used = f"select exists (select from receipts where team_id = :team and key = :key and not ({OLD}))"
    if await on.scalar(statement(used), who):
        raise AlreadyDone


WRITE: Final = f"""
insert into receipts as r (team_id, key, fingerprint, scopes, status, answer, created_at)
values (:team, :key, :fingerprint, cast(:scopes as text[]), :status, :answer, clock_timestamp())
on conflict (team_id, key) do update
  set fingerprint = excluded.fingerprint, scopes = excluded.scopes, status = excluded.status, answer = excluded.answer,
      created_at = case when r.{OLD} then excluded.created_at else r.created_at end
  where r.{OLD} or (r.fingerprint = excluded.fingerprint and r.answer is null and excluded.answer is not null)
"""
"""A first answer is never overwritten; a receipt that is past its time is as good as none."""

NAMES: Final = ("team", "key", "fingerprint", "scopes", "status", "answer")
KEEP: Final = re.sub(r"(?<!:):(\w+)", lambda name: f"${NAMES.index(name[1]) + 1}", WRITE)
"""The same for the driver itself."""


def _values(receipt: Receipt, answer: bytes | None) -> dict[str, Any]:
    values = (receipt.team, receipt.key, receipt.mark.digest(), receipt.scopes, None if answer is None else 200, answer)
    return dict(zip(NAMES, values, strict=True))


async def keep(pool: Pool, receipt: Receipt, answer: bytes) -> None:
    """Remember the answer to a request that succeeded, where the receipt does not hold one yet."""
    await pool.execute(KEEP, *_values(receipt, answer).values())


async def find(pool: Pool, team: str, key: str) -> Kept | None:
    row = await pool.fetchrow(
        f"""select fingerprint, scopes, status, answer, created_at as at,
              extract(epoch from clock_timestamp() - created_at)::float8 as age
            from receipts where team_id = $1 and key = $2 and not ({OLD})""",
        team, key,
    )  # fmt: skip
    return None if row is None else Kept(**{**row, "scopes": frozenset(row["scopes"])})


async def sweep(pool: Pool) -> int:
    """Delete what is past its time, so many at once; how many those were."""
    done: str = await pool.execute(
        f"""delete from receipts where (team_id, key) in
              (select team_id, key from receipts where {OLD} order by created_at limit $1)""",
        AT_ONCE,
    )
    return int(done.rsplit(" ", 1)[1])
