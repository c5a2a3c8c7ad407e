"""What a search finds, held against a look at every contact; and what it looks in, held against the contacts."""

from __future__ import annotations

import random
from typing import Any

import pytest

from dialer.store.transaction import reading, within
from dialer.store.written import written
from tests.support.api import Api, fresh_team

CONTACTS = "/api/crm/contacts"

FIRST = ["Ann", "Anna Maria", "Bo", "Émile", "Li_a", "50%", "Bob\\", "ANN", "Jo-Ann", "Ka"]
LAST = ["Lee", "van Dyke", "Ng", "O'Neil", "É", "Kaan", "Li", "A B", "annb", "x"]
STATUSES = ["new", "lost", "won"]
TAGS: list[list[str]] = [[], ["vip"], ["vip", "old"], ["old", "a b"]]


async def people(api: Api, seed: int, n: int = 300) -> list[dict[str, Any]]:
    """Contacts of the team, newest first; some were erased or are another team's, which do not come."""
    chance = random.Random(seed)
    stranger, _ = await fresh_team(api.context.database, f"Strangers {seed}")
    made = []
    for at in range(n):
        first, last = chance.choice(FIRST), chance.choice(LAST)
        email = f"{last.split()[-1]}.{at % 7}@example.com" if chance.random() < 0.6 else None
        phone = f"+1202555{chance.randrange(10_000):04}" if chance.random() < 0.7 else None
        gone = chance.random() < 0.1
        made.append({
            "team": stranger if chance.random() < 0.1 else api.team, "first": first, "last": last, "email": email,
            "phone": None if gone else phone, "status": chance.choice(STATUSES), "no": gone or chance.random() < 0.2,
            "tags": chance.choice(TAGS), "gone": gone,
        })  # fmt: skip
    for row in made:
        row["id"] = await api.context.database.pool.fetchval(
            """insert into contacts (team_id, first_name, last_name, email, phone, lead_status, do_not_call, tags, deleted_at,
                 place_set_id, place_source, created_at)
               values ($1, $2, $3, $4, $5, $6, $7, $8, case when $9 then now() end, 1, 'unknown',
                 now() - $10 * interval '1 hour') returning id""",
            *(row[key] for key in ("team", "first", "last", "email", "phone", "status", "no", "tags", "gone")),
            chance.randrange(40),
        )  # fmt: skip
    rows = await api.context.database.pool.fetch("select id from contacts order by created_at desc, id desc")
    by_id = {row["id"]: row for row in made}
    return [by_id[row["id"]] for row in rows if by_id[row["id"]]["team"] == api.team and not by_id[row["id"]]["gone"]]


def meets(row: dict[str, Any], sought: str) -> bool:
    fields = [f"{row['first']} {row['last']}", row["email"] or "", row["phone"] or ""]
    wanted = sought.lower()
    if len(wanted) > 2:
        return any(wanted in field.lower() for field in fields)
    begins = [wanted, f"+{wanted}"] if wanted.isdigit() else [wanted]
    return any(f" {each}" in f" {field.lower()}" for field in fields for each in begins)


@pytest.mark.parametrize("seed", range(3))
async def test_a_search_finds_what_a_look_at_every_contact_finds(api: Api, seed: int) -> None:
    rows = await people(api, seed)
    chance = random.Random(seed)
    for _ in range(120):
        source = chance.choice(rows)
        text = chance.choice([f"{source['first']} {source['last']}", source["email"] or "x", source["phone"] or "y", "q%_\\"])
        begin = chance.randrange(len(text))
        sought = text[begin : begin + chance.choice([1, 2, 3, 4, 9])].strip() or "an"
        query: dict[str, Any] = {"search": sought.swapcase()}
        expected = [row for row in rows if meets(row, sought)]
        if chance.random() < 0.4:
            query["leadStatus"] = source["status"]
            expected = [row for row in expected if row["status"] == source["status"]]
        if chance.random() < 0.3:
            query["doNotCall"] = "true" if source["no"] else "false"
            expected = [row for row in expected if row["no"] == source["no"]]
        if chance.random() < 0.3:
            query["hasPhone"] = "true" if source["phone"] else "false"
            expected = [row for row in expected if bool(row["phone"]) == bool(source["phone"])]
        if chance.random() < 0.4:
            query["tag"] = chance.choice(["vip", "old", "a b", "none"])
            expected = [row for row in expected if query["tag"] in row["tags"]]
        limit, offset = chance.choice([1, 2, 5, 50]), chance.choice([0, 0, 1, 7])
        answer = (await api.get(CONTACTS, teamId=api.team, limit=limit, offset=offset, **query)).json
        found = [contact["id"] for contact in answer["contacts"]]
        assert (query, answer["count"], found) == (query, len(expected), [row["id"] for row in expected[offset : offset + limit]])
        if answer.get("next_cursor"):
            more = (await api.get(CONTACTS, teamId=api.team, limit=limit, cursor=answer["next_cursor"], **query)).json
            following = [row["id"] for row in expected[offset + limit : offset + 2 * limit]]
            assert (query, [contact["id"] for contact in more["contacts"]]) == (query, following)


