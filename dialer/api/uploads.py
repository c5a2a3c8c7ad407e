"""A file that comes with a form: the one description and the one reading for all imports."""

from __future__ import annotations

from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from starlette.datastructures import FormData, UploadFile

from dialer.api.errors import invalid_of
from dialer.domain.errors import Invalid

Form = TypeVar("Form", bound=BaseModel)


def described(shape: type[BaseModel], file: str, **fields: Any) -> dict[str, Any]:
    """What the document says of a form with a `file`; `fields` in place of what is derived from `shape`. A form knows no null."""
    schema = shape.model_json_schema()
    for field in schema["properties"].values():
        if {"type": "null"} in field.get("anyOf", ()):
            field.pop("default", None)
            [kind] = (kind for kind in field.pop("anyOf") if kind != {"type": "null"})
            field.update(kind)
    schema["properties"] |= {**fields, "file": {"type": "string", "format": "binary", "description": file}}
    schema["required"] = [*schema["required"], "file"]
    content = {"multipart/form-data": {"schema": schema, "encoding": {"file": {"contentType": "text/csv"}}}}
    return {"requestBody": {"required": True, "content": content}}


def uploaded(form: FormData, shape: type[Form]) -> tuple[UploadFile, Form]:
    """The part `file`, and the other fields as `shape`. Raises Invalid with every fault at once."""
    fields = {name: value for name, value in form.multi_items() if name != "file"}
    file = form.get("file")
    faults = {} if isinstance(file, UploadFile) else {"file": ["is required; send a CSV file"]}
    try:
        asked = shape.model_validate(fields)
    except ValidationError as fault:
        raise Invalid({**invalid_of(fault.errors()).fields, **faults}) from None
    if not isinstance(file, UploadFile):
        raise Invalid(faults)
    return file, asked
