"""A file that comes with a form: the one reading for all imports."""

from __future__ import annotations

from typing import TypeVar

from pydantic import BaseModel, ValidationError
from starlette.datastructures import FormData, UploadFile

from dialer.api.errors import invalid_of
from dialer.domain.errors import Invalid

Form = TypeVar("Form", bound=BaseModel)


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
