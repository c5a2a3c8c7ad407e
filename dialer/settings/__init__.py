"""What an operator may choose: the settings, and the one way to load them.

Owns every key, its default and its range. Promises a frozen, complete `Settings`, or `ConfigFaults` with all that is wrong
at once. Will not connect to anything, and never shows the value of a secret.
"""

from dialer.settings.faults import ConfigFaults, Fault
from dialer.settings.loading import find_file, load
from dialer.settings.model import (
    Database,
    DirectCalls,
    Embedded,
    Extraction,
    Http,
    Logging,
    Policies,
    Redis,
    Scheduler,
    Settings,
    Trunk,
    Worker,
)
from dialer.settings.packs import own_packs

__all__ = [
    "ConfigFaults",
    "Database",
    "DirectCalls",
    "Embedded",
    "Extraction",
    "Fault",
    "Http",
    "Logging",
    "Policies",
    "Redis",
    "Scheduler",
    "Settings",
    "Trunk",
    "Worker",
    "find_file",
    "load",
    "own_packs",
]
