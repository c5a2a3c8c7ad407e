"""`dialer openapi`: the HTTP contract as a document, for whoever writes a client."""

from __future__ import annotations

import typer


def install(app: typer.Typer) -> None:
    app.command()(openapi)


def openapi() -> None:
    """Print the OpenAPI document, as /openapi.json serves it. Needs no configuration and no store."""
    import json

    from dialer.api.app import build

    print(json.dumps(build().openapi(), indent=2, ensure_ascii=False))
