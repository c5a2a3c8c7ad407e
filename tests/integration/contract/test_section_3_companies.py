"""Section 3 of the contract: companies."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.api import Api
from tests.support.contract import COMPANIES, COMPANY, CONTACT, CONTACTS, company, contact, given, listed, refused
from tests.support.desk import Desk

SENT: dict[str, Any] = {
    "website": "https://acme.example", "industry": "tools", "companySize": "11-50", "addressLine1": "1 Road",
    "addressLine2": "Floor 2", "city": "Town", "state": "CA", "postalCode": "90001", "country": "US", "phone": "call us",
    "notes": "n", "customFields": {"aB": 1},
}  # fmt: skip
ANSWERED: dict[str, Any] = {
    "website": "https://acme.example", "industry": "tools", "company_size": "11-50", "address_line1": "1 Road",
    "address_line2": "Floor 2", "city": "Town", "state": "CA", "postal_code": "90001", "country": "US", "phone": "call us",
    "notes": "n", "custom_fields": {"aB": 1},
}  # fmt: skip


async def test_every_field_is_answered_under_its_snake_case_name_plus_the_contact_count(api: Api) -> None:
    made = given(await api.post(COMPANIES, {"teamId": api.team, "name": "Acme", **SENT}), "company", COMPANY)
    assert made.items() >= {**ANSWERED, "name": "Acme", "team_id": api.team, "contact_count": 0}.items()
    snake = dict(ANSWERED, team_id=api.team, name="Other")
    assert given(await api.post(COMPANIES, snake), "company", COMPANY).items() >= ANSWERED.items()


async def test_only_team_and_name_are_required(api: Api) -> None:
    refused(await api.post(COMPANIES, {}), 400, "teamId", "name")
    made = given(await api.post(COMPANIES, {"teamId": api.team, "name": "Acme"}), "company", COMPANY)
    assert made.items() >= {**dict.fromkeys(ANSWERED), "custom_fields": {}}.items()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", ""),
        ("name", None),
        ("name", 7),
        ("name", "x" * 201),
        ("city", "x" * 501),
        ("customFields", []),
        ("contactCount", 1),
    ],
)
async def test_a_value_of_the_wrong_kind_is_a_400_that_names_its_field(shut: Desk, field: str, value: Any) -> None:
    refused(await shut.api.post(COMPANIES, {"teamId": shut.api.team, "name": "Acme", field: value}), 400, field)


async def test_null_is_the_same_as_not_sent(api: Api) -> None:
    made = given(await api.post(COMPANIES, {"teamId": api.team, "name": "Acme", **dict.fromkeys(SENT)}), "company", COMPANY)
    assert made.items() >= {**dict.fromkeys(ANSWERED), "custom_fields": {}}.items()


async def test_a_name_is_in_a_team_once(api: Api, stranger: Api) -> None:
    acme, other = await company(api), await company(api, "Other")
    refused(await api.post(COMPANIES, {"teamId": api.team, "name": "ACME"}), 409)
    refused(await api.patch(f"{COMPANIES}/{other['id']}", {"name": "acme"}), 409)
    given(await api.patch(f"{COMPANIES}/{acme['id']}", {"name": "ACME"}), "company")
    await company(stranger)


async def test_get_is_filtered_by_search_and_industry(api: Api) -> None:
    await company(api, industry="tools", website="https://a.example")
    await company(api, "Zeta", industry="toys")
    cases: list[tuple[dict[str, str], list[str]]] = [
        ({}, ["Zeta", "Acme"]), ({"search": "CME"}, ["Acme"]), ({"search": "cm%"}, []), ({"industry": "toys"}, ["Zeta"]),
        ({"industry": "toy"}, []), ({"search": "example", "industry": "tools"}, ["Acme"]),
    ]  # fmt: skip
    for query, names in cases:
        answer = await api.get(COMPANIES, teamId=api.team, **query)
        assert ([each["name"] for each in listed(answer, "companies")], answer.json["count"]) == (names, len(names))


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
async def test_put_and_patch_are_both_partial_and_null_clears(api: Api, method: str) -> None:
    made = await company(api, **SENT)
    path = f"{COMPANIES}/{made['id']}"
    changed = given(await api.send(method, path, {"city": "Rome"}), "company", COMPANY)
    assert {name for name in made if made[name] != changed[name]} == {"city", "updated_at"}
    cleared = given(await api.send(method, path, dict.fromkeys(SENT)), "company", COMPANY)
    assert cleared.items() >= {**dict.fromkeys(ANSWERED), "custom_fields": {}, "name": "Acme"}.items()
    refused(await api.send(method, path, {"name": None}), 400, "name")
    refused(await api.send(method, path, {"teamId": api.team}), 400, "teamId")


async def test_delete_with_contacts_is_a_409_with_their_number(api: Api) -> None:
    acme = await company(api)
    people = [await contact(api, companyId=acme["id"]) for _ in range(2)]
    path = f"{COMPANIES}/{acme['id']}"
    assert given(await api.get(path), "company")["contact_count"] == 2
    assert "2 contacts" in refused(await api.delete(path), 409)
    await api.delete(f"{CONTACTS}/{people[0]['id']}")
    assert "1 contact;" in refused(await api.delete(path), 409)
    await api.patch(f"{CONTACTS}/{people[1]['id']}", {"companyId": None})
    assert (await api.delete(path)).json == {"success": True}
    refused(await api.get(path), 404)


async def test_delete_with_a_campaign_is_a_409(desk: Desk) -> None:
    acme = await company(desk.api)
    await desk.campaign(companyId=acme["id"])
    refused(await desk.api.delete(f"{COMPANIES}/{acme['id']}"), 409)


async def test_contacts_of_a_company_are_created_and_listed_under_it(api: Api, stranger: Api) -> None:
    acme = await company(api)
    path = f"{COMPANIES}/{acme['id']}/contacts"
    for body in (
        {"firstName": "A", "lastName": "B"},
        {"teamId": api.team, "companyId": acme["id"], "firstName": "C", "lastName": "D"},
    ):
        made = given(await api.post(path, body), "contact", CONTACT)
        assert made["company"] == {"id": acme["id"], "name": "Acme"}
    await contact(api)
    answer = await api.get(path, teamId=api.team)
    assert ([each["first_name"] for each in listed(answer, "contacts")], answer.json["count"]) == (["C", "A"], 2)
    assert (await api.get(path, teamId=api.team, search="a b")).json["count"] == 1
    refused(await api.get(path), 400, "teamId")
    for other in (stranger.team, "team_nobody"):
        refused(await api.post(path, {"teamId": other, "firstName": "A", "lastName": "B"}), 403)
    refused(await stranger.post(path, {"firstName": "A", "lastName": "B"}), 404)
    refused(await stranger.get(path, teamId=stranger.team), 404)


async def test_another_company_than_that_of_the_address_is_refused(api: Api) -> None:
    acme, other = await company(api), await company(api, "Other")
    path = f"{COMPANIES}/{acme['id']}/contacts"
    refused(await api.post(path, {"companyId": other["id"], "firstName": "A", "lastName": "B"}), 400, "companyId")
    refused(await api.get(path, teamId=api.team, companyId=other["id"]), 400, "companyId")
