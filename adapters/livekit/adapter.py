"""LiveKit SIP over HTTP (Twirp): dispatch, dial, follow, hang up, find, health. Words are translate.py's, tokens tokens.py's.

The request that dials is answered when the phone is: with `wait_until_answered` it says when that was, or with which SIP status
the call failed. `place` does not wait for that: it returns once the callee is seen in the room, and what the request says in the
end is told by `events()`.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Coroutine, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Self, TypeVar

from adapters import http
from adapters.base import SAMPLE, Call, Capabilities, Health, Hook, Live, Once, Reply, Sighting, Trace, Unsure
from adapters.errors import AdapterError, Ambiguous, PlaceError, RateLimited, Rejected, TooLate, Unavailable
from adapters.events import CallEvent, Phase
from adapters.livekit import orders, tokens, translate
from adapters.session import Session

_SETTLE = 5.0
_LOOK = 0.5
"""Seconds between two looks into the room of a call that has not rung yet."""
_LONGER = 15.0
"""Seconds that the answer may take longer than the phone rings."""
_DIAL = "livekit.SIP/CreateSIPParticipant"
_DISPATCH = "livekit.AgentDispatchService/CreateDispatch"
_PARTICIPANTS = "livekit.RoomService/ListParticipants"
_DELETE = "livekit.RoomService/DeleteRoom"
_ROOMS = "livekit.RoomService/ListRooms"
_T = TypeVar("_T")


class LiveKitAdapter:
    """One outbound SIP trunk of a LiveKit server. Used inside `async with`, by one event loop; the calls it placed are followed
    only by it, while it is open."""

    def __init__(
        self,
        name: str,
        *,
        base_url: str,
        api_key: str,
        api_secret: str,
        trunk_id: str,
        timeout: float = 10.0,
        patience: float | None = None,
        look: float = _LOOK,
    ) -> None:
        """`timeout`: seconds for one request; `patience`: seconds for a call to be seen in its room, by default the same; `look`:
        seconds between two looks."""
        patience = timeout if patience is None else patience
        self.name = name
        self.capabilities = Capabilities(
            once=Once.NO,
            trace=Trace.LIVE,
            voices=frozenset({"agent"}),
            can=frozenset({"hang_up", "labels", "variables"}),
            place_timeout=timeout + patience,
            settle=_SETTLE,
            clock_tolerance=tokens.LEEWAY,
        )
        self._session = Session(base_url, timeout=timeout)
        self._lines = Session(base_url, timeout=timeout)  # each phone that rings holds a connection
        self._base, self._patience, self._look = base_url, patience, look
        self._key, self._secret, self._trunk = api_key, api_secret, trunk_id
        self._news: asyncio.Queue[CallEvent | None] = asyncio.Queue()
        self._running: set[asyncio.Task[Any]] = set()

    async def __aenter__(self) -> Self:
        await self._session.__aenter__()
        await self._lines.__aenter__()
        self._tasks = await asyncio.TaskGroup().__aenter__()
        return self

    async def __aexit__(self, *exc: object) -> None:
        for task in self._running:
            task.cancel()
        self._news.put_nowait(None)
        try:
            await self._tasks.__aexit__(None, None, None)
        finally:
            await self._lines.__aexit__(*exc)
            await self._session.__aexit__(*exc)

    async def place(self, call: Call) -> str:
        if time.monotonic() > call.start_before:
            raise TooLate
        await self._dispatch(call)
        accepted: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._start(self._follow(call, accepted))
        try:
            # A request that goes on is not given up with this: what it says in the end is still told.
            async with asyncio.timeout(self._patience):
                await asyncio.shield(accepted)
        except TimeoutError:
            accepted.cancel()
            raise Ambiguous("the callee was not seen in the room in time") from None
        except Ambiguous:
            raise
        except PlaceError:
            self._start(self._clear(call.attempt))  # nothing was placed: the agent waits for nobody
            raise
        return translate.room_of(call.attempt)

    async def hang_up(self, attempt: str, ref: str | None) -> None:
        answer = await self._ask(_DELETE, attempt, {"room": translate.room_of(attempt)})
        if answer.status not in {200, 404}:
            raise AdapterError(f"LiveKit answered HTTP {answer.status} to a hang-up")

    async def find(self, attempt: str, to: str, ref: str | None, since: datetime) -> Sighting:
        try:
            status, _ = await self._seen(attempt)
        except AdapterError as error:
            return Unsure(f"the look-up failed: {error}")
        if status is None:
            return Unsure("the callee is not in the room: not yet, not any more, or never")
        if status not in translate.ANSWERED | translate.NOT_YET:
            return Unsure("the callee is in the room, in a state that says nothing")
        return Live(translate.room_of(attempt), answered=status in translate.ANSWERED)

    async def events(self) -> AsyncIterator[CallEvent]:
        # What the requests of an earlier process would have told is lost.
        yield CallEvent(Phase.GAP, tokens.now(), "", None, "gap")
        while (event := await self._news.get()) is not None:
            yield event

    def sample(self, url: str, at: datetime) -> Hook:
        return Hook("POST", url, {"authorization": tokens.of_webhook(self._key, self._secret, SAMPLE, at)}, SAMPLE, at)

    def receive(self, hook: Hook) -> tuple[list[CallEvent], Reply]:
        tokens.verify(self._key, self._secret, hook)
        try:
            return translate.read(hook.body), Reply()
        except ValueError:
            return [], Reply(400, b"the event cannot be read")

    async def health(self) -> Health:
        try:
            answer = await self._ask(_ROOMS, "", {"names": [translate.room_of("")]})
        except AdapterError as error:
            return Health(False, str(error))
        return Health(answer.status == 200, "" if answer.status == 200 else f"LiveKit answers HTTP {answer.status}")

    async def _dispatch(self, call: Call) -> None:
        """Send the agent into the room, before anybody is called. Raises what says that nothing was placed."""
        try:
            answer = await self._ask(_DISPATCH, call.attempt, orders.to_dispatch(call))
        except AdapterError as error:
            raise Unavailable(f"no agent could be dispatched: {error}") from error
        if answer.status != 200:
            refusal = http.refused(answer)
            raise Unavailable(str(refusal), retry_after=refusal.retry_after) if isinstance(refusal, Ambiguous) else refusal

    async def _follow(self, call: Call, accepted: asyncio.Future[None]) -> None:
        """Dial, and tell what comes of it; `accepted` is done as soon as the call is known to be under way, or not."""
        dialing = self._start(self._dial(call))
        rang = False
        try:
            while not rang and not (await asyncio.wait({dialing}, timeout=self._look * (1 + 3 * accepted.done())))[0]:
                rang = await self._look_in(call, accepted)
            said = await dialing
        except Exception as error:
            said = error
        match said:
            case http.Answer():
                self._tell(translate.event(call.attempt, Phase.ANSWERED, _at(said.headers)))
                _done(accepted)
            case translate.CallFailed():
                self._tell(translate.failure(call.attempt, said, _at(said.headers), rang=rang))
                _done(accepted)
                await self._clear(call.attempt)
            case Rejected() | RateLimited() if accepted.done():  # it was dialled and is over, and nobody says how
                self._tell(translate.event(call.attempt, Phase.ENDED, tokens.now(), mark="refused"))
            case _:  # a call that was seen is settled by look-ups and webhooks
                _done(accepted, said)

    async def _look_in(self, call: Call, accepted: asyncio.Future[None]) -> bool:
        """Whether the phone rings; that it is dialled at all is told to `accepted`."""
        try:
            status, headers = await self._seen(call.attempt)
        except AdapterError:
            return False
        if status is not None:
            _done(accepted)
        if status in translate.RANG:
            self._tell(translate.event(call.attempt, Phase.RINGING, _at(headers)))
        return status in translate.RANG

    async def _dial(self, call: Call) -> http.Answer | Exception:
        """The one request that calls somebody. What it raises is returned: it is nobody's task to fail for all."""
        try:
            answer = await http.post_once(
                self._lines.client,
                f"{self._base}/twirp/{_DIAL}",
                body=json.dumps(orders.to_dial(call, self._trunk)).encode(),
                headers=self._token(call.attempt),
                timeout=call.ring + _LONGER,
                start_before=call.start_before,
                departure=call.departure,
                refusal=translate.refused,
            )
            translate.joined(answer)
        except Exception as error:
            return error
        return answer

    async def _clear(self, attempt: str) -> None:
        """Delete the room of a call that is over or never was; the agent leaves with it."""
        with suppress(AdapterError):
            await self.hang_up(attempt, None)

    async def _seen(self, attempt: str) -> tuple[str | None, Mapping[str, str]]:
        """How far the call has come, as `translate.callee`, and the headers of the answer. Raises `AdapterError`."""
        answer = await self._ask(_PARTICIPANTS, attempt, {"room": translate.room_of(attempt)})
        if answer.status == 404:
            return None, answer.headers
        if answer.status != 200:
            raise AdapterError(f"LiveKit answered HTTP {answer.status} to a look-up")
        try:
            return translate.callee(answer.json()), answer.headers
        except ValueError as error:
            raise AdapterError(str(error)) from error

    async def _ask(self, method: str, attempt: str, order: Mapping[str, Any]) -> http.Answer:
        return await self._session.ask("POST", f"/twirp/{method}", json=order, headers=self._token(attempt))

    def _token(self, attempt: str) -> Mapping[str, str]:
        return {"Authorization": f"Bearer {tokens.access(self._key, self._secret, translate.room_of(attempt), tokens.now())}"}

    def _tell(self, event: CallEvent) -> None:
        self._news.put_nowait(event)

    def _start(self, work: Coroutine[Any, Any, _T]) -> asyncio.Task[_T]:
        """`work` must not raise: that would end all others, too."""
        task = self._tasks.create_task(work, name=f"a call of trunk {self.name}")
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return task


def _done(accepted: asyncio.Future[None], error: Exception | None = None) -> None:
    if accepted.done():
        return
    if error is None:
        accepted.set_result(None)
    else:
        accepted.set_exception(error)


def _at(headers: Mapping[str, str]) -> datetime:
    """The server's time, as its webhooks tell it: two clocks would put an end before its beginning."""
    with suppress(ValueError):
        at = parsedate_to_datetime(headers.get("date", ""))
        if at.tzinfo is not None:
            return at.astimezone(UTC)
    return tokens.now()
