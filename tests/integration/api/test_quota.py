"""api.md section 1: so many requests an hour a key, counted by all API processes together."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

import pytest

from dialer.flows import teams
from dialer.settings import Settings
from dialer.store.database import Database
from dialer.telemetry import metrics
from tests.support.api import Answer, Api, open_api
from tests.support.valkey import Valkey, own_valkey

__all__ = ["own_valkey"]

LIMIT = 5
LIMITED = Settings.model_validate({"http": {"requests_per_hour": LIMIT}})
CONTACTS = "/api/crm/contacts"


@pytest.fixture
async def api(database: Database, redis_url: str) -> AsyncIterator[Api]:
    async with open_api(database, redis_url, settings=LIMITED) as opened:
        yield opened


async def ask(api: Api) -> Answer:
    return await api.get(CONTACTS, teamId=api.team)


async def test_the_limit_is_a_thousand_unless_configured() -> None:
    assert Settings().http.requests_per_hour == 1000


async def test_what_is_left_is_told_with_every_answer_and_then_it_is_a_429(api: Api) -> None:
    for left in reversed(range(LIMIT)):
        answer = await ask(api)
        assert (answer.status, answer.headers["ratelimit-remaining"]) == (200, str(left))
        assert answer.headers["ratelimit-limit"] == str(LIMIT)
        assert answer.headers["ratelimit-policy"] == f"{LIMIT};w=3600"
        assert 3590 <= int(answer.headers["ratelimit-reset"]) <= 3600
    over = await ask(api)
    assert (over.status, over.json["success"]) == (429, False)
    assert over.headers["retry-after"] == over.headers["ratelimit-reset"]
    assert over.headers["ratelimit-remaining"] == "0"
    assert over.headers["retry-after"] in over.json["error"]


async def test_errors_count_and_tell_too(api: Api) -> None:
    answer = await api.get("/api/crm/nowhere")
    assert (answer.status, answer.headers["ratelimit-remaining"]) == (404, str(LIMIT - 1))


async def test_each_key_has_its_own(api: Api) -> None:
    for _ in range(LIMIT + 1):
        await ask(api)
    other, _ = await teams.create_key(api.context.database, team_id=api.team, name="o", now=api.context.clock.now())
    assert (await ask(api.using(other))).status == 200
    assert (await ask(api)).status == 429


async def test_without_a_good_key_nothing_is_counted_or_told(api: Api) -> None:
    answer = await ask(api.using("tk_live_nonsense"))
    assert answer.status == 401 and "ratelimit-limit" not in answer.headers
    assert (await ask(api)).headers["ratelimit-remaining"] == str(LIMIT - 1)


async def test_a_refused_request_does_nothing(api: Api) -> None:
    for _ in range(LIMIT):
        await ask(api)
    answer = await api.post(CONTACTS, {"teamId": api.team, "firstName": "A", "lastName": "B"})
    assert answer.status == 429
    assert await api.context.database.pool.fetchval("select count(*) from contacts") == 0


async def test_two_processes_count_together(api: Api, redis_url: str, database: Database) -> None:
    from dataclasses import replace

    from dialer.api.app import build
    from dialer.queue import Quotas, close, connect

    redis = connect(redis_url)
    context = replace(api.context, quotas=Quotas(redis))
    twin = Api(build(context), context, api.bell, api.waits, api.team, api.key)
    answers = await asyncio.gather(*(ask(each) for each in (api, twin) * LIMIT))
    assert sorted(answer.status for answer in answers) == [200] * LIMIT + [429] * LIMIT
    await close(redis)


async def test_zero_counts_nothing(database: Database, redis_url: str) -> None:
    unlimited = Settings.model_validate({"http": {"requests_per_hour": 0}})
    async with open_api(database, redis_url, settings=unlimited) as api:
        assert "ratelimit-limit" not in (await ask(api)).headers


@pytest.mark.parametrize("how", ["gone", "frozen"])
async def test_while_redis_is_away_everybody_is_let_through_quickly(database: Database, own_valkey: Valkey, how: str) -> None:
    async with open_api(database, own_valkey.url, settings=LIMITED) as api:
        assert (await ask(api)).status == 200
        own_valkey.stop() if how == "gone" else own_valkey.freeze()
        try:
            before, began = metrics.UNCOUNTED_REQUESTS._value.get(), time.monotonic()
            answers = [await ask(api) for _ in range(2 * LIMIT)]
            assert {answer.status for answer in answers} == {200}
            assert "ratelimit-limit" not in answers[0].headers
            assert time.monotonic() - began < 2  # one of them waited for Redis, the others did not even ask
            assert metrics.UNCOUNTED_REQUESTS._value.get() - before == 2 * LIMIT
        finally:
            own_valkey.start() if how == "gone" else own_valkey.thaw()
