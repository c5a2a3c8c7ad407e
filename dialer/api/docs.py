"""`/docs`: the OpenAPI document as one page for people. It asks no other server for anything, and needs no script."""

from __future__ import annotations

import json
from collections.abc import Iterator
from html import escape
from typing import Any, Final

from fastapi import FastAPI
from fastapi.responses import HTMLResponse

from dialer.api.document.schemas import Json, resolved

STYLE: Final = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem; color: #1c2430 }
code, pre { font: 14px/1.45 ui-monospace, monospace } pre { background: #f3f5f8; padding: .75rem; overflow-x: auto }
h2 { margin-top: 2.5rem } summary { cursor: pointer; padding: .35rem 0; border-top: 1px solid #dde2e9 }
details[open] > summary { font-weight: 600 } details > :not(summary) { margin-left: 1.25rem }
table { border-collapse: collapse } td { padding: .15rem .9rem .15rem 0; vertical-align: top }
b.m { display: inline-block; min-width: 4.5rem } .q { color: #5a6675 }
@media (prefers-color-scheme: dark) { body { color: #dfe5ec; background: #14181e } pre { background: #1f252d }
  summary { border-color: #333c47 } .q { color: #98a4b3 } a { color: #8ab4f8 } }
"""
HEADERS: Final = {"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'"}


def install(app: FastAPI) -> None:
    @app.get("/docs", include_in_schema=False)
    async def docs() -> HTMLResponse:
        return HTMLResponse(page(app.openapi()), headers=HEADERS)


def page(document: Json) -> str:
    return "\n".join(_page(document))


def _page(document: Json) -> Iterator[str]:
    info = document["info"]
    title = escape(f"{info['title']} {info['version']}")
    yield f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title><style>{STYLE}</style>'
    yield f'<h1>{title}</h1><p>{escape(info["summary"])} For machines: <a href="/openapi.json">/openapi.json</a>.</p>'
    yield f"<pre>{escape(info['description'])}</pre>"
    for tag in document["tags"]:
        yield f"<h2>{escape(tag['name'].capitalize())}</h2><p>{escape(tag['description'])}</p>"
        for path, operations in document["paths"].items():
            for method, operation in operations.items():
                if tag["name"] in operation["tags"]:
                    yield from _operation(document, method, path, operation)


def _operation(document: Json, method: str, path: str, operation: Json) -> Iterator[str]:
    said = f'<b class="m">{method.upper()}</b> <code>{escape(path)}</code> <span class="q">{escape(operation["summary"])}</span>'
    yield f'<details id="{operation["operationId"]}"><summary>{said}</summary>'
    yield f"<p>{escape(operation.get('description', ''))} <span class=q>{operation['operationId']}</span></p>"
    if parameters := operation.get("parameters"):
        yield "<table>" + "".join(map(_parameter, parameters)) + "</table>"
    body = resolved(document, operation.get("requestBody"))
    for kind, content in body.get("content", {}).items():
        yield f"<p>Body, <code>{escape(kind)}</code>:</p>" + "".join(_fields(document, content))
        yield from _examples(content)
    for status, response in operation["responses"].items():
        yield f"<details><summary>{status} {escape(response['description'])}</summary>"
        for content in response.get("content", {}).values():
            yield from _examples(content)
        yield "</details>"
    yield "</details>"


def _parameter(parameter: Json) -> str:
    must = " (required)" if parameter.get("required") else ""
    name = f"<code>{escape(parameter['name'])}</code>"
    return f'<tr><td>{name}<td class="q">in {parameter["in"]}{must}<td>{escape(parameter["description"])}</tr>'


def _fields(document: Json, content: Json) -> Iterator[str]:
    schema = resolved(document, content.get("schema"))
    yield "<table>"
    for name, field in schema.get("properties", {}).items():
        must = "required" if name in schema.get("required", ()) else ""
        yield f"<tr><td><code>{escape(name)}</code><td class=q>{escape(_kind(field))}<td>{must}"
        yield f"<td>{escape(field.get('description', ''))}</tr>"
    yield "</table>"


def _kind(field: Json) -> str:
    kinds = [field, *field.get("anyOf", ())]
    words = [" | ".join(map(str, kind["enum"])) if "enum" in kind else kind.get("type", "") for kind in kinds]
    return " or ".join(filter(None, words)) or field.get("$ref", "").rpartition("/")[2]


def _examples(content: Json) -> Iterator[str]:
    shown: dict[str, Any] = content.get("examples") or {"": {"value": content.get("example")}}
    for name, each in shown.items():
        value = each["value"]
        text = value if isinstance(value, str) else json.dumps(value, indent=2, ensure_ascii=False)
        yield f"{f'<p>{escape(name)}:</p>' if name else ''}<pre>{escape(text)}</pre>"
