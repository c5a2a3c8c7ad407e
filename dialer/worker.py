"""What the queues' jobs do: few lines each, calling one flow. Jobs are doorbells; the ledger decides what still holds.

Two queues, so that no job of another service can pass for one of ours. What lies in either was written by whoever can reach
Redis and is believed only after it was checked: a job that is not as it should be raises `Malformed`, which leaves a dead letter.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable
from typing import Annotated, Any, TypeVar

import msgspec

from dialer.domain.errors import Refused
from dialer.domain.idempotency import LONGEST, PATTERN
from dialer.flows import requests
from dialer.flows.place import Placer
from dialer.flows.ring import PLACE
from dialer.queue import Function, Malformed, QueueUnavailable, Retry, func
from dialer.store.outage import is_outage

PLACE_SECONDS = 15.0
"""Longest time a dial job may take: 1.7 s for its rate tokens, the fence, and what an adapter allows for one placement."""

REQUEST_QUEUE = "dialer:requests"
REQUEST_SECONDS = 45.0
"""Longest time one try of a request may take."""
MOST_TRIES = 200
"""Of a request whose store is away; with the pauses between them, more than an hour and a half."""
LONGEST_PAUSE = 30
"""Seconds between two tries."""

log = logging.getLogger(__name__)
S = TypeVar("S", bound=msgspec.Struct)

Id = Annotated[str, msgspec.Meta(min_length=1, max_length=100, pattern=r"^[!-~]+\Z")]
Key = Annotated[str, msgspec.Meta(min_length=1, max_length=LONGEST, pattern=PATTERN)]


class Dial(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`calls_per_second`: the campaign's limit, None where it has none."""

    attempt: Id
    campaign: Id
    trunk: Id
    calls_per_second: Annotated[float, msgspec.Meta(gt=0, le=1000)] | None = None


class RunCampaign(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`max_calls` None = no limit."""

    campaign_id: Id
    max_calls: Annotated[int, msgspec.Meta(ge=1, le=2_147_483_647)] | None
    idempotency_key: Key


class DialContact(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    campaign_id: Id
    contact_id: Id
    priority: Annotated[int, msgspec.Meta(ge=0, le=99)]
    idempotency_key: Key


def read(kind: type[S], given: tuple[object, ...], named: dict[str, object]) -> S:
    """The arguments of a job, by place or by name. Raises `Malformed`, which tells what is wrong but not what was written."""
    fields = kind.__struct_fields__
    if len(given) > len(fields):
        raise Malformed(f"{len(given)} arguments are too many; there are {', '.join(fields)}")
    placed = dict(zip(fields, given, strict=False))
    if twice := placed.keys() & named.keys():
        raise Malformed(f"{', '.join(sorted(twice))} given twice")
    try:
        return msgspec.convert({**placed, **named}, kind, strict=True)
    except msgspec.ValidationError as fault:
        raise Malformed(str(fault)) from None


async def place(ctx: dict[str, Any], *given: object, **named: object) -> None:
    job = read(Dial, given, named)
    placer: Placer = ctx["placer"]
    await placer.place(job.attempt, job.campaign, job.trunk, job.calls_per_second)


async def run_campaign(ctx: dict[str, Any], *given: object, **named: object) -> None:
    job = read(RunCampaign, given, named)
    await _requested(ctx, requests.run_requested(ctx["desk"], job.campaign_id, job.max_calls, job.idempotency_key))


async def dial_contact(ctx: dict[str, Any], *given: object, **named: object) -> None:
    job = read(DialContact, given, named)
    work = requests.dial_requested(ctx["desk"], job.campaign_id, job.contact_id, job.priority, job.idempotency_key)
    await _requested(ctx, work)


async def _requested(ctx: dict[str, Any], work: Awaitable[bool]) -> None:
    """A refusal is final. While a store is away the request is tried again; so is one that is under way elsewhere."""
    pause = min(2 ** (ctx["job_try"] - 1), LONGEST_PAUSE)
    try:
        async with asyncio.timeout(REQUEST_SECONDS):
            new = await work
    except Refused as fault:
        raise Malformed(str(fault)) from None
    except requests.Unready:
        raise Retry(defer=1) from None
    except Exception as fault:
        if not (is_outage(fault) or isinstance(fault, QueueUnavailable)):
            log.exception("job %s failed: %s", ctx["job_id"], type(fault).__name__)
            raise Malformed(f"failed: {type(fault).__name__}") from fault
        log.warning("job %s waits %d s, a store is away: %s", ctx["job_id"], pause, type(fault).__name__)
        raise Retry(defer=pause) from None
    if not new:
        log.info("job %s was done before, by its idempotency key", ctx["job_id"])


FUNCTIONS: list[Function] = [func(place, name=PLACE, timeout=PLACE_SECONDS, max_tries=1)]
"""Of the queue of dial jobs."""

REQUESTS: list[Function] = [
    func(each, timeout=REQUEST_SECONDS + 5, max_tries=MOST_TRIES) for each in (run_campaign, dial_contact)
]
"""Of the queue for other services; deploy/JOBS.md tells them how."""
