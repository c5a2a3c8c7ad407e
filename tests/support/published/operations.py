"""The requests that a provider's SDK can make, read from its source: method, path, and the keys of body and query.

Three generators are understood: Fern's (`request("call", method="POST", json={...})`), Stainless' (`self._post("/calls",
body=maybe_transform({...}, Params))`) and Twilio's (`create(method="POST", uri=self._uri, data=data)`).
"""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tests.support.published.declared import Declared, Field, Shape, Source, last, lookup, misfits, module, shape

_STAINLESS = {"_get": "GET", "_post": "POST", "_delete": "DELETE", "_get_api_list": "GET"}


@dataclass(frozen=True, slots=True)
class Operation:
    """`path`: a pattern of the whole path. Body and query are what may stand in them, and None where there is none."""

    name: str
    method: str
    path: re.Pattern[str]
    body: Shape | None
    query: Shape | None

    def is_meant(self, method: str, path: str) -> bool:
        return method == self.method and self.path.fullmatch(path) is not None

    def faults(self, body: Any, query: Mapping[str, Any], *, form: bool = False) -> list[str]:
        """What the SDK could not have sent. `body`: None for none; `form`: it was a form's."""
        found = [] if body is None else ["body: there is none"] if self.body is None else _object(body, self.body, "body", form)
        return found + _object(_nested(query, self.query or {}), self.query or {}, "query", True)


def operation(where: str, owner: str, name: str, *, root: str = "") -> Operation:
    """The request of a method of the class `owner` in the module `where`; `root`: what comes before the SDK's paths."""
    source = module(where)
    holder = source.bound[owner]
    assert isinstance(holder, ast.ClassDef)
    function = next(each for each in holder.body if isinstance(each, ast.FunctionDef) and each.name == name)
    for call in (each for each in ast.walk(function) if isinstance(each, ast.Call)):
        given = {each.arg: each.value for each in call.keywords if each.arg}
        if last(call.func) == "request" and "method" in given:  # Fern
            path, method = _path(call.args[0]), _text(given["method"])
            body, query = given.get("json"), given.get("params")
        elif last(call.func) in _STAINLESS:
            path, method = _path(call.args[0]), _STAINLESS[last(call.func)]
            body, query = given.get("body"), _keyword(given.get("options"), "query")
        elif "uri" in given:  # Twilio
            path, method = _path(_assigned(holder, "_uri")), _text(given["method"])
            body = _assigned(function, "data") if "data" in given else None
            query = _assigned(function, "data") if "params" in given else None
        else:
            continue
        path = "/" + f"{root}/{path.strip('/')}".strip("/")
        pattern = re.compile(re.sub(r"\\\{.*?\\\}", "[^/]+", re.escape(path)))
        return Operation(f"{owner}.{name}", method, pattern, _shape(body, function, source), _shape(query, function, source))
    raise LookupError(f"{owner}.{name} makes no request")


def _object(given: Any, keys: Shape, at: str, text: bool) -> list[str]:
    return list(misfits(given, keys, at=at, text=text))


def _nested(query: Mapping[str, Any], keys: Shape) -> Mapping[str, Any]:
    """`filter[occurred_at][gte]` is a key of an object in an object, unless it is declared as it stands."""
    found: dict[str, Any] = {}
    for name, value in query.items():
        if name in keys:
            found[name] = value
            continue
        *path, end = [part.rstrip("]") for part in name.split("[")]
        inside = found
        for part in path:
            inside = inside.setdefault(part, {})
        inside[end] = value
    return found


def _shape(given: ast.expr | None, function: ast.FunctionDef, source: Source) -> Shape | None:
    if given is None:
        return None
    if isinstance(given, ast.Call) and last(given.func) == "maybe_transform":
        declared, there = lookup(given.args[1], source)
        assert isinstance(declared, ast.ClassDef)
        return shape(declared, there)
    arguments = _arguments(function, source)
    sent = next(each for each in ast.walk(given) if isinstance(each, ast.Dict))
    return {
        _text(name): next(arguments[each.id] for each in ast.walk(value) if isinstance(each, ast.Name) and each.id in arguments)
        for name, value in zip(sent.keys, sent.values, strict=True)
    }


def _arguments(function: ast.FunctionDef, source: Source) -> Shape:
    plain, named = function.args.args, function.args.kwonlyargs
    defaults = [*[None] * (len(plain) - len(function.args.defaults)), *function.args.defaults, *function.args.kw_defaults]
    return {
        each.arg: Field(Declared(each.annotation, source), default is None)
        for each, default in zip([*plain, *named], defaults, strict=True)
        if each.annotation is not None
    }


def _assigned(inside: ast.AST, name: str) -> ast.expr:
    """What is assigned to a variable or an attribute of that name."""
    return next(each.value for each in ast.walk(inside) if isinstance(each, ast.Assign) and last(each.targets[0]) == name)


def _keyword(inside: ast.expr | None, name: str) -> ast.expr | None:
    found = (each.value for each in ast.walk(inside or ast.Pass()) if isinstance(each, ast.keyword) and each.arg == name)
    return next(found, None)


def _path(node: ast.expr) -> str:
    if isinstance(node, ast.JoinedStr):
        return "".join(_text(each) if isinstance(each, ast.Constant) else "{}" for each in node.values)
    return _text(next(each for each in ast.walk(node) if isinstance(each, ast.Constant) and isinstance(each.value, str)))


def _text(node: ast.expr | None) -> str:
    assert isinstance(node, ast.Constant) and isinstance(node.value, str)
    return node.value
