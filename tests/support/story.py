"""How calls end, told by nobody: events made up and written through the rules, for tests without a carrier."""

from __future__ import annotations

from adapters.events import CallEvent, Outcome, Phase
from dialer.domain.attempt import fold
from dialer.domain.campaign import rules_of
from dialer.domain.conclude import conclude
from dialer.store import attempts, claims
from tests.support.desk import TRUNK, Desk


async def end_all(desk: Desk, outcome: Outcome, campaign: str | None = None) -> None:
    """Whatever is queued (in `campaign`) is dialled and ends so; campaigns that are done rest."""
    wanted = "select distinct campaign_id from call_attempts where ended_at is null and ($1::text is null or campaign_id = $1)"
    for row in await desk.pool.fetch(wanted, campaign):
        await _end(desk, outcome, row["campaign_id"])
    await claims.rest(desk.pool, [r["id"] for r in await desk.pool.fetch("select id from campaigns")], desk.clock.now())


async def _end(desk: Desk, outcome: Outcome, campaign: str) -> None:
    at = desk.clock.now()
    rules = rules_of((await claims.rules(desk.pool, [campaign]))[0])
    for call in await desk.place(campaign):
        told = [CallEvent(Phase.ENDED, at, call, "ref", f"{call}-1", outcome=outcome)]
        standing = (await attempts.standing(desk.pool, [call], at))[call].standing
        turn = conclude(standing, fold(standing.progress, told), rules, at)
        assert turn is not None
        assert await attempts.turn(desk.pool, [turn], [(TRUNK, event) for event in told], at)
