"""Asking transcripts anew: because definitions have changed since, or because the endpoint had failed too often.

Only marks them; the scheduler asks. What the carrier extracted itself stays its word, and what is found again is written once.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from dialer.domain.errors import NotFound
from dialer.store import audit, transcripts
from dialer.store.database import Database
from dialer.store.direct import connection_of
from dialer.store.transaction import transaction

AT_ONCE: Final = 500


async def extract_anew(database: Database, actor: str, calls: Sequence[str]) -> int:
    """How many of these calls have a transcript, which is asked now. Raises `NotFound`, and then no call is marked."""
    teams = await transcripts.teams_of(database.pool, calls)
    if missing := [call for call in calls if call not in teams]:
        raise NotFound(f"call {missing[0]}: there is none with this id; GET /api/crm/calls shows them.")
    return await _mark(database, actor, teams)


async def extract_campaign_anew(database: Database, actor: str, campaign: str) -> int:
    """The same of all calls of a campaign."""
    return await _mark(database, actor, await transcripts.calls_of(database.pool, campaign))


async def _mark(database: Database, actor: str, teams: dict[str, str]) -> int:
    """Call → team. A part of the calls at a time, each with its line in the audit."""
    ids, marked = list(teams), 0
    for start in range(0, len(ids), AT_ONCE):
        async with transaction(database, actor) as on:
            done = await transcripts.anew(await connection_of(on), ids[start : start + AT_ONCE])
            for team in sorted({teams[call] for call in done}):
                detail = {"calls": [call for call in done if teams[call] == team]}
                await audit.record(on, team_id=team, actor=actor, action="calls.extract", entity_id=None, detail=detail)
            marked += len(done)
    return marked
