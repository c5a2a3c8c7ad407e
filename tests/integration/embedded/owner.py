"""A daemon reduced to its embedded servers, for the tests: starts them, prints their endpoints, checks on them until SIGTERM.

Usage: owner.py DATA_DIR [--without-namespaces]. With a refusal it prints the sentence to stderr and ends with 3.
"""

from __future__ import annotations

import json
import logging
import signal
import sys
import threading
from pathlib import Path

from dialer.embedded import AlreadyRunning, EmbeddedServers, EmbeddedUnavailable, privileges


def main(data_dir: str, *flags: str) -> None:
    logging.basicConfig()
    if "--without-namespaces" in flags:
        privileges._namespace = lambda: ()
    stopping = threading.Event()
    servers = EmbeddedServers(Path(data_dir))
    try:
        endpoints = servers.start()
    except (AlreadyRunning, EmbeddedUnavailable) as refusal:
        print(refusal, file=sys.stderr)
        sys.exit(3)
    signal.signal(signal.SIGTERM, lambda *_: stopping.set())
    print(json.dumps([endpoints.database_url, endpoints.redis_url]), flush=True)
    while not stopping.wait(0.05):
        servers.check()
    servers.stop()


if __name__ == "__main__":
    main(*sys.argv[1:])
