"""Loading the settings: find the file, lay the environment over it, judge everything, say all faults at once.

Precedence, highest first: `DATABASE_URL`/`REDIS_URL`, `DIALER_SECTION__KEY`, the config file, the defaults.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from dialer.settings.faults import ConfigFaults, Fault, nearest, words
from dialer.settings.model import DEFAULT_TRUNKS, Settings, Trunk
from dialer.settings.places import CONFIG_FILES, absolute, default_data_dir
from dialer.settings.sources import (
    Entry,
    Key,
    Layer,
    address,
    holds_secret,
    merge,
    read_environment,
    read_file,
    read_secret,
    read_urls,
)

_BUILT_IN = "defaults"


def find_file(path: Path | None, environ: Mapping[str, str]) -> Path | None:
    """The config file in use: `path` (--config), else `DIALER_CONFIG`, else ./config.toml, else /etc/dialer/config.toml."""
    if path is not None:
        return path
    if environ.get("DIALER_CONFIG"):
        return Path(environ["DIALER_CONFIG"])
    return next((candidate for candidate in CONFIG_FILES if candidate.exists()), None)


def load(path: Path | None, environ: Mapping[str, str]) -> Settings:
    """The settings of this process. `path` is what --config named, or None. Raises `ConfigFaults`."""
    faults: list[Fault] = []
    file = find_file(path, environ)
    from_file: Layer = {}
    if file is not None:
        from_file, faults = read_file(file)
    unreadable = bool(faults)
    from_environment, more = read_environment(environ, _known())
    faults += more
    from_environment = address(from_environment, (key[1] for key in from_file if key[0] == "adapters" and len(key) > 1))
    entries, more = merge([_built_in(environ, from_file, from_environment), from_file, from_environment, read_urls(environ)])
    faults += more
    for key, entry in list(entries.items()):
        if secret := holds_secret(key):
            del entries[key]
            if not isinstance(entry.value, str):
                faults.append(Fault(entry.source, ".".join(key), "is not a path", "write the path of a file in quotes"))
            elif isinstance(found := read_secret(key, entry, absolute(Path(entry.value), entry.base, environ)), Fault):
                faults.append(found)
            else:
                entries[secret] = found
        elif key in (("embedded", "data_dir"), ("policies", "folder")) and isinstance(entry.value, str):
            entries[key] = Entry(absolute(Path(entry.value), entry.base, environ), entry.source, entry.base)
    try:
        settings = Settings.model_validate(_nest(entries))
    except ValidationError as error:
        # What is missing from a file that could not be read is not missing: only the file's own fault is true.
        errors = [each for each in error.errors() if not (unreadable and each["type"] == "missing")]
        faults += [_fault(dict(each), entries) for each in errors]
    if faults:
        raise ConfigFaults(faults)
    return settings


def _built_in(environ: Mapping[str, str], *layers: Layer) -> Layer:
    """The data directory of this user, and the default trunk as long as no other trunk is named anywhere."""
    here = Path.cwd()
    built_in: dict[Key, Entry] = {("embedded", "data_dir"): Entry(str(default_data_dir(environ)), _BUILT_IN, here)}
    in_file, in_environment = ({key[1] for key in layer if key[0] == "adapters" and len(key) > 1} for layer in layers)
    if not in_file and in_environment <= set(DEFAULT_TRUNKS):
        for name, options in DEFAULT_TRUNKS.items():
            built_in |= {("adapters", name, key): Entry(value, _BUILT_IN, here) for key, value in options.items()}
    return built_in


def _nest(entries: Mapping[Key, Entry]) -> dict[str, Any]:
    nested: dict[str, Any] = {}
    for key in sorted(entries, key=len):
        table: Any = nested
        for name in key[:-1]:
            table = table.setdefault(name, {}) if isinstance(table, dict) else None
        if isinstance(table, dict):
            value = entries[key].value
            table[key[-1]] = dict(value) if isinstance(value, dict) else value
    return nested


def _fault(error: dict[str, Any], entries: Mapping[Key, Entry]) -> Fault:
    key: Key = tuple(str(part) for part in error["loc"] if part != "[key]")
    source = next((entry.source for at, entry in entries.items() if at[: len(key)] == key), "")
    if not source and key[:-1]:
        source = next((entry.source for at, entry in entries.items() if at[: len(key) - 1] == key[:-1]), "")
    if error["type"] == "extra_forbidden":
        return Fault(source, ".".join(key), "is not a setting", _meant(key))
    return Fault(source, ".".join(key), *words(error, _field(key)))


def _meant(key: Key) -> str:
    known = _known()
    here = [each[-1] for each in known if each[:-1] == key[:-1]] if len(key) > 1 else [*Settings.model_fields]
    elsewhere = [each for each in known if each[-1] == key[-1]]
    if name := nearest(key[-1], here):
        return f"did you mean {'.'.join((*key[:-1], name))}?"
    if elsewhere:
        return f"did you mean {'.'.join(elsewhere[0])}?"
    return f"remove it, or see config.example.toml for what there is ({', '.join(here)})"


def _known() -> list[Key]:
    """Every setting that has a fixed name: all but those of the trunks."""
    return [
        (section, key)
        for section, field in Settings.model_fields.items()
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel)
        for key in field.annotation.model_fields
    ]


def _field(key: Key) -> FieldInfo | None:
    model: type[BaseModel] | None = Trunk if key[0] == "adapters" else None
    section = Settings.model_fields.get(key[0])
    if section and isinstance(section.annotation, type) and issubclass(section.annotation, BaseModel):
        model = section.annotation
    return model.model_fields.get(key[-1]) if model and len(key) > 1 else None
