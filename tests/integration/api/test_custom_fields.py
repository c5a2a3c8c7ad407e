"""api.md section 4, custom fields: definitions, and what they mean for the contacts that are written afterwards."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.api import Answer, Api

URL = "/api/crm/custom-fields"
CONTACTS = "/api/crm/contacts"


async def define(api: Api, key: str = "size", type: str = "number", **fields: Any) -> Answer:
    return await api.post(URL, {"teamId": api.team, "key": key, "label": key.title(), "type": type, **fields})


async def defined(api: Api, key: str = "size", type: str = "number", **fields: Any) -> dict[str, Any]:
    answer = await define(api, key, type, **fields)
    assert answer.status == 200, answer.text
    found: dict[str, Any] = answer.json["custom_field"]
    return found


async def test_a_definition_is_made_found_changed_and_deleted(api: Api) -> None:
    made = await defined(api, "colour", "select", options=["red", "blue"], description="Of the car", extractable=True)
    assert made["id"].startswith("field_")
    expected = {"team_id": api.team, "key": "colour", "label": "Colour", "type": "select", "options": ["red", "blue"]}
    assert {name: made[name] for name in expected} == expected
    assert (made["description"], made["extractable"]) == ("Of the car", True)
    path = f"{URL}/{made['id']}"
    assert (await api.get(path)).json["custom_field"] == made
    patched = (await api.patch(path, {"label": "Paint", "options": ["red"], "description": None})).json["custom_field"]
    assert (patched["label"], patched["options"], patched["description"], patched["key"]) == ("Paint", ["red"], None, "colour")
    put = await api.put(path, {"key": "colour", "type": "select", "extractable": False})
    assert (put.status, put.json["custom_field"]["extractable"]) == (200, False)
    assert (await api.delete(path)).json == {"success": True}
    assert [(await send(path)).status for send in (api.get, api.delete)] == [404, 404]


async def test_the_list_is_in_the_order_of_the_keys_and_paged(api: Api) -> None:
    for key in ("b", "A", "a"):
        await defined(api, key, "text")
    page = (await api.get(URL, teamId=api.team, limit=2)).json
    assert ([f["key"] for f in page["custom_fields"]], page["count"], page["limit"], page["offset"]) == (["A", "a"], 3, 2, 0)
    assert [f["key"] for f in (await api.get(URL, teamId=api.team, offset=2)).json["custom_fields"]] == ["b"]


async def test_a_key_is_defined_once_a_team_and_stays_what_it_is(api: Api, stranger: Api) -> None:
    made = await defined(api)
    again = await define(api)
    assert again.status == 409 and "key" in again.json["error"]
    await defined(stranger)
    for change in ({"key": "other"}, {"type": "text"}):
        assert (await api.patch(f"{URL}/{made['id']}", change)).status == 409


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"key": ""}, "key"),
        ({"key": "a\n"}, "key"),
        ({"key": "x" * 94}, "key"),
        ({"type": "colour"}, "type"),
        ({"label": " "}, "label"),
        ({"type": "select"}, "options"),
        ({"type": "multi_select", "options": []}, "options"),
        ({"type": "select", "options": ["a", "a"]}, "options"),
        ({"type": "text", "options": ["a"]}, "options"),
        ({"colour": "red"}, "colour"),
    ],
)
async def test_what_is_no_definition_is_refused(api: Api, fields: dict[str, Any], field: str) -> None:
    answer = await api.post(URL, {"teamId": api.team, "key": "k", "label": "K", "type": "text", **fields})
    assert (answer.status, set(answer.faults)) == (400, {field})


async def test_a_strangers_definition_does_not_exist(api: Api, stranger: Api) -> None:
    path = f"{URL}/{(await defined(api))['id']}"
    assert [(await send(path)).status for send in (stranger.get, stranger.delete)] == [404, 404]
    assert (await stranger.patch(path, {"label": "Mine"})).status == 404
    assert (await stranger.get(URL, teamId=stranger.team)).json["custom_fields"] == []
    assert (await stranger.get(URL, teamId=api.team)).status == 403


GOOD: dict[str, list[Any]] = {
    "text": ["", "x"], "number": [1, 1.5, -2], "boolean": [True, False], "date": ["2026-03-31"],
    "datetime": ["2026-03-31T09:00:00Z", "2026-03-31T09:00:00+02:00"], "select": ["red"], "multi_select": [[], ["red", "blue"]],
}  # fmt: skip
BAD: dict[str, list[Any]] = {
    "text": [1, True, ["x"]], "number": ["1", True, {}], "boolean": ["true", 1], "date": ["2026-02-30", "31.3.2026", 5],
    "datetime": ["2026-03-31", "2026-03-31T09:00:00", "soon"], "select": ["green", ["red"], 1],
    "multi_select": ["red", ["green"], [1]],
}  # fmt: skip


@pytest.mark.parametrize("kind", GOOD)
async def test_contacts_are_held_against_what_is_defined(api: Api, kind: str) -> None:
    options = {"options": ["red", "blue"]} if kind.endswith("select") else {}
    await defined(api, "k", kind, **options)
    person = {"teamId": api.team, "firstName": "A", "lastName": "B"}
    for value in [*GOOD[kind], None]:
        answer = await api.post(CONTACTS, {**person, "customFields": {"k": value, "free": [1, {}]}})
        assert answer.status == 200, (value, answer.text)
        path = f"{CONTACTS}/{answer.json['contact']['id']}"
        assert answer.json["contact"]["custom_fields"] == {"k": value, "free": [1, {}]}
    for value in BAD[kind]:
        for answer in (
            await api.post(CONTACTS, {**person, "customFields": {"k": value}}),
            await api.patch(path, {"customFields": {"k": value}}),
        ):
            assert (answer.status, set(answer.faults)) == (400, {"customFields.k"}), value


async def test_an_import_reads_cells_as_what_they_are_defined_to_be(api: Api) -> None:
    for key, kind in (("n", "number"), ("yes", "boolean"), ("when", "date"), ("some", "multi_select")):
        await defined(api, key, kind, **({"options": ["red", "blue"]} if kind == "multi_select" else {}))
    rows = ["A,A,+14155552671,12.5,yes,2026-03-31,red; blue,x", "B,B,+14155552672,many,,,,", "C,C,+14155552673,,,,green,"]
    header = "first name,last name,phone,custom.n,custom.yes,custom.when,custom.some,custom.free"
    answer = await api.upload(f"{CONTACTS}/import", "\n".join([header, *rows, ""]).encode(), teamId=api.team)
    assert (answer.json["imported"], answer.json["failed"]) == (1, 2), answer.text
    assert [(e["row"], e["field"]) for e in answer.json["errors"]] == [(3, "customFields.n"), (4, "customFields.some")]
    [contact] = (await api.get(CONTACTS, teamId=api.team)).json["contacts"]
    assert contact["custom_fields"] == {"n": 12.5, "yes": True, "when": "2026-03-31", "some": ["red", "blue"], "free": "x"}


async def test_what_contacts_hold_stays_when_a_definition_goes(api: Api) -> None:
    made = await defined(api)
    person = {"teamId": api.team, "firstName": "A", "lastName": "B", "customFields": {"size": 1}}
    contact = (await api.post(CONTACTS, person)).json["contact"]
    await api.delete(f"{URL}/{made['id']}")
    assert (await api.get(f"{CONTACTS}/{contact['id']}")).json["contact"]["custom_fields"] == {"size": 1}
    assert (await api.patch(f"{CONTACTS}/{contact['id']}", {"customFields": {"size": "large"}})).status == 200
