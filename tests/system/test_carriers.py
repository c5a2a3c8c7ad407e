"""A bounded piece of `make chaos ARGS=carriers`: one adapter that hears by a socket and one that is called back, side by side."""

from __future__ import annotations

import asyncio

from tests.system.carriers.fake import provider
from tests.system.carriers.kinds import KINDS, table
from tests.system.carriers.run import dial, verdict
from tests.system.frame import Task
from tests.system.stage import Layout, stage

ROWS = 15
SOCKET, HOOKS = KINDS["asterisk"], KINDS["webhook"]


async def test_the_demo_list_is_dialled_through_a_socket_and_by_callbacks_as_the_providers_journals_have_it() -> None:
    async with provider(SOCKET.name, 1) as socket, provider(HOOKS.name, 1) as hooks:
        trunks = table(SOCKET, socket.url) + table(HOOKS, hooks.url)
        async with stage(Layout(workers=1, cap=SOCKET.cap, trunk=trunks), Task(say=print)) as on:
            runs = await asyncio.gather(dial(on, SOCKET, socket, ROWS), dial(on, HOOKS, hooks, ROWS))
            for found in [await verdict(ran) for ran in runs]:
                assert found.passed, found
    assert all(ran.books.lost for ran in runs) and runs[1].books.repeated and runs[1].books.backwards and runs[1].books.forged
