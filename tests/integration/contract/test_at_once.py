"""What the contract promises also when two ask at the same moment. Every test ends with the laws of the ledger holding."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Coroutine
from typing import Any

import pytest

from dialer.store.database import Pool
from tests.support.api import Answer, Api
from tests.support.contract import CAMPAIGNS, COMPANIES, CONTACTS, NUMBERS, company, contact, refused
from tests.support.desk import Desk
from tests.support.places import ZONES

ROUNDS = 10


def statuses(answers: list[Answer]) -> list[int]:
    assert all(answer.status < 500 for answer in answers), [answer.text for answer in answers if answer.status >= 500]
    return sorted(answer.status for answer in answers)


async def test_one_of_two_companies_of_the_same_name_is_created(desk: Desk) -> None:
    body = {"teamId": desk.api.team, "name": "Acme"}
    assert statuses(await asyncio.gather(*(desk.api.post(COMPANIES, body) for _ in range(5)))) == [200, 409, 409, 409, 409]
    assert (await desk.api.get(COMPANIES, teamId=desk.api.team)).json["count"] == 1


async def test_one_of_two_equal_phone_numbers_is_created(desk: Desk) -> None:
    body = {"teamId": desk.api.team, "phoneNumber": "+14155552671", "adapter": "sim"}
    assert statuses(await asyncio.gather(*(desk.api.post(NUMBERS, body) for _ in range(3)))) == [200, 409, 409]


async def test_the_same_contacts_are_enrolled_once(desk: Desk) -> None:
    people = await desk.people(20)
    campaign = (await desk.campaign())["id"]
    url = f"{CAMPAIGNS}/{campaign}/contacts"
    bodies: list[dict[str, Any]] = [{"contactIds": people}, {"contactIds": people[::-1]}, {"audience": {"mode": "all_eligible"}}]
    answers = await asyncio.gather(*(desk.api.post(url, body) for body in bodies))
    assert statuses(answers) == [200, 200, 200]
    assert sum(answer.json["added"] for answer in answers) == 20
    assert (await desk.look(campaign))["total_contacts"] == 20


def _deeds(api: Api, path: str, people: list[str]) -> list[Coroutine[Any, Any, Answer]]:
    return [
        api.post(f"{path}/run", {"maxCalls": 1}),
        api.post(f"{path}/run", {"dryRun": True}),
        api.post(f"{path}/pause"),
        api.post(f"{path}/resume"),
        api.patch(path, {"callWindowEnd": "18:00", "settings": {"priority": 3}}),
        api.patch(path, {"status": "paused"}),
        api.patch(path, {"maxConcurrentCalls": 1}),
        api.post(f"{path}/contacts", {"contactIds": people}),
        api.delete(f"{path}/contacts", {"contactIds": people[2:]}),
        api.patch(f"{CONTACTS}/{people[0]}", {"doNotCall": True}),
        api.get(f"{path}/dashboard"),
    ]


async def test_any_deeds_on_one_campaign_at_once_leave_it_in_order(desk: Desk) -> None:
    chance = random.Random(7)
    for n in range(ROUNDS):
        people = await desk.people(6, prefix=f"+4930{20 + n}")
        campaign = (await desk.campaign(people[:4], maxConcurrentCalls=2))["id"]
        path = f"{CAMPAIGNS}/{campaign}"
        deeds = _deeds(desk.api, path, people)
        if n % 2:
            deeds.append(desk.api.post(f"{path}/cancel"))
        chance.shuffle(deeds)
        assert set(statuses(await asyncio.gather(*deeds))) <= {200, 409}
        seen = await desk.look(campaign)
        turns = [
            r["after"] for r in await desk.pool.fetch("select after from history where entity_id = $1 order by id", campaign)
        ]
        assert turns[-1] == seen["status"]
        assert (seen["status"] == "cancelled") == bool(n % 2)
        if seen["status"] != "running":
            assert await desk.place(campaign) == []
        await desk.api.post(f"{path}/cancel")


async def test_a_contact_deleted_while_it_is_enrolled_is_in_or_gone_and_never_both(desk: Desk) -> None:
    for n in range(ROUNDS):
        people = await desk.people(3, prefix=f"+4930{20 + n}")
        campaign = (await desk.campaign())["id"]
        url = f"{CAMPAIGNS}/{campaign}/contacts"
        body: dict[str, Any] = {"contactIds": people} if n % 2 else {"audience": {"mode": "all_eligible"}}
        answers = await asyncio.gather(desk.api.post(url, body), *(desk.api.delete(f"{CONTACTS}/{person}") for person in people))
        assert set(statuses(list(answers))) <= {200, 409}
        inside = {member["contact"]["id"] for member in await desk.members(campaign)}
        for person, gone in zip(people, answers[1:], strict=True):
            assert (person in inside) == (gone.status == 409)
        await desk.api.post(f"{CAMPAIGNS}/{campaign}/cancel")
        for person in inside:
            assert (await desk.api.delete(f"{CONTACTS}/{person}")).status == 200


@pytest.mark.parametrize("order", [("enrol", "move"), ("move", "enrol")])
async def test_a_zone_changed_while_its_contact_is_enrolled_is_the_zone_it_waits_in(desk: Desk, order: tuple[str, str]) -> None:
    """Whichever comes first: an enrolment in the old zone would call at night, for as long as the campaign lasts."""
    for n in range(ROUNDS):
        [person] = await desk.people(1, prefix=f"+4930{20 + n}")
        campaign = (await desk.campaign())["id"]
        deeds = {
            "enrol": desk.api.post(f"{CAMPAIGNS}/{campaign}/contacts", {"contactIds": [person]}),
            "move": desk.api.patch(f"{CONTACTS}/{person}", {"timezone": "Pacific/Auckland", "phone": "+6421100001"}),
        }
        assert statuses(list(await asyncio.gather(*(deeds[name] for name in order)))) == [200, 200]
        row = await desk.pool.fetchrow(
            f"""select {ZONES}, t.to_number from campaign_contacts t join place_sets z on z.id = t.place_set_id
               where t.campaign_id = $1""",
            campaign,
        )
        assert row is not None
        assert (row["zones"], row["to_number"]) == (["Pacific/Auckland"], "+6421100001")
        await desk.api.post(f"{CAMPAIGNS}/{campaign}/cancel")


async def test_a_zone_that_is_set_to_what_it_just_was_is_the_zone_of_the_contacts_place(desk: Desk) -> None:
    """Judged by what was read before the other change, it would move nobody."""
    for n in range(ROUNDS):
        person = (await contact(desk.api, timezone="Europe/Berlin"))["id"]
        zones = ("Pacific/Auckland", "Europe/Berlin") if n % 2 else ("Europe/Berlin", "Pacific/Auckland")
        answers = await asyncio.gather(*(desk.api.patch(f"{CONTACTS}/{person}", {"timezone": zone}) for zone in zones))
        assert set(statuses(list(answers))) <= {200, 409}
        row = await desk.pool.fetchrow(
            f"select c.timezone, {ZONES} from contacts c join place_sets z on z.id = c.place_set_id where c.id = $1",
            person,
        )
        assert row is not None
        assert row["zones"] == [row["timezone"]]


async def test_a_company_deleted_while_somebody_joins_it_is_there_or_gone(desk: Desk) -> None:
    for n in range(ROUNDS):
        acme = (await company(desk.api, f"Acme {n}"))["id"]
        mover = (await contact(desk.api))["id"]
        gone, *others = await asyncio.gather(
            desk.api.delete(f"{COMPANIES}/{acme}"),
            desk.api.post(CONTACTS, {"teamId": desk.api.team, "firstName": "A", "lastName": "B", "companyId": acme}),
            desk.api.patch(f"{CONTACTS}/{mover}", {"companyId": acme}),
            desk.api.post(f"{COMPANIES}/{acme}/contacts", {"firstName": "A", "lastName": "B"}),
        )
        assert set(statuses([gone, *others])) <= {200, 404, 409}
        assert (gone.status == 200) == all(answer.status == 404 for answer in others)
        if gone.status == 409:
            assert "contact" in refused(gone, 409)


async def test_a_number_deleted_while_a_campaign_takes_it_is_there_or_gone(desk: Desk) -> None:
    for n in range(ROUNDS):
        body = {"teamId": desk.api.team, "phoneNumber": f"+1415555{2600 + n}", "adapter": "sim", "assistantId": desk.assistant}
        number = (await desk.api.post(NUMBERS, body)).json["phone_number"]["id"]
        campaign = {"teamId": desk.api.team, "assistantId": desk.assistant, "fromNumberIds": [number], "name": "Spring"}
        gone, made = await asyncio.gather(desk.api.delete(f"{NUMBERS}/{number}"), desk.api.post(CAMPAIGNS, campaign))
        assert (gone.status, made.status) in {(200, 404), (409, 200)}


async def test_two_edits_of_one_contact_are_both_kept_or_one_is_told_to_repeat(desk: Desk) -> None:
    person = (await contact(desk.api, phone="+14155552671"))["id"]
    path = f"{CONTACTS}/{person}"
    bodies: list[dict[str, Any]] = [{"notes": "x"}, {"jobTitle": "y"}, {"phone": "+14155552672"}, {"timezone": "Asia/Tokyo"}]
    for answer, body in zip(await asyncio.gather(*(desk.api.patch(path, body) for body in bodies)), bodies, strict=True):
        assert answer.status in ((200, 409) if {"phone", "timezone"} & body.keys() else (200,))
    seen = (await desk.api.get(path)).json["contact"]
    assert (seen["notes"], seen["job_title"]) == ("x", "y")


async def _wait_for_locks(pool: Pool, number: int) -> None:
    """Returns as soon as so many transactions of this database wait for others."""
    waiting = "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"
    async with asyncio.timeout(10):
        while await pool.fetchval(waiting) < number:
            pass


@pytest.mark.parametrize("mode", ["update", "replace"])
@pytest.mark.parametrize(
    ("cells", "expected"),
    [("Pacific/Auckland,", ("pending", ["Pacific/Auckland"])), (",yes", ("skipped", None))],
    ids=["zone", "do not call"],
)
async def test_an_import_reaches_who_was_enrolled_while_it_took_its_locks(
    desk: Desk, mode: str, cells: str, expected: tuple[str, list[str] | None]
) -> None:
    """The enrolment commits after the import has read in which campaigns the contact waits, and before it locks the contact: it
    knows the old zone alone, and would call at night, or somebody who is not to be called."""
    [person] = await desk.people(1)
    known, unforeseen = (await desk.campaign([person]))["id"], (await desk.campaign())["id"]
    file = f"First name,Last name,Phone,Time zone,Do not call\r\nAda,Lee,+493020100001,{cells}\r\n".encode()
    async with desk.pool.acquire() as connection, asyncio.TaskGroup() as group, connection.transaction():
        await connection.execute("select from scopes where key = 'campaign:' || $1 for update", known)
        sent = group.create_task(desk.api.upload(f"{CONTACTS}/import", file, teamId=desk.api.team, duplicateMode=mode))
        await _wait_for_locks(desk.pool, 1)
        added = await desk.api.post(f"{CAMPAIGNS}/{unforeseen}/contacts", {"contactIds": [person]})
        assert added.json["added"] == 1
    assert (sent.result().status, sent.result().json["updated"]) == (200, 1)
    for campaign in (known, unforeseen):
        row = await desk.pool.fetchrow(
            f"""select t.status, {ZONES} from campaign_contacts t join place_sets z on z.id = t.place_set_id
               where t.campaign_id = $1""",
            campaign,
        )
        assert row is not None
        status, zones = expected
        assert row["status"] == status
        assert zones in (None, row["zones"])


@pytest.mark.parametrize("audience", [False, True])
async def test_an_import_and_an_enrolment_lock_the_same_contacts_in_one_order(desk: Desk, audience: bool) -> None:
    """Both have to wait for the contact in the middle: with the first ones held by one and the last ones by the other, neither
    could go on then."""
    people = await desk.people(9)
    campaign = (await desk.campaign())["id"]
    lines = "".join(f"A,B,+493020{100000 + n},Pacific/Auckland\r\n" for n in range(9, 0, -1))
    file = f"First name,Last name,Phone,Time zone\r\n{lines}".encode()
    body: dict[str, Any] = {"audience": {"mode": "all_eligible"}} if audience else {"contactIds": people[::-1]}
    async with desk.pool.acquire() as connection, asyncio.TaskGroup() as group, connection.transaction():
        middle = "select from contacts where id = (select id from contacts order by created_at, id offset 4 limit 1) for update"
        await connection.execute(middle)
        upload = desk.api.upload(f"{CONTACTS}/import", file, teamId=desk.api.team, duplicateMode="update")
        sent = group.create_task(upload)
        await _wait_for_locks(desk.pool, 1)
        enrolled = group.create_task(desk.api.post(f"{CAMPAIGNS}/{campaign}/contacts", body))
        await _wait_for_locks(desk.pool, 2)
    assert statuses([sent.result(), enrolled.result()]) == [200, 200]
    assert (sent.result().json["updated"], enrolled.result().json["added"]) == (9, 9)
    zones = await desk.pool.fetch(
        f"select distinct {ZONES} from campaign_contacts t join place_sets z on z.id = t.place_set_id where t.campaign_id = $1",
        campaign,
    )
    assert [row["zones"] for row in zones] == [["Pacific/Auckland"]]


async def test_an_import_leaves_alone_who_was_given_another_number_meanwhile(desk: Desk) -> None:
    """The file speaks of a number: with its zone, whoever moved to Auckland would be called by the clock of Berlin."""
    [person] = await desk.people(1)
    file = b"First name,Last name,Phone\r\nEva,Lee,+493020100001\r\n"
    async with desk.pool.acquire() as connection, asyncio.TaskGroup() as group, connection.transaction():
        await connection.execute("select from contacts where id = $1 for update", person)
        upload = desk.api.upload(f"{CONTACTS}/import", file, teamId=desk.api.team, duplicateMode="replace")
        sent = group.create_task(upload)
        await _wait_for_locks(desk.pool, 1)
        moved = "with there as (insert into place_sets (zones) values ($2) returning id) update contacts"
        moved += " set phone = '+6421100001', place_set_id = (select id from there) where id = $1"
        await connection.execute(moved, person, ["Pacific/Auckland"])
    assert sent.result().status == 200
    row = await desk.pool.fetchrow(
        "select c.first_name, z.zones from contacts c join place_sets z on z.id = c.place_set_id where c.id = $1", person
    )
    assert row is not None
    assert (row["first_name"], row["zones"]) == ("Ada", ["Pacific/Auckland"])
