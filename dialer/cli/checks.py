"""`dialer check-config` and `dialer doctor`: what is wrong before anybody is called."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

import typer

from dialer.cli.context import ConfigOption, JsonOption, quiet_logging, sound_settings, source_of, with_urls

if TYPE_CHECKING:
    from dialer.settings import Fault, Settings

CLOCK_SECONDS = 2.0
"""A claim lives for two seconds: clocks that differ by more are a fault."""


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
    """Check stores, schema, clock, adapters and the extraction endpoint. Changes nothing, places no call, sends no transcript."""
    from dialer.cli.output import print_json, print_table
    from dialer.embedded import running

    settings = sound_settings(config)
    quiet_logging(settings, "doctor")
    if settings.database.url is None or settings.redis.url is None:
        endpoints = running(settings.embedded.data_dir)
        if endpoints is None:
            missing = f"none configured, and no `dialer up` runs on {settings.embedded.data_dir}"
            rows = [("stores", False, f"{missing}; start it, or set DATABASE_URL and REDIS_URL")]
        else:
            settings = with_urls(settings, endpoints)
            rows = asyncio.run(_examine(settings))
    else:
        rows = asyncio.run(_examine(settings))
    if json:
        print_json({"ok": all(ok for _, ok, _ in rows), "checks": [{"check": c, "ok": ok, "detail": d} for c, ok, d in rows]})
    else:
        print_table(("check", "", "detail"), [(c, "ok" if ok else "FAULT", d) for c, ok, d in rows])
    if not all(ok for _, ok, _ in rows):
        raise typer.Exit(4)


async def _examine(settings: Settings) -> list[tuple[str, bool, str]]:
    from dialer.app import trunks

    checks: list[tuple[str, Callable[[], Awaitable[str]]]] = [
        ("database", lambda: _database(settings)),
        ("redis", lambda: _redis(settings)),
    ]
    rows = [await _check(name, work) for name, work in checks]
    async with trunks(settings) as carriers:
        for name, trunk in carriers.items():
            health = await trunk.adapter.health()
            rows.append((f"adapter {name}", health.ok, health.detail or "reachable"))
    rows.append(await _check("extraction", lambda: _extraction(settings)))
    return rows


async def _check(name: str, work: Callable[[], Awaitable[str]]) -> tuple[str, bool, str]:
    try:
        return name, True, await work()
    except Exception as fault:  # whatever it is, it is what the doctor was asked for
        return name, False, str(fault) or type(fault).__name__


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
