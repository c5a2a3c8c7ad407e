"""The policy packs of a team: they hold for all its calls, those of campaigns and those asked for one by one.

A change is one of every campaign's rules: what was released under the old ones is taken back or stopped by the fence, and the
answer comes after the fence. Under the lock that each claim of the team takes, so that none is made by packs that hold no more.
"""

from __future__ import annotations

from collections.abc import Sequence

from dialer.domain.errors import Invalid, NotFound
from dialer.domain.fence import FENCE_SECONDS
from dialer.flows.campaigns.means import Means
from dialer.store import audit, campaigns, teams
from dialer.store.teams import Team
from dialer.store.transaction import reading, transaction
from scheduler.policies import check


def judged(packs: Sequence[str]) -> list[str]:
    """The packs, each once. Raises Invalid for one that there is not."""
    for pack in packs:
        try:
            check(pack)
        except ValueError as fault:
            raise Invalid({"policyPacks": str(fault)}) from None
    return list(dict.fromkeys(packs))


async def set_policy_packs(means: Means, team_id: str, packs: Sequence[str], *, actor: str = "cli") -> Team:
    """From the answer on no call of the team is made by other packs than these. Raises Invalid, NotFound."""
    wanted = judged(packs)
    now = means.clock.now()
    woken: set[str] = set()
    renewed: set[str] = set()
    # Once more for what was created meanwhile, unseen, and may have been read with the old packs.
    while True:
        async with transaction(means.database, actor) as on:
            unfinished = await campaigns.unfinished(on, team_id)
            scopes = await campaigns.lock_with_queued(on, unfinished, also=[f"team:{team_id}"])
            team = await teams.get(on, team_id)
            if team is None:
                raise NotFound("team: there is none with this id.")
            if list(team.policy_packs) != wanted:
                await teams.set_packs(on, team_id, wanted)
                detail = {"before": list(team.policy_packs), "after": wanted}
                await audit.record(on, team_id=team_id, actor=actor, action="team.policy_packs", entity_id=team_id, detail=detail)
            new = set(unfinished) - renewed
            await campaigns.renew_rules(on, new, now)
            for campaign in sorted(new):
                await campaigns.take_back_queued(on, campaign, scopes, "rules_changed", now)
        woken |= set(scopes)
        renewed |= new
        if not new:
            break
    await means.pause(FENCE_SECONDS)
    await means.ringer.wake(woken)
    async with reading(means.database) as on:
        changed = await teams.get(on, team_id)
    assert changed is not None  # teams are never deleted
    return changed
