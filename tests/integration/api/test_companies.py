"""api.md section 3: companies."""

from __future__ import annotations

from typing import Any

from tests.support.api import Api

COMPANIES = "/api/crm/companies"

EVERYTHING: dict[str, Any] = {
    "website": "https://acme.example", "industry": "tools", "companySize": "11-50",
    "addressLine1": "1 Road", "addressLine2": "Floor 2",
    "city": "Town", "state": "CA", "postalCode": "90001", "country": "US",
    "phone": "call us", "notes": "n", "customFields": {"a": 1},
}  # fmt: skip


async def make(api: Api, name: str = "Acme", **fields: Any) -> dict[str, Any]:
    answer = await api.post(COMPANIES, {"teamId": api.team, "name": name, **fields})
    assert answer.status == 200, answer.text
    company: dict[str, Any] = answer.json["company"]
    return company


async def test_create_show_change_delete(api: Api) -> None:
    company = await make(api, **EVERYTHING)
    expected = {
        "website": "https://acme.example", "industry": "tools", "company_size": "11-50", "address_line1": "1 Road",
        "address_line2": "Floor 2", "city": "Town", "state": "CA", "postal_code": "90001", "country": "US", "phone": "call us",
        "notes": "n", "custom_fields": {"a": 1}, "contact_count": 0, "name": "Acme", "team_id": api.team,
    }  # fmt: skip
    assert company.keys() == expected.keys() | {"id", "created_at", "updated_at"}
    assert {key: company[key] for key in expected} == expected
    path = f"{COMPANIES}/{company['id']}"
    changed = (await api.patch(path, {"city": None, "industry": "toys", "customFields": None})).json["company"]
    assert (changed["city"], changed["industry"], changed["custom_fields"]) == (None, "toys", {})
    assert (await api.put(path, {"name": "Acme Ltd"})).json["company"]["name"] == "Acme Ltd"
    assert (await api.patch(path, {"name": None})).faults.keys() == {"name"}
    assert (await api.delete(path)).json == {"success": True}
    assert (await api.get(path)).status == 404


async def test_a_name_is_taken_whatever_its_case(api: Api, stranger: Api) -> None:
    await make(api)
    other = await make(api, "Other")
    assert (await api.post(COMPANIES, {"teamId": api.team, "name": "ACME"})).status == 409
    assert (await api.patch(f"{COMPANIES}/{other['id']}", {"name": "aCME"})).status == 409
    await make(stranger)


async def test_filters_and_paging(api: Api) -> None:
    await make(api, industry="tools", website="https://a.example")
    await make(api, "Zeta", industry="toys")
    for query, names in (
        ({}, ["Zeta", "Acme"]),
        ({"search": "CM"}, ["Acme"]),
        ({"search": "a.example"}, ["Acme"]),
        ({"industry": "toys"}, ["Zeta"]),
        ({"limit": "1"}, ["Zeta"]),
    ):
        answer = (await api.get(COMPANIES, teamId=api.team, **query)).json
        assert [company["name"] for company in answer["companies"]] == names
    assert answer["count"] == 2


async def test_contacts_of_a_company(api: Api) -> None:
    company = await make(api)
    path = f"{COMPANIES}/{company['id']}"
    contact = (await api.post(f"{path}/contacts", {"firstName": "Ann", "lastName": "Lee"})).json["contact"]
    assert contact["company"] == {"id": company["id"], "name": "Acme"}
    await api.post("/api/crm/contacts", {"teamId": api.team, "firstName": "No", "lastName": "Company"})
    listed = (await api.get(f"{path}/contacts", teamId=api.team)).json
    assert ([c["id"] for c in listed["contacts"]], listed["count"]) == ([contact["id"]], 1)
    assert (await api.get(path)).json["company"]["contact_count"] == 1
    answer = await api.delete(path)
    assert (answer.status, "1 contact" in answer.json["error"]) == (409, True)
    await api.delete(f"/api/crm/contacts/{contact['id']}")
    assert (await api.delete(path)).status == 200


async def test_another_teams_companies_do_not_exist(api: Api, stranger: Api) -> None:
    path = f"{COMPANIES}/{(await make(api))['id']}"
    for answer in (
        await stranger.get(path),
        await stranger.patch(path, {"city": "x"}),
        await stranger.delete(path),
        await stranger.get(f"{path}/contacts", teamId=stranger.team),
        await stranger.post(f"{path}/contacts", {"firstName": "A", "lastName": "B"}),
    ):
        assert (answer.status, "Acme" in answer.text) == (404, False)


async def test_custom_fields_that_are_null_are_none(api: Api) -> None:
    made = await api.post("/api/crm/companies", {"teamId": api.team, "name": "Bare", "customFields": None})
    assert made.json["company"]["custom_fields"] == {}
    assert (await api.get("/api/crm/companies", teamId=api.team)).status == 200


async def test_a_contact_of_a_company_is_of_no_other(api: Api) -> None:
    company = (await api.post("/api/crm/companies", {"teamId": api.team, "name": "Theirs"})).json["company"]["id"]
    body = {"firstName": "A", "lastName": "B", "companyId": "comp_other"}
    answer = await api.post(f"/api/crm/companies/{company}/contacts", body)
    assert (answer.status, set(answer.faults)) == (400, {"companyId"})
    assert (await api.post(f"/api/crm/companies/{company}/contacts", {**body, "companyId": company})).status == 200
