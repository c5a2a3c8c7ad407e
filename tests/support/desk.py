"""A team with an assistant, a caller ID and people to call, in front of the API; releases go to the real ledger."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, cast

from dialer.domain.conclude import recall
from dialer.flows.release import LedgerBook, RulesReader
from dialer.store import attempts, claims
from dialer.store.database import Database, Pool
from tests.support.api import Api, open_api
from tests.support.clock import ManualClock

TRUNK = "sim"
MONDAY_NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
BERLIN, AUCKLAND = ("Europe/Berlin",), ("Pacific/Auckland",)
"""At noon UTC the usual window (09:00–17:00) is open in Berlin and shut in Auckland."""


@dataclass(frozen=True)
class Desk:
    """`hung_up`: the campaigns whose calls were hung up."""

    api: Api
    clock: ManualClock
    assistant: str
    number: str
    hung_up: list[str] = field(default_factory=list)

    @property
    def pool(self) -> Pool:
        return self.api.context.database.pool

    async def campaign(self, contacts: Sequence[str] = (), *, status: str | None = None, **fields: Any) -> dict[str, Any]:
        """A campaign as the API answers it, with these contacts enrolled."""
        body = {"teamId": self.api.team, "assistantId": self.assistant, "fromNumberIds": [self.number], "name": "Spring"}
        answer = await self.api.post("/api/crm/campaigns", body | fields)
        assert answer.status == 200, answer.text
        id = answer.json["campaign"]["id"]
        if contacts:
            added = await self.api.post(f"/api/crm/campaigns/{id}/contacts", {"contactIds": list(contacts)})
            assert added.status == 200, added.text
        if status is not None:
            changed = await self.api.patch(f"/api/crm/campaigns/{id}", {"status": status})
            assert changed.status == 200, changed.text
        return await self.look(id)

    async def look(self, campaign: str) -> dict[str, Any]:
        answer = await self.api.get(f"/api/crm/campaigns/{campaign}")
        assert answer.status == 200, answer.text
        found: dict[str, Any] = answer.json["campaign"]
        return found

    async def people(self, count: int, zones: Sequence[str] = BERLIN, *, prefix: str = "+493020", **columns: Any) -> list[str]:
        """New contacts in the order of their numbers. `columns` override; `phone=None` for people without one."""
        await self.pool.execute("insert into place_sets (zones) values ($1) on conflict do nothing", list(zones))
        named = {"phone": f"'{prefix}' || (100000 + n)"} | {name: _literal(value) for name, value in columns.items()}
        values = ", ".join(named.values())
        rows = await self.pool.fetch(
            f"""insert into contacts (team_id, first_name, last_name, place_set_id, place_source, {", ".join(named)})
                select $1, 'Ada', 'Number ' || n, (select id from place_sets where zones = $2), 'contact', {values}
                from generate_series(1, $3::int) n returning id, last_name""",
            self.api.team, list(zones), count,
        )  # fmt: skip
        return [r["id"] for r in sorted(rows, key=lambda r: int(r["last_name"].split()[1]))]

    async def members(self, campaign: str, **query: Any) -> list[dict[str, Any]]:
        answer = await self.api.get(f"/api/crm/campaigns/{campaign}/contacts", **query)
        assert answer.status == 200, answer.text
        found: list[dict[str, Any]] = answer.json["contacts"]
        return found

    async def run(self, campaign: str, **body: Any) -> dict[str, Any]:
        answer = await self.api.post(f"/api/crm/campaigns/{campaign}/run", body)
        assert answer.status == 200, answer.text
        done: dict[str, Any] = answer.json
        return done

    async def place(self, campaign: str) -> list[str]:
        """Let the worker's fence pass whatever is queued; the attempts that may be dialled now."""
        queued = await self.pool.fetch("select id from call_attempts where campaign_id = $1 and state = 'queued'", campaign)
        return [p.attempt for p in await attempts.place(self.pool, {r["id"]: campaign for r in queued}, self.clock.now())]

    async def recall(self, attempt: str, reason: str) -> None:
        """Take a queued attempt back, as a worker or the sweep does that came too late."""
        now = self.clock.now()
        standing = (await attempts.standing(self.pool, [attempt], now))[attempt].standing
        assert await attempts.turn(self.pool, [recall(standing, reason, now, now)], [], now)


def _literal(value: Any) -> str:
    if value is None:
        return "null"
    return str(value).lower() if isinstance(value, bool) else "'" + str(value).replace("'", "''") + "'"


@asynccontextmanager
async def open_desk(database: Database, redis_url: str, at: datetime = MONDAY_NOON) -> AsyncIterator[Desk]:
    clock = ManualClock(at)
    hung_up: list[str] = []
    opened: list[Api] = []

    def book() -> LedgerBook:
        return LedgerBook(database.pool, opened[0].context.ringer, clock, [TRUNK], RulesReader(database.pool))

    async def hang_up(campaign: str) -> None:
        hung_up.append(campaign)

    doors: dict[str, Any] = {
        "release": lambda id: book().run(id),
        "preview": lambda id, most: book().preview(id, most),
        "hang_up": hang_up,
    }
    async with open_api(database, redis_url, clock=clock, trunks=cast(Any, {TRUNK: None}), **doors) as api:
        opened.append(api)
        await claims.declare_trunks(database.pool, {TRUNK: None})
        assistant = await new_assistant(database.pool, api.team)
        number = await new_number(database.pool, api.team, assistant)
        yield Desk(api, clock, assistant, number, hung_up)


async def new_assistant(pool: Pool, team: str, adapter: str = TRUNK) -> str:
    made: str = await pool.fetchval(
        "insert into assistants (team_id, name, adapter) values ($1, 'Ada', $2) returning id", team, adapter
    )
    return made


async def new_number(
    pool: Pool, team: str, assistant: str | None, number: str = "+493012345", *, adapter: str = TRUNK, status: str = "active"
) -> str:
    made: str = await pool.fetchval(
        """insert into phone_numbers (team_id, phone_number, assistant_id, adapter, status)
           values ($1, $2, $3, $4, $5) returning id""",
        team, number, assistant, adapter, status,
    )  # fmt: skip
    return made
