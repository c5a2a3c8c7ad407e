"""Suppressions from a CSV file and as one (section 4 of the contract)."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Request
from fastapi import Query as FromQuery
from fastapi.responses import StreamingResponse
from pydantic import Field
from starlette.exceptions import HTTPException

from dialer.api.context import Context
from dialer.api.idempotency import once
from dialer.api.shapes import Answer, Id, Line, Query, Record
from dialer.api.suppressions import Reader, Scope, Writer, owner
from dialer.api.uploads import described, uploaded
from dialer.domain.errors import Invalid
from dialer.domain.instant import Instant
from dialer.flows.suppression_lists import COLUMNS, ListOptions, import_suppressions, suppressions_csv
from dialer.store.suppression_lists import Where

router = APIRouter(tags=["suppressions"])


class ListForm(Query):
    team_id: Id
    scope: Scope = "team"
    campaign_id: Id | None = Field(default=None, description="For the scope `campaign`")
    reason: Line | None = Field(default=None, description="For rows that have none; so are source and expiresAt")
    source: Line | None = None
    expires_at: Instant | None = None
    delimiter: Literal[",", ";", "tab", "|"] = ","


class ListFault(Record):
    row: int
    field: str
    message: str


class ListAnswer(Answer):
    """`updated`: suppressed already, or further up in the file. `stopped`: contacts that waited in campaigns until now."""

    imported: int
    updated: int
    failed: int
    total: int
    stopped: int
    errors: list[ListFault] = Field(description="The first 100")


class ListQuery(Query):
    team_id: Id
    scope: Scope | None = Field(default=None, description="Without it the team's own entries, those of its campaigns too")
    campaign_id: Id | None = None


FORM = described(
    ListForm, "CSV, UTF-8; its header names the column phone_number and, where there are some, reason, source and expires_at"
)


@router.post(
    "/suppressions/import",
    summary="Never call the numbers of a CSV file; after the answer no call to them starts",
    openapi_extra=FORM,
)
async def import_file(request: Request, caller: Writer, context: Context) -> ListAnswer:
    """A file that cannot be read as a whole changes nothing. Rows without a good number are told and the others hold. An import
    makes no suppression shorter: of two ends the later one holds."""
    if not request.headers.get("content-type", "").lower().startswith("multipart/form-data"):
        raise HTTPException(415, "The file must come as multipart/form-data, in the field file.")
    async with request.form(max_files=1, max_fields=len(ListForm.model_fields)) as form:
        file, asked = uploaded(form, ListForm)
        where = Where(asked.scope, owner(caller, asked.team_id, asked.scope), asked.campaign_id)
        options = ListOptions(
            reason=asked.reason,
            source=asked.source,
            expires_at=asked.expires_at,
            delimiter="\t" if asked.delimiter == "tab" else asked.delimiter,
        )
        return await once(ListAnswer.model_validate, import_suppressions(context, caller.actor, where, file.file, options))


@router.get(
    "/suppressions/export",
    summary="Suppressed numbers as CSV, newest first",
    description=f"UTF-8, with the columns `{'`, `'.join(COLUMNS)}`; it can be imported again.",
    response_class=StreamingResponse,
    responses={200: {"description": "The file", "content": {"text/csv": {"schema": {"type": "string"}}}}},
)
async def export(query: Annotated[ListQuery, FromQuery()], caller: Reader, context: Context) -> StreamingResponse:
    team = owner(caller, query.team_id, query.scope)
    if query.campaign_id is not None and query.scope not in (None, "campaign"):
        raise Invalid({"campaignId": "is only for the scope campaign; leave it out"})
    scope = "campaign" if query.campaign_id is not None else query.scope
    where = None if scope is None else Where(scope, team, query.campaign_id)
    pieces = await suppressions_csv(context.database, team, where)
    headers = {"Content-Disposition": 'attachment; filename="suppressions.csv"'}
    return StreamingResponse(pieces, media_type="text/csv; charset=utf-8", headers=headers)
