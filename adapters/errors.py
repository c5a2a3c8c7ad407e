"""What we *know* after a failed request to a carrier: certainly not placed, or maybe placed.

An exception's docstring is its default message.
"""

from __future__ import annotations

from adapters.events import Fault


class AdapterError(Exception):
    """The telephony adapter failed."""

    def __init__(self, detail: str = "") -> None:
        super().__init__(detail or (type(self).__doc__ or "").strip().splitlines()[0])


class PlaceError(AdapterError):
    """The call could not be placed."""

    def __init__(self, detail: str = "", *, retry_after: float | None = None) -> None:
        super().__init__(detail)
        self.retry_after = retry_after
        """Seconds the carrier asked us to wait, if it said so."""


class Rejected(PlaceError):
    """The carrier refused the call: certainly not placed.

    Because of the number (`fault` NUMBER, or CALLEE where the carrier is not certain that nobody has it), or of trunk,
    configuration or just this request.
    """

    def __init__(self, detail: str = "", *, fault: Fault, cause: str | None = None, retry_after: float | None = None) -> None:
        super().__init__(detail, retry_after=retry_after)
        self.fault = fault
        self.cause = cause


class RateLimited(PlaceError):
    """The carrier asked to slow down: certainly not placed."""


class Unavailable(PlaceError):
    """The carrier was not reached: certainly not placed."""


class TooLate(PlaceError):
    """The permit to dial had run out before the first byte was sent: certainly not placed."""


class Ambiguous(PlaceError):
    """The call may have been placed; only a look-up may settle it."""


class Forged(AdapterError):
    """A callback's signature does not prove where it comes from."""
