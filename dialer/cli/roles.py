"""The commands that stay: `up`, `scheduler`, `worker`, `api`, `simulate-carrier`; and `migrate`, which they need before."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dialer.cli.context import ConfigOption, Failed, JsonOption, load_settings, migrate_now, sound_settings, stores, with_urls

if TYPE_CHECKING:
    from dialer.settings import Settings
    from dialer.supervisor import RoleProcess

log = logging.getLogger("dialer.up")


class StoresMissing(Exception):
    """No database or Redis is configured and no `dialer up` runs on the data directory: set DATABASE_URL and REDIS_URL."""


def install(app: typer.Typer) -> None:
    app.command()(up)
    app.command()(scheduler)
    app.command()(worker)
    app.command()(api)
    app.command("simulate-carrier")(simulate_carrier)
    app.command()(migrate)


def up(config: ConfigOption = None) -> None:
    """Everything in one process tree, supervised. Stores if none are configured, scheduler, workers and API."""
    from dialer.embedded import EmbeddedServers
    from dialer.telemetry import configure

    settings = sound_settings(config)
    configure(settings.logging.level, settings.logging.format, "up")
    if settings.database.url is not None and settings.redis.url is not None:
        migrate_now(settings)
        _supervise(settings, config, None)
        return
    servers = EmbeddedServers(settings.embedded.data_dir)
    with servers as endpoints:
        ready = with_urls(settings, endpoints)
        migrate_now(ready)
        _supervise(ready, config, servers)


def _supervise(settings: Settings, config: Path | None, servers: object) -> None:
    from dialer.embedded import EmbeddedServers
    from dialer.supervisor import Supervisor

    poke = servers.check if isinstance(servers, EmbeddedServers) else None
    supervisor = Supervisor(role_processes(settings, config), on_event=log.info, poke=poke)
    log.info("the API will answer at %s; its documentation is at %s/docs", settings.http.base_url, settings.http.base_url)
    asyncio.run(supervisor.run())


def role_processes(settings: Settings, config: Path | None) -> Sequence[RoleProcess]:
    """The processes of `up`, in the order in which they are stopped."""
    from dialer.supervisor import RoleProcess

    assert settings.database.url is not None and settings.redis.url is not None
    urls = {"DATABASE_URL": settings.database.url.get_secret_value(), "REDIS_URL": settings.redis.url.get_secret_value()}
    arguments = () if config is None else ("--config", str(config))

    def process(name: str, role: str, **more: str) -> RoleProcess:
        return RoleProcess(name, (sys.executable, "-m", "dialer", role, *arguments), urls | more)

    probes = settings.worker.health_port
    workers = [
        process(f"worker-{n + 1}", "worker", **({} if probes is None else {"DIALER_WORKER__HEALTH_PORT": str(probes + n)}))
        for n in range(settings.worker.processes)
    ]
    return [process("scheduler", "scheduler"), *workers, process("api", "api")]


def scheduler(config: ConfigOption = None) -> None:
    """The role that decides when. It finds what is due inside its call window and releases it."""
    _role("scheduler", config)


def worker(config: ConfigOption = None) -> None:
    """The role that places calls. It also looks up those that have gone silent."""
    _role("worker", config)


def api(config: ConfigOption = None) -> None:
    """The role that answers HTTP. It serves the API and the carriers' callbacks."""
    _role("api", config)


def _role(name: str, config: Path | None) -> None:
    from adapters import failpoints
    from dialer.app import ROLES
    from dialer.embedded import running
    from dialer.telemetry import configure

    settings = sound_settings(config)
    configure(settings.logging.level, settings.logging.format, name)
    failpoints.arm(os.environ.get(failpoints.VARIABLE, ""))
    if settings.database.url is None or settings.redis.url is None:
        endpoints = running(settings.embedded.data_dir)
        if endpoints is None:
            raise StoresMissing((StoresMissing.__doc__ or "").strip())
        settings = with_urls(settings, endpoints)
    run_on_uvloop(ROLES[name](settings))


def run_on_uvloop(main: object) -> None:
    import uvloop

    uvloop.run(main)  # type: ignore[arg-type]


def migrate(config: ConfigOption = None, json: JsonOption = False) -> None:
    """Bring the database to this version's schema. Safe to run at any time, also by several at once."""
    from dialer.cli.output import print_json
    from dialer.telemetry import configure

    settings = load_settings(config)
    configure("warning", settings.logging.format, "migrate")
    with stores(settings) as ready:
        before, after = migrate_now(ready)
    if json:
        print_json({"before": before, "after": after})
    elif before == after:
        print(f"The schema is at revision {after}; nothing to do.")
    else:
        print(f"The schema went from revision {before or 'none'} to {after}.")


def simulate_carrier(
    host: Annotated[str, typer.Option(help="Address to listen at.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="TCP port; 0 picks a free one.", min=0, max=65535)] = 8650,
    script: Annotated[
        Path | None, typer.Option(help="JSON file: seed, rates, durations, faults (see adapters/README.md).")
    ] = None,
    journal: Annotated[Path | None, typer.Option(help="File the carrier keeps its journal in, continued if it exists.")] = None,
    api_key: Annotated[str, typer.Option(envvar="CARRIER_API_KEY", help="Key the dialer has to show.")] = "simulated",
    signing_secret: Annotated[str, typer.Option(envvar="CARRIER_SIGNING_SECRET", help="Signs callbacks.")] = "simulated",
) -> None:
    """A carrier that places no call. Answers, busy lines, voicemail and faults from a seed, and its own exact journal."""
    from adapters.simulated.carrier.script import Script, parse
    from adapters.simulated.carrier.server import serve

    try:
        behaviour = Script() if script is None else parse(script.read_bytes())
    except (OSError, ValueError) as fault:
        raise Failed(f"--script {script}: {fault}") from None
    try:
        run_on_uvloop(
            serve(
                host,
                port,
                behaviour,
                journal,
                api_key=api_key,
                signing_secret=signing_secret,
                ready=lambda url: print(f"The simulated carrier listens at {url}", flush=True),
            )
        )
    except OSError as fault:
        if fault.filename is not None:
            raise Failed(f"--journal {journal}: cannot be written ({fault.strerror}); name another file") from None
        from dialer.health import PortTaken

        raise PortTaken(f"--port {port} on {host} cannot be listened at ({fault.strerror}); choose another port") from None
