"""The command line. Every command does its imports when it runs, so that `dialer --help` answers at once.

Exit codes: 0 done; 1 refused or failed, with one sentence why; 2 the command line itself is wrong; 3 the configuration has
faults; 4 a store (Postgres, Redis) or a port cannot be used.
"""

from dialer.cli.main import main

__all__ = ["main"]
