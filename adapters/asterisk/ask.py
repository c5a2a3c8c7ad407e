"""The questions and commands of ARI that are no placement. All raise `AdapterError` when Asterisk does not do what it is told."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import quote

from adapters import http
from adapters.asterisk.names import marker_of, time_of
from adapters.errors import AdapterError
from adapters.session import Form, Session

_VARIABLE = "/ari/asterisk/variable"


def path_of(channel: str) -> str:
    return f"/ari/channels/{quote(channel, safe='')}"


def bridge_path(bridge: str) -> str:
    return f"/ari/bridges/{quote(bridge, safe='')}"


class Ari:
    def __init__(self, session: Session) -> None:
        self._session = session

    async def do(self, method: str, path: str, *, params: Form | None = None, json: Any = None) -> None:
        """A command. What is to be deleted and is not there is success."""
        answer = await self._session.ask(method, path, params=params, json=json)
        if not 200 <= answer.status < 300 and not (method == "DELETE" and answer.status == 404):
            raise AdapterError(f"Asterisk answered HTTP {answer.status} to {method}")

    async def channel(self, channel: str) -> tuple[Mapping[str, Any] | None, datetime | None]:
        """A channel that is alive, or None; and what time it is there, if Asterisk says so."""
        answer = await self._session.ask("GET", path_of(channel))
        if answer.status == 404:
            return None, _date(answer)
        return self._read(answer), _date(answer)

    async def marker(self, attempt: str) -> str:
        """The marker of the attempt, empty where none is set. Raises `ValueError` and `KeyError` for an answer that cannot be
        read."""
        answer = await self._session.ask("GET", _VARIABLE, params={"variable": marker_of(attempt)})
        return str(self._read(answer)["value"])

    async def forget(self, attempt: str) -> None:
        """Clear the marker of an attempt."""
        await self.do("POST", _VARIABLE, params={"variable": marker_of(attempt), "value": ""})

    async def info(self) -> Mapping[str, Any]:
        """Raises `ValueError` if it cannot be read."""
        return self._read(await self._session.ask("GET", "/ari/asterisk/info"))

    async def started(self) -> datetime:
        """When this Asterisk was started. Raises `ValueError` and `KeyError` for an answer that cannot be read."""
        return time_of((await self.info())["status"]["startup_time"])

    async def bridges(self) -> Mapping[str, int]:
        """Each bridge and how many channels are in it."""
        answer = await self._session.ask("GET", "/ari/bridges")
        try:
            return {str(bridge["id"]): len(bridge["channels"]) for bridge in answer.json()}
        except (ValueError, KeyError, TypeError) as fault:
            raise AdapterError("Asterisk's list of bridges cannot be read") from fault

    @staticmethod
    def _read(answer: http.Answer) -> Mapping[str, Any]:
        if answer.status != 200:
            raise AdapterError(f"Asterisk answered HTTP {answer.status}")
        found = answer.json()
        if not isinstance(found, Mapping):
            raise AdapterError("Asterisk's answer is no JSON object")
        return found


def _date(answer: http.Answer) -> datetime | None:
    try:
        moment = parsedate_to_datetime(answer.headers.get("date", ""))
    except ValueError:
        return None
    return moment if moment.tzinfo else None
