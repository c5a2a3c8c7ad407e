"""What a request can end with, by what the caller can do about it. No message holds a key or a phone number of the request."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final


class DialerError(Exception):
    """The request did not bring what was asked for."""

    def __init__(self, message: str = "", *, status: int | None = None, request_id: str | None = None) -> None:
        super().__init__(message or (self.__doc__ or "").strip())
        self.status = status
        """The HTTP status, None where there was no answer."""
        self.request_id = request_id
        """Names the request in the service's logs."""


class Refused(DialerError):
    """The service understood and said no; nothing was changed."""


class Invalid(Refused):
    """A field or parameter is missing or wrong."""

    def __init__(
        self,
        message: str = "",
        *,
        fields: Mapping[str, Sequence[str]] | None = None,
        form: Sequence[str] = (),
        status: int | None = 400,
        request_id: str | None = None,
    ) -> None:
        super().__init__(message, status=status, request_id=request_id)
        self.fields = {name: list(said) for name, said in (fields or {}).items()}
        """What is wrong, by field as it was sent."""
        self.form = list(form)
        """What is wrong with the request as a whole."""


class Unauthorized(Refused):
    """The key is unknown, expired or revoked."""


class Forbidden(Refused):
    """The key may not do this."""


class NotFound(Refused):
    """The key's team has no such thing."""


class Conflict(Refused):
    """The state of things does not allow this."""


class TooLarge(Refused):
    """The request is too large."""


class RateLimited(Refused):
    """The key made too many requests."""

    def __init__(self, message: str = "", *, retry_after: float, status: int | None = 429, request_id: str | None = None) -> None:
        super().__init__(message, status=status, request_id=request_id)
        self.retry_after = retry_after
        """Seconds to wait before trying again."""


class Unavailable(DialerError):
    """The service cannot be reached or cannot work at the moment. The request had no effect; it may be sent again."""


class Ambiguous(DialerError):
    """The request was sent and its answer is lost: it may have had its effect or not. Look before doing it again."""


class Unexpected(DialerError):
    """The service answered something that is not of the contract."""


KINDS: Final[Mapping[int, type[Refused]]] = {
    401: Unauthorized,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    413: TooLarge,
    431: TooLarge,
}
