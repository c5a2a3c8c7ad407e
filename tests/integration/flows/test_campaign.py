"""A campaign dialled to its end by the whole engine."""

from __future__ import annotations

from dialer.store.claims import rest
from tests.support.carrier import quick
from tests.support.engine import engine
from tests.support.laws import carrier_agrees, laws_hold, nothing_left
from tests.support.ledger import seed


async def test_everybody_is_called_and_the_campaign_completes(database_url: str, redis_url: str) -> None:
    async with engine(database_url, redis_url, quick(answer=1.0)) as e:
        s = await seed(e.pool, contacts=100, concurrency=10)
        await e.until("select status = 'completed' from campaigns where id = $1", s.campaign)
        assert (
            await e.pool.fetchval("select count(*) from campaign_contacts where outcome = 'answered' and status = 'completed'")
            == 100
        )
        assert len(e.carrier.journal.entries) == 100
        await nothing_left(e.pool)
        await laws_hold(e.pool)
        await carrier_agrees(e.pool, e.carrier)


async def test_those_not_reached_are_called_again_until_their_attempts_are_used_up(database_url: str, redis_url: str) -> None:
    script = quick(answer=0.3, voicemail=0.1, busy=0.2, declined=0.1, invalid=0.05, unreachable=0.0)
    async with engine(database_url, redis_url, script) as e:
        s = await seed(e.pool, contacts=150, concurrency=20, max_attempts=3, numbers=5)
        await e.until("select status = 'completed' from campaigns where id = $1", s.campaign)
        assert await e.pool.fetchval("select max(attempts) from campaign_contacts") == 3
        assert await e.pool.fetchval("select count(*) from campaign_contacts where status not in ('completed', 'failed')") == 0
        await nothing_left(e.pool)
        await laws_hold(e.pool)
        await carrier_agrees(e.pool, e.carrier)
        assert await rest(e.pool, [s.campaign], e.house.clock.now()) == {}
        shown: dict[str, set[str]] = {}
        for entry in e.carrier.journal.entries.values():
            shown.setdefault(entry.to, set()).add(entry.caller_id)
        assert all(len(numbers) == 1 for numbers in shown.values()), "somebody was shown two numbers, and both had room"
        assert {number for numbers in shown.values() for number in numbers} == {f"+49301234{n:03}" for n in range(5)}
