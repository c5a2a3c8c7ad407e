"""What happens in a campaign, live (section 5 of the contract)."""

from __future__ import annotations

from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Header
from fastapi import Query as FromQuery
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from dialer.api.auth import may
from dialer.api.context import Context
from dialer.api.shapes import Query
from dialer.api.stream import EventStream, frame
from dialer.domain.bookmark import LONGEST, Bookmark
from dialer.domain.errors import Invalid
from dialer.domain.keys import Caller
from dialer.flows.campaigns.events import Following, Reading
from dialer.flows.campaigns.look import get_campaign
from dialer.store import keys

router = APIRouter(tags=["campaigns"])
Reader = Annotated[Caller, may("campaigns:read")]
LastEventId = Annotated[
    str | None, Header(alias="Last-Event-ID", max_length=LONGEST, description="The `id` of the last event that was received")
]


class EventsQuery(Query):
    last_event_id: str | None = Field(
        default=None, max_length=LONGEST, description="For clients that cannot set the header, which goes before it"
    )
    follow: bool = Field(default=True, description="false: send what there is since the last event id, and end")


class StatusEvent(BaseModel):
    """`event: status`: the campaign turned. A stream that resumes nothing begins with one that tells how it stands, `id` null."""

    id: int | None = Field(description="Of the history row; the same turn never has another one")
    at: datetime
    campaign_id: str
    before: str | None
    status: str
    reason: str | None
    actor: str | None


class ContactEvent(BaseModel):
    """`event: contact`: a campaign contact turned; `status` is `removed` when it was taken out. `outcome` and `attempts` as they
    are when it is sent."""

    id: int
    at: datetime
    campaign_id: str
    campaign_contact_id: str
    contact_id: str | None
    before: str | None
    status: str
    reason: str | None
    outcome: str | None
    attempts: int | None
    actor: str


class CallStateEvent(BaseModel):
    """`event: call`: an attempt turned; `status` is queued, placing, ringing, answered, unknown, ended or recalled."""

    id: int
    at: datetime
    campaign_id: str
    call_id: str
    campaign_contact_id: str | None
    contact_id: str | None
    attempt_no: int | None
    before: str | None
    status: str
    reason: str | None
    outcome: str | None
    detail: str | None
    actor: str


class CountsEvent(BaseModel):
    """`event: counts`: exact at the moment up to which events were sent; sent at the start and after whatever changed them."""

    campaign_id: str
    by_status: dict[str, int]
    by_outcome: dict[str, int]
    answered: int
    total: int


class ResetEvent(BaseModel):
    """`event: reset`: the last event id is not of this ledger (it was restored, or is another one). The stream begins anew."""

    reason: str


PAYLOADS = (StatusEvent, ContactEvent, CallStateEvent, CountsEvent, ResetEvent)
ABOUT = f"""Server-sent events. `data` is one JSON object; which one, `event` tells:

{chr(10).join(f"- {' '.join((kind.__doc__ or '').split())} Fields: `{'`, `'.join(kind.model_fields)}`" for kind in PAYLOADS)}

A client that connects again sends the last `id:` it received as `Last-Event-ID` (or `lastEventId` in the query) and misses
nothing that was committed, however late; what was sent after that id comes again, and is known by `data.id`. An `id:` comes with
the last event of each piece; it is opaque. Turns of one call or contact come in their order. A comment every 15 s keeps
connections open. A stream ends when its key is revoked or has expired (within a second), when the server restarts, and when a
client takes nothing for 30 s; it does not end with the campaign."""
EXAMPLE = (
    frame("status", {"id": None, "at": "2026-03-02T15:00:00Z", "campaign_id": "camp_1", "before": None, "status": "running",
                     "reason": None, "actor": None})
    + frame("counts", {"campaign_id": "camp_1", "by_status": {"pending": 9, "queued": 1}, "by_outcome": {"answered": 0},
                       "answered": 0, "total": 10}, "81734")
    + frame("call", {"id": 5012, "at": "2026-03-02T15:00:01Z", "before": "queued", "reason": None, "actor": "engine",
                     "campaign_id": "camp_1", "status": "placing", "call_id": "call_1", "campaign_contact_id": "cc_1",
                     "contact_id": "cont_1", "attempt_no": 1, "outcome": None, "detail": None}, "81740")
)  # fmt: skip


@router.get(
    "/campaigns/{id}/events",
    summary="Follow a campaign live",
    description=ABOUT,
    response_class=EventStream,
    status_code=200,
    responses={200: {"description": "Events until the client goes", "content": {"text/event-stream": {"example": EXAMPLE}}}},
)
async def events(
    id: str,
    query: Annotated[EventsQuery, FromQuery()],
    caller: Reader,
    context: Context,
    last_event_id: LastEventId = None,
) -> EventStream:
    await get_campaign(context.database, caller.team_id, id)
    following = Following(context.database, context.clock, caller.team_id, id, _bookmark(last_event_id or query.last_event_id))
    if context.streams.locked():
        raise HTTPException(
            HTTPStatus.SERVICE_UNAVAILABLE, "Too many event streams are open here; try again.", {"Retry-After": "1"}
        )

    async def read() -> tuple[str, bool]:
        reading = await following.read()
        return _text(reading), reading.more

    async def welcome() -> bool:
        return await keys.still_good(context.database.pool, caller.key_id, context.clock.now())

    return EventStream(read, welcome, context.clock, context.stopping, context.streams, once=not query.follow)


def _bookmark(text: str | None) -> Bookmark | None:
    if not text:
        return None
    mark = Bookmark.parse(text)
    if mark is None:
        raise Invalid({"lastEventId": "is no id of an event of this stream; send one that came with it, or none to begin now"})
    return mark


def _text(reading: Reading) -> str:
    """The last event carries the id: whoever breaks off in the middle gets all of them again."""
    last: Any = len(reading.events) - 1
    mark = str(reading.bookmark)
    return "".join(frame(kind, data, mark if at == last else None) for at, (kind, data) in enumerate(reading.events))
