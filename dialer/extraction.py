"""Who asks transcripts, and whom, as the configuration says."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from dialer.flows.transcripts import Transcripts
from dialer.settings import Settings
from dialer.store.database import Pool
from scheduler.clock import Clock

if TYPE_CHECKING:
    from adapters.extraction.endpoint import Endpoint


def longest(timeout: float) -> float:
    """Seconds that asking about one call may take, where a question may take `timeout`: it and its repair, and as much again for
    a team with a great many fields."""
    return 4 * timeout + 30


def endpoint(settings: Settings) -> Endpoint | None:
    """Whom the configuration names, to be opened; None: nobody."""
    from adapters.extraction.endpoint import Endpoint, Form

    own = settings.extraction
    if own.base_url is None or not own.model:
        return None
    key = "" if own.api_key is None else own.api_key.get_secret_value()
    return Endpoint(own.base_url, own.model, key, timeout=own.timeout_seconds, form=Form(own.response_format))


@asynccontextmanager
async def asking(settings: Settings, pool: Pool, clock: Clock) -> AsyncIterator[Transcripts | None]:
    """The duty of asking, with its endpoint open; None where the configuration names none."""
    own, named = settings.extraction, endpoint(settings)
    if named is None:
        yield None
        return
    from adapters.extraction.extractor import Extractor

    async with named as opened:
        yield Transcripts(
            pool,
            clock,
            Extractor(opened, least=own.min_confidence, hints=own.hints or ""),
            model=opened.model,
            at_once=own.at_once,
            longest=longest(own.timeout_seconds),
            age=own.max_age_hours * 3600,
        )
