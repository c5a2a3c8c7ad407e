"""What a provider's SDK declares that a value must be, read from its source: nothing of it is imported.

To import those that are read takes 7 s of processor time and a dozen more packages, and one of them refuses the pydantic that we
run on. What is understood is what their generators write: TypedDicts and pydantic models, unions, literals, lists, dictionaries.

It is stricter than the SDKs are: a key that is not declared is a fault, and an open list of words (`Literal | Any`) is closed.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TypeAlias

_OPEN = frozenset({"Any", "object", "UnsetType"})
_LISTS = frozenset({"List", "Sequence", "Iterable", "SequenceNotStr", "list"})
_MAPS = frozenset({"Dict", "Mapping", "dict"})
_ENUMS = frozenset({"Enum", "StrEnum", "object"})
"""Bases of what only holds words; Twilio's are plain classes."""
_WRAPPERS = frozenset({"Required", "NotRequired", "Annotated"})
_PLAIN: Mapping[str, tuple[type, ...]] = {"str": (str,), "int": (int,), "float": (int, float), "bool": (bool,)}


@dataclass(frozen=True, slots=True, eq=False)
class Source:
    """A module: what its names are bound to, and where they are imported from."""

    file: Path
    bound: Mapping[str, ast.stmt]
    imported: Mapping[str, ast.ImportFrom]


@dataclass(frozen=True, slots=True)
class Declared:
    """A type as it is written, in the module that its names belong to."""

    node: ast.expr
    source: Source


@dataclass(frozen=True, slots=True)
class Field:
    type: Declared
    required: bool


Shape: TypeAlias = Mapping[str, Field]
"""The keys of an object, as they are sent."""


@cache
def read(file: Path) -> Source:
    tree = ast.parse(file.read_text("utf-8"))
    bound: dict[str, ast.stmt] = {}
    for statement in [*tree.body, *(inner for outer in tree.body if isinstance(outer, ast.If) for inner in outer.body)]:
        match statement:
            case ast.ClassDef(name=name):
                bound[name] = statement
            case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)):
                bound.setdefault(name, statement)
    imported = {
        alias.asname or alias.name: found
        for found in ast.walk(tree)
        if isinstance(found, ast.ImportFrom)
        for alias in found.names
    }
    return Source(file, bound, imported)


@cache
def module(name: str) -> Source:
    """A module by its full name. Raises `ModuleNotFoundError` if its distribution is not installed."""
    top, *below = name.split(".")
    spec = find_spec(top)
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError(f"{top}: the SDK is not installed; run make venv")
    found = _file(Path(spec.submodule_search_locations[0]).joinpath(*below))
    if found is None:
        raise ModuleNotFoundError(name)
    return read(found)


def last(node: ast.AST) -> str:
    """`typing.Optional` and `Optional` are the same to us."""
    return node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""


def lookup(name: ast.expr, source: Source) -> tuple[ast.stmt, Source]:
    """What a name is bound to, and where. Raises `LookupError`."""
    if isinstance(name, ast.Attribute):
        owner = last(name.value)
        there = _imported(source, owner) if owner in source.imported else None
        if isinstance(there, Source):
            return lookup(ast.Name(name.attr), there)
        if isinstance(holder := source.bound.get(owner), ast.ClassDef):
            return next(each for each in holder.body if isinstance(each, ast.ClassDef) and each.name == name.attr), source
        raise LookupError(f"{ast.unparse(name)} in {source.file.name}")
    wanted = last(name)
    if wanted in source.bound:
        return source.bound[wanted], source
    if wanted in source.imported:
        there = _imported(source, wanted)
        original = next(each.name for each in source.imported[wanted].names if wanted in (each.asname, each.name))
        if isinstance(there, tuple):
            return lookup(ast.Name(original), there[0])
    raise LookupError(f"{ast.unparse(name)} in {source.file.name}")


