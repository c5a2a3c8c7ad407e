"""A list of the United States, called hour by hour through a week in which clocks are set back and Louisiana keeps a holiday: by
the carrier's books every call is inside all the law that could hold where it rings, and whoever can never be called is told of.

`DIALER_WEEK=1` for the whole week in steps of twenty minutes; else from Sunday to Tuesday in steps of two hours.
"""

from __future__ import annotations

import os
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from itertools import count
from typing import Final
from zoneinfo import ZoneInfo

from adapters.simulated.carrier.journal import Entry
from dialer.domain.preflight import Never, Reason, preflight
from dialer.flows import contacts
from dialer.flows.campaigns.facts import facts_of, ground_of
from dialer.store.database import Database
from dialer.store.transaction import reading
from tests.stateful.world import World
from tests.support.engine import TRUNK
from tests.support.laws import laws_hold
from tests.support.line import script

WHOLE: Final = bool(os.environ.get("DIALER_WEEK"))
BEGINS = datetime(2026, 10, 30, tzinfo=UTC) if WHOLE else datetime(2026, 11, 1, 5, 10, tzinfo=UTC)
DAYS: Final = 7 if WHOLE else 3
STEP = timedelta(minutes=20 if WHOLE else 120)

EAST, CENTRAL, MOUNTAIN, PACIFIC = "America/New_York", "America/Chicago", "America/Denver", "America/Los_Angeles"
HOURS = {"AL": (8, 20), "CT": (9, 20), "FL": (8, 20), "KY": (10, 21), "LA": (8, 20), "NV": (9, 20), "MS": (8, 20), "": (8, 21)}
NO_SUNDAYS = {"AL", "LA", "MS"}
HOLIDAYS = {"LA": {date(2026, 11, 3)}}
"""Of this week: Louisiana votes. Elsewhere there is none."""

PEOPLE: Final[dict[str, tuple[dict[str, str], list[tuple[str, str]]]]] = {
    "+13055550123": ({}, [("FL", EAST)]),
    "+18502440123": ({}, [("FL", EAST), ("FL", CENTRAL)]),
    "+18505550123": ({}, [("FL", EAST), ("FL", CENTRAL)]),
    "+12055550123": ({}, [("AL", CENTRAL)]),
    "+15045550123": ({}, [("LA", CENTRAL)]),
    "+13125550123": ({}, [("", CENTRAL)]),
    "+15025550123": ({}, [("KY", EAST)]),
    "+12705550123": ({}, [("KY", EAST), ("KY", CENTRAL)]),
    "+17025550123": ({}, [("NV", PACIFIC)]),
    "+16025550123": ({}, [("", "America/Phoenix")]),
    "+12055550124": ({"timezone": PACIFIC}, [("AL", PACIFIC), ("NV", PACIFIC)]),  # moved: where to, nobody knows
    "+13125550124": ({"region": "US-LA"}, [("LA", CENTRAL)]),
    "+13055550124": ({"timezone": EAST, "region": "US-CT"}, [("CT", EAST)]),
    "+18005550199": (
        {},
        [
            *((state, CENTRAL) for state in ("AL", "LA", "MS", "FL", "KY")),
            ("FL", EAST),
            ("KY", EAST),
            ("CT", EAST),
            ("NV", PACIFIC),
        ]
        + [
            ("", zone) for zone in ("Pacific/Guam", "Pacific/Honolulu", "America/Adak", "America/St_Johns", "America/Puerto_Rico")
        ],
    ),
}
"""Number → what else is known, and the states and clocks whose law could hold. Some of many, for the toll-free one."""
NEVER: Final = "+18005550188"
"""From nine to five it can be called nowhere and everywhere."""


def lawful(state: str, zone: str, at: datetime) -> bool:
    wall = at.astimezone(ZoneInfo(zone))
    low, high = HOURS[state]
    sunday = state in NO_SUNDAYS and wall.weekday() == 6
    return low <= wall.hour < high and not sunday and wall.date() not in HOLIDAYS.get(state, ())


