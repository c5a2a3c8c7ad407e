"""The role `api` as a process of its own, for the tests: it stops for ever between the commit of an effect and the answer.

It says `committed` then, and waits to be killed. Nothing but that moment differs from the real role.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

from dialer.api.idempotency import Idempotency
from dialer.app import run_api
from dialer.settings import load


async def _stall(*_: Any) -> None:
    print("committed", flush=True)
    await asyncio.Event().wait()


def main(config: str) -> None:
    setattr(Idempotency, "_keep", _stall)  # noqa: B010 - mypy would want the method's own type
    asyncio.run(run_api(load(Path(config), {})))


if __name__ == "__main__":
    main(sys.argv[1])
