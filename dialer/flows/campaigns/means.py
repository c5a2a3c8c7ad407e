"""What the flows of campaigns work with. Whoever composes hands it in; each flow asks for the least it needs."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol

from dialer.store.claims import Claimed, Prospect
from dialer.store.database import Database
from scheduler.clock import Clock


class Wake(Protocol):
    async def wake(self, keys: Iterable[str]) -> None:
        """Tell the schedulers that something changed for these scope keys. Raises nothing when it cannot."""


class Means(Protocol):
    """`pause` waits so many seconds: the fence."""

    @property
    def database(self) -> Database: ...
    @property
    def clock(self) -> Clock: ...
    @property
    def ringer(self) -> Wake: ...
    @property
    def pause(self) -> Callable[[float], Awaitable[None]]: ...


class Trunks(Protocol):
    @property
    def database(self) -> Database: ...
    @property
    def clock(self) -> Clock: ...
    @property
    def trunks(self) -> Mapping[str, Any]:
        """The configured trunks by name."""


class Speaking(Means, Trunks, Protocol):
    """What who speaks is changed with."""


class Stopping(Means, Protocol):
    @property
    def hang_up(self) -> Callable[[str], Awaitable[None]]:
        """Hang up every call of a campaign that is under way; returns when the carriers have been told."""


class Looking(Trunks, Protocol):
    @property
    def preview(self) -> Callable[[str, int | None], Awaitable[Sequence[Prospect]]]:
        """What a release would claim now if the campaign were running and its run unlimited, in the order of the claim, by the
        same reading and the same planner. Writes nothing."""


class Running(Means, Looking, Protocol):
    @property
    def release(self) -> Callable[[str], Awaitable[Sequence[Claimed]]]:
        """Claim and ring for one running campaign now, by the planner; what was claimed."""