async def enrolled(w: World, database: Database, window: tuple[str, str], people: dict[str, dict[str, str]]) -> str:
    """A campaign of this window, with the packs of the law, that calls these, and who is not reached again within two hours."""
    own = {"policy_packs": ["us-federal", "us-states"]}
    campaign: str = await w.pool.fetchval(
        """insert into campaigns (team_id, assistant_id, name, status, from_number_ids, call_window_start, call_window_end,
             max_concurrent_calls, max_attempts_per_contact, retry_delay_minutes, settings)
           values ($1, $2, 'c', 'draft', $3, $4, $5, 100, 50, 110, $6) returning id""",
        w.team, w.assistant, w.numbers, *window, own,
    )  # fmt: skip
    for n, (phone, more) in zip(count(), people.items(), strict=False):
        row = await contacts.create(database, w.team, "test", {"first_name": "Ada", "last_name": "B", "phone": phone, **more})
        due = w.moment.now() + n % 6 * timedelta(minutes=20) * WHOLE
        await w.pool.execute(
            """insert into campaign_contacts (campaign_id, team_id, contact_id, status, to_number, place_set_id, next_attempt_at,
                 created_at) select $1, team_id, id, 'pending', phone, place_set_id, $3, $3 from contacts where id = $2""",
            campaign, row["id"], due,
        )  # fmt: skip
    await w.pool.execute("update campaigns set status = 'running', started_at = $2 where id = $1", campaign, w.moment.now())
    return campaign


async def dial(w: World, known: set[str]) -> list[Entry]:
    """A round of the scheduler, whoever it releases is dialled and does not pick up: what is new in the carrier's books."""
    process = w.processes[0]
    await w.tick(process)
    for row in await w.pool.fetch("select id, campaign_id from call_attempts where state = 'queued'"):
        await process.placer.place(row["id"], row["campaign_id"], TRUNK)
    new = [each for each in w.entries() if each.attempt not in known]
    known |= {each.attempt for each in new}
    await w.wait(120)  # they ring, and nobody comes
    for each in new:
        await w.tell(process, [(each, event) for event in w.happened(each)], together=False)
    return new


async def test_every_call_of_a_week_is_inside_the_law(w: World) -> None:
    database = Database(w.pool, w.engine)
    await w.pool.execute("update campaigns set status = 'cancelled', completed_at = now()")
    await w.pool.execute("update scopes set cap = null")
    await w.wait((BEGINS - w.moment.now()).total_seconds())
    w.carrier.script = script("no_answer", "", 1)
    main = await enrolled(w, database, ("08:00", "21:00"), {number: more for number, (more, _) in PEOPLE.items()})
    office = await enrolled(w, database, ("09:00", "17:00"), {NEVER: {}})
    known: set[str] = set()
    calls: Counter[str] = Counter()
    days: set[tuple[str, date]] = set()
    while w.moment.now() < BEGINS + timedelta(days=DAYS):
        begun = w.moment.now()
        for entry in await dial(w, known):
            at = datetime.fromtimestamp(entry.accepted, UTC)
            for state, zone in PEOPLE[entry.to][1]:
                assert lawful(state, zone, at), (entry.to, state, zone, at)
                assert lawful(state, zone, at + timedelta(seconds=30)), "it rings on past the end"
            calls[entry.to] += 1
            days.add((entry.to, at.astimezone(ZoneInfo(PEOPLE[entry.to][1][0][1])).date()))
        await w.wait((begun + STEP - w.moment.now()).total_seconds())
    assert calls.keys() == PEOPLE.keys(), "somebody who may be called was not"
    sunday, election = date(2026, 11, 1), date(2026, 11, 3)
    for number in ("+12055550123", "+15045550123"):
        assert (number, sunday) not in days
        assert (number, date(2026, 11, 2)) in days
    assert ("+13055550123", sunday) in days and ("+13125550123", sunday) in days
    assert ("+15045550123", election) not in days and ("+12055550123", election) in days
    async with reading(database) as on:
        for campaign, never in ((office, {NEVER}), (main, set[str]())):
            ground = await ground_of(on, campaign, [TRUNK], w.moment.now())
            ids = [row["id"] for row in await w.pool.fetch("select id from campaign_contacts where campaign_id = $1", campaign)]
            facts = (await facts_of(on, ground, ids)).values()
            told = {each.to_number for each in facts if preflight(each, ground.now) == Never(Reason.NEVER_CALLABLE, "campaign")}
            assert told == never
    await laws_hold(w.pool)
    print(f"{calls.total()} calls, {min(calls.values())} or more to each")
