"""Where settings are written: a TOML file, environment variables, files that hold one secret.

Owns reading and precedence. Promises that each value keeps the name of the place it came from. Does not judge values.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

from adapters import options
from dialer.settings.faults import Fault, nearest

Key: TypeAlias = tuple[str, ...]
"""("http", "port"), ("adapters", "twilio", "auth_token"); shorter where something else stands in a table's place."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One value as written. `base` is the directory that relative paths in it start from."""

    value: Any = field(repr=False)
    source: str
    base: Path


Layer: TypeAlias = Mapping[Key, Entry]

NO_SETTINGS = frozenset({"DIALER_CONFIG", "DIALER_FAILPOINTS"})
"""Variables of ours that are no settings: where the settings are, and what tests do to a process."""

_MAX_SECRET_BYTES = 65_536
# Kubernetes puts the address of every Service into the environment of each pod; for a Service "dialer-api" that is
# DIALER_API_PORT and its like, which nobody wrote as a setting.
_SERVICE_LINK = re.compile(r"_SERVICE_(HOST|PORT)(_\w+)?$|_PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?$")
_SERVICE_ADDRESS = re.compile(r"(tcp|udp|sctp)://")


def is_secret(key: Key) -> bool:
    """Whether a setting is a secret, so that `<key>_file` may name a file that holds it."""
    if key in (("database", "url"), ("redis", "url"), ("extraction", "api_key")):
        return True
    return len(key) == 3 and key[0] == "adapters" and options.is_secret(key[2])


def holds_secret(key: Key) -> Key | None:
    """For ("database", "url_file") the secret's own key ("database", "url"); None for any other key."""
    secret = (*key[:-1], key[-1].removesuffix("_file"))
    return secret if secret != key and is_secret(secret) else None


def read_file(path: Path) -> tuple[Layer, list[Fault]]:
    """The entries of a TOML file, or what keeps it from being read."""
    source = str(path)
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        return {}, [Fault(source, "", f"cannot be read ({error.strerror})", "check the path and its permissions")]
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        return {}, [Fault(f"{source}, line {line}", "", "is not UTF-8 text", "save the file as UTF-8")]
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        return {}, [_syntax(source, text, error)]
    base = path.absolute().parent
    return {key: Entry(value, source, base) for key, value in _flatten(data)}, []


def _syntax(source: str, text: str, error: tomllib.TOMLDecodeError) -> Fault:
    what, found, column = str(error), re.search(r" ?\(at line (\d+), column (\d+)\)", str(error)), ""
    if found:
        what, line, column = what.replace(found[0], ""), int(found[1]), f", column {found[2]}"
    else:
        what, line = what.replace(" (at end of document)", ", and the file ends"), max(1, len(text.splitlines()))
    return Fault(f"{source}, line {line}{column}", "", f"is not valid TOML: {what}", 'mend that line (text goes in "quotes")')


def _flatten(data: Mapping[str, Any], prefix: Key = ()) -> Iterable[tuple[Key, Any]]:
    for name, value in data.items():
        key = (*prefix, name)
        depth = 3 if key[0] == "adapters" else 2
        if isinstance(value, dict) and value and len(key) < depth:
            yield from _flatten(value, key)
        else:
            yield key, value


def read_environment(environ: Mapping[str, str], known: Iterable[Key]) -> tuple[Layer, list[Fault]]:
    """The entries of `DIALER_SECTION__KEY` variables. `known` are the settings, for a did-you-mean. Empty means unset."""
    layer: dict[Key, Entry] = {}
    faults: list[Fault] = []
    for name, value in sorted(environ.items()):
        if not name.startswith("DIALER_") or name in NO_SETTINGS or not value or _is_service_link(name, value):
            continue
        key = tuple(name.removeprefix("DIALER_").lower().split("__"))
        if len(key) == (3 if key[0] == "adapters" else 2) and all(key):
            layer[key] = Entry(value, f"environment variable {name}", Path.cwd())
        else:
            meant = nearest(name, [variable(each) for each in known], cutoff=0.8)
            remedy = f"did you mean {meant}?" if meant else "write DIALER_SECTION__KEY with two underscores, or unset it"
            faults.append(Fault(f"environment variable {name}", "", "is not a setting", remedy))
    return layer, faults


def variable(key: Key) -> str:
    """The environment variable of a setting."""
    return "DIALER_" + "__".join(key).upper().replace("-", "_")


def address(layer: Layer, trunks: Iterable[str]) -> Layer:
    """What the environment says of `trunks` that have a hyphen in their names, which no variable has: under their own names."""
    names = {name.replace("-", "_"): name for name in trunks}
    return {(key[0], names.get(key[1], key[1]), *key[2:]) if key[0] == "adapters" else key: entry for key, entry in layer.items()}


def _is_service_link(name: str, value: str) -> bool:
    return bool(_SERVICE_LINK.search(name)) or (name.endswith("_PORT") and bool(_SERVICE_ADDRESS.match(value)))


def read_urls(environ: Mapping[str, str]) -> Layer:
    """`DATABASE_URL` and `REDIS_URL`, which every hosting platform sets."""
    return {
        (section, "url"): Entry(environ[name], f"environment variable {name}", Path.cwd())
        for section, name in (("database", "DATABASE_URL"), ("redis", "REDIS_URL"))
        if environ.get(name)
    }


def merge(layers: Iterable[Layer]) -> tuple[dict[Key, Entry], list[Fault]]:
    """Lay later layers over earlier ones. A secret and its `_file` are the same setting: the later layer's form wins."""
    merged: dict[Key, Entry] = {}
    faults: list[Fault] = []
    for layer in layers:
        for key, entry in layer.items():
            secret = holds_secret(key)
            if secret and secret in layer:
                problem = f"is given together with {'.'.join(secret)}"
                faults.append(Fault(entry.source, ".".join(key), problem, "keep one of the two"))
            merged.pop(secret or (*key[:-1], key[-1] + "_file"), None)
            merged[key] = entry
    return merged, faults


def read_secret(key: Key, entry: Entry, at: Path) -> Entry | Fault:
    """The secret that the file `at` holds, without its last line break."""
    name = ".".join(key)
    try:
        with at.open("rb") as file:
            data = file.read(_MAX_SECRET_BYTES + 1)
        text = data.decode().rstrip("\r\n")
    except OSError as error:
        return Fault(entry.source, name, f"names a file that cannot be read ({error.strerror})", "check path and permissions")
    except UnicodeDecodeError:
        return Fault(entry.source, name, "names a file that is not UTF-8 text", "store the secret as plain text")
    if not text or len(data) > _MAX_SECRET_BYTES:
        problem = "names an empty file" if not text else "names a file of more than 64 KiB"
        return Fault(entry.source, name, problem, "store the secret alone in it")
    return Entry(text, entry.source, entry.base)
