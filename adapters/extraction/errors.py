"""What we know when no answer came that can be used."""

from __future__ import annotations


class ExtractionError(Exception):
    """The endpoint gave no usable answer. `retry_after`: seconds it asked to be left alone, None = it did not say."""

    def __init__(self, detail: str, *, retry_after: float | None = None) -> None:
        super().__init__(detail)
        self.retry_after = retry_after


class Away(ExtractionError):
    """It answers nobody now: not reached, overloaded, over a limit, or it refuses our key or configuration."""


class Failed(ExtractionError):
    """It did not answer this question."""
