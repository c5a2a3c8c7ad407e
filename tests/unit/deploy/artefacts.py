"""The files of deploy/, for tests that read them."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from dialer.settings import Settings, load

PROJECT = Path(__file__).resolve().parents[3]
DEPLOY = PROJECT / "deploy"
VERSION: str = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]["version"]
IMAGE = f"campaign-dialer:{VERSION}"
ROLES = ("api", "scheduler", "worker")
CONNECTIONS_BESIDES_THE_POOL = 10
"""What `dialer.store.database` opens at most for each process in addition to `database.pool_size`."""


def documents(path: Path) -> list[dict[str, Any]]:
    """Every document of a YAML file."""
    return list(yaml.safe_load_all(path.read_text()))


def document(path: Path) -> dict[str, Any]:
    """The only document of a YAML file."""
    [only] = documents(path)
    return only


def settings(config: str, environ: Mapping[str, str], secrets: Mapping[str, str], tmp_path: Path) -> Settings:
    """What a process gets whose config file holds `config`; `secrets` tells the text of each file named in `environ`."""
    path = tmp_path / "config.toml"
    path.write_text(config)
    given = {"HOME": str(tmp_path), **environ, "DIALER_CONFIG": str(path)}
    for name, named in environ.items():
        if name.endswith("_FILE"):
            secret = tmp_path / Path(named).name
            secret.write_text(secrets[named])
            given[name] = str(secret)
    return load(None, given)
