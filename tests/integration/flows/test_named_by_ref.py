"""A carrier that does not say whose call it tells of is understood by its own id for it, and no other call is touched."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime

from adapters.base import Hook
from adapters.elevenlabs.translate import SIGNATURE, sign
from adapters.events import CallEvent, Outcome, Phase
from tests.support.carrier import quick
from tests.support.engine import TRUNK, Engine, engine
from tests.support.laws import laws_hold
from tests.support.ledger import seed
from tests.support.providers.elevenlabs import SIGNING_SECRET, make


async def placed(e: Engine) -> None:
    """Two calls, which the carrier knows as conv-0 and conv-1."""
    s = await seed(e.pool, contacts=2, concurrency=2)
    await e.book.run(s.campaign)
    await e.pool.execute("update call_attempts set state = 'placing', placing_at = now()")
    await e.pool.execute("update campaign_contacts set status = 'calling', last_attempt_at = now()")
    await e.pool.execute(
        "update call_attempts a set provider_ref = 'conv-' || n.no"
        " from (select id, row_number() over (order by to_number) - 1 as no from call_attempts) n where n.id = a.id"
    )


async def states(e: Engine) -> list[tuple[str, str | None]]:
    return [tuple(r) for r in await e.pool.fetch("select state, outcome from call_attempts order by provider_ref")]


def failure(ref: str) -> list[CallEvent]:
    """As ElevenLabs' webhook tells it, and its adapter reads it."""
    told = {"conversation_id": ref, "failure_reason": "busy", "metadata": {"type": "twilio", "body": {"CallSid": "CA1"}}}
    now = datetime.now(UTC)
    seconds = str(int(now.timestamp()))
    body = json.dumps({"type": "call_initiation_failure", "event_timestamp": int(seconds), "data": told}).encode()
    hook = Hook("POST", "http://x/hooks/sim", {SIGNATURE: sign(SIGNING_SECRET, seconds, body)}, body, now)
    events, reply = make("http://127.0.0.1:9", 1).receive(hook)
    assert reply.status == 200
    return events


async def test_a_webhook_without_an_attempt_ends_the_call_of_its_id_once(database_url: str, redis_url: str) -> None:
    async with engine(database_url, redis_url, quick(), running=False) as e:
        await placed(e)
        for _ in range(2):
            await e.house.follower.follow(TRUNK, failure("conv-1"))
        assert await states(e) == [("placing", None), ("ended", "busy")]
        assert await e.pool.fetchval("select sum(attempts) from campaign_contacts") == 1
        assert await e.pool.fetchval("select count(*) from call_events") == 1
        await laws_hold(e.pool)


async def test_a_conversation_that_is_none_of_the_trunks_ends_nothing(database_url: str, redis_url: str) -> None:
    async with engine(database_url, redis_url, quick(), running=False) as e:
        await placed(e)
        await e.house.follower.follow(TRUNK, failure("conv-of-another"))
        await e.house.follower.follow("another", failure("conv-1"))
        nobody = [replace(each, ref=None) for each in failure("conv-1")]
        await e.house.follower.follow(TRUNK, [*nobody, CallEvent(Phase.GAP, datetime.now(UTC), "", None, "gap")])
        assert await states(e) == [("placing", None)] * 2
        assert await e.pool.fetchval("select count(*) from call_events") == 0


async def test_an_attempt_that_is_told_is_believed_before_the_id(database_url: str, redis_url: str) -> None:
    async with engine(database_url, redis_url, quick(), running=False) as e:
        await placed(e)
        mine = await e.pool.fetchval("select id from call_attempts where provider_ref = 'conv-0'")
        [event] = failure("conv-1")
        await e.house.follower.follow(TRUNK, [replace(event, attempt=mine, outcome=Outcome.NO_ANSWER)])
        assert await states(e) == [("ended", "no_answer"), ("placing", None)]
