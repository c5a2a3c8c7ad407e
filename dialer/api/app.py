"""The API as one ASGI application: the rings around every request, and the list of routers."""

from __future__ import annotations

from fastapi import APIRouter, Depends, FastAPI
from starlette.middleware import Middleware

from dialer import __version__
from dialer.api import (
    assistants,
    calls,
    campaign_contacts,
    campaigns,
    companies,
    contacts,
    custom_fields,
    dashboard,
    docs,
    errors,
    events,
    health,
    hooks,
    imports,
    openapi,
    phone_numbers,
    suppression_lists,
    suppressions,
)
from dialer.api.auth import Gate
from dialer.api.bodies import Depth
from dialer.api.context import ApiContext
from dialer.api.document.names import BASE, DESCRIPTION
from dialer.api.errors import Guard
from dialer.api.head import Head
from dialer.api.hooks import Hooks
from dialer.api.idempotency import Idempotency
from dialer.api.quota import Quota
from dialer.api.shapes import each_once

CRM: tuple[APIRouter, ...] = (
    imports.router,  # before contacts, whose {id} would swallow "import"
    contacts.router,
    companies.router,
    assistants.router,
    phone_numbers.router,
    campaigns.router,
    campaign_contacts.router,
    dashboard.router,
    events.router,
    calls.router,
    suppression_lists.router,
    suppressions.router,
    custom_fields.router,
)


def build(context: ApiContext | None = None) -> FastAPI:
    """Without a context it can only describe itself: its OpenAPI document."""
    app = FastAPI(
        title="Campaign dialer",
        version=__version__,
        summary="Contacts, campaigns and calls of an outbound dialer.",
        description=DESCRIPTION,
        servers=[{"url": "/", "description": "This server"}],
        redirect_slashes=False,
        middleware=_rings(context) if context else [],
        docs_url=None,
        redoc_url=None,
    )
    app.state.context = context
    errors.install(app)
    docs.install(app)
    app.include_router(health.router)
    app.include_router(hooks.router)
    if context is None or context.settings.http.metrics_port is None:
        app.include_router(health.figures)
    for router in CRM:
        app.include_router(router, prefix=BASE, dependencies=[Depends(each_once)])
    openapi.install(app)
    return app


def _rings(context: ApiContext) -> list[Middleware]:
    """Around every request, the outermost first."""
    return [
        Middleware(Head),
        Middleware(Guard),
        Middleware(Hooks, context=context),
        Middleware(Gate, context=context),
        Middleware(Quota, context=context),
        Middleware(Depth),
        Middleware(Idempotency, context=context),
    ]
