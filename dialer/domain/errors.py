"""What can be wrong with a request, as exceptions that any floor may raise and the doors (HTTP, command line) translate.

The message is for the person who asked: one sentence that names the field, the value's problem and the remedy. It never holds
a whole phone number or a secret.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

NOT_SIGNED = "The callback's signature is not valid."
NO_SUCH_TRUNK = "There is no adapter of this name in the configuration."
"""What a dialer answers to callbacks; `dialer doctor` knows it by these."""


class Refused(Exception):
    """The request is not carried out."""

    def __init__(self, message: str = "") -> None:
        super().__init__(message or self.__doc__)


class Invalid(Refused):
    """The request is not valid."""

    def __init__(self, fields: Mapping[str, Sequence[str] | str], message: str = "", *, form: Sequence[str] = ()) -> None:
        """`fields` maps a field, spelled as in requests (camelCase), to what is wrong with it; `form` concerns no field."""
        self.fields = {name: [said] if isinstance(said, str) else list(said) for name, said in fields.items()}
        self.form = list(form)
        said = [f"{name}: {text}" for name, texts in self.fields.items() for text in texts] + self.form
        super().__init__(message or "; ".join(said))


class NotFound(Refused):
    """There is no such resource."""


class Conflict(Refused):
    """The resource is in a state that does not allow this."""


class NotNow(Conflict):
    """This may not be called now."""

    def __init__(self, message: str, waiting_for: Mapping[str, Any]) -> None:
        """`waiting_for`: `reason` and `until`, as everywhere."""
        self.waiting_for = dict(waiting_for)
        super().__init__(message)


class Forbidden(Refused):
    """This key may not do that."""


class Unauthorized(Refused):
    """Unauthorized"""
