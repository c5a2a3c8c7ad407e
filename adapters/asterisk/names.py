"""What things of ours are called in Asterisk, and how its times are read. Pure."""

from __future__ import annotations

from datetime import UTC, datetime

_PREFIX = "dialer-"


def channel_of(attempt: str) -> str:
    """The id of the attempt's channel, which is its `ref`, too."""
    return _PREFIX + attempt


def attempt_of(channel: object) -> str | None:
    """The attempt of one of our channels; None for any other."""
    found = channel.removeprefix(_PREFIX) if isinstance(channel, str) and channel.startswith(_PREFIX) else ""
    return found or None


def marker_of(attempt: str) -> str:
    """The global variable that is set when the attempt was placed."""
    return f"ATT_{attempt}"


def short(attempt: str) -> str:
    """Enough of an attempt's id to find it again, for logs."""
    return f"…{attempt[-6:]}"


def time_of(text: object) -> datetime:
    """A timestamp of Asterisk. Raises `ValueError`, which does not repeat it."""
    try:
        moment = datetime.fromisoformat(str(text))
    except ValueError:
        raise ValueError("a timestamp cannot be read") from None
    if moment.tzinfo is None:
        raise ValueError("a timestamp has no zone")
    return moment.astimezone(UTC)
