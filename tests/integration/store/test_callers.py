"""Which caller ID the claim shows to whom: the one that was seen before, one of the same area, else in turn."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from random import Random

import pytest

from adapters.events import Fault, Outcome
from dialer.domain.attempt import Progress, Turn
from dialer.domain.machine import AttemptState, ContactStatus
from dialer.domain.outcome import disposition
from dialer.store import attempts, claims
from dialer.store.claims import Claimed
from dialer.store.database import Database
from scheduler.matching import Callee, Offer, match, turns
from scheduler.pacing import Claim, share
from scheduler.planner import CallerId, plan
from tests.support.books import book
from tests.support.engine import TRUNK
from tests.support.laws import laws_hold
from tests.support.ledger import seed


@pytest.fixture(autouse=True)
async def trunk(database: Database) -> None:
    await claims.declare_trunks(database.pool, {TRUNK: None})


async def finish(database: Database, claimed: Sequence[Claimed], outcome: Outcome = Outcome.BUSY) -> None:
    """The calls were made and came to this; whoever was called is due again."""
    now = datetime.now(UTC)
    ids = [c.attempt for c in claimed]
    await database.pool.execute("update call_attempts set state = 'placing', placing_at = $2 where id = any($1)", ids, now)
    await database.pool.execute(
        "update campaign_contacts set status = 'calling', last_attempt_at = $2 where id = any($1)",
        [c.enrolment for c in claimed],
        now,
    )
    stands = await attempts.standing(database.pool, ids, now)
    over = Progress(AttemptState.ENDED, outcome, Fault.CALLEE, ended_at=now)
    made = [
        Turn(c.attempt, c.campaign, stands[c.attempt].standing.scopes, AttemptState.PLACING, None, over, counted=True,
             enrolment=ContactStatus.PENDING, enrolment_outcome=disposition(outcome), next_at=now)
        for c in claimed
    ]  # fmt: skip
    assert len(await attempts.turn(database.pool, made, (), now)) == len(claimed)


def seen(claimed: Sequence[Claimed]) -> dict[str, str]:
    return {c.to_number: c.from_number for c in claimed}


async def renumber(database: Database, *numbers: str) -> None:
    """Give the caller IDs these numbers, in their order."""
    ids = [r["id"] for r in await database.pool.fetch("select id from phone_numbers order by phone_number")]
    for id, number in zip(ids, numbers, strict=True):
        await database.pool.execute("update phone_numbers set phone_number = $2 where id = $1", id, number)


async def test_whoever_was_called_sees_the_same_number_again(database: Database) -> None:
    s = await seed(database.pool, contacts=10, concurrency=10, numbers=3)
    [before] = (await book(database).snapshot(None)).campaigns
    first = await book(database).run(s.campaign)
    assert len(set(seen(first).values())) == 3
    await finish(database, first)
    [after] = (await book(database).snapshot(None)).campaigns
    assert (before.ties, after.ties) == (False, True), "nothing is asked before anybody was called"
    for size in (10, 3, 1):
        await database.pool.execute("update campaigns set max_concurrent_calls = $1", size)
        again = await book(database).run(s.campaign)
        assert len(again) == size
        assert seen(again).items() <= seen(first).items()
        await finish(database, again)
    await laws_hold(database.pool)


@pytest.mark.parametrize(
    "lost",
    [
        "update phone_numbers set status = 'inactive' where id = $1",
        "update phone_numbers set adapter = 'another' where id = $1",
        "update phone_numbers set resting_until = now() + interval '1 hour', resting_reason = 'blocked' where id = $1",
        "update phone_numbers set daily_limit = 3 where id = $1",
        "update campaigns set from_number_ids = array_remove(from_number_ids, $1)",
        "update scopes set cap = 1, active = 1 where key = 'number:' || $1",
    ],
    ids=["inactive", "another trunk", "resting", "day used up", "not the campaign's", "full"],
)
async def test_nobody_waits_for_the_number_he_has_seen(database: Database, lost: str) -> None:
    """All are called in the same claim, by another number, and by that one from then on."""
    s = await seed(database.pool, contacts=9, concurrency=9, numbers=3)
    first = await book(database).run(s.campaign)
    await finish(database, first)
    gone = await database.pool.fetchval("select phone_number from phone_numbers where id = $1", s.numbers[0])
    await database.pool.execute(lost, s.numbers[0])
    second = await book(database).run(s.campaign)
    assert len(second) == 9
    assert gone not in seen(second).values()
    kept = {to: shown for to, shown in seen(first).items() if shown != gone}
    assert len(kept) == 6 and kept.items() <= seen(second).items()
    assert set(Counter(seen(second).values()).values()) <= {4, 5}, "the others share those who lost theirs"
    await finish(database, second)
    third = await book(database).run(s.campaign)
    assert seen(third) == seen(second)


async def test_a_number_with_little_room_goes_to_those_who_have_seen_it_and_is_not_overfilled(database: Database) -> None:
    s = await seed(database.pool, contacts=12, concurrency=12, numbers=2)
    await finish(database, await book(database).run(s.campaign))
    await database.pool.execute("update campaign_contacts set last_number_id = $1", s.numbers[0])
    await database.pool.execute("update phone_numbers set max_concurrent_calls = 4 where id = $1", s.numbers[0])
    likely = await book(database).preview(s.campaign, None)
    claimed = await book(database).run(s.campaign)
    assert Counter(seen(claimed).values()) == {"+49301234000": 4, "+49301234001": 8}
    assert {p.to_number: p.from_number for p in likely} == seen(claimed)
    assert [p.from_number for p in likely] == ["+49301234000"] * 4 + ["+49301234001"] * 8, "the first in line"
    await laws_hold(database.pool)


async def test_a_campaign_that_does_not_want_it_shows_numbers_in_turn(database: Database) -> None:
    s = await seed(database.pool, contacts=8, concurrency=8, numbers=2, settings={"caller_id_sticky": False})
    await finish(database, await book(database).run(s.campaign))
    await database.pool.execute("update campaign_contacts set last_number_id = $1", s.numbers[0])
    assert set(Counter(seen(await book(database).run(s.campaign)).values()).values()) == {4}


async def test_what_was_taken_back_was_shown_to_nobody_and_what_was_blocked_is_not_shown_again(database: Database) -> None:
    s = await seed(database.pool, contacts=2, concurrency=2, numbers=2)
    last = "select array_agg(last_number_id order by to_number) from campaign_contacts"
    claimed = await book(database).run(s.campaign)
    assert await database.pool.fetchval(last) == [None, None]
    now = datetime.now(UTC)
    stands = await attempts.standing(database.pool, [c.attempt for c in claimed], now)
    gone = Progress(AttemptState.RECALLED, ended_at=now)
    back = [
        Turn(c.attempt, c.campaign, stands[c.attempt].standing.scopes, AttemptState.QUEUED, None, gone,
             enrolment=ContactStatus.PENDING, next_at=now)
        for c in claimed
    ]  # fmt: skip
    await attempts.turn(database.pool, back, (), now)
    assert await database.pool.fetchval(last) == [None, None]
    assert await database.pool.fetchval("select count(*) from reputations") == 0
    await finish(database, await book(database).run(s.campaign))
    shown = await database.pool.fetchval(last)
    assert set(shown) == set(s.numbers)
    await finish(database, await book(database).run(s.campaign), Outcome.BLOCKED)
    assert await database.pool.fetchval(last) == [None, None]
    recent = "select array_agg(recent order by number_id), bool_and(unjudged) from reputations"
    assert tuple(await database.pool.fetchrow(recent)) == (["nx", "nx"], True)


async def test_a_number_of_the_same_area_comes_before_the_others(database: Database) -> None:
    settings: dict[str, object] = {"local_presence": True}
    s = await seed(database.pool, contacts=12, concurrency=12, numbers=4, settings=settings, prefix="+1415")
    await renumber(database, "+14155550001", "+12125550002", "+13105550003", "+14155550004")
    for last, area in {3: "+1212", 4: "+1212", 5: "+4930", 6: "+4930"}.items():
        moved = "update campaign_contacts set to_number = replace(to_number, '+1415', $1) where to_number like '%' || $2"
        await database.pool.execute(moved, area, str(last))
    likely = await book(database).preview(s.campaign, None)
    claimed = await book(database).run(s.campaign)
    near = Counter((c.to_number[:5], c.from_number) for c in claimed)
    assert near[("+1415", "+14155550001")] == near[("+1415", "+14155550004")] == 4, "the two of the area take turns"
    assert near[("+1212", "+12125550002")] == 2
    assert near[("+4930", "+13105550003")] == 2, "whom nothing ties gets those most behind"
    assert {(p.to_number, p.from_number) for p in likely} == set(seen(claimed).items())
    await finish(database, claimed)
    await renumber(database, "+12125550001", "+14155550002", "+13105550003", "+12125550004")
    again = await book(database).run(s.campaign)
    ids = "select campaign_contact_id, array_agg(distinct number_id) as n from call_attempts group by 1"
    assert all(len(r["n"]) == 1 for r in await database.pool.fetch(ids)), "what was seen before comes first"
    await finish(database, again)
    await laws_hold(database.pool)


async def test_local_presence_waits_for_no_number_either(database: Database) -> None:
    settings: dict[str, object] = {"local_presence": True, "caller_id_sticky": False}
    s = await seed(database.pool, contacts=6, concurrency=6, numbers=2, settings=settings, prefix="+1415")
    await renumber(database, "+14155550001", "+12125550002")
    await database.pool.execute("update phone_numbers set max_concurrent_calls = 2 where phone_number = '+14155550001'")
    claimed = await book(database).run(s.campaign)
    assert Counter(seen(claimed).values()) == {"+14155550001": 2, "+12125550002": 4}
    await laws_hold(database.pool)


async def test_the_preview_shows_what_the_claim_does_also_where_somebody_is_busy(database: Database) -> None:
    """Who is in another call takes a slot and is put off; those behind are shown what they would have been."""
    other = await seed(database.pool, contacts=2)
    s = await seed(database.pool, contacts=7, concurrency=7, numbers=3, settings={"local_presence": True})
    await finish(database, (await book(database).run(s.campaign))[:5])
    await database.pool.execute("update phone_numbers set weight = 5 where id = $1", s.numbers[1])
    await book(database).run(other.campaign)
    likely = await book(database).preview(s.campaign, None)
    claimed = await book(database).run(s.campaign)
    assert 0 < len(claimed) < 7
    assert {p.to_number: p.from_number for p in likely} == seen(claimed)


async def test_schedulers_at_once_keep_to_the_room_of_numbers_that_people_are_tied_to(database: Database) -> None:
    """Two campaigns with the same two numbers, of which each may be in three calls."""
    one = await seed(database.pool, contacts=40, concurrency=20, numbers=2)
    other = await seed(database.pool, contacts=40, concurrency=20, numbers=2, prefix="+4989")
    await database.pool.execute(
        "update campaigns set team_id = $1, assistant_id = $2, from_number_ids = $3 where id = $4",
        one.team, one.assistant, list(one.numbers), other.campaign,
    )  # fmt: skip
    await database.pool.execute(
        "update campaign_contacts set last_number_id = $1, last_attempt_at = now(), team_id = $2", one.numbers[0], one.team
    )
    await database.pool.execute("update phone_numbers set max_concurrent_calls = 3")
    over = 0

    async def scheduler() -> None:
        nonlocal over
        own = book(database)
        for _ in range(6):
            await own.release(plan(await own.snapshot(None)))
            rows = await database.pool.fetch("select active, cap from scopes where cap is not null")
            over += sum(r["active"] > r["cap"] for r in rows)
            now = datetime.now(UTC)
            queued = await database.pool.fetch("select id, campaign_id from call_attempts where state = 'queued'")
            stands = await attempts.standing(database.pool, [r["id"] for r in queued], now)
            gone = Progress(AttemptState.RECALLED, ended_at=now)
            back = [
                Turn(r["id"], r["campaign_id"], stands[r["id"]].standing.scopes, AttemptState.QUEUED, None, gone,
                     enrolment=ContactStatus.PENDING, next_at=now)
                for r in queued
            ]  # fmt: skip
            await attempts.turn(database.pool, back, (), now)

    await asyncio.gather(*(scheduler() for _ in range(4)))
    assert over == 0
    shown = await database.pool.fetch("select number_id, count(*) as n from call_attempts group by 1")
    assert {r["number_id"] for r in shown} == set(one.numbers)
    await laws_hold(database.pool)


PHONES = ("+14155550123", "+12125550123", "+493012345678", "+498912345678", "+390612345678")
AREAS = (None, "+1415", "+1212", "+4930", "+39", "+3906")
MATCHED = """
select rank, number_id from matched($1::text[], $2::bigint[], $3::text[], $4::text[], $5::text[], $6::text[], $6::text[],
  $7::int[], $8::int[], $9::float8[], $10::text[], $11::boolean[], $12::text[], $13::int[], $14::text[], $14::text[], $15::int[])
