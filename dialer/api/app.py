"""The API as one ASGI application: the rings around every request, and the list of routers."""

from __future__ import annotations

from fastapi import APIRouter, FastAPI
from starlette.middleware import Middleware

from dialer.api import (
    assistants,
    calls,
    campaign_contacts,
    campaigns,
    companies,
    contacts,
    errors,
    health,
    imports,
    openapi,
    phone_numbers,
    suppressions,
)
from dialer.api.auth import Gate
from dialer.api.bodies import Depth
from dialer.api.context import ApiContext
from dialer.api.errors import Guard
from dialer.api.hooks import Hooks
from dialer.api.idempotency import Idempotency
from dialer.api.quota import Quota

CRM: tuple[APIRouter, ...] = (
    imports.router,  # before contacts, whose {id} would swallow "import"
    contacts.router,
    companies.router,
    assistants.router,
    phone_numbers.router,
    campaigns.router,
    campaign_contacts.router,
    calls.router,
    suppressions.router,
)


def build(context: ApiContext) -> FastAPI:
    app = FastAPI(
        title="Campaign dialer",
        summary="Contacts, campaigns and calls of an outbound dialer.",
        redirect_slashes=False,
        middleware=[
            Middleware(Guard),
            Middleware(Hooks, context=context),
            Middleware(Gate, context=context),
            Middleware(Quota, context=context),
            Middleware(Depth),
            Middleware(Idempotency, context=context),
        ],
    )
    app.state.context = context
    errors.install(app)
    app.include_router(health.router)
    if context.settings.http.metrics_port is None:
        app.include_router(health.figures)
    for router in CRM:
        app.include_router(router, prefix="/api/crm", responses=errors.RESPONSES)
    openapi.install(app)
    return app
