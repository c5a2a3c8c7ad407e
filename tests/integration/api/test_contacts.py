"""api.md section 2: contacts."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import Any

import pytest

from tests.support.api import Api, fresh_team

CONTACTS = "/api/crm/contacts"

EVERYTHING = {
    "firstName": "Zoë", "lastName": "Ångström", "email": "zoe@example.com",
    "phone": "(415) 555-2671", "phoneSecondary": "+49 30 123456",
    "jobTitle": "CTO", "region": "US-CA", "leadStatus": "qualified", "source": "fair", "timezone": "America/Los_Angeles",
    "preferredContactMethod": "phone", "doNotCall": False, "notes": "likes tea", "customFields": {"shoe": {"size": 41}},
    "tags": ["vip", "new"],
}  # fmt: skip
ANSWERED = {
    "first_name": "Zoë", "last_name": "Ångström", "email": "zoe@example.com",
    "phone": "+14155552671", "phone_secondary": "+4930123456",
    "job_title": "CTO", "region": "US-CA", "lead_status": "qualified", "source": "fair", "timezone": "America/Los_Angeles",
    "preferred_contact_method": "phone", "do_not_call": False, "notes": "likes tea", "custom_fields": {"shoe": {"size": 41}},
    "tags": ["vip", "new"], "company_id": None, "company": None, "last_contacted_at": None,
}  # fmt: skip


async def make(api: Api, **fields: Any) -> dict[str, Any]:
    answer = await api.post(CONTACTS, {"teamId": api.team, "firstName": "Ann", "lastName": "Lee", **fields})
    assert answer.status == 200, answer.text
    contact: dict[str, Any] = answer.json["contact"]
    return contact


async def test_create_answers_with_the_whole_contact(api: Api) -> None:
    contact = await make(api, **EVERYTHING)
    assert contact["place"] == {
        "zones": ["America/Los_Angeles"], "zones_from": "contact", "regions": ["US-CA"], "regions_from": "contact",
    }  # fmt: skip
    assert contact.keys() == ANSWERED.keys() | {"place", "id", "team_id", "created_at", "updated_at"}
    assert {key: contact[key] for key in ANSWERED} == ANSWERED
    assert contact["id"].startswith("cont_")
    assert contact["team_id"] == api.team
    assert contact["created_at"].endswith("Z")


async def test_snake_case_is_understood_and_defaults_hold(api: Api) -> None:
    answer = await api.post(
        CONTACTS, {"team_id": api.team, "first_name": " Ann ", "last_name": "Lee", "lead_status": None, "tags": None}
    )
    contact = answer.json["contact"]
    assert (contact["first_name"], contact["lead_status"], contact["do_not_call"], contact["tags"], contact["custom_fields"]) == (
        "Ann", "new", False, [], {},
    )  # fmt: skip


BAD_FIELDS: list[tuple[dict[str, Any], str]] = [
    ({"firstName": " "}, "firstName"),
    ({"lastName": None}, "lastName"),
    ({"phone": "12"}, "phone"),
    ({"phone": "911"}, "phone"),
    ({"phone": "+19005551234"}, "phone"),
    ({"phoneSecondary": "+1 415 555 2671 ext 5"}, "phoneSecondary"),
    ({"email": "nobody"}, "email"),
    ({"timezone": "Mars/Olympus"}, "timezone"),
    ({"region": "California"}, "region"),
    ({"region": "US-ZZ"}, "region"),
    ({"tags": "vip"}, "tags"),
    ({"doNotCall": "yes"}, "doNotCall"),
    ({"customFields": []}, "customFields"),
    ({"customFields": {"a": "\x00"}}, "customFields"),
    ({"customFields": {"a": float("nan")}}, "customFields"),
    ({"customFields": {"a": "\ud800"}}, "customFields"),
    ({"notes": "a\x00b"}, "notes"),
    ({"notes": "\ud800"}, "notes"),
    ({"source": "x" * 501}, "source"),
    ({"campaignPriority": 100, "campaignId": "camp_x"}, "campaignPriority"),
]


async def test_a_bad_field_is_named(api: Api) -> None:
    for fields, fault in BAD_FIELDS:
        answer = await api.post(CONTACTS, {"teamId": api.team, "firstName": "Ann", "lastName": "Lee", **fields})
        assert (answer.status, list(answer.faults)) == (400, [fault])
        assert "2671" not in answer.text


async def test_every_fault_is_told_at_once(api: Api) -> None:
    answer = await api.post(
        CONTACTS, {"teamId": api.team, "firstName": "A", "lastName": "B", "phone": "1", "email": "x", "timezone": "y"}
    )
    assert set(answer.faults) == {"phone", "email", "timezone"}


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
async def test_a_change_is_partial_and_null_clears(api: Api, method: str) -> None:
    contact = await make(api, **EVERYTHING)
    path = f"{CONTACTS}/{contact['id']}"
    answer = await api.send(
        method, path, {"jobTitle": "CEO", "email": None, "tags": None, "leadStatus": None, "custom_fields": None}
    )
    changed = answer.json["contact"]
    assert {key for key in changed if changed[key] != contact[key]} == {
        "job_title", "email", "tags", "lead_status", "custom_fields", "updated_at",
    }  # fmt: skip
    assert (changed["job_title"], changed["email"], changed["tags"], changed["lead_status"]) == ("CEO", None, [], "new")
    assert (await api.get(path)).json["contact"] == {**changed, "campaign_history": []}
    assert (await api.send(method, path, {"firstName": None})).faults.keys() == {"firstName"}
    assert (await api.send(method, path, {"teamId": api.team})).faults.keys() == {"teamId"}
    assert (await api.send(method, path, {})).json["contact"]["job_title"] == "CEO"


async def test_a_company_belongs_to_the_answer_and_must_be_the_teams(api: Api, stranger: Api) -> None:
    company = (await api.post("/api/crm/companies", {"teamId": api.team, "name": "Acme"})).json["company"]
    contact = await make(api, companyId=company["id"])
    assert contact["company"] == {"id": company["id"], "name": "Acme"}
    foreign = (await stranger.post("/api/crm/companies", {"teamId": stranger.team, "name": "Acme"})).json["company"]["id"]
    for answer in (
        await api.post(CONTACTS, {"teamId": api.team, "firstName": "A", "lastName": "B", "companyId": foreign}),
        await api.patch(f"{CONTACTS}/{contact['id']}", {"companyId": foreign}),
    ):
        assert (answer.status, "companyId" in answer.json["error"]) == (404, True)


async def test_lists_are_paged_newest_first_with_the_count_of_all(api: Api) -> None:
    made = [(await make(api, firstName=f"N{n}"))["id"] for n in range(5)]
    answer = (await api.get(CONTACTS, teamId=api.team, limit=2, offset=1)).json
    assert {key: answer[key] for key in ("success", "count", "limit", "offset")} == {
        "success": True,
        "count": 5,
        "limit": 2,
        "offset": 1,
    }
    assert [contact["id"] for contact in answer["contacts"]] == [made[3], made[2]]
    whole = (await api.get(CONTACTS, teamId=api.team)).json
    assert (whole["limit"], whole["offset"], len(whole["contacts"])) == (50, 0, 5)


FILTERS: list[tuple[dict[str, str], set[str]]] = [
    ({}, {"Ann", "Bob", "Cyd"}),
    ({"search": "aNN"}, {"Ann"}),
    ({"search": "lee"}, {"Ann", "Bob"}),
    ({"search": "ob le"}, {"Bob"}),
    ({"search": "cyd@"}, {"Cyd"}),
    ({"search": "5552672"}, {"Bob"}),
    ({"search": "100%"}, {"Cyd"}),
    ({"search": "00%"}, {"Cyd"}),
    ({"search": "%"}, set()),
    ({"search": "_"}, set()),
    ({"leadStatus": "qualified"}, {"Bob"}),
    ({"doNotCall": "true"}, {"Cyd"}),
    ({"doNotCall": "false"}, {"Ann", "Bob"}),
    ({"hasPhone": "true"}, {"Ann", "Bob"}),
    ({"hasPhone": "false"}, {"Cyd"}),
    ({"tag": "vip"}, {"Ann"}),
    ({"tag": "vi"}, set()),
    ({"hasPhone": "true", "search": "lee", "doNotCall": "false", "tag": "x"}, set()),
]


async def test_filters_narrow_the_list(api: Api) -> None:
    await make(api, phone="+14155552671", tags=["vip"])
    await make(api, firstName="Bob", phone="+14155552672", leadStatus="qualified")
    await make(api, firstName="Cyd", lastName="100%", email="cyd@example.com", doNotCall=True)
    for query, names in FILTERS:
        answer = (await api.get(CONTACTS, teamId=api.team, **query)).json
        assert (query, {contact["first_name"] for contact in answer["contacts"]}, answer["count"]) == (query, names, len(names))


@pytest.mark.parametrize("sought", ["a", "ab", "abcd", "55"])
async def test_the_search_may_use_its_index(api: Api, sought: str) -> None:
    async with api.context.database.pool.acquire() as connection:
        attempt = connection.transaction()
        await attempt.start()
        # so few rows are read sooner by any other way
        await connection.execute("set local enable_seqscan = off; set local enable_bitmapscan = on")
        plan = await connection.fetch(
            f"explain select count(*) from contact_search where team = 1 and searched like any (search_patterns('{sought}'))"
        )
        await attempt.rollback()
    assert "contact_search_text" in "\n".join(row[0] for row in plan)


@pytest.mark.parametrize("sets", [7, 301], ids=["few sets of tags", "more sets than are looked at one by one"])
async def test_tags_are_counted_exactly(api: Api, sets: int) -> None:
    """By sets of tags in an index, or one by one in the table; of this team alone."""
    stranger, _ = await fresh_team(api.context.database, "Strangers")
    some = """insert into contacts
          (team_id, first_name, last_name, lead_status, tags, deleted_at, do_not_call, place_set_id, place_source)
        select $1, 'A', 'B', case when n % 3 = 0 then 'new' else 'lost' end,
               case when n % 2 = 0 then array['t' || n % $2, 'even', 'a b'] else array['t' || n % $2] end,
               case when n = 10 then now() end, n = 10, 1, 'unknown' from generate_series(1, 1000) n"""
    for team in (api.team, stranger):
        await api.context.database.pool.execute(some, team, sets)
    wanted: list[tuple[dict[str, str], Callable[[int], bool]]] = [
        ({"tag": "even"}, lambda n: n % 2 == 0),
        ({"tag": "t5"}, lambda n: n % sets == 5),
        ({"tag": "even", "leadStatus": "new"}, lambda n: n % 6 == 0),
        ({"tag": "a b", "leadStatus": "lost"}, lambda n: n % 2 == 0 and n % 3 > 0),
        ({"tag": "even", "doNotCall": "false"}, lambda n: n % 2 == 0),
        ({"tag": "eve"}, lambda n: False),
        ({"tag": "even", "leadStatus": "none"}, lambda n: False),
    ]
    for query, matches in wanted:
        answer = (await api.get(CONTACTS, teamId=api.team, limit=500, **query)).json
        expected = sum(1 for n in range(1, 1001) if n != 10 and matches(n))
        assert (query, answer["count"], len(answer["contacts"])) == (query, expected, min(expected, 500))


async def test_one_or_two_letters_are_looked_for_where_a_word_begins(api: Api) -> None:
    await make(api, firstName="Anna Maria", lastName="Zorn", email="x.ab@example.com", phone="+14155552671")
    for sought, found in {
        "a": 1, "AN": 1, "ma": 1, "zo": 1, "nn": 0, "x.": 1, "ab": 0, "+1": 1, "14": 1, "41": 0,
        "nna": 1, "a z": 1, "n x": 0, "m +": 0, "415": 1, "": 1, "_": 0, "%": 0, "\\": 0,
    }.items():  # fmt: skip
        answer = await api.get(CONTACTS, teamId=api.team, search=sought)
        assert (sought, answer.json["count"], len(answer.json["contacts"])) == (sought, found, found)


async def test_counts_are_exact_for_every_combination_of_marks(api: Api) -> None:
    made = list(product(("new", "old"), (True, False), (None, "+1415555")))
    for n, (status, no, phone) in enumerate(made):
        for twin in range(1 + n):  # so that no two combinations have the same count
            await make(api, leadStatus=status, doNotCall=no, phone=phone and f"{phone}{2000 + 10 * n + twin}")
    for asked in product((None, "new", "old", "none"), (None, True, False), (None, True, False)):
        wanted = sum(
            1 + n
            for n, (status, no, phone) in enumerate(made)
            if all(each in (None, own) for each, own in zip(asked, (status, no, phone is not None), strict=True))
        )
        marks = {"doNotCall": asked[1], "hasPhone": asked[2]}
        given = {name: str(value).lower() for name, value in marks.items() if value is not None}
        answer = await api.get(CONTACTS, teamId=api.team, leadStatus=asked[0], limit=500, **given)
        assert (asked, answer.json["count"], len(answer.json["contacts"])) == (asked, wanted, wanted)


async def test_a_deleted_contact_is_gone(api: Api) -> None:
    contact = await make(api)
    path = f"{CONTACTS}/{contact['id']}"
    assert (await api.delete(path)).json == {"success": True}
    for answer in (await api.get(path), await api.patch(path, {"notes": "x"}), await api.delete(path)):
        assert answer.status == 404
    assert (await api.get(CONTACTS, teamId=api.team)).json["count"] == 0


async def test_another_teams_contacts_do_not_exist(api: Api, stranger: Api) -> None:
    contact = await make(api)
    path = f"{CONTACTS}/{contact['id']}"
    for answer in (
        await stranger.get(path),
        await stranger.patch(path, {"notes": "x"}),
        await stranger.put(path, {"notes": "x"}),
        await stranger.delete(path),
    ):
        assert answer.status == 404
        assert "Ann" not in answer.text
    assert (await stranger.get(CONTACTS, teamId=stranger.team)).json["count"] == 0
    assert (await api.get(path)).json["contact"]["notes"] is None
