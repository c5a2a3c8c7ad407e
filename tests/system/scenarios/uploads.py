"""Imports that are posted one after another while the API dies: each is sent again with its key until it is answered."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import aiohttp

from tests.support.api import fresh_team
from tests.system.stage import Stage

ROWS = 5_500
"""More than one batch."""
TEAM = "Uploads"
PATIENCE_SECONDS = 120.0


class Uploads:
    """`run` posts until there is `enough`; `torn` counts the moments at which part of a file was visible."""

    def __init__(self, on: Stage, enough: Callable[[], bool]) -> None:
        self.on = on
        self.enough = enough
        self.files = 0
        self.torn = 0

    async def run(self) -> None:
        team, key = await fresh_team(self.on.database, TEAM)
        async with aiohttp.ClientSession(self.on.api_url, headers={"Authorization": f"Bearer {key}"}) as http:
            while not self.enough():
                async with asyncio.timeout(PATIENCE_SECONDS):
                    await self._post(http, team)
                self.files += 1

    async def _post(self, http: aiohttp.ClientSession, team: str) -> None:
        """One file, until it is answered."""
        while True:
            form = aiohttp.FormData({"teamId": team})
            form.add_field("file", self._file(), filename="people.csv", content_type="text/csv")
            try:
                headers = {"Idempotency-Key": f"file-{self.files}"}
                async with http.post("/api/crm/contacts/import", data=form, headers=headers) as answer:
                    if answer.status == 200:
                        assert (await answer.json())["imported"] == ROWS
                        return
                    assert answer.status in (409, 503), (answer.status, await answer.text())
            except aiohttp.ClientError:
                pass
            await self._look(team)
            await asyncio.sleep(0.1)

    async def _look(self, team: str) -> None:
        self.torn += await self._people(team) % ROWS != 0

    async def _people(self, team: str) -> int:
        n: int = await self.on.pool.fetchval("select count(*) from contacts where team_id = $1", team)
        return n

    def _file(self) -> bytes:
        first = 10_000_000 + self.files * ROWS
        rows = "".join(f"Given,Name {n},+4930{n}\n" for n in range(first, first + ROWS))
        return f"firstName,lastName,phone\n{rows}".encode()

    async def faults(self) -> str:
        """What is wrong with what the imports left, in words; when `run` has ended."""
        people = await self.on.pool.fetchval(
            "select count(*) from contacts where team_id = (select id from teams where name = $1)", TEAM
        )
        wrong = [f"{people} contacts of {self.files} files of {ROWS}"] * (people != self.files * ROWS)
        wrong += [f"part of a file was visible {self.torn} times"] * bool(self.torn)
        return "; ".join(wrong)