@cache
def shape(declared: ast.ClassDef, source: Source) -> Shape:
    """The keys of a TypedDict or a pydantic model, inherited ones too."""
    found: dict[str, Field] = {}
    typed = _is_typed(declared, source)
    total = all(not (each.arg == "total" and getattr(each.value, "value", True) is False) for each in declared.keywords)
    for base in declared.bases:
        try:
            parent, there = lookup(base, source)
        except LookupError:
            continue
        if isinstance(parent, ast.ClassDef):
            found |= shape(parent, there)
        elif isinstance(parent, ast.Assign) and isinstance(parent.value, ast.Call):
            found |= _called(parent.value, there)
    for each in declared.body:
        if (
            isinstance(each, ast.AnnAssign)
            and isinstance(each.target, ast.Name)
            and "ClassVar" not in ast.unparse(each.annotation)
        ):
            marked = total if typed else not _has_default(each.value)
            found[_alias(each) or each.target.id] = _field(each.annotation, source, required=marked)
    return found


def faults(value: Any, declared: Declared, *, at: str = "", text: bool = False) -> list[str]:
    """What is wrong with a value, each with where it stands; none if it is as declared. `text`: the value was a form's or a
    query's, where numbers are written as text and a list is a name that comes several times."""
    return list(_faults(value, declared.node, declared.source, at, text))


def misfits(value: Any, keys: Shape, *, at: str = "", text: bool = False, open_ended: bool = False) -> Iterator[str]:
    """The faults of an object with these keys."""
    if not isinstance(value, Mapping):
        yield f"{at}: {type(value).__name__} is no object"
        return
    for name, inner in value.items():
        if name in keys:
            yield from faults(inner, keys[name].type, at=f"{at}.{name}", text=text)
        elif not open_ended:
            yield f"{at}.{name}: no such key"
    yield from (f"{at}.{name}: is missing" for name, each in keys.items() if each.required and name not in value)


def _faults(value: Any, node: ast.expr, source: Source, at: str, text: bool) -> Iterator[str]:
    match node:
        case ast.Constant(value=None):
            if value is not None:
                yield f"{at}: is not null"
        case ast.Constant(value=str(quoted)):
            yield from _faults(value, ast.parse(quoted, mode="eval").body, source, at, text)
        case ast.BinOp(left=left, right=right):
            yield from _one_of(value, [left, right], source, at, text)
        case ast.Subscript():
            yield from _generic(value, node, source, at, text)
        case _ if last(node) in _OPEN:
            return
        case _ if last(node) in _MAPS:
            if not isinstance(value, Mapping):
                yield f"{at}: {type(value).__name__} is no object"
        case _ if last(node) in _PLAIN:
            if not _is_plain(value, last(node), text):
                yield f"{at}: {type(value).__name__} is no {last(node)}"
        case _ if last(node) == "datetime":
            if not _is_time(value):
                yield f"{at}: is no time with an offset"
        case _:
            yield from _named(value, *lookup(node, source), at, text)


def _generic(value: Any, node: ast.Subscript, source: Source, at: str, text: bool) -> Iterator[str]:
    head, inner = last(node.value), node.slice
    arguments = inner.elts if isinstance(inner, ast.Tuple) else [inner]
    if head in _WRAPPERS:
        yield from _faults(value, arguments[0], source, at, text)
    elif head == "Optional":
        yield from _one_of(value, [arguments[0], ast.Constant(None)], source, at, text)
    elif head == "Union":
        yield from _one_of(value, arguments, source, at, text)
    elif head == "Literal":
        words = [each.value for each in arguments if isinstance(each, ast.Constant)]
        if value not in words or (isinstance(value, bool) and not any(word is value for word in words)):
            yield f"{at}: is none of the {len(words)} words"
    elif head in _LISTS:
        if text and isinstance(value, str):
            value = [value]
        if not isinstance(value, list):
            yield f"{at}: {type(value).__name__} is no list"
            return
        for place, each in enumerate(value):
            yield from _faults(each, arguments[0], source, f"{at}[{place}]", text)
    elif head in _MAPS:
        if not isinstance(value, Mapping):
            yield f"{at}: {type(value).__name__} is no object"
            return
        for name, each in value.items():
            yield from _faults(each, arguments[1], source, f"{at}.{name}", text)
    else:
        raise LookupError(f"{ast.unparse(node)} in {source.file.name}")


