"""How a call ends in a test without a carrier: what the carrier would have told is followed by the ledger itself."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from adapters.events import CallEvent, Outcome, Phase
from dialer.domain.attempt import fold
from dialer.domain.campaign import rules_of
from dialer.domain.conclude import conclude
from dialer.store import attempts, claims
from tests.support.desk import TRUNK, Desk


async def bring(desk: Desk, call: str, campaign: str, data: Mapping[str, object]) -> None:
    """The call brought this result, before or after its end."""
    at = desk.clock.now()
    told = [CallEvent(Phase.RESULT, at, call, "ref", f"{call}-{data}", data=data)]
    standing = (await attempts.standing(desk.pool, [call], at))[call].standing
    rules = rules_of((await claims.rules(desk.pool, [campaign]))[0])
    turn = conclude(standing, fold(standing.progress, told), rules, at)
    await attempts.turn(desk.pool, [turn] if turn else [], [(TRUNK, event) for event in told], at)


async def end(desk: Desk, call: str, campaign: str, outcome: Outcome) -> None:
    """The call was placed; half a minute later it ended so."""
    at = desk.clock.now()
    told = [CallEvent(Phase.RINGING, at, call, "ref", f"{call}-1")]
    if outcome is Outcome.ANSWERED:
        told.append(CallEvent(Phase.ANSWERED, at, call, "ref", f"{call}-2"))
    told.append(CallEvent(Phase.ENDED, at + timedelta(seconds=30), call, "ref", f"{call}-3", outcome=outcome))
    standing = (await attempts.standing(desk.pool, [call], at))[call].standing
    rules = rules_of((await claims.rules(desk.pool, [campaign]))[0])
    turn = conclude(standing, fold(standing.progress, told), rules, at)
    assert turn is not None
    assert await attempts.turn(desk.pool, [turn], [(TRUNK, event) for event in told], at)
    await claims.rest(desk.pool, [campaign], at)
