"""Reading what an operator writes about a provider, all of it before any call: every fault at once, no value quoted."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Literal

from adapters.base import Once
from adapters.causes import Verdict
from adapters.session import basic
from adapters.webhook import templates
from adapters.webhook.answers import MEANINGS, PROVE_NOTHING, Refusal, Sign
from adapters.webhook.config import Body, Callback, Config, HangUp, LookUp, Placement
from adapters.webhook.hooks import HEADER, READING, callback_of, reading_of
from adapters.webhook.reading import OUTCOMES
from adapters.webhook.tables import Table
from adapters.webhook.templates import Line

_STATUSES: Mapping[str, Literal["live", "answered", "over"]] = {"live": "live", "answered": "answered", "over": "over"}
_SIGN = ("status", "path", "words")


def read(options: Mapping[str, Any]) -> Config:
    """Raises `ValueError`, one line per fault (`place.id: problem; remedy`)."""
    root = Table(options)
    base_url = root.url("base_url", example="https://api.example.com/v1")
    if "?" in base_url:
        root.fault("base_url", "holds a query", "leave it out, the path of each request may have one")
    headers = _own_headers(root)
    timeout = root.number("timeout", low=0.1, high=60, default=10, unit="seconds")
    settle = root.number("settle", low=0, high=600, default=60, unit="seconds")
    once = Once(root.choice("once", [each.value for each in Once], default=Once.NO))
    voices = root.text_list("voices") or frozenset({"agent"})
    health = _line(root, "health_path", (), address=True)
    words = root.choices("outcomes", OUTCOMES, required=True)
    place = _placement(root)
    refusals = tuple(_refusal(each) for each in root.tables("refusals", (*_SIGN, "means")))
    callback = callback_of(root, words)
    find = _look_up(root, words)
    hang_up = _hang_up(root)
    if place and callback:
        _carries_the_attempt(root, place, callback)
    root.finish()
    assert place is not None and callback is not None
    return Config(
        base_url, headers, timeout, settle, once, voices, health.text if health else "", place, refusals, callback, find, hang_up
    )


def _own_headers(root: Table) -> dict[str, str]:
    """The headers of every request, the key filled in."""
    key, user = root.secret("api_key", default=""), root.text("username", default="")
    lines = _headers(root, ("api_key",))
    needed = bool(user) or any("api_key" in line.holes for line in lines.values())
    if needed and not key:
        root.fault("api_key", "missing", "set it, or api_key_file to the path of a file that holds it")
    if key and not needed:
        root.fault("api_key", "goes into no request", 'write headers = { Authorization = "Bearer {api_key}" }, or a username')
    headers = {name: line.header({"api_key": key}) for name, line in lines.items()}
    return headers | ({"Authorization": basic(user, key)} if user else {})


def _headers(table: Table, allowed: tuple[str, ...]) -> dict[str, Line]:
    given = table.table("headers")
    if given is None:
        return {}
    found = {}
    for name in given.names():
        if re.fullmatch(HEADER, name) is None or name.lower() in {"content-type", "content-length", "host"}:
            given.fault(
                "", "holds a name that no header of yours may have", "remove it, for Content-Type follows from json or form"
            )
        elif each := _line(given, name, allowed, address=False):
            found[name] = each
    return found


def _line(table: Table, key: str, allowed: tuple[str, ...], *, address: bool, required: bool = False) -> Line | None:
    if not table.has(key):
        if required:
            table.fault(key, "missing", "set it to the path of an address like /v1/calls")
        return None
    return table.read(key, lambda text: templates.line(_text(text), allowed, address=address))


def _text(given: Any) -> str:
    if isinstance(given, str):
        return given
    raise ValueError("not a text; write it in quotes")


def _body(table: Table, allowed: Callable[[str], bool], *, required: bool) -> Body:
    names = [key for key in ("json", "form") if table.has(key)]
    if len(names) > 1 or (required and not names):
        table.fault("json", "given together with form" if names else "missing, and so is form", "write one of the two")
        return Body()
    if not names:
        return Body()
    key = names[0]
    given = table.table(key)
    if given is None:
        return Body()
    if key == "form" and any(isinstance(each, Mapping) for each in given.values()):
        table.fault(key, "holds a table", "give each field a name of its own, like metadata[attempt]")
    return Body(table.read(key, lambda value: templates.template(value, allowed)), key == "form")


def _placement(root: Table) -> Placement | None:
    table = root.table("place", ("path", "json", "form", "headers", "id"), required=True)
    if table is None:
        return None
    path = _line(table, "path", ("attempt",), address=True, required=True)
    body = _body(table, templates.may_ask, required=True)
    headers = _headers(table, ("attempt",))
    id_ = table.path("id", required=True)
    return Placement(path, body, headers, id_) if path and id_ else None


def _carries_the_attempt(root: Table, place: Placement, callback: Callback) -> None:
    """The callback can only tell of the attempt what the placement said."""
    lines = (place.path, *place.headers.values())
    sent = {*templates.holes(place.body.template), *(hole for line in lines for hole in line.holes)}
    if callback.attempt_query and templates.CALLBACK_URL not in sent:
        root.fault("place", "does not carry the attempt id", "send {callback_url}, to which callback.attempt_query adds the id")
    if callback.reading.attempt and "attempt" not in sent:
        root.fault("place", "does not carry the attempt id", "put {attempt} where the provider echoes it")


def _sign(table: Table) -> Sign:
    statuses = table.whole_list("status", 200, 599)
    path, words = table.path("path"), table.text_list("words")
    if table.has("path") != table.has("words"):
        table.fault("words", "belong to a path, and a path to words", "write both, or none")
    elif not table.has("path") and statuses & PROVE_NOTHING:
        table.fault("status", "proves nothing alone", "name a word of the provider's own with it, by path and words")
    return Sign(statuses, path, words)


def _refusal(table: Table) -> Refusal:
    sign = _sign(table)
    means = table.choice("means", MEANINGS)
    if means in {"number", "perhaps_number"} and sign.path is None:
        table.fault("means", "ends a number for a status alone", "name the word that says so, by path and words")
    return Refusal(sign, MEANINGS[means])


def _look_up(root: Table, words: Mapping[str, Verdict]) -> LookUp | None:
    table = root.table("find", ("by_ref", "by_attempt", "call", "calls", "absent", "status", "statuses", *READING))
    if table is None:
        return None
    by_ref = _line(table, "by_ref", ("ref",), address=True)
    by_attempt = _line(table, "by_attempt", ("attempt",), address=True)
    for key, line, hole in (("by_ref", by_ref, "ref"), ("by_attempt", by_attempt, "attempt")):
        if line and hole not in line.holes:
            table.fault(key, f"asks for no {hole}", f"write it with {{{hole}}}")
    if not table.has("by_ref") and not table.has("by_attempt"):
        table.fault("by_attempt", "missing, and so is by_ref", "write the address of a look-up, or leave find out")
    absent = tuple(_sign(each) for each in table.tables("absent", _SIGN))
    if any(sign.path is None for sign in absent):
        table.fault("absent", "would let a status alone prove that nobody was called", "name the word that says so, too")
    status, statuses = table.path("status", required=True), table.choices("statuses", _STATUSES, required=True)
    reading = reading_of(table, words)
    for key, needed in (("id", True), ("attempt", table.has("by_attempt"))):
        if needed and not table.has(key):
            table.fault(key, "missing", "set its path, so that no other call is taken for this one")
    call, calls = table.path("call"), table.path("calls")
    return LookUp(by_ref, by_attempt, call, calls, absent, status, statuses, reading) if status else None


def _hang_up(root: Table) -> HangUp | None:
    table = root.table("hang_up", ("method", "path", "json", "form", "gone"))
    if table is None:
        return None
    method = table.choice("method", ("POST", "PUT", "PATCH", "DELETE"), default="POST")
    path = _line(table, "path", ("attempt", "ref"), address=True, required=True)
    body = _body(table, {"attempt", "ref"}.__contains__, required=False)
    gone = tuple(_sign(each) for each in table.tables("gone", _SIGN))
    if path and not path.holes and not {*templates.holes(body.template)}:
        table.fault("path", "names no call", "write it with {ref} or {attempt}")
    return HangUp(method, path, body, gone) if path else None
