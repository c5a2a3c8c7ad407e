"""What commands share: the configuration, the stores they work on, and how they run."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

if TYPE_CHECKING:
    from dialer.api.context import ApiContext
    from dialer.app import House
    from dialer.embedded import Endpoints
    from dialer.settings import Fault, Settings

T = TypeVar("T")

ConfigOption = Annotated[
    Path | None,
    typer.Option(
        "--config", "-c", help="Config file; else DIALER_CONFIG, ./config.toml, /etc/dialer/config.toml.", show_default=False
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]


class Failed(Exception):
    """The command failed."""


def load_settings(config: Path | None) -> Settings:
    """Raises ConfigFaults."""
    from dialer.settings import load

    return load(config, os.environ)


def source_of(config: Path | None) -> str:
    """Where settings come from that are not in the environment."""
    from dialer.settings import find_file

    return str(find_file(config, os.environ) or "the built-in defaults")


def sound_settings(config: Path | None) -> Settings:
    """The settings, with what the adapters say of their own options and what is wrong with policy packs. Raises ConfigFaults."""
    from dialer.settings import ConfigFaults

    settings = load_settings(config)
    if faults := _failpoint_faults() + _adapter_faults(settings, source_of(config)) + _policy_faults(settings):
        raise ConfigFaults(faults)
    return settings


def _failpoint_faults() -> list[Fault]:
    from adapters import failpoints
    from dialer.settings import Fault

    try:
        failpoints.parse(os.environ.get(failpoints.VARIABLE, ""))
    except ValueError as found:
        problem, _, remedy = str(found).partition("; ")
        return [Fault(f"environment variable {failpoints.VARIABLE}", "", problem, remedy)]
    return []


def _policy_faults(settings: Settings) -> list[Fault]:
    from dialer.settings import ConfigFaults, own_packs

    try:
        own_packs(settings)
    except ConfigFaults as found:
        return list(found.faults)
    return []


def _adapter_faults(settings: Settings, source: str) -> list[Fault]:
    from adapters.registry import build
    from dialer.settings import Fault

    faults = []
    for name, trunk in settings.adapters.items():
        try:
            build(name, trunk.kind, trunk.options)
        except ValueError as found:
            for line in str(found).splitlines():
                key, _, rest = line.partition(": ")
                problem, _, remedy = rest.partition("; ")
                faults.append(Fault(source, f"adapters.{name}.{key}", problem, remedy or "see adapters/README.md"))
    return faults


def with_urls(settings: Settings, endpoints: Endpoints) -> Settings:
    """The settings with the embedded servers in the place of what has no URL."""
    from pydantic import SecretStr

    database, redis = settings.database, settings.redis
    return settings.model_copy(
        update={
            "database": database.model_copy(update={"url": database.url or SecretStr(endpoints.database_url)}),
            "redis": redis.model_copy(update={"url": redis.url or SecretStr(endpoints.redis_url)}),
        }
    )


@contextmanager
def stores(settings: Settings) -> Iterator[Settings]:
    """The settings with both URLs: as configured, or of the embedded servers of a daemon that runs, or of our own for as long
    as the command takes."""
    if settings.database.url is not None and settings.redis.url is not None:
        yield settings
        return
    from dialer.embedded import EmbeddedServers, running

    found = running(settings.embedded.data_dir)
    if found is not None:
        yield with_urls(settings, found)
        return
    with EmbeddedServers(settings.embedded.data_dir) as endpoints:
        ready = with_urls(settings, endpoints)
        migrate_now(ready)
        yield ready


def migrate_now(settings: Settings) -> tuple[str | None, str | None]:
    """Bring the ledger to this version's schema: the revision before and after."""
    from dialer.store.migrate import migrate

    assert settings.database.url is not None
    return asyncio.run(migrate(settings.database.url.get_secret_value()))


def quiet_logging(settings: Settings, role: str) -> None:
    """Logging of a command that a person waits for: only what is wrong."""
    from dialer.telemetry import configure

    configure("warning", settings.logging.format, role)


def end_in_order() -> None:
    """SIGTERM and a closed terminal end the command as Ctrl-C does, so that nothing stays behind; nohup still holds."""
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background of a script is born ignoring it
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, lambda *_: signal.raise_signal(signal.SIGINT))


@asynccontextmanager
async def settling(settings: Settings) -> AsyncIterator[House]:
    """A house whose gatherers run, for commands that end attempts."""
    from dialer.app import Duties, house

    async with house(settings) as h:
        duties = Duties()
        duties.start("settle", h.settler.run())
        duties.start("rest", h.settler.run_rest())
        try:
            yield h
        finally:
            await duties.end()


def on_house(config: Path | None, work: Callable[[House], Coroutine[Any, Any, T]]) -> T:
    """Run `work` on the stores the configuration names."""

    async def run(settings: Settings) -> T:
        async with settling(settings) as h:
            return await work(h)

    settings = load_settings(config)
    quiet_logging(settings, "cli")
    with stores(settings) as ready:
        return asyncio.run(run(ready))


def on_means(config: Path | None, work: Callable[[ApiContext], Coroutine[Any, Any, T]]) -> T:
    """The same with everything the flows of campaigns and contacts may need, trunks too."""

    async def run(settings: Settings) -> T:
        from dialer.app import api_context, trunks

        async with settling(settings) as h, trunks(settings) as carriers:
            return await work(api_context(h, carriers))

    settings = sound_settings(config)
    quiet_logging(settings, "cli")
    with stores(settings) as ready:
        return asyncio.run(run(ready))
