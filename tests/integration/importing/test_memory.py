"""What an import holds on to while it runs."""

from __future__ import annotations

import gc
import tracemalloc

from dialer.store import imports
from dialer.store.transaction import transaction, within
from tests.support.api import Api

MEGABYTE = 1024 * 1024


async def test_a_batch_that_was_copied_stayed_in_memory_until_a_collection(api: Api) -> None:
    cells = {"row": "1", "first_name": "Ann", "last_name": "Lee", "place_source": "unknown", "place": "0"}
    line = "\t".join(cells.get(name, "") for name in imports.Staged._fields).encode() + b"\n"
    gc.disable()  # in a role it is rare
    try:
        with within(api.team):
            async with transaction(api.context.database, "test") as on:
                await imports.begin(on, api.team, "list.csv", ["a"])
                await imports.stage(on, line)
                tracemalloc.start()
                for _ in range(8):
                    await imports.stage(on, line * (MEGABYTE // len(line)))
                left, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
        gc.enable()
    assert left < 2 * MEGABYTE
