"""`dialer check-config` and `dialer doctor`: what is wrong before anybody is called."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

import typer

from dialer.cli.context import ConfigOption, JsonOption, quiet_logging, sound_settings, source_of, with_urls

if TYPE_CHECKING:
    from dialer.cli.trunk_checks import Row
    from dialer.settings import Fault, Settings

CLOCK_SECONDS = 2.0
"""A claim lives for two seconds: clocks that differ by more are a fault."""
STORE_SECONDS = 10.0
"""What each store, and the extraction endpoint, may take to answer."""


def install(app: typer.Typer) -> None:
    app.command("check-config")(check_config)
    app.command()(doctor)


def check_config(config: ConfigOption = None, json: JsonOption = False) -> None:
    """Print all faults of the configuration at once. Names file, key and remedy; connects to nothing."""
    from dialer.cli.output import print_json
    from dialer.settings import ConfigFaults

    faults: Sequence[Fault] = ()
    try:
        sound_settings(config)
    except ConfigFaults as found:
        faults = found.faults
    if json:
        print_json({"ok": not faults, "faults": [asdict(fault) for fault in faults]})
    else:
        print(*(map(str, faults) if faults else [f"No faults in {source_of(config)} and the environment."]), sep="\n")
    if faults:
        raise typer.Exit(3)


def doctor(config: ConfigOption = None, json: JsonOption = False) -> None:
    """Check stores, schema, clocks, the extraction endpoint, and of each trunk the carrier, our key, its clock, callbacks and
    their signatures. Changes nothing, places no call, sends no transcript."""
    from dialer.cli.output import print_json, print_table
    from dialer.embedded import running

    settings = sound_settings(config)
    quiet_logging(settings, "doctor")
    if settings.database.url is None or settings.redis.url is None:
        endpoints = running(settings.embedded.data_dir)
        settings = settings if endpoints is None else with_urls(settings, endpoints)
    rows = asyncio.run(_examine(settings))
    well = all(row.ok is not False for row in rows)
    if json:
        print_json({"ok": well, "checks": [asdict(row) for row in rows]})
    else:
        shown = {True: "ok", False: "FAULT", None: "not checked"}
        told = [(row.check, shown[row.ok], "; ".join(filter(None, (row.detail, row.remedy)))) for row in rows]
        print_table(("check", "", "detail"), told)
    if not well:
        raise typer.Exit(4)


async def _examine(settings: Settings) -> list[Row]:
    from dialer.app import trunks
    from dialer.cli.trunk_checks import Address, examine
    from scheduler.clock import SystemClock

    address, clock = Address(settings.http.base_url, settings.http.public_url is not None), SystemClock()
    async with trunks(settings) as carriers, asyncio.TaskGroup() as tasks:
        found = [tasks.create_task(examine(name, trunk.adapter, address, clock)) for name, trunk in carriers.items()]
        rows = [*await _stores(settings), await _check("extraction", lambda: _extraction(settings))]
    return [*rows, *(row for each in found for row in each.result())]


async def _stores(settings: Settings) -> list[Row]:
    from dialer.cli.trunk_checks import Row

    if settings.database.url is None or settings.redis.url is None:
        missing = f"none configured, and no `dialer up` runs on {settings.embedded.data_dir}"
        return [Row("stores", False, missing, "start it, or set DATABASE_URL and REDIS_URL")]
    checks: list[tuple[str, Callable[[], Awaitable[str]]]] = [
        ("database", lambda: _database(settings)),
        ("redis", lambda: _redis(settings)),
    ]
    return [await _check(name, work) for name, work in checks]


async def _check(name: str, work: Callable[[], Awaitable[str]]) -> Row:
    from dialer.cli.trunk_checks import Row

    try:
        async with asyncio.timeout(STORE_SECONDS):
            return Row(name, True, await work())
    except TimeoutError:
        return Row(name, False, f"no answer within {STORE_SECONDS:g} s", "check its address, and firewalls")
    except Exception as fault:  # whatever it is, it is what the doctor was asked for
        problem, _, remedy = (str(fault) or type(fault).__name__).partition("; ")
        return Row(name, False, problem, remedy)


async def _database(settings: Settings) -> str:
    from dialer.store import revision
    from dialer.store.attempts import vitals
    from dialer.store.database import Database
    from scheduler.clock import SystemClock

    assert settings.database.url is not None
    url = settings.database.url.get_secret_value()
    found, newest = await revision.current(url), revision.newest()
    if found != newest:
        raise ValueError(f"the schema is at {found or 'nothing'}, not {newest}; run `dialer migrate`")
    async with await Database.open(url, pool_size=1) as database:
        live, unknown, offset = await vitals(database.pool, SystemClock().now())
    if abs(offset) > CLOCK_SECONDS:
        raise ValueError(f"its clock and ours differ by {offset:.1f} s; synchronise both (claims live for {CLOCK_SECONDS:g} s)")
    return f"schema {found}, {live} live attempts ({unknown} unknown), clock differs by {offset * 1000:.0f} ms"


async def _redis(settings: Settings) -> str:
    from dialer.queue import close, connect

    assert settings.redis.url is not None
    redis = connect(settings.redis.url.get_secret_value())
    try:
        info = await redis.info("server")
        policy = (await redis.info("memory")).get("maxmemory_policy", "unknown")
        if policy != "noeviction":
            raise ValueError(f"maxmemory-policy is {policy}; set it to noeviction, or jobs vanish under memory pressure")
        return f"version {info.get('redis_version')}, maxmemory-policy {policy}"
    finally:
        await close(redis)


async def _extraction(settings: Settings) -> str:
    from dialer.extraction import endpoint

    named = endpoint(settings)
    if named is None:
        return "off: extraction.base_url is not set, no transcript leaves the dialer"
    async with named as opened:
        return await opened.look()
