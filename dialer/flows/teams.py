"""Teams and their API keys: made, listed, changed and revoked by whoever holds the machine (the command line)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import datetime
from typing import Any

from pydantic import ValidationError

from dialer.domain.caps import as_kept
from dialer.domain.errors import Conflict, Invalid, NotFound
from dialer.domain.fence import FENCE_SECONDS
from dialer.domain.keys import SCOPES, SHOWN, ApiKey, hashed, new_key
from dialer.domain.phone import is_region
from dialer.flows.campaigns.means import Means
from dialer.flows.ring import Ringer
from dialer.flows.team_packs import judged
from dialer.store import audit, campaigns, caps, keys, teams
from dialer.store.campaigns import lock
from dialer.store.database import Database
from dialer.store.errors import Taken
from dialer.store.teams import Team
from dialer.store.transaction import reading, transaction


async def create_team(
    database: Database,
    *,
    name: str,
    default_region: str = "US",
    max_concurrent_calls: int | None = None,
    policy_packs: Sequence[str] = (),
    actor: str = "cli",
) -> Team:
    """`default_region` (ISO 3166-1, two letters) is where numbers without a country code are read. Raises Invalid, Conflict."""
    name, default_region = name.strip(), default_region.upper()
    if not name:
        raise Invalid({"name": "is empty; give the team a name"})
    if not is_region(default_region):
        raise Invalid({"defaultRegion": "is not a country with telephone numbers; write its two letters such as US or DE"})
    packs = judged(policy_packs)
    async with transaction(database, actor) as on:
        try:
            team = await teams.add(
                on,
                name=name,
                default_region=default_region,
                max_concurrent_calls=max_concurrent_calls,
                policy_packs=packs,
            )
        except Taken:
            raise Conflict(f"name: there is already a team {name!r}; choose another name.") from None
        await audit.record(on, team_id=team.id, actor=actor, action="team.created", entity_id=team.id)
    return team


async def limit_team(
    database: Database,
    ringer: Ringer,
    pause: Callable[[float], Awaitable[None]],
    *,
    team_id: str,
    max_concurrent_calls: int | None,
    actor: str = "cli",
) -> Team:
    """Let the team's campaigns have so many calls at once, all together; None = no limit of the team. A lower limit ends no call,
    and after the answer none starts until there are fewer. Raises Invalid, NotFound."""
    if max_concurrent_calls is not None and max_concurrent_calls < 1:
        raise Invalid({"maxConcurrentCalls": f"is {max_concurrent_calls}; send 1 or more, or nothing for no limit"})
    async with transaction(database, actor) as on:
        await lock(on, [f"team:{team_id}"])
        team = await teams.limit(on, team_id, max_concurrent_calls)
        if team is None:
            raise NotFound("team: there is none with this id; `dialer team list` shows them.")
        detail = {"max_concurrent_calls": max_concurrent_calls}
        await audit.record(on, team_id=team_id, actor=actor, action="team.limited", entity_id=team_id, detail=detail)
    await pause(FENCE_SECONDS)
    await ringer.wake([f"team:{team_id}"])
    return team


async def list_teams(database: Database) -> list[Team]:
    async with reading(database) as on:
        return await teams.every(on)


async def find_team(database: Database, wanted: str) -> Team:
    """By id or by name. Raises NotFound."""
    async with reading(database) as on:
        team = await teams.get(on, wanted) or await teams.named(on, wanted)
    if team is None:
        raise NotFound(f"team: there is none with the id or name {wanted!r}; `dialer team list` shows them.")
    return team


async def set_team_caps(means: Means, team_id: str, written: Sequence[Any], actor: str = "cli") -> Team:
    """The frequency caps that hold in all campaigns of the team and for its direct calls, in the place of those before. What was
    released by the old ones is taken back or stopped by the fence, and the answer comes after it. Raises Invalid, NotFound, or
    Conflict where campaigns were created meanwhile, again and again."""
    try:
        kept = as_kept(written)
    except ValidationError as fault:
        said = {".".join(["frequencyCaps", *map(str, e["loc"])]): e["msg"].removeprefix("Value error, ") for e in fault.errors()}
        raise Invalid(said) from None
    now = means.clock.now()
    async with transaction(means.database, actor) as on:
        if await teams.get(on, team_id) is None:
            raise NotFound("team: there is none with this id.")
        locked = await campaigns.lock_team(on, team_id)
        if locked is None:
            raise Conflict("team: its campaigns are being created at this moment; set the caps again.")
        unfinished, scopes = locked
        await teams.set_caps(on, team_id, kept)
        await campaigns.renew_rules(on, unfinished, now)
        for campaign in unfinished:
            await campaigns.take_back_queued(on, campaign, scopes, "rules_changed", now)
        await caps.look_again(on, unfinished, now)
        await audit.record(on, team_id=team_id, actor=actor, action="team.caps_changed", entity_id=team_id, detail={"caps": kept})
        team = await teams.get(on, team_id)
        assert team is not None
    await means.ringer.wake(scopes)
    await means.pause(FENCE_SECONDS)
    return team


async def create_key(
    database: Database,
    *,
    team_id: str,
    name: str,
    now: datetime,
    scopes: Iterable[str] = ("*",),
    expires_at: datetime | None = None,
    live: bool = True,
    actor: str = "cli",
) -> tuple[str, ApiKey]:
    """The key itself, which is shown once and never again, and what is kept of it. Raises Invalid, NotFound."""
    wanted = sorted(set(scopes))
    if unknown := [scope for scope in wanted if scope not in SCOPES]:
        raise Invalid({"scopes": f"{', '.join(unknown)}: not known; known are {', '.join(sorted(SCOPES))}"})
    if not wanted:
        raise Invalid({"scopes": "is empty; a key without scopes may do nothing"})
    if not name.strip():
        raise Invalid({"name": "is empty; name the key after whoever gets it"})
    if expires_at is not None and expires_at <= now:
        raise Invalid({"expiresAt": "has passed; choose a later time"})
    key = new_key(live=live)
    async with transaction(database, actor) as on:
        if await teams.get(on, team_id) is None:
            raise NotFound("team: there is none with this id.")
        kept = await keys.add(
            on, team_id=team_id, name=name.strip(), key_hash=hashed(key), prefix=key[:SHOWN], scopes=wanted, expires_at=expires_at
        )
        await audit.record(on, team_id=team_id, actor=actor, action="key.created", entity_id=kept.id, detail={"scopes": wanted})
    return key, kept


async def list_keys(database: Database, team_id: str) -> list[ApiKey]:
    async with reading(database) as on:
        return await keys.of_team(on, team_id)


async def revoke_key(database: Database, *, key_id: str, now: datetime, actor: str = "cli") -> ApiKey:
    """No process accepts the key once this has returned. Raises NotFound."""
    async with transaction(database, actor) as on:
        revoked = await keys.revoke(on, key_id, now)
        if revoked is None:
            raise NotFound("key: there is none with this id that is not revoked.")
        await audit.record(on, team_id=revoked.team_id, actor=actor, action="key.revoked", entity_id=key_id)
    return revoked
