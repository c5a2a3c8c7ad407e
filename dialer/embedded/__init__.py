"""The embedded default: a real Postgres and a real Valkey with nothing installed but Python packages.

Owns a data directory and the two servers on it. Promises that one daemon at a time has it, that data survives every end of the
servers, and that no server outlives the daemon. Same engines as in production, so one SQL dialect and one set of tests. It will
not tune for load, replicate, back up or listen beyond the loopback address: that is what servers of your own are for. Needs
nothing outside the standard library.
"""

from dialer.embedded.access import Endpoints
from dialer.embedded.errors import AlreadyRunning, EmbeddedUnavailable
from dialer.embedded.servers import EmbeddedServers, running

__all__ = ["AlreadyRunning", "EmbeddedServers", "EmbeddedUnavailable", "Endpoints", "running"]
