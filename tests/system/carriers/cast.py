"""The demo's list, a campaign and its assistant, made as another service would make them: over HTTP, with a key."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aiohttp import FormData

from dialer.cli.demo.command import LIST
from dialer.flows.teams import create_key, create_team
from scheduler.clock import SystemClock
from tests.support.ledger import Seed
from tests.system.carriers.kinds import Kind
from tests.system.client import Client, client
from tests.system.stage import Stage

ATTEMPTS = 3
ROWS = sum(1 for _ in csv.reader(io.StringIO(LIST.read_text(encoding="utf-8")))) - 1
"""Rows of the built-in list."""


@dataclass(frozen=True, slots=True)
class Cast:
    """A campaign that does not run yet. `imported` is what the API answered to the list."""

    seed: Seed
    key: str
    imported: Mapping[str, Any]

    async def run(self, on: Stage) -> None:
        async with client(on, self.seed.team, self.key) as team:
            await team.post(f"/campaigns/{self.seed.campaign}/run", {})


def shortened(rows: int) -> bytes:
    """The head and the first `rows` rows of the list."""
    lines = list(csv.reader(io.StringIO(LIST.read_text(encoding="utf-8"))))
    out = io.StringIO()
    csv.writer(out).writerows(lines[: rows + 1])
    return out.getvalue().encode()


async def cast(on: Stage, kind: Kind, rows: int) -> Cast:
    """The first `rows` rows of the list imported, and everybody enrolled, those without a phone and those who said no too."""
    now = SystemClock().now()
    made = await create_team(on.database, name=kind.name)
    key, _ = await create_key(on.database, team_id=made.id, name=kind.name, now=now)
    async with client(on, made.id, key) as team:
        assistant = await _assistant(team, kind)
        numbers = [await _number(team, kind, assistant, number) for number in kind.caller_ids]
        imported = await _import(team, rows)
        campaign = await _campaign(team, kind, assistant, numbers)
        audience = {"mode": "all_eligible", "hasPhoneOnly": False, "excludeDnc": False, "maxToAdd": ROWS}
        await team.post(f"/campaigns/{campaign}/contacts", {"audience": audience})
    return Cast(Seed(made.id, assistant, tuple(numbers), campaign), key, imported)


async def _assistant(team: Client, kind: Kind) -> str:
    body = {"teamId": team.team, "name": "Ada", "adapter": kind.name, "externalId": kind.voice}
    answer = await team.post("/assistants", body)
    return str(answer["assistant"]["id"])


async def _number(team: Client, kind: Kind, assistant: str, number: str) -> str:
    body = {"teamId": team.team, "phoneNumber": number, "assistantId": assistant, "adapter": kind.name}
    answer = await team.post("/phone-numbers", body)
    return str(answer["phone_number"]["id"])


async def _import(team: Client, rows: int) -> Mapping[str, Any]:
    form = FormData()
    form.add_field("teamId", team.team)
    form.add_field("autoCreateCompanies", "true")
    form.add_field("file", shortened(rows), filename=LIST.name, content_type="text/csv")
    answer: Mapping[str, Any] = await team.post("/contacts/import", form)
    return answer


async def _campaign(team: Client, kind: Kind, assistant: str, numbers: list[str]) -> str:
    answer = await team.post(
        "/campaigns",
        {
            "teamId": team.team,
            "name": kind.name,
            "assistantId": assistant,
            "fromNumberIds": numbers,
            "callWindowStart": "00:00",
            "callWindowEnd": "24:00",
            "maxConcurrentCalls": kind.cap,
            "maxAttemptsPerContact": ATTEMPTS,
            "retryDelayMinutes": 0,
            "settings": {"ringTimeoutSeconds": kind.ring_seconds},
        },
    )
    return str(answer["campaign"]["id"])
