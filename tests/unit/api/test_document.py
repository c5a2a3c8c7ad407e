"""The OpenAPI document is complete and true to the routes: whoever adds a route finds out here what it lacks."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import jsonschema_rs
import pytest
from fastapi.routing import APIRoute

from dialer.api.app import CRM, build
from dialer.api.document import answers
from dialer.api.document.schemas import resolved

APP = build()
DOCUMENT = APP.openapi()
OPERATIONS = [(method, path, each) for path, operations in DOCUMENT["paths"].items() for method, each in operations.items()]
OF_TEAMS = [(method, path, each) for method, path, each in OPERATIONS if path.startswith("/api/crm")]
every = pytest.mark.parametrize(("method", "path", "operation"), OPERATIONS, ids=[each["operationId"] for *_, each in OPERATIONS])
every_of_teams = pytest.mark.parametrize(
    ("method", "path", "operation"), OF_TEAMS, ids=[each["operationId"] for *_, each in OF_TEAMS]
)


def test_it_says_what_it_describes() -> None:
    assert DOCUMENT["openapi"].startswith("3.1")
    info = DOCUMENT["info"]
    assert info["title"] and info["version"] and len(info["description"]) > 500
    assert DOCUMENT["servers"]
    assert set(DOCUMENT["components"]["securitySchemes"]) == {"bearer", "apiKey"}


def test_every_route_is_in_it() -> None:
    routes = [(route, "") for route in APP.routes] + [(route, "/api/crm") for router in CRM for route in router.routes]
    there = {
        (method.lower(), prefix + route.path_format)
        for route, prefix in routes
        if isinstance(route, APIRoute)
        for method in route.methods or ()
    }
    assert len(there) > 40
    assert there - {(method, path) for method, path, _ in OPERATIONS} == {("get", "/docs")}


def test_operations_have_ids_of_their_own() -> None:
    ids = [operation["operationId"] for *_, operation in OPERATIONS]
    assert len(set(ids)) == len(ids)
    assert [each for each in ids if not re.fullmatch(r"[a-z]+([A-Z][a-z]+)+", each)] == []
    assert {"createContact", "listContacts", "getContact", "updateContact", "deleteContact", "importContacts"} <= set(ids)
    assert {"enrolContacts", "runCampaign", "getCampaignDashboard", "listCompanyContacts", "listOutboundAssistants"} <= set(ids)


def test_every_tag_is_described() -> None:
    described = {tag["name"] for tag in DOCUMENT["tags"] if tag["description"]}
    assert {tag for *_, operation in OPERATIONS for tag in operation["tags"]} == described


@every
def test_an_operation_says_what_it_is(method: str, path: str, operation: dict[str, Any]) -> None:
    assert operation["summary"] and len(operation["tags"]) == 1
    assert "422" not in operation["responses"]
    for parameter in operation.get("parameters", ()):
        assert parameter["description"] and "example" in parameter, parameter["name"]
        assert "null" not in json.dumps(parameter["schema"])


@every
def test_an_operation_says_who_may(method: str, path: str, operation: dict[str, Any]) -> None:
    if not path.startswith("/api/"):
        assert operation["security"] == []
        return
    (bearer, api_key) = operation["security"]
    assert bearer["bearer"] == api_key["apiKey"] != []
    assert f"`{bearer['bearer'][0]}`" in operation["description"]


@every_of_teams
def test_an_operation_says_how_it_can_fail(method: str, path: str, operation: dict[str, Any]) -> None:
    wanted = {"400", "401", "403", "429", "500", "503"}
    wanted |= {"413", "415"} if "requestBody" in operation else set()
    wanted |= {"404"} if "{" in path else set()
    assert wanted <= set(operation["responses"])
    assert ("409" in operation["responses"]) == (method != "get" and operation["operationId"] not in answers.NO_STATE)


@every
def test_every_answer_has_a_type_an_example_and_its_request_id(method: str, path: str, operation: dict[str, Any]) -> None:
    assert any(status.startswith("2") for status in operation["responses"])
    for status, response in operation["responses"].items():
        assert response["description"] not in ("", "Successful Response"), status
        assert response["headers"]["X-Request-Id"]["required"]
        for kind, content in response.get("content", {}).items():
            assert content.get("example") or content.get("examples"), (status, kind)
            if kind == "application/json" and status not in ("200", "503"):
                assert content["schema"] == {"$ref": "#/components/schemas/ErrorAnswer"}


@every
def test_every_body_has_an_example(method: str, path: str, operation: dict[str, Any]) -> None:
    for content in operation.get("requestBody", {}).get("content", {}).values():
        assert "example" in content or "examples" in content


def contents() -> Iterator[tuple[str, dict[str, Any]]]:
    for *_, operation in OPERATIONS:
        yield from ((f"{operation['operationId']} body", c) for c in operation.get("requestBody", {}).get("content", {}).values())
        for status, response in operation["responses"].items():
            yield from ((f"{operation['operationId']} {status}", c) for c in response.get("content", {}).values())


def test_the_examples_are_true() -> None:
    """Each example is what its schema allows."""
    faults = {}
    for name, content in contents():
        shown = [content["example"]] if "example" in content else [each["value"] for each in content["examples"].values()]
        schema = {**content.get("schema", {}), "components": DOCUMENT["components"]}
        check = jsonschema_rs.Draft202012Validator(schema, validate_formats=True)
        if found := [str(fault).splitlines()[0] for value in shown for fault in check.iter_errors(value)]:
            faults[name] = found
    assert faults == {}


def test_answers_hold_exactly_what_they_say() -> None:
    """A shape that is known is closed, so that a field nobody described is a fault."""
    seen: dict[str, list[str]] = {}
    for name, content in contents():
        if not name.endswith(" body"):
            for where, schema in objects(content.get("schema", {}), frozenset()):
                if "properties" in schema and schema.get("additionalProperties") is not False:
                    seen.setdefault(where, []).append(name)
    assert seen == {}


FREE = {"custom_fields", "settings", "data", "result", "extracted", "adapters", "fieldErrors", "metadata"}
"""Objects whose keys are not ours to know."""


def test_only_what_others_write_is_without_a_shape() -> None:
    shapeless = set()
    for name, content in contents():
        if not name.endswith(" body"):
            for _, schema in objects(content.get("schema", {}), frozenset()):
                for field, of in schema.get("properties", {}).items():
                    kinds = [of, *of.get("anyOf", []), of.get("items", {})]
                    if any(kind.get("type") == "object" and "properties" not in kind for kind in kinds):
                        shapeless.add(field)
    assert shapeless - FREE == set()


def objects(schema: dict[str, Any], seen: frozenset[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every schema below this one, by its name."""
    reference = schema.get("$ref", "")
    if reference in seen:
        return
    found = resolved(DOCUMENT, schema)
    yield reference or "inline", found
    below = [*found.get("properties", {}).values(), *found.get("anyOf", []), *([found["items"]] if "items" in found else [])]
    for part in below:
        yield from objects(part, seen | {reference})


def test_what_was_created_is_linked_to_what_can_be_done_with_it() -> None:
    linked = {
        each["operationId"]: set(each["responses"]["200"].get("links", ()))
        for *_, each in OPERATIONS
        if "200" in each["responses"]
    }
    assert {"getContact", "updateContact", "deleteContact"} <= linked["createContact"]
    assert {"runCampaign", "enrolContacts", "deleteCampaign"} <= linked["createCampaign"]
    assert {"getPhoneNumber", "deletePhoneNumber"} <= linked["createPhoneNumber"]
    assert linked["importContacts"] == {"downloadImportRejects"}
    assert linked["listContacts"] == set()
