"""A supervisor as a process of its own, for the tests: runs the roles given as JSON, prints each event as a line."""

from __future__ import annotations

import asyncio
import json
import sys

from dialer.supervisor import RoleProcess, Supervisor


def main(roles: str, grace: str) -> None:
    given = [RoleProcess(name, tuple(argv), {"SEEN": name}) for name, argv in json.loads(roles).items()]
    supervisor = Supervisor(given, on_event=lambda event: print(event, flush=True))
    asyncio.run(supervisor.run(grace=float(grace)))


if __name__ == "__main__":
    main(*sys.argv[1:])
