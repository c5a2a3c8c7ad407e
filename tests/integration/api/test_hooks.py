"""A carrier's callbacks over HTTP: proved, followed, and only then answered."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest

from adapters.events import CallEvent, Phase
from adapters.simulated.translate import SIGNATURE, TIMESTAMP, sign
from dialer.store.database import Database
from tests.support.api import Answer, Api, open_api
from tests.support.carrier import SIGNING_SECRET, adapter
from tests.support.clock import ManualClock

Followed = list[tuple[str, Sequence[CallEvent]]]


@asynccontextmanager
async def hooks(database: Database, redis_url: str) -> AsyncIterator[tuple[Api, Followed]]:
    followed: Followed = []

    async def follow(trunk: str, events: Sequence[CallEvent]) -> None:
        followed.append((trunk, events))

    clock = ManualClock()
    async with open_api(database, redis_url, clock=clock, trunks={"sim": adapter("http://127.0.0.1:1")}, follow=follow) as api:
        yield api, followed


async def tell(api: Api, *, trunk: str = "sim", secret: str = SIGNING_SECRET, late: float = 0, change: bytes = b"") -> Answer:
    at = (api.context.clock.now() - timedelta(seconds=late)).timestamp()
    body = json.dumps({"id": "e-1", "call": "c-1", "attempt": "call_1", "type": "call.ringing", "at": at}).encode()
    headers = {TIMESTAMP: str(at), SIGNATURE: sign(secret, str(at), body)}
    return await api.using(None).send("POST", f"/hooks/{trunk}", body + change, headers=headers)


async def test_a_proved_callback_is_followed_and_then_answered(database: Database, redis_url: str) -> None:
    async with hooks(database, redis_url) as (api, followed):
        answer = await tell(api)
        assert answer.status == 204 and answer.body == b""
        [(trunk, [event])] = followed
        assert (trunk, event.phase, event.attempt, event.key) == ("sim", Phase.RINGING, "call_1", "e-1")


@pytest.mark.parametrize(
    "how",
    [{"secret": "another"}, {"change": b" "}, {"late": 400}, {"late": -400}],
    ids=["forged", "changed", "replayed", "early"],
)
async def test_what_is_not_proved_changes_nothing(database: Database, redis_url: str, how: dict[str, object]) -> None:
    async with hooks(database, redis_url) as (api, followed):
        answer = await tell(api, **how)  # type: ignore[arg-type]
        assert answer.status == 403
        assert followed == []


async def test_an_adapter_that_is_not_configured_is_not_found(database: Database, redis_url: str) -> None:
    async with hooks(database, redis_url) as (api, followed):
        assert (await tell(api, trunk="other")).status == 404
        assert followed == []


async def test_a_ledger_that_is_away_is_a_503_so_that_the_carrier_tells_it_again(database: Database, redis_url: str) -> None:
    async def away(_trunk: str, _events: Sequence[CallEvent]) -> None:
        raise ConnectionRefusedError

    suspected: list[str] = []
    trunks = {"sim": adapter("http://127.0.0.1:1")}
    async with open_api(database, redis_url, trunks=trunks, follow=away, suspect=suspected.extend, clock=ManualClock()) as api:
        assert (await tell(api)).status == 503
        assert suspected == ["sim"], "the carrier may have lost patience by now"
