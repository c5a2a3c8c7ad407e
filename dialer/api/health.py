"""Is it alive, is it ready, and the figures for Prometheus. None of them needs a key or tells about people."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any, Literal

from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse, PlainTextResponse
from pydantic import BaseModel, ConfigDict

from dialer.api.context import ApiContext, Context
from dialer.queue import QueueUnavailable
from dialer.store.outage import is_outage

READY_SECONDS = 2.0
"""How long readiness waits for one store or trunk before it calls it away."""

router = APIRouter(tags=["health"])


class Alive(BaseModel):
    model_config = ConfigDict(extra="forbid", json_schema_serialization_defaults_required=True)

    status: Literal["ok"] = "ok"


class Readiness(BaseModel):
    """`ok` for each, or what is wrong with it."""

    model_config = ConfigDict(extra="forbid")

    status: Literal["ready", "not ready"]
    database: str
    redis: str
    adapters: dict[str, str]


@router.get("/healthz", summary="Whether this process answers")
async def healthz() -> Alive:
    return Alive()


NOT_READY: dict[int | str, dict[str, Any]] = {503: {"model": Readiness, "description": "The database is away"}}


@router.get("/readyz", summary="Whether stores and trunks can be reached", response_model=Readiness, responses=NOT_READY)
async def readyz(context: Context) -> JSONResponse:
    """503 when the database is away. Redis or a trunk in trouble is told, but the API and the callbacks still work without it."""
    database, redis, *trunks = await asyncio.gather(
        _within(_database(context)),
        _within(context.ringer.ping()),
        *(_within(trunk.health()) for trunk in context.trunks.values()),
    )
    ready = database == "ok"
    found = Readiness(
        status="ready" if ready else "not ready",
        database=database,
        redis=redis,
        adapters=dict(zip(context.trunks, trunks, strict=True)),
    )
    return JSONResponse(found.model_dump(), 200 if ready else 503)


figures = APIRouter(tags=["health"])
"""Left out where the figures have a port of their own, away from the public."""


@figures.get("/metrics", summary="Figures in the Prometheus text format", response_class=PlainTextResponse)
async def metrics() -> Response:
    from dialer.telemetry import metrics as told

    return Response(told.render(), media_type=told.CONTENT_TYPE)


async def _database(context: ApiContext) -> None:
    await context.database.pool.fetchval("select 1")


async def _within(check: Awaitable[Any]) -> str:
    try:
        async with asyncio.timeout(READY_SECONDS):
            health = await check
    except TimeoutError:
        return f"no answer within {READY_SECONDS:g} s"
    except Exception as fault:
        if not (is_outage(fault) or isinstance(fault, QueueUnavailable)):
            raise
        return f"away: {type(fault).__name__}"
    return "ok" if health is None or health.ok else health.detail or "in trouble"
