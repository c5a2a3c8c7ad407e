"""Section 7 of the contract, its last sentence: health and figures."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import cast

import pytest

from adapters.base import Health, TelephonyAdapter
from dialer.settings import Settings
from dialer.store.database import Database
from tests.support.api import Api, open_api
from tests.support.contract import refused


class Trunk:
    """Only its health is asked for here."""

    async def health(self) -> Health:
        return Health(True)


@pytest.fixture
async def nobody(database: Database, redis_url: str) -> AsyncIterator[Api]:
    async with open_api(database, redis_url, trunks={"sim": cast(TelephonyAdapter, Trunk())}) as api:
        yield api.using(None)


async def test_healthz_says_that_it_is_alive_without_a_key(nobody: Api) -> None:
    assert (await nobody.get("/healthz")).json == {"status": "ok"}


async def test_readyz_tells_of_stores_and_adapters_without_a_key(nobody: Api) -> None:
    answer = await nobody.get("/readyz")
    assert (answer.status, answer.json) == (
        200, {"status": "ready", "database": "ok", "redis": "ok", "adapters": {"sim": "ok"}},
    )  # fmt: skip


async def test_without_the_database_it_is_not_ready_and_still_alive(nobody: Api) -> None:
    await nobody.context.database.pool.close()
    answer = await nobody.get("/readyz")
    assert (answer.status, answer.json["status"]) == (503, "not ready")
    assert (await nobody.get("/healthz")).status == 200


async def test_metrics_are_prometheus_text_without_a_key(nobody: Api) -> None:
    answer = await nobody.get("/metrics")
    assert (answer.status, answer.headers["content-type"].partition(";")[0]) == (200, "text/plain")
    assert "# HELP dialer_" in answer.text


async def test_metrics_are_not_here_when_they_have_a_port_of_their_own(database: Database, redis_url: str) -> None:
    settings = Settings()
    settings = settings.model_copy(update={"http": settings.http.model_copy(update={"metrics_port": 9100})})
    async with open_api(database, redis_url, settings=settings) as api:
        refused(await api.get("/metrics"), 404)