def _one_of(value: Any, members: list[ast.expr], source: Source, at: str, text: bool) -> Iterator[str]:
    given = [each for each in members if value is None or not (isinstance(each, ast.Constant) and each.value is None)]
    closed = [each for each in given if last(each) not in _OPEN]
    found = [list(_faults(value, each, source, at, text)) for each in closed or given]
    yield from min(found, key=len)


def _named(value: Any, bound: ast.stmt, source: Source, at: str, text: bool) -> Iterator[str]:
    match bound:
        case ast.ClassDef(bases=bases) if any(last(base) in _ENUMS for base in bases):
            words = {
                each.value.value for each in bound.body if isinstance(each, ast.Assign) and isinstance(each.value, ast.Constant)
            }
            if value not in words:
                yield f"{at}: is none of the {len(words)} words"
        case ast.ClassDef():
            open_ended = any(each.arg == "extra_items" for each in bound.keywords)
            yield from misfits(value, shape(bound, source), at=at, text=text, open_ended=open_ended)
        case ast.Assign(value=node) | ast.AnnAssign(value=ast.expr() as node):
            if isinstance(node, ast.Call) and last(node.func) == "TypeAliasType":
                node = node.args[1]
            yield from _faults(value, node, source, at, text)
        case _:
            raise LookupError(f"{ast.unparse(bound)} in {source.file.name}")


def _is_plain(value: Any, kind: str, text: bool) -> bool:
    if text and isinstance(value, str):
        return {"int": value.isdecimal(), "float": value.isdecimal(), "bool": value in {"true", "false"}}.get(kind, True)
    return isinstance(value, _PLAIN[kind]) and (kind == "bool" or not isinstance(value, bool))


def _is_time(value: Any) -> bool:
    try:
        return isinstance(value, str) and datetime.fromisoformat(value).tzinfo is not None
    except ValueError:
        return False


def _is_typed(declared: ast.ClassDef, source: Source) -> bool:
    for base in declared.bases:
        if last(base) == "TypedDict":
            return True
        try:
            parent, there = lookup(base, source)
        except LookupError:
            continue
        if not isinstance(parent, ast.ClassDef) or _is_typed(parent, there):
            return True
    return False


def _called(call: ast.Call, source: Source) -> Shape:
    """`TypedDict("Name", {"from": str}, total=False)`, for keys that are words of Python."""
    total = all(each.arg != "total" for each in call.keywords)
    keys = call.args[1]
    assert isinstance(keys, ast.Dict)
    return {
        str(name.value): _field(node, source, required=total)
        for name, node in zip(keys.keys, keys.values, strict=True)
        if isinstance(name, ast.Constant)
    }


def _field(node: ast.expr, source: Source, *, required: bool) -> Field:
    marks = {last(each.value) for each in ast.walk(node) if isinstance(each, ast.Subscript)}
    return Field(Declared(node, source), (required or "Required" in marks) and "NotRequired" not in marks)


def _has_default(given: ast.expr | None) -> bool:
    """`= None`, `= Field(default=None)`, and not `= FieldInfo(alias="from")`."""
    if isinstance(given, ast.Call):
        return bool(given.args) or any(each.arg in {"default", "default_factory"} for each in given.keywords)
    return given is not None


def _alias(node: ast.AST) -> str:
    """How a key is sent that is named otherwise in Python."""
    given = (each.value for each in ast.walk(node) if isinstance(each, ast.keyword) and each.arg == "alias")
    return next((str(each.value) for each in given if isinstance(each, ast.Constant)), "")


def _imported(source: Source, name: str) -> Source | tuple[Source]:
    """The module that a name is, or (in a tuple) the one that it comes from. Raises `LookupError`."""
    found = source.imported[name]
    original = next(each.name for each in found.names if name in (each.asname, each.name))
    if not found.level:
        raise LookupError(name)  # of the standard library
    base = source.file.parents[found.level - 1].joinpath(*(found.module or "").split("."))
    if (inner := _file(base / original)) is not None:
        return read(inner)
    if (outer := _file(base)) is None:
        raise LookupError(name)
    return (read(outer),)


def _file(path: Path) -> Path | None:
    return next((each for each in (path.with_name(path.name + ".py"), path / "__init__.py") if each.is_file()), None)
