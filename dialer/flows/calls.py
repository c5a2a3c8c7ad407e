"""Calls as people see them: what was tried, what the carrier told, and what came of it.

An attempt that was taken back before anything was sent was no call: lists leave it out, its id still shows what happened.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from adapters.events import Outcome
from dialer.domain import attempt, extracted
from dialer.domain.cursor import After
from dialer.domain.errors import NotFound
from dialer.domain.outcome import Disposition, disposition
from dialer.store import calls, extractions
from dialer.store.calls import Which
from dialer.store.database import Database
from dialer.store.transaction import Transaction, reading
from scheduler.clock import Clock

PLAIN = ("id", "team_id", "campaign_id", "campaign_contact_id", "contact_id", "assistant_id", "to_number", "from_number")
TIMES = ("placing_at", "ringing_at", "answered_at", "ended_at")
TOLD = ("phase", "at", "received_at", "ref", "outcome", "fault", "cause", "sip", "q850", "data")
TURNED = ("at", "before", "after", "reason", "rule", "actor")


async def list_calls(
    database: Database,
    clock: Clock,
    team: str,
    *,
    campaign: str | None = None,
    contact: str | None = None,
    outcome: Disposition | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    limit: int = 50,
    offset: int = 0,
    after: After | None = None,
) -> tuple[list[dict[str, Any]], int]:
    """One page, newest first, and the count of all that match; `since` ≤ released < `until`."""
    words = None if outcome is None else [word.value for word in Outcome if disposition(word) is outcome]
    which = Which(campaign, contact, words, since, until)
    async with reading(database) as on:
        rows, count = await calls.listing(on, team, which, limit=limit, offset=offset, after=after)
    now = clock.now()
    return [summary(row, now) for row in rows], count


async def get_call(database: Database, clock: Clock, team: str, call: str) -> dict[str, Any]:
    """One call with every event of its carrier and every turn it took. Raises `NotFound`."""
    async with reading(database) as on:
        return await whole_call(on, clock, team, call)


async def whole_call(on: Transaction, clock: Clock, team: str, call: str) -> dict[str, Any]:
    """The same as this transaction sees it."""
    row = await calls.find(on, team, call)
    if row is None:
        raise NotFound(f"There is no call {call}; list your calls to find its id.")
    told = await calls.events(on, call)
    turns = await calls.turns(on, call)
    asked = await calls.callback_asked(on, call)
    transcript = await calls.transcript_asked(on, call)
    of_contact = [extractions.telling(each) for each in await calls.told_of_contact(on, call)]
    result = row["result"] or {}
    return {
        **summary(row, clock.now()),
        "metadata": row["metadata"],
        "provider_ref": row["provider_ref"],
        "transcript": result.get("transcript"),
        "recording_url": result.get("recording_url"),
        "extracted": attempt.extracted(result),
        "extracted_fields": extracted.report(of_contact),
        "extraction": None if transcript is None else _extraction(transcript),
        "callback": asked,
        "result": result,
        "events": [{name: event[name] for name in TOLD} for event in told],
        "history": [{name: each[name] for name in TURNED} for each in turns],
    }


def summary(row: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    """A call in a list. A direct one has no campaign that anybody could look at. `outcome` in the API's words, `detail` in the
    carrier's; `duration_seconds` of the talk so far."""
    word = row["outcome"]
    talk = (row["ended_at"] or now) - row["answered_at"] if row["answered_at"] else None
    direct = row["kind"] == "direct"
    return {
        **{name: row[name] for name in PLAIN},
        **({"campaign_id": None, "campaign_contact_id": None} if direct else {}),
        "kind": row["kind"],
        "attempt_no": row["attempt_no"],
        "adapter": row["trunk"],
        "status": row["state"],
        "outcome": disposition(Outcome(word)).value if word else None,
        "detail": word,
        "fault": row["fault"],
        "cause": row["cause"],
        "reason": row["reason"],
        "counted": row["counted"],
        "created_at": row["claimed_at"],
        **{name: row[name] for name in TIMES},
        "duration_seconds": round(max(talk.total_seconds(), 0.0), 3) if talk is not None else None,
    }


def _extraction(row: Mapping[str, Any]) -> dict[str, Any]:
    names = ("tries", "asked_at", "fault")
    dropped = [{"name": name, "why": why} for name, why in (row["dropped"] or {}).items()]
    return {"status": row["outcome"] or "waiting", **{name: row[name] for name in names}, "dropped": dropped}