where campaign_id = 'c' order by rank"""


@pytest.mark.parametrize("chance", range(4))
async def test_the_ledger_matches_as_the_rule_says(database: Database, chance: int) -> None:
    """`scheduler.matching` and its double in SQL, on cases drawn at random; beside a campaign that is none of its business."""
    random = Random(chance)
    met = Counter[str]()
    for _ in range(60):
        ids = [f"n{n}" for n in range(random.randint(1, 6))]
        rooms = {id: random.choice([None, None, 0, 1, 3, 9]) for id in ids}
        weights, had = {id: random.randint(1, 20) for id in ids}, {id: float(random.randint(0, 9)) for id in ids}
        numbers = [CallerId(id, "", weights[id], id) for id in ids]
        asked = Claim("c", 1, 0, 0.0, random.randint(1, 40), (), numbers, had)
        quotas = share([asked], {id: room for id, room in rooms.items() if room is not None}, 2000).get("c", {})
        slots = turns(sorted(quotas.items()), weights, had)
        sticky, local = random.random() < 0.8, random.random() < 0.6
        offers = [
            Offer(id, weights[id], len(slots) if room is None else min(room, len(slots)), had[id],
                  random.choice(AREAS) if local else None, sticky)
            for id, room in rooms.items() if room != 0
        ]  # fmt: skip
        callees = [
            Callee(random.choice(PHONES), random.choice([None, *ids, "gone"])) for _ in range(random.randint(0, len(slots)))
        ]
        expected = match(callees, offers, slots) if callees else []
        turn, passed = [], Counter[str]()
        for number in slots:
            passed[number] += 1
            turn.append(passed[number])
        rows = await database.pool.fetch(
            MATCHED, ["c"] * len(callees) + ["d"], [*range(1, len(callees) + 1), 1], [*(c.before for c in callees), "n0"],
            [*(c.number for c in callees), PHONES[0]], ["c"] * len(offers) + ["d"], [*(o.id for o in offers), "n0"],
            [*(o.weight for o in offers), 1], [*(o.most for o in offers), 1], [*(o.had for o in offers), 0.0],
            [*(o.area for o in offers), None], [*(o.sticky for o in offers), True], ["c"] * len(slots) + ["d"],
            [*range(1, len(slots) + 1), 1], [*slots, "n0"], [*turn, 1],
        )  # fmt: skip
        assert [r["number_id"] for r in rows] == expected
        met.update(again=sum(c.before == shown for c, shown in zip(callees, expected, strict=True)), all=len(callees))
    assert 0 < met["again"] < met["all"]