async def _looked_in(api: Api) -> tuple[set[tuple[Any, ...]], set[tuple[Any, ...]]]:
    pool = api.context.database.pool
    there = await pool.fetch(
        """select t.id as team, contact_id(s.id) as id, s.created_at, s.lead_status, s.do_not_call, s.tag_set, s.searched
           from contact_search s join teams t on t.number = s.team"""
    )
    wanted = await pool.fetch(
        """select c.team_id, c.id, c.created_at, c.lead_status, c.do_not_call, hash_array_extended(c.tags, 0), lower(
             ' ' || c.first_name || ' ' || c.last_name || E'\x1f ' || coalesce(c.email, '') || E'\x1f ' || coalesce(c.phone, ''))
           from contacts c where c.deleted_at is null"""
    )
    return {tuple(row) for row in there}, {tuple(row) for row in wanted}


async def test_what_is_looked_in_follows_the_contacts(api: Api) -> None:
    pool = api.context.database.pool
    await people(api, 7, 40)
    body = {"teamId": api.team, "firstName": "Zoë", "lastName": "Zorn", "phone": "+12025550199", "tags": ["vip"]}
    contact = (await api.post(CONTACTS, body)).json["contact"]["id"]
    path = f"{CONTACTS}/{contact}"
    changes: list[dict[str, Any]] = [
        {"firstName": "Yves"},
        {"leadStatus": "won", "doNotCall": True},
        {"tags": []},
        {"phone": None},
        {"notes": "x"},
    ]
    for change in changes:
        assert (await api.patch(path, change)).status == 200
        there, wanted = await _looked_in(api)
        assert there == wanted
    file = b"first name,last name,phone,tags\nUma,Ueda,+12025550177,new;list\nNo,Number,,\n"
    for mode in ("skip", "update", "replace"):
        assert (await api.upload(f"{CONTACTS}/import", file, teamId=api.team, duplicateMode=mode)).status == 200
        there, wanted = await _looked_in(api)
        assert there == wanted
    assert (await api.get(CONTACTS, teamId=api.team, search="ueda")).json["count"] == 1
    await pool.execute("update contacts set lead_status = 'lost', created_at = created_at - interval '1 day'")
    await pool.execute("update contacts set phone = null, do_not_call = true, deleted_at = now() where first_name = 'Ann'")
    await pool.execute("delete from contacts where last_name = 'Lee'")
    there, wanted = await _looked_in(api)
    assert there == wanted != set()
    await pool.execute("truncate contacts cascade")
    assert await _looked_in(api) == (set(), set())


async def test_the_text_is_there_for_the_version_before(api: Api) -> None:
    """Which reads it as a column of the contacts."""
    await people(api, 8, 40)
    with within(api.team):
        async with reading(api.context.database) as on:
            told = await on.execute(
                written("select contacts.searched from contacts where contacts.searched like '%ann%' for share")
            )
            there = await on.execute(
                written(
                    "select count(*) from contacts c where lower(c.first_name || ' ' || c.last_name || "
                    "coalesce(c.email, '')) like '%ann%'"
                )
            )
            assert len(told.all()) == there.scalar_one() > 0
