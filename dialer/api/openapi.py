"""The OpenAPI document, made true: a request that is not valid is answered 400, never 422."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI

from dialer.api import idempotency


def install(app: FastAPI) -> None:
    made = app.openapi

    def document() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _corrected(made())
        return app.openapi_schema

    app.openapi = document  # type: ignore[method-assign]


def _corrected(document: dict[str, Any]) -> dict[str, Any]:
    for operations in document["paths"].values():
        for operation in operations.values():
            operation["responses"].pop("422", None)
    schemas = document.get("components", {}).get("schemas", {})
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    idempotency.documented(document)
    return document
