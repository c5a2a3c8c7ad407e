"""A small disk: a file system of its own in memory, which can be filled to the last byte."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

BALLAST = "ballast"
PIECE = 1024 * 1024


class CannotMount(Exception):
    """This machine does not let us mount."""


@contextmanager
def small_disk(path: Path, size: int) -> Iterator[None]:
    """`size` bytes at `path`, which is made. Raises CannotMount."""
    path.mkdir(parents=True, exist_ok=True)
    order = ["mount", "-t", "tmpfs", "-o", f"size={size},mode=0700", "dialer-chaos", str(path)]
    try:
        made = subprocess.run(order, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise CannotMount("there is no program mount") from None
    if made.returncode:
        raise CannotMount(made.stderr.strip() or f"mount ended with {made.returncode}")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(path)], check=False)


def fill(path: Path) -> None:
    """Leave no room on the disk at `path`; what is freed meanwhile is taken too, by the next call."""
    for size in (PIECE, 4096):
        with suppress(OSError), (path / BALLAST).open("ab", buffering=0) as ballast:
            while ballast.write(bytes(size)) == size:
                pass


def make_room(path: Path) -> None:
    os.truncate(path / BALLAST, 0)
