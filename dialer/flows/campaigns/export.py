"""The results of a campaign as a table: one row per enrolment, in columns that keep their order."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, Final

from adapters.events import Outcome
from dialer.domain import attempt
from dialer.domain.outcome import disposition
from dialer.flows.campaigns.look import found
from dialer.flows.cells import cell, line, lines
from dialer.store import custom_fields, exports
from dialer.store.database import Database
from dialer.store.transaction import reading

COLUMNS: Final = (
    "campaign_contact_id", "contact_id", "first_name", "last_name", "phone", "email", "company", "job_title", "lead_status",
    "timezone", "region", "tags", "do_not_call", "status", "outcome", "priority", "attempts", "enrolled_at", "next_attempt_at",
    "last_attempt_at", "completed_at", "last_call_id", "last_call_at", "last_call_from", "last_call_to", "last_call_status",
    "last_call_outcome", "last_call_detail", "duration_seconds", "recording_url", "custom_fields", "extracted",
)  # fmt: skip
"""Always there, in this order; new ones are only ever added behind them. Then `custom.<key>` for each custom field that the team
has defined and `extracted.<key>` for each that extraction may fill, both in the order of their keys."""

Names = tuple[str, ...]


async def results(database: Database, team: str, campaign: str) -> tuple[Names, AsyncIterator[list[dict[str, Any]]]]:
    """The columns, and the rows page by page. Raises `NotFound` at once. Each row is of the moment in which it is read."""
    async with reading(database) as on:
        await found(on, team, campaign)
        defined, _ = await custom_fields.listing(on, team, limit=None, offset=0)
    custom = [field["key"] for field in defined]
    extracted = [field["key"] for field in defined if field["extractable"]]
    names = (*COLUMNS, *(f"custom.{key}" for key in custom), *(f"extracted.{key}" for key in extracted))
    return names, _rows(database, campaign, custom, extracted)


async def results_csv(database: Database, team: str, campaign: str, *, mark: bool = False) -> AsyncIterator[str]:
    """The same as the pieces of a CSV file; `mark`: with the byte order mark by which Excel knows UTF-8."""
    names, rows = await results(database, team, campaign)
    return _pieces(names, rows, mark)


async def _pieces(names: Names, rows: AsyncIterator[list[dict[str, Any]]], mark: bool) -> AsyncIterator[str]:
    yield ("\ufeff" if mark else "") + line(cell(name) for name in names)
    async for page in rows:
        yield lines([cell(value) for value in row.values()] for row in page)


async def _rows(
    database: Database, campaign: str, custom: Sequence[str], extracted: Sequence[str]
) -> AsyncIterator[list[dict[str, Any]]]:
    async for page in exports.pages(database, campaign):
        yield [_row(row, custom, extracted) for row in page]


def _row(row: Mapping[str, Any], custom: Sequence[str], extracted: Sequence[str]) -> dict[str, Any]:
    result = row["result"] or {}
    brought = attempt.extracted(result) or {}
    by_key: Mapping[str, Any] = brought if isinstance(brought, Mapping) else {}
    word, answered, ended = row["last_call_outcome"], row["last_call_answered_at"], row["last_call_ended_at"]
    ours = {
        "tags": "; ".join(row["tags"]),
        "enrolled_at": row["created_at"],
        "next_attempt_at": row["next_attempt_at"] if row["status"] == "pending" else None,
        "last_call_status": row["last_call_state"],
        "last_call_outcome": disposition(Outcome(word)).value if word else None,
        "last_call_detail": word,
        "duration_seconds": round(max((ended - answered).total_seconds(), 0.0), 3) if answered and ended else None,
        "recording_url": result.get("recording_url"),
        "custom_fields": row["custom_fields"] or None,
        "extracted": brought or None,
    }
    fixed = {name: ours[name] if name in ours else row[name] for name in COLUMNS}
    more = {f"custom.{key}": row["custom_fields"].get(key) for key in custom}
    return fixed | more | {f"extracted.{key}": by_key.get(key) for key in extracted}
