"""The ledger and `scheduler.frequency` say the same of the same calls, and the ledger counts those that were made."""

from __future__ import annotations

from datetime import datetime, timedelta
from random import Random

import asyncpg
import pytest

from dialer.store.caps import histories
from dialer.store.claims import literal
from dialer.store.database import Database
from scheduler.frequency import FrequencyCap, held
from tests.support.ledger import Seed, seed

NOW = datetime.fromisoformat("2026-03-04T12:00:00Z")
OUTCOMES = ["human", "answered", "unknown", "machine", "busy", "no_answer"]
CALL = """
insert into call_attempts (id, team_id, campaign_id, campaign_contact_id, contact_id, attempt_no, trunk, assistant_id,
    number_id, to_number, from_number, state, scopes, rules_version, not_after, ring_seconds, limit_seconds, claimed_at,
    placing_at, ended_at, outcome)
  select new_id('call'), t.team_id, t.campaign_id, t.id, t.contact_id, $2, 'sim', $3, $4, $5, '+49301234000', $6, '{}', 1, $7,
         30, 60, $7, $7, $8, $9
  from campaign_contacts t where t.id = $1
"""
HELD = "select held_until($1::text::integer[], $2, $3, $4, $5)"


async def call(
    on: asyncpg.Connection,
    where: Seed,
    enrolment: str,
    n: int,
    number: str,
    state: str,
    placed: datetime,
    talk: timedelta,
    outcome: str,
) -> None:
    over = state in ("ended", "recalled")
    await on.execute(
        CALL, enrolment, n, where.assistant, where.numbers[0], number, state, placed, placed + talk if over else None,
        outcome if state == "ended" else None,
    )  # fmt: skip


@pytest.mark.parametrize("turn", range(4))
async def test_the_ledger_and_the_rule_say_the_same(database: Database, turn: int) -> None:
    rng = Random(turn)
    teams = [await seed(database.pool, contacts=2, prefix="+4930"), await seed(database.pool, contacts=2, prefix="+4930")]
    people = {
        where.team: await database.pool.fetch(
            "select id, contact_id, to_number from campaign_contacts where team_id = $1", where.team
        )
        for where in teams
    }
    numbers = [r["to_number"] for r in people[teams[0].team]]
    async with database.pool.acquire() as on:
        await on.execute("alter table call_attempts disable trigger user; drop index one_live_attempt_per_enrolment")
        await on.execute("drop index one_live_attempt_per_contact; drop index one_live_attempt_per_team_and_number")
        await on.execute("drop index one_live_attempt_per_trunk_and_number")
        for n in range(rng.randint(5, 40)):
            where = rng.choice(teams)
            placed = NOW - timedelta(minutes=rng.choice([rng.randint(0, 20_000), rng.randint(-2, 3000), 1440]))
            talk = timedelta(minutes=rng.choice([1, 30, 1400]))
            state = rng.choice(["ended"] * 6 + ["recalled", "queued", "placing", "answered"])
            enrolment = rng.choice(people[where.team])["id"]
            await call(on, where, enrolment, n, rng.choice(numbers), state, placed, talk, rng.choice(OUTCOMES))
        for _ in range(60):
            caps = [
                FrequencyCap(
                    rng.randint(1, 5), rng.choice([1, 24, 169, 300]), rng.choice(["number", "person"]),
                    rng.choice(["attempts", "conversations"]), "test",
                )
                for _ in range(rng.randint(1, 3))
            ]  # fmt: skip
            where = rng.choice(teams)
            who, number = rng.choice(people[where.team])["contact_id"], rng.choice(numbers)
            at = NOW + timedelta(minutes=rng.choice([0, 0, 60, 2000]))
            [history] = await histories(on, where.team, [(number, who)], caps, at)
            hold = held(caps, history, at)
            assert await on.fetchval(HELD, literal(caps), where.team, number, who, at) == (hold and hold.until), (caps, history)


@pytest.mark.parametrize(
    ("state", "outcome", "attempts", "conversations"),
    [
        ("ended", "human", 1, 1), ("ended", "answered", 1, 1), ("ended", "machine", 1, 0), ("ended", "busy", 1, 0),
        ("ended", "no_answer", 1, 0), ("ended", "unreachable", 1, 0), ("ended", "invalid_number", 1, 0),
        ("ended", "unknown", 1, 1),  # nobody knows, and what is not known counts
        ("recalled", "", 0, 0),  # certainly not placed
    ],
)  # fmt: skip
async def test_what_counts(database: Database, state: str, outcome: str, attempts: int, conversations: int) -> None:
    where = await seed(database.pool, contacts=1)
    row = await database.pool.fetchrow("select id, contact_id, to_number from campaign_contacts")
    assert row is not None
    async with database.pool.acquire() as on:
        await on.execute("alter table call_attempts disable trigger user")
        await call(on, where, row["id"], 1, row["to_number"], state, NOW, timedelta(minutes=1), outcome)
        for per in ("number", "person"):
            for counts, expected in (("attempts", attempts), ("conversations", conversations)):
                cap = FrequencyCap(1, 1, per, counts, "test")  # type: ignore[arg-type]
                ends = await on.fetchval(HELD, literal([cap]), where.team, row["to_number"], row["contact_id"], NOW)
                begun = NOW if counts == "attempts" else NOW + timedelta(minutes=1)
                assert ends == (begun + cap.span if expected else None), (per, counts)
