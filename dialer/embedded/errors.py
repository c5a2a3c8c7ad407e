"""The two refusals of the embedded servers, each carrying one sentence that a user can act upon."""

from __future__ import annotations


class AlreadyRunning(Exception):
    """Another daemon, or what is left of one, holds this data directory."""


class EmbeddedUnavailable(Exception):
    """The servers cannot be run here; the message says why and what to install or change."""
