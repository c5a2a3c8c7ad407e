"""api.md section 1: another team's resource does not exist. Every route with the id of a stranger's resource, in its path, body
and query; not one byte of the stranger comes back.

Driven by the OpenAPI document: a new route with a path parameter, a body or an id that is not known here fails.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

import pytest

from adapters.base import TelephonyAdapter
from dialer.store.database import Database
from tests.support.api import Answer, Api, open_api
from tests.support.engine import TRUNK
from tests.support.ledger import fill_the_rest, seed

SECRET = "Zanzibar"
CRM = "/api/crm"

PATHS: Mapping[str, str] = {
    "/contacts/import/{batch_id}/rejects": "batch",
    "/contacts/{id}": "contact",
    "/companies/{id}": "company",
    "/assistants/{id}": "assistant",
    "/phone-numbers/{id}": "number",
    "/campaigns/{id}": "campaign",
    "/calls/{id}": "call",
    "/suppressions/{id}": "suppression",
    "/custom-fields/{id}": "field",
}
"""The beginning of an address → what its parameter names."""

IDS: Mapping[str, str] = {
    "companyId": "company",
    "defaultCompanyId": "company",
    "campaignId": "campaign",
    "contactId": "contact",
    "contactIds": "contact",
    "assistantId": "assistant",
    "fromNumberIds": "number",
    "phoneNumberIds": "number",
}
"""A field → whose id it is."""

NOT_OURS = {"externalId": "the carrier's own id, any text"}

BODIES: Mapping[str, dict[str, Any]] = {
    "POST /contacts": {"teamId": "team", "firstName": "A", "lastName": "B"},
    "POST /companies": {"teamId": "team", "name": "C"},
    "POST /companies/{id}/contacts": {"firstName": "A", "lastName": "B"},
    "POST /assistants": {"teamId": "team", "name": "N", "adapter": "simulated"},
    "POST /phone-numbers": {"teamId": "team", "phoneNumber": "+14155550100", "adapter": "simulated"},
    "POST /campaigns": {"teamId": "team", "assistantId": "assistant", "fromNumberIds": ["number"], "name": "S"},
    "POST /campaigns/{id}/contacts": {"contactIds": ["contact"]},
    "DELETE /campaigns/{id}/contacts": {"contactIds": ["contact"]},
    "POST /campaigns/{id}/contacts/{campaign_contact_id}/callback": {"callbackAt": "2026-01-05T13:00:00Z"},
    "POST /suppressions": {"teamId": "team", "phoneNumber": "+14155550101"},
    "POST /custom-fields": {"teamId": "team", "key": "k", "label": "L", "type": "text"},
    "POST /calls": {"teamId": "team", "assistantId": "assistant", "toNumber": "+14155550103"},
}
"""What a request needs besides what its address says; `team`, `assistant` … stand for our own ids."""

BESIDES: Mapping[tuple[str, str], dict[str, Any]] = {
    ("POST /suppressions", "campaignId"): {"scope": "campaign"},
    ("POST /suppressions/import", "campaignId"): {"scope": "campaign"},
}
"""What a field needs beside it to be looked at."""

TOLD_ONE_BY_ONE = {
    ("POST /campaigns/{id}/contacts", "contactIds"): "answered 200 with the id under `invalid` (section 5)",
    ("DELETE /campaigns/{id}/contacts", "contactIds"): "answered 200, nothing removed (section 5)",
}
REFUSED = {
    ("POST /companies/{id}/contacts", "companyId"): "another company than the one in the address, whosever",
    ("GET /companies/{id}/contacts", "companyId"): "the same",
}
"""Answered 400 without a look at it."""

WITHOUT_BODY = re.compile(r"POST /campaigns/\{id\}/(run|pause|resume|cancel|preflight)")


@dataclass(frozen=True, slots=True)
class Operation:
    method: str
    path: str
    spec: Mapping[str, Any]
    fields: tuple[str, ...]

    @property
    def name(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def is_form(self) -> bool:
        return "multipart/form-data" in self.spec.get("requestBody", {}).get("content", {})

    @property
    def query(self) -> list[str]:
        return [p["name"] for p in self.spec.get("parameters", []) if p["in"] == "query"]


@pytest.fixture(params=["both walls", "the first wall alone"])
async def api(
    database: Database, redis_url: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Api]:
    """The second wall (row-level security) would hide that a flow forgot its team: so without it too."""
    if request.param == "the first wall alone":
        monkeypatch.setattr("dialer.store.transaction.WALL", "select set_config('dialer.team', :team, true)")
    trunks = {name: cast(TelephonyAdapter, object()) for name in (TRUNK, "simulated")}
    async with open_api(database, redis_url, trunks=trunks) as opened:
        yield opened


@pytest.fixture
async def operations(api: Api) -> list[Operation]:
    document = (await api.get("/openapi.json")).json

    def fields(spec: Mapping[str, Any]) -> Iterator[str]:
        for content in spec.get("requestBody", {}).get("content", {}).values():
            schema = content["schema"]
            named = schema.get("$ref") or next((s["$ref"] for s in schema.get("anyOf", ()) if "$ref" in s), None)
            yield from (document["components"]["schemas"][named.rsplit("/", 1)[-1]] if named else schema).get("properties", ())

    return [
        Operation(method.upper(), path.removeprefix(CRM), spec, tuple(fields(spec)))
        for path, found in document["paths"].items()
        if path.startswith(CRM)
        for method, spec in found.items()
    ]


@pytest.fixture
async def ours(api: Api, stranger: Api) -> Mapping[str, str]:
    """A resource of each kind of our own."""
    return await _resources(api)


@pytest.fixture
async def theirs(api: Api, stranger: Api, ours: Mapping[str, str]) -> AsyncIterator[Mapping[str, str]]:
    """The same of a stranger, with a secret in every text."""
    pool = api.context.database.pool
    made = await seed(pool, contacts=2, prefix="+4940")
    await fill_the_rest(pool, made)
    await pool.execute("update teams set name = $2 where id = $1", made.team, SECRET)
    for table, column in [
        ("contacts", "last_name"), ("contacts", "notes"), ("companies", "name"), ("assistants", "name"), ("campaigns", "name"),
        ("suppressions", "reason"), ("import_batches", "file_name"), ("call_attempts", "provider_ref"),
        ("custom_fields", "label"),
    ]:  # fmt: skip
        await pool.execute(f"update {table} set {column} = $2 where team_id = $1", made.team, SECRET)
    await pool.execute("update import_rejects set message = $1", SECRET)
    yield {"team": made.team, **await _ids(api, made.team)}


async def _resources(api: Api) -> Mapping[str, str]:
    made = await seed(api.context.database.pool, contacts=1, prefix="+4950", status="draft")
    pool = api.context.database.pool
    for table in ("contacts", "assistants", "phone_numbers", "campaigns", "campaign_contacts"):
        await pool.execute(f"update {table} set team_id = $2 where team_id = $1", made.team, api.team)
    await pool.execute("insert into companies (team_id, name) values ($1, 'Ours')", api.team)
    return {"team": api.team, **await _ids(api, api.team)}


async def _ids(api: Api, team: str) -> dict[str, str]:
    tables = {
        "batch": "import_batches", "contact": "contacts", "company": "companies", "assistant": "assistants",
        "number": "phone_numbers", "campaign": "campaigns", "call": "call_attempts", "suppression": "suppressions",
        "field": "custom_fields",
    }  # fmt: skip
    pool = api.context.database.pool
    found = {
        kind: await pool.fetchval(f"select id from {table} where team_id = $1 limit 1", team) for kind, table in tables.items()
    }
    return {kind: each for kind, each in found.items() if each is not None}


def kind_of(path: str) -> str:
    return next(kind for begin, kind in PATHS.items() if path.startswith(begin))


def addressed(path: str, ids: Mapping[str, str]) -> str:
    return CRM + re.sub(r"\{\w+\}", lambda _: ids[kind_of(path)], path)


def body_of(operation: Operation, ours: Mapping[str, str]) -> dict[str, Any] | None:
    """Our own ids for the words that stand for them."""
    if not operation.fields or WITHOUT_BODY.fullmatch(operation.name):
        return None
    template = BODIES.get(operation.name, {}) if operation.method in ("POST", "DELETE") else {}
    assert template or operation.method in ("PUT", "PATCH"), f"{operation.name} needs a body in BODIES"

    def real(value: Any, name: str) -> Any:
        if isinstance(value, list):
            return [real(each, name) for each in value]
        return ours[value] if name == "teamId" or name in IDS else value

    return {name: real(value, name) for name, value in template.items()}


async def send(api: Api, operation: Operation, path: str, body: dict[str, Any] | None, query: dict[str, Any]) -> Answer:
    if operation.is_form:
        return await api.upload(path, b"firstName,lastName,phone\nA,B,+14155550102\n", **(body or {}))
    return await api.send(operation.method, path, body, query=query)


def silent(answer: Answer, theirs: Mapping[str, str], sent: str) -> None:
    """Nothing of the stranger is in the answer but the id that we sent ourselves."""
    told = answer.text + str(answer.headers)
    assert SECRET not in told
    assert "+4940" not in told
    assert [each for each in theirs.values() if each != sent and each in told] == []


def own_query(operation: Operation, ours: Mapping[str, str]) -> dict[str, Any]:
    return {"teamId": ours["team"]} if "teamId" in operation.query else {}


async def test_in_a_path_it_is_a_404(
    api: Api, operations: list[Operation], ours: Mapping[str, str], theirs: Mapping[str, str]
) -> None:
    tried = [each for each in operations if "{" in each.path]
    assert len(tried) > 20
    for operation in tried:
        path = addressed(operation.path, theirs)
        answer = await send(api, operation, path, body_of(operation, ours), own_query(operation, ours))
        assert (operation.name, answer.status) == (operation.name, 404)
        silent(answer, theirs, theirs[kind_of(operation.path)])


async def test_in_a_body_it_is_a_404(
    api: Api, operations: list[Operation], ours: Mapping[str, str], theirs: Mapping[str, str]
) -> None:
    tried = 0
    for operation in operations:
        for name in operation.fields:
            if not re.search(r"Ids?$", name) or name == "teamId" or name in NOT_OURS:
                continue
            foreign = theirs[IDS[name]]  # a field that is not in IDS: say what it names
            value = [foreign] if name.endswith("s") else foreign
            base = {"teamId": ours["team"]} if operation.is_form else body_of(operation, ours) or {}
            body = {**base, **BESIDES.get((operation.name, name), {}), name: value}
            answer = await send(api, operation, addressed(operation.path, ours), body, {})
            asked = (operation.name, name)
            expected = 200 if asked in TOLD_ONE_BY_ONE else 400 if asked in REFUSED else 404
            assert (operation.name, name, answer.status) == (operation.name, name, expected), answer.text
            silent(answer, theirs, foreign)
            tried += 1
    assert tried >= 12


async def test_a_foreign_team_is_a_403(
    api: Api, operations: list[Operation], ours: Mapping[str, str], theirs: Mapping[str, str]
) -> None:
    tried = 0
    for operation in operations:
        asks, writes = "teamId" in operation.query, "teamId" in operation.fields
        if not asks and not writes:
            continue
        body = {"teamId": theirs["team"]} if operation.is_form else body_of(operation, ours)
        if writes and body is not None:
            body["teamId"] = theirs["team"]
        query = {"teamId": theirs["team"]} if asks else {}
        answer = await send(api, operation, addressed(operation.path, ours), body, query)
        assert (operation.name, answer.status) == (operation.name, 403), answer.text
        silent(answer, theirs, theirs["team"])
        tried += 1
    assert tried >= 14


async def test_no_list_and_no_filter_shows_any_of_it(
    api: Api, operations: list[Operation], ours: Mapping[str, str], theirs: Mapping[str, str]
) -> None:
    """A filter by a foreign id is met by nothing."""
    lists = [each for each in operations if each.method == "GET" and "limit" in each.query]
    assert len(lists) >= 9
    for operation in lists:
        path = addressed(operation.path, ours)
        plain = await api.get(path, **own_query(operation, ours))
        assert plain.status == 200
        silent(plain, theirs, "")
        for name in operation.query:
            if name.endswith("Id") and name != "teamId":
                answer = await api.get(path, **own_query(operation, ours), **{name: theirs[IDS[name]]})
                missing = 400 if (operation.name, name) in REFUSED else 404
                assert (operation.name, answer.status, answer.json.get("count")) in [
                    (operation.name, 200, 0),
                    (operation.name, missing, None),
                ]
                silent(answer, theirs, theirs[IDS[name]])
        if "search" in operation.query:
            answer = await api.get(path, **own_query(operation, ours), search=SECRET)
            assert (answer.status, answer.json["count"]) == (200, 0)
            silent(answer, theirs, "")
