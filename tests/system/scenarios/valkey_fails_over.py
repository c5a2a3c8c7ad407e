"""Scenario 6: Valkey fails over to a replica that lacks the last second of writes."""

from __future__ import annotations

import asyncio
import math
import time
from bisect import bisect_right
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

from redis.asyncio import Redis

from dialer.queue import close, connect
from tests.support.ledger import Seed
from tests.support.valkey import Valkey
from tests.system.frame import Row, Scenario, Task
from tests.system.stage import Layout, Stage
from tests.system.trial import CAP, Fault, steady, trial

TIMES = 5
EVERY_SECONDS = 10.0
LOST_SECONDS = 1.0
PAUSE_SECONDS = 5.0
RATE = 40
"""Calls per second, which the bucket that fails over has to keep."""


class Replicas:
    """Valkeys that take over one after another, behind the proxy."""

    def __init__(self, on: Stage) -> None:
        self._on = on
        url = urlsplit(on.stores.redis_url)
        self._password, self._port = url.password or "", url.port
        self._servers: list[Valkey] = []

    async def fail_over(self) -> Fault:
        """A replica in step with the primary is cut off from it, and takes its place a second later."""
        home = self._on.directory / f"valkey-{len(self._servers)}"
        home.mkdir()
        server = Valkey(Path(home))
        await asyncio.to_thread(server.start)
        self._servers.append(server)
        replica, primary = connect(server.url), connect(self._url(self._port))
        try:
            await primary.config_set("repl-diskless-sync-delay", "0")
            await replica.config_set("masterauth", self._password)
            await replica.execute_command("REPLICAOF", "127.0.0.1", str(self._port))
            await _in_step(replica)
            await replica.execute_command("REPLICAOF", "NO", "ONE")
            await asyncio.sleep(LOST_SECONDS)
            await replica.config_set("requirepass", self._password)
        finally:
            await close(replica)
            await close(primary)
        proxy = self._on.proxies["valkey"]
        proxy.target = ("127.0.0.1", self._port_of(server))
        proxy.reset()
        now = time.time()
        await self._end_former()
        self._port = self._port_of(server)
        return Fault(now, now)

    async def _end_former(self) -> None:
        if len(self._servers) > 1:
            await asyncio.to_thread(self._servers[-2].stop)
        elif embedded := self._on.stores.server("valkey"):
            self._on.stores.revive(False)
            embedded.kill()

    def _url(self, port: int | None) -> str:
        return f"redis://:{self._password}@127.0.0.1:{port}/0"

    @staticmethod
    def _port_of(server: Valkey) -> int:
        port = urlsplit(server.url).port
        assert port is not None
        return port

    def close(self) -> None:
        for server in self._servers:
            server.stop()


async def _in_step(replica: Redis) -> None:
    async with asyncio.timeout(15):
        while (await replica.info("replication"))["master_link_status"] != "up":  # noqa: ASYNC110 - it has no bell
            await asyncio.sleep(0.02)


def fastest(starts: Sequence[float], spared: Sequence[Fault] = ()) -> int:
    """The most calls that began within any second, of those that do not touch a fail-over."""
    most = 0
    for index, start in enumerate(starts):
        if not any(start - 1 <= fault.over <= start + 1 for fault in spared):
            most = max(most, bisect_right(starts, math.nextafter(start + 1, 0)) - index)
    return most


async def run(task: Task) -> list[Row]:
    times, every = task.scaled(TIMES, 2), max(3.0, EVERY_SECONDS * task.scale)

    async def harm(on: Stage, campaign: Seed) -> Sequence[Fault]:
        replicas = Replicas(on)
        faults = []
        try:
            for _ in range(times):
                faults.append(await replicas.fail_over())
                await asyncio.sleep(every)
            await on.quiet(campaign, within=120)
        finally:
            replicas.close()
        return faults

    layout = Layout(cap=CAP, script=steady(), proxied=frozenset({"valkey"}), config=f"calls_per_second = {RATE}")
    made = await trial(task, layout, round(times * (every + LOST_SECONDS + 2) * RATE), harm)
    usual, most = fastest(made.starts, made.faults), fastest(made.starts)
    notes = f"{usual} calls in the fastest second, {most} around a fail-over, of {RATE} allowed"
    return [made.row(SCENARIO, "", within=PAUSE_SECONDS, notes=notes, passed=usual <= RATE and most <= RATE + 1)]


SCENARIO = Scenario(
    6,
    "Valkey fails over",
    does=f"{TIMES} times to a replica that lacks the last {LOST_SECONDS:.0f} s of writes; {RATE} calls per second allowed",
    passes=f"the laws; no pause of more than {PAUSE_SECONDS:.0f} s; the rate is kept (one more in the second of a fail-over)",
    run=run,
    beside={"": 2},
)
