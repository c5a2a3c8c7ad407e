"""Transcripts that are asked for what they say of contacts: noted by the ledger itself (migration 0023). Rows in, rows out.

No connection is held between two of these statements: whoever asks has none while it waits for the answer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import asyncpg

from adapters.extraction.fields import Extraction
from dialer.domain.custom_field import CustomField, Kind
from dialer.domain.transcript import Definition, Outcome
from dialer.store.database import Connection, Pool
from dialer.store.extractions import TELLER
from dialer.store.statements import fetch

LOCKED: Final = 9
"""How often the call may be locked by somebody else before an answer that was paid for is lost."""


@dataclass(frozen=True, slots=True)
class Due:
    """A transcript that we have taken on. `run` 0: nobody asked for it; `tries`: this one included."""

    event: int
    attempt: str
    run: int
    tries: int


@dataclass(frozen=True, slots=True)
class Material:
    """`transcript`: the newest, of `event`. `extracted`: what the carrier extracted, in parts. `erased`: the contact
    is no more."""

    team: str
    began: datetime
    erased: bool
    event: int
    transcript: Any
    extracted: Sequence[Mapping[str, Any]]


async def take(pool: Pool, most: int, *, lease: float, age: float) -> list[Due]:
    """Take on what is due and nobody else has; for `lease` seconds it is ours. Not what has been due for `age` seconds."""
    rows = await fetch(pool, "transcripts_due", most, lease, age)
    return [Due(r["event_id"], r["attempt_id"], r["runs"], r["tries"]) for r in rows]


async def expire(pool: Pool, most: int, *, age: float) -> int:
    """Close what has been due for `age` seconds; how many."""
    return len(await fetch(pool, "transcripts_expire", most, age))


async def material(pool: Pool, attempt: str) -> Material:
    """Of an attempt that has a transcript."""
    rows = await fetch(pool, "transcript_told", attempt)
    newest = next(r for r in reversed(rows) if r["transcript"] not in (None, "", [], {}))
    parts = [r["extracted"] for r in rows if isinstance(r["extracted"], Mapping)]
    return Material(newest["team_id"], newest["claimed_at"], newest["erased"], newest["event_id"], newest["transcript"], parts)


async def definitions(pool: Pool, team: str) -> list[Definition]:
    """The custom fields that calls may fill, in the order of their keys."""
    return [
        Definition(CustomField(r["key"], Kind(r["type"]), tuple(r["options"])), r["label"], r["description"])
        for r in await fetch(pool, "transcript_fields", team)
    ]


async def keep(pool: Pool, due: Due, answered: Extraction, model: str) -> bool:
    """Tell what was found as an event of the call; False when it had been done."""
    told = {n: {"value": f.value, "quote": f.quote, "confidence": f.confidence} for n, f in answered.found.items()}
    data = {"extracted": told, "extraction": {"model": model}} if told else None
    values = {name: each.value for name, each in answered.found.items()}
    args = (due.event, due.run, TELLER, data, values, dict(answered.dropped))
    for _ in range(LOCKED):
        with suppress(asyncpg.LockNotAvailableError, asyncpg.DeadlockDetectedError):
            return bool(await fetch(pool, "transcript_kept", *args))
    return bool(await fetch(pool, "transcript_kept", *args))


async def close(pool: Pool, due: Due, outcome: Outcome, fault: str | None = None) -> None:
    await fetch(pool, "transcript_closed", due.event, due.run, outcome.value, fault)


async def put_off(pool: Pool, due: Due, seconds: float, fault: str, *, counts: bool) -> None:
    await fetch(pool, "transcript_put_off", due.event, due.run, seconds, not counts, fault)


async def teams_of(pool: Pool, calls: Sequence[str]) -> dict[str, str]:
    """Call → whose it is; one that does not exist is not in the answer."""
    rows = await pool.fetch("select id, team_id from call_attempts where id = any($1::text[]) order by id", list(calls))
    return {r["id"]: r["team_id"] for r in rows}


async def calls_of(pool: Pool, campaign: str) -> dict[str, str]:
    """The same of a campaign's calls that brought a result, oldest first."""
    wanted = "select id, team_id from call_attempts where campaign_id = $1 and result is not null order by id"
    return {r["id"]: r["team_id"] for r in await pool.fetch(wanted, campaign)}


async def anew(connection: Connection, calls: Sequence[str]) -> list[str]:
    """Have the newest transcripts of these calls asked, now and whatever became of them; the calls that have one."""
    return [r["attempt_id"] for r in await fetch(connection, "transcripts_anew", list(calls))]
