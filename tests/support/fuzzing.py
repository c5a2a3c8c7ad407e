"""schemathesis against a served API, by the document that this API serves.

The document is narrowed where its types cannot know this installation: `teamId` is the key's team, `adapter` a configured one.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.request import Request, urlopen

from tests.support.served import PROJECT, Served

EXCLUDED: Final[Mapping[str, str]] = {
    "streamCampaignEvents": "server-sent events never end, so no answer can be compared with a schema",
}
"""Operations that are not tried, with the reason."""

PHASES: Final = "examples,coverage,fuzzing,stateful"
KNOWN: Final = 20
"""How many things of a kind there are before the first case: many are changed until nothing more can be done with them."""

SEED: Final = 20_260_302


CONFIG: Final = """
# The document has links of its own; guessed ones mix up things whose parameter is called id.
[phases.stateful.inference]
algorithms = []
"""


@dataclass(frozen=True, slots=True)
class Report:
    cases: int
    operations: int
    failures: Mapping[str, Sequence[str]]
    """The operations, by what is wrong with them."""
    errors: Sequence[str]
    complete: bool
    output: str


@dataclass(frozen=True, slots=True)
class Known:
    """Things that are there before the first case, so that what is generated can refer to them."""

    ids: Mapping[str, str]
    """By the field of a request that names them."""
    collections: Mapping[str, Sequence[str]]
    """By the part of the path before {id}."""

    def schema(self, field: str) -> dict[str, Any] | None:
        """What a field of a request may be; None where anything goes."""
        if field == "adapter":
            return {"type": "string", "enum": ["simulated"]}
        if field in self.ids:
            return {"type": "string", "enum": [self.ids[field]]}
        if field.endswith("Ids") and field[:-1] in self.ids:
            return {"type": "array", "items": {"type": "string", "enum": [self.ids[field[:-1]]]}, "minItems": 1}
        return None


def prepared(api: Served) -> Known:
    def post(path: str, **body: Any) -> str:
        asked = Request(
            f"{api.url}/api/crm/{path}",
            json.dumps({"teamId": api.team, **body}).encode(),
            {"Authorization": f"Bearer {api.key}", "Content-Type": "application/json"},
        )
        with urlopen(asked) as answer:
            (thing,) = (part for name, part in json.load(answer).items() if name != "success")
            found: str = thing["id"]
            return found

    assistant = post("assistants", name="Voice", adapter="simulated", outboundEnabled=True)
    number = post("phone-numbers", phoneNumber="+14155550199", adapter="simulated", assistantId=assistant)
    many = range(KNOWN)
    campaigns = [post("campaigns", name=f"Known {n}", assistantId=assistant, fromNumberIds=[number]) for n in many]
    contacts = [post("contacts", firstName="Ada", lastName=f"Known {n}", phone=f"+141555502{n:02}") for n in many]
    companies = [post("companies", name=f"Known {n}") for n in many]
    numbers = [post("phone-numbers", phoneNumber=f"+141555503{n:02}", adapter="simulated") for n in many]
    assistants = [post("assistants", name=f"Known {n}", adapter="simulated") for n in many]
    suppressions = [post("suppressions", phoneNumber=f"+141555504{n:02}") for n in range(3)]  # each waits out the fence
    ids = {"teamId": api.team, "assistantId": assistant, "fromNumberId": number, "campaignId": campaigns[0]}
    ids |= {"contactId": contacts[0], "companyId": companies[0], "defaultCompanyId": companies[0]}
    there = {"campaigns": campaigns, "contacts": contacts, "companies": companies, "suppressions": suppressions}
    return Known(ids, there | {"phone-numbers": numbers, "assistants": assistants})


def _known(known: Known, name: str, field: dict[str, Any]) -> dict[str, Any]:
    schema = known.schema(name)
    nullable = any(kind.get("type") == "null" for kind in field.get("anyOf", ()))
    return field if schema is None else {"anyOf": [schema, {"type": "null"}]} if nullable else schema


def narrowed(document: dict[str, Any], known: Known) -> dict[str, Any]:
    """The document with what this installation knows, in place. Only requests are camelCase, so answers stay as they are."""

    def walk(part: Any, collection: str = "") -> None:
        if isinstance(part, list):
            for each in part:
                walk(each, collection)
        if not isinstance(part, dict):
            return
        if part.get("in") == "path" and part["name"] == "id" and (ids := known.collections.get(collection)):
            part["schema"] = {"type": "string", "enum": list(ids)}
            part["example"] = ids[0]
        if part.get("in") == "query" and part["name"] == "teamId" and (schema := known.schema("teamId")):
            part["schema"] = schema
            part["example"] = schema["enum"][0]
        fields = part.get("properties")
        if isinstance(fields, dict) and part.get("additionalProperties") is False and not any("_" in name for name in fields):
            part["properties"] = {name: _known(known, name, field) for name, field in fields.items()}
        for name, each in part.items():
            if name in ("example", "value") and isinstance(each, dict):
                for field in each.keys() & {"adapter", *known.ids, *(f"{one}s" for one in known.ids)}:
                    schema = known.schema(field) or {}
                    each[field] = schema["enum"][0] if "enum" in schema else schema["items"]["enum"]
            walk(each, name.removeprefix("/api/crm/").partition("/")[0] if name.startswith("/api/crm/") else collection)

    walk(document)
    return document


def fuzz(api: Served, folder: Path, *, cases_each: int, phases: str = PHASES, workers: int = 1, seconds: float) -> Report:
    """Run every check on every operation but the excluded ones; `cases_each` bounds what fuzzing generates for one operation.

    Raises TimeoutExpired after `seconds`. All that was said is in `folder`/output.txt.
    """
    with urlopen(f"{api.url}/openapi.json") as answer:
        document: dict[str, Any] = json.load(answer)
    there = {operation["operationId"] for operations in document["paths"].values() for operation in operations.values()}
    (folder / "openapi.json").write_text(json.dumps(narrowed(document, prepared(api))))
    options = {
        "url": api.url,
        "phases": phases,
        "checks": "all",
        "max-examples": str(cases_each),
        "workers": str(workers),  # with one, a run is the same each time
        "header": f"Authorization: Bearer {api.key}",
        "seed": str(SEED),
        "generation-database": "none",
        "suppress-health-check": "all",
        "request-timeout": "20",
        "report": "json",
        "report-json-path": str(folder / "report.json"),
    }
    (folder / "schemathesis.toml").write_text(CONFIG)
    command = [
        sys.executable,
        "-m",
        "schemathesis.cli",
        "--config-file",
        str(folder / "schemathesis.toml"),
        "run",
        str(folder / "openapi.json"),
    ]
    command += ["--continue-on-failure", "--no-color", "--no-shrink"]
    command += [word for name, value in options.items() for word in (f"--{name}", value)]
    command += [word for name in EXCLUDED if name in there for word in ("--exclude-operation-id", name)]
    environment = {**os.environ, "SCHEMATHESIS_HOOKS": "tests.support.fuzz_formats", "PYTHONPATH": str(PROJECT)}
    done = subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True, timeout=seconds, check=False)
    output = done.stdout + done.stderr
    (folder / "output.txt").write_text(output)
    return _report(json.loads((folder / "report.json").read_text()), output)


def _report(told: Mapping[str, Any], output: str) -> Report:
    failures = {each["title"]: each["operations"] for each in told["failures"]}
    return Report(
        cases=told["test_cases"]["generated"],
        operations=told["operations"]["tested"],
        failures=failures,
        errors=[str(error) for error in told["errors"]],
        complete=told["complete"],
        output=output,
    )
