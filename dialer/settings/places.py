"""Where things lie when nobody says otherwise: the config file and the data directory."""

from __future__ import annotations

import os
import pwd
from collections.abc import Mapping
from pathlib import Path

CONFIG_FILES = (Path("config.toml"), Path("/etc/dialer/config.toml"))
"""Looked for in this order when neither `--config` nor `DIALER_CONFIG` names one."""


def home(environ: Mapping[str, str]) -> Path | None:
    """The user's home directory; None in a container whose user id has no account and no HOME."""
    if environ.get("HOME"):
        return Path(environ["HOME"])
    try:
        return Path(pwd.getpwuid(os.getuid()).pw_dir)
    except KeyError:
        return None


def default_data_dir(environ: Mapping[str, str]) -> Path:
    """`$XDG_STATE_HOME/dialer`, else `~/.local/state/dialer`, else (no home at all) `/var/lib/dialer`.

    A relative XDG_STATE_HOME is ignored, as the XDG base directory specification asks.
    """
    state = Path(environ.get("XDG_STATE_HOME", ""))
    if state.is_absolute():
        return state / "dialer"
    base = home(environ)
    return base / ".local" / "state" / "dialer" if base else Path("/var/lib/dialer")


def absolute(given: Path, base: Path, environ: Mapping[str, str]) -> Path:
    """A path as an operator wrote it: `~` is the home directory, a relative one starts at `base`."""
    if given.parts[:1] == ("~",) and (at := home(environ)):
        given = at.joinpath(*given.parts[1:])
    return base / given
