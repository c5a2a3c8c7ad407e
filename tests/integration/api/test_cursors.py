"""api.md section 1, ext: `cursor` and `next_cursor` of every list."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.support.api import Api
from tests.support.ledger import Seed, seed

CRM = "/api/crm"
ROWS = 7

LISTS = {
    "/contacts": "contacts",
    "/companies": "companies",
    "/companies/{company}/contacts": "contacts",
    "/assistants": "assistants",
    "/outbound-assistants": "assistants",
    "/phone-numbers": "phone_numbers",
    "/campaigns": "campaigns",
    "/campaigns/{campaign}/contacts": "contacts",
    "/calls": "calls",
    "/suppressions": "suppressions",
    "/custom-fields": "custom_fields",
}
"""Address → the resources' name in the answer."""

# The first two of each kind are of the same moment, so that the id has to tell them apart.
FILL = """
with company as (
  insert into companies (id, team_id, name, created_at)
    select 'comp_' || n, $1, 'C' || n, '2026-01-01'::timestamptz + greatest(n, 2) * interval '1 s'
    from generate_series(1, $2::int) n returning id),
spoken as (insert into assistants (team_id, name, adapter, created_at)
  select $1, 'N' || n, 'simulated', '2026-01-01'::timestamptz + greatest(n, 2) * interval '1 s'
    from generate_series(1, $2 - 1) n),
numbers as (insert into phone_numbers (team_id, phone_number, adapter)
  select $1, '+4930777' || n, 'simulated' from generate_series(1, $2 - 2) n),
planned as (insert into campaigns (team_id, assistant_id, name, from_number_ids, created_at)
  select $1, $3, 'S' || n, '{}', '2026-01-01'::timestamptz + greatest(n, 2) * interval '1 s'
    from generate_series(1, $2 - 1) n),
barred as (insert into suppressions (scope, team_id, phone_number)
    select 'team', $1, '+4930888' || n from generate_series(1, $2) n),
defined as (insert into custom_fields (team_id, key, label, type)
    select $1, key, 'F', 'text' from unnest('{b,B,a_b,a b,a.b,a-b,0}'::text[]) as key),
ranked as (update campaign_contacts t set priority = r.n % 3
  from (select id, row_number() over (order by id) as n from campaign_contacts) r where r.id = t.id),
called as (
  insert into call_attempts (id, team_id, campaign_id, campaign_contact_id, contact_id, attempt_no, trunk, assistant_id,
      number_id, to_number, from_number, state, scopes, rules_version, not_after, ring_seconds, limit_seconds, claimed_at)
    select 'call_' || row_number() over (), team_id, campaign_id, id, contact_id, 1, 'simulated', $3, $4, to_number, '+4930',
           'queued', '{}', 1, now(), 30, 3600, now() from campaign_contacts where team_id = $1)
select 1
"""


@pytest.fixture
async def filled(api: Api) -> AsyncIterator[tuple[Api, Seed]]:
    """Seven of everything."""
    pool = api.context.database.pool
    made = await seed(pool, contacts=ROWS)
    async with pool.acquire() as on, on.transaction():
        await on.execute(FILL, made.team, ROWS, made.assistant, made.numbers[0])
        await on.execute("update contacts set company_id = 'comp_1' where team_id = $1", made.team)
    await pool.execute("update api_keys set team_id = $1 where team_id = $2", made.team, api.team)
    yield api, made


def address(path: str, made: Seed) -> tuple[str, dict[str, str]]:
    full = CRM + path.format(company="comp_1", campaign=made.campaign)
    return full, {} if path.startswith("/campaigns/") else {"teamId": made.team}


async def pages(api: Api, path: str, query: dict[str, Any], name: str, limit: int) -> list[list[str]]:
    found: list[list[str]] = []
    cursor = None
    while True:
        answer = await api.get(path, **query, limit=limit, cursor=cursor)
        assert answer.status == 200, answer.text
        found.append([row["id"] for row in answer.json[name]])
        cursor = answer.json["next_cursor"]
        if cursor is None:
            return found


@pytest.mark.parametrize("path", LISTS)
async def test_the_pages_of_a_list_are_the_list(filled: tuple[Api, Seed], path: str) -> None:
    api, made = filled
    where, query = address(path, made)
    whole = await api.get(where, **query, limit=500)
    ids = [row["id"] for row in whole.json[LISTS[path]]]
    assert len(ids) == len(set(ids)) == whole.json["count"] >= ROWS
    assert whole.json["next_cursor"] is None
    for limit in (1, 2, 3, len(ids)):
        cut = await pages(api, where, query, LISTS[path], limit)
        assert [each for page in cut for each in page] == ids
        assert [len(page) for page in cut[:-1]] == [limit] * (len(cut) - 1)
    begun = (await api.get(where, **query, limit=2, offset=1)).json
    assert [row["id"] for row in begun[LISTS[path]]] == ids[1:3]
    following = (await api.get(where, **query, limit=2, cursor=begun["next_cursor"])).json
    assert ([row["id"] for row in following[LISTS[path]]], following["count"]) == (ids[3:5], len(ids))


@pytest.mark.parametrize("path", LISTS)
async def test_what_is_no_cursor_of_the_list_is_a_400(filled: tuple[Api, Seed], path: str) -> None:
    api, made = filled
    where, query = address(path, made)
    good = (await api.get(where, **query, limit=1)).json["next_cursor"]
    name, *keys = json.loads(base64.urlsafe_b64decode(good + "=="))

    def made_up(value: object) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).decode()

    bad = [
        "", "x", "é", good[:-3], "A" * 501, made_up(None), made_up({}), made_up([]), made_up([name]), made_up(["other", *keys]),
        made_up([name, *keys, 1]), made_up([name, *[7.5] * len(keys)]), made_up([name, *["\x00"] * len(keys)]),
        made_up([name, *["\ud800"] * len(keys)]), made_up([name, *[10**30] * len(keys)]), made_up([name, *[True] * len(keys)]),
    ]  # fmt: skip
    for cursor in bad:
        answer = await api.get(where, **query, cursor=cursor)
        assert (cursor, answer.status, list(answer.faults)) == (cursor, 400, ["cursor"])
    both = await api.get(where, **query, cursor=good, offset=0)
    assert (both.status, list(both.faults)) == (400, ["cursor"])


async def test_rows_that_are_added_neither_move_nor_repeat_what_follows(api: Api) -> None:
    for n in range(4):
        await api.post(f"{CRM}/contacts", {"teamId": api.team, "firstName": f"N{n}", "lastName": "L"})
    first = (await api.get(f"{CRM}/contacts", teamId=api.team, limit=2)).json
    await api.post(f"{CRM}/contacts", {"teamId": api.team, "firstName": "late", "lastName": "L"})
    second = (await api.get(f"{CRM}/contacts", teamId=api.team, limit=2, cursor=first["next_cursor"])).json
    assert [row["first_name"] for row in first["contacts"] + second["contacts"]] == ["N3", "N2", "N1", "N0"]
    assert second["count"] == 5


async def test_every_list_has_a_cursor(api: Api) -> None:
    """Driven by the OpenAPI document: whatever has an offset."""
    document = (await api.get("/openapi.json")).json
    paged = {
        path: {parameter["name"] for parameter in found["get"].get("parameters", ())}
        for path, found in document["paths"].items()
        if "get" in found and any(parameter["name"] == "offset" for parameter in found["get"].get("parameters", ()))
    }
    assert len(paged) >= len(LISTS)
    assert [path for path, names in paged.items() if "cursor" not in names] == []
