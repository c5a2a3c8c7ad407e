"""Contacts from a CSV file, and the rows of it that were rejected (section 2 of the contract)."""

from __future__ import annotations

import json
from typing import Literal

from fastapi import APIRouter, Request
from fastapi.responses import StreamingResponse
from pydantic import Field, field_validator
from starlette.exceptions import HTTPException

from dialer.api.auth import own_team
from dialer.api.contacts import Reader, Writer
from dialer.api.context import Context
from dialer.api.idempotency import once
from dialer.api.shapes import Answer, Id, Query, Record
from dialer.api.uploads import described, uploaded
from dialer.flows.importing import ImportOptions, import_contacts, rejects_csv

router = APIRouter(tags=["contacts"])


class ImportForm(Query):
    team_id: Id
    column_mapping: dict[str, str | None] | None = Field(
        default=None,
        description="JSON; column → field or field → column; guessed from the header when absent",
        examples=['{"Given": "firstName"}'],
    )
    auto_create_companies: bool = False
    default_company_id: Id | None = None
    duplicate_mode: Literal["skip", "update", "replace"] = "skip"
    dry_run: bool = False
    delimiter: Literal[",", ";", "tab", "|"] = ","

    @field_validator("column_mapping", mode="before")
    @classmethod
    def _json(cls, text: object) -> object:
        if not isinstance(text, str):
            return text
        try:
            return json.loads(text)
        except (ValueError, RecursionError):
            raise ValueError("is not valid JSON") from None


class RowFault(Record):
    row: int
    field: str
    message: str


class ImportAnswer(Answer):
    imported: int
    updated: int
    skipped: int
    failed: int
    total: int
    errors: list[RowFault]
    batch_id: str | None


MAPPING = {"type": "string", "description": ImportForm.model_fields["column_mapping"].description}
FORM = described(ImportForm, "CSV, UTF-8, with a header row", columnMapping=MAPPING)


@router.post("/contacts/import", summary="Import contacts from a CSV file", openapi_extra=FORM)
async def import_file(request: Request, caller: Writer, context: Context) -> ImportAnswer:
    """All good rows of the file or, when it cannot be read as a whole, none. Bad rows are rejected one by one."""
    if not request.headers.get("content-type", "").lower().startswith("multipart/form-data"):
        raise HTTPException(415, "The file must come as multipart/form-data, in the field file.")
    # A part of more than 1 MB goes to disk while it arrives.
    async with request.form(max_files=1, max_fields=len(ImportForm.model_fields)) as form:
        file, asked = uploaded(form, ImportForm)
        options = ImportOptions(
            column_mapping=asked.column_mapping,
            auto_create_companies=asked.auto_create_companies,
            default_company_id=asked.default_company_id,
            duplicate_mode=asked.duplicate_mode,
            dry_run=asked.dry_run,
            delimiter="\t" if asked.delimiter == "tab" else asked.delimiter,
        )
        team = own_team(caller, asked.team_id)
        work = import_contacts(context, team, caller.actor, file.file, options, name=file.filename or "")
        return await once(ImportAnswer.model_validate, work)


@router.get(
    "/contacts/import/{batch_id}/rejects",
    summary="The rejected rows of an import as CSV, to be corrected and imported again",
    response_class=StreamingResponse,
    responses={200: {"content": {"text/csv": {}}}},
)
async def rejects(batch_id: str, caller: Reader, context: Context) -> StreamingResponse:
    pieces = await rejects_csv(context.database, caller.team_id, batch_id)
    headers = {"Content-Disposition": f'attachment; filename="rejects-{batch_id[:40]}.csv"'}
    return StreamingResponse(pieces, media_type="text/csv; charset=utf-8", headers=headers)
