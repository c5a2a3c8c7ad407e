"""A clock that can be set for some processes only: libfaketime, by a file that they look at whenever they ask for the time."""

from __future__ import annotations

from collections.abc import Mapping
from glob import glob
from pathlib import Path

PLACES = ("/usr/lib/*/faketime", "/usr/lib/faketime", "/usr/local/lib/faketime", "/usr/lib64/faketime")


class NoFaketime(Exception):
    """libfaketime is not installed (Debian's package is called faketime)."""


class FakeClock:
    """The clock of all processes that are started with `env`. Raises `NoFaketime`."""

    def __init__(self, directory: Path) -> None:
        found = [path for place in PLACES for path in glob(f"{place}/libfaketime.so.1")]
        if not found:
            raise NoFaketime((NoFaketime.__doc__ or "").strip())
        self._file = directory / "faketime"
        self.set(0)
        self.env: Mapping[str, str] = {
            "LD_PRELOAD": found[0],
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "NO_FAKE_STAT": "1",
        }

    def set(self, seconds: int) -> None:
        """So many seconds ahead of the true time from now on; negative: behind."""
        draft = self._file.with_suffix(".new")
        draft.write_text(f"{seconds:+d}\n", encoding="ascii")
        draft.replace(self._file)
