"""Where files of tests are made soonest."""

from __future__ import annotations

import os
import shutil

import psutil

ROOM = 4 * 1024**3
"""Bytes that must be free in memory for the servers' files to lie there."""


def quickest(files: int = 0) -> str | None:
    """A directory in memory, for a server that makes hundreds of files; None = the usual place. `files`: bytes that these will
    take beyond what is usual. They lie in memory only where as much again stays free for those who work with them."""
    memory = "/dev/shm"
    roomy = os.access(memory, os.W_OK) and shutil.disk_usage(memory).free > ROOM + files
    return memory if roomy and psutil.virtual_memory().available > 2 * files else None
