"""The stage of a chaos run: stores, carrier and roles as real processes, optionally behind fault proxies, on a directory that
vanishes with them.

async with stage(Layout(workers=4), task) as on:
    campaign = await on.campaign(1000)
"""

from __future__ import annotations

import asyncio
import json
import shutil
import socket
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import mkdtemp
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import msgspec

from adapters.failpoints import VARIABLE
from adapters.simulated.carrier.journal import Entry, Trouble, read
from adapters.simulated.carrier.script import Script, Span
from dialer.store.database import Database, Pool
from dialer.store.migrate import migrate
from tests.support.carrier import API_KEY, SIGNING_SECRET, quick
from tests.support.earlier import running
from tests.support.engine import TRUNK
from tests.support.ledger import Seed, seed
from tests.support.memory import quickest
from tests.support.tcp_proxy import FaultProxy
from tests.system.crew import Crew, crew
from tests.system.disk import small_disk
from tests.system.frame import Task
from tests.system.stores import Stores, stores

READY_SECONDS = 60.0
OWN_SECONDS = 60.0
"""For a statement of the stage's own, such as one that makes tens of thousands of contacts."""
_CARRIER = {"CARRIER_API_KEY": API_KEY, "CARRIER_SIGNING_SECRET": SIGNING_SECRET}
_AUTHORIZATION = {"Authorization": f"Bearer {API_KEY}"}
VALKEY_DISK = 64 * 1024**2
"""Bytes of its own, where the stores' disk is one that may be filled."""


def brief(**changes: object) -> Script:
    """A carrier whose calls last about 0.2 s and end in every way a call can."""
    shares = {"answer": 0.5, "voicemail": 0.15, "busy": 0.1, "declined": 0.05, "invalid": 0.02, "unreachable": 0.0}
    spans = {"ring": Span(0.03, 0.08), "patience": Span(0.1, 0.2), "talk": Span(0.1, 0.2)}
    return quick(**(shares | spans | changes))


class NoRoom(Exception):
    """The stores would not fit on this disk."""


@dataclass(frozen=True, slots=True)
class Layout:
    """What runs. `failpoints` is asked at each start of a role for what `DIALER_FAILPOINTS` shall be (role's name → value); `env`
    is added to every role's environment, `config` to the config file, as TOML."""

    schedulers: int = 1
    workers: int = 4
    cap: int = 50
    script: Script = field(default_factory=brief)
    proxied: frozenset[str] = frozenset()
    """Of postgres, valkey, carrier (the roles' way to it) and api (the carrier's way back)."""
    failpoints: Callable[[str], str] = lambda role: ""
    place_timeout: float = 2.0
    """Seconds the adapter allows one placement; what is unclear is looked up 2.5 s after that."""
    env: Mapping[str, str] = field(default_factory=dict)
    config: str = ""
    trunk: str = ""
    """The config file's trunk, as TOML; "" = one to the simulated carrier, which runs only then."""
    code: Path | None = None
    """Where the roles' code is; None = here."""
    fresh: bool = False
    """Roles are interpreters of their own, with `env` from their first instruction on."""
    room: int = 0
    """Bytes that the stores will need beyond what is usual: where they lie is chosen by it. Raises `NoRoom`."""
    disk: int = 0
    """Bytes of the disk that the stores lie on, at `Stage.disk`; 0 = on the common one. Raises `CannotMount`."""
    postgres_env: Mapping[str, str] = field(default_factory=dict)
    """Added to the environment of Postgres."""


@dataclass(frozen=True)
class Stage:
    layout: Layout
    directory: Path
    crew: Crew
    stores: Stores
    proxies: Mapping[str, FaultProxy]
    database: Database
    api_url: str
    carrier_url: str
    env: Mapping[str, str]
    """What a role needs to run here."""
    codes: dict[str, Path | None] = field(default_factory=dict)
    """Where the code of each role's next start is; None = ours."""
    book: str = "journal.jsonl"
    """The file of the carrier's journal."""

    @property
    def pool(self) -> Pool:
        """Our own way to the ledger, past every proxy."""
        return self.database.pool

    @property
    def disk(self) -> Path:
        return self.directory / "stores"

    @property
    def journal(self) -> Path:
        return self.directory / self.book

    def entries(self) -> list[Entry]:
        """The carrier's books so far."""
        return read(self.journal) if self.journal.exists() else []

    def start(self, name: str, role: str, **more: str) -> None:
        """Start one more role here; `more` is added to its environment."""
        self.codes[name] = self.layout.code
        self.crew.start(name, role, env=lambda: {**self._env(name), **more}, exec=self._own(self.layout.code))

    def next_from(self, name: str, code: Path | None) -> None:
        """The next start of a role is one of the code in this directory; None = ours."""
        self.codes[name] = code
        self.crew.roles[name].exec = self._own(code)

    def _env(self, name: str) -> dict[str, str]:
        code = self.codes[name]
        return {**self.env, VARIABLE: self.layout.failpoints(name), **({} if code is None else running(code))}

    def _own(self, code: Path | None) -> bool:
        """Whether a role must be an interpreter of its own."""
        return self.layout.fresh or code is not None

    async def campaign(self, contacts: int, **options: Any) -> Seed:
        """A running campaign with so many contacts to call; `options` are those of `tests.support.ledger.seed`."""
        chosen: dict[str, Any] = {"concurrency": self.layout.cap, **options}
        return await seed(self.pool, contacts=contacts, **chosen)

    async def dialled(self) -> int:
        """About how many calls were asked for so far."""
        n: int = await self.pool.fetchval("select count(*) from call_attempts where placing_at is not null")
        return n

    async def quiet(self, campaign: Seed, *, within: float) -> bool:
        """Wait until the campaign is completed; False when it was not within so many seconds."""
        return await self.until("select status = 'completed' from campaigns where id = $1", campaign.campaign, within=within)

    async def until(self, query: str, *args: object, within: float) -> bool:
        """Whether `query` came true within so many seconds; a database that is away is asked again."""
        try:
            async with asyncio.timeout(within):
                while True:
                    try:
                        if await self.pool.fetchval(query, *args):
                            return True
                    except Exception:
                        await asyncio.sleep(0.5)
                    await asyncio.sleep(0.25)
        except TimeoutError:
            return False

    def start_carrier(self) -> None:
        """Start the carrier, or start it again after it was stopped; it goes on with its books, and with the layout's script."""
        port, script = urlsplit(self.carrier_url).port, self.directory / "script.json"
        arguments = ("--port", str(port), "--script", str(script), "--journal", str(self.journal))
        self.crew.start("carrier", "simulate-carrier", *arguments, env=lambda: _CARRIER)

    async def carrier_answers(self) -> None:
        """Wait until it does. Raises TimeoutError."""
        await _answers(f"{self.carrier_url}/healthz")

    async def books(self) -> dict[str, Any]:
        """What the carrier tells of itself besides its calls: of `summary`, `requests`, `callbacks` and `troubles`, what came
        since it was started last."""
        url = f"{self.carrier_url}/journal"
        async with aiohttp.ClientSession(headers=_AUTHORIZATION) as http, http.get(url, params={"calls": "0"}) as answer:
            answer.raise_for_status()
            books: dict[str, Any] = await answer.json()
        return books

    async def troubles(self) -> list[Trouble]:
        """The requests that the carrier's script made go wrong, in order, since it was started last."""
        return msgspec.convert((await self.books())["troubles"], list[Trouble])

    async def put_script(self, script: Script) -> None:
        """How the carrier behaves from now on; a carrier that is restarted begins with the layout's script again."""
        async with (
            aiohttp.ClientSession(headers=_AUTHORIZATION) as http,
            http.put(f"{self.carrier_url}/script", data=msgspec.json.encode(script)) as answer,
        ):
            answer.raise_for_status()


@asynccontextmanager
async def stage(layout: Layout, task: Task) -> AsyncIterator[Stage]:
    """Everything runs and the API is ready. What the roles said is shown when the scenario fails with an exception."""
    async with AsyncExitStack() as stack:
        directory = Path(mkdtemp(prefix="dialer-chaos-", dir=quickest(layout.room)))
        stack.callback(shutil.rmtree, directory, ignore_errors=True)
        if (free := shutil.disk_usage(directory).free) < layout.room:
            raise NoRoom(f"{layout.room / 1e9:.0f} GB are needed in {directory.parent}, {free / 1e9:.0f} are free: name a TMPDIR")
        if layout.disk:
            stack.enter_context(small_disk(directory / "stores", layout.disk))
            stack.enter_context(small_disk(directory / "stores" / "valkey", VALKEY_DISK))
        servers = await stack.enter_async_context(stores(directory / "stores", layout.postgres_env))
        await migrate(servers.database_url)
        database = await stack.enter_async_context(
            await Database.open(servers.database_url, pool_size=4, statement_timeout=OWN_SECONDS)
        )
        api_port, carrier_port = _free_ports(2)
        ports = {
            "postgres": _port(servers.database_url),
            "valkey": _port(servers.redis_url),
            "carrier": carrier_port,
            "api": api_port,
        }
        proxies = {name: await stack.enter_async_context(FaultProxy("127.0.0.1", ports[name])) for name in sorted(layout.proxied)}
        to = {name: proxies[name].port if name in proxies else port for name, port in ports.items()}
        (directory / "config.toml").write_text(_config(layout, api_port, to), encoding="utf-8")
        (directory / "script.json").write_bytes(msgspec.json.encode(layout.script))
        made = await stack.enter_async_context(crew(directory))
        env = {
            "DIALER_CONFIG": str(directory / "config.toml"),
            "DATABASE_URL": _at(servers.database_url, ports["postgres"], to["postgres"]),
            "REDIS_URL": _at(servers.redis_url, ports["valkey"], to["valkey"]),
            **layout.env,
        }
        on = Stage(
            layout,
            directory,
            made,
            servers,
            proxies,
            database,
            f"http://127.0.0.1:{api_port}",
            f"http://127.0.0.1:{carrier_port}",
            env,
        )
        if not layout.trunk:
            on.start_carrier()
        for name, role, count in (
            ("scheduler", "scheduler", layout.schedulers),
            ("worker", "worker", layout.workers),
            ("api", "api", 1),
        ):
            for number in range(1, count + 1):
                on.start(name if name == "api" else f"{name}-{number}", role)
        try:
            await _ready(on)
            yield on
        except BaseException:
            for name in made.roles:
                task.say(f"--- {name}: {made.words(name)}")
            raise


def _config(layout: Layout, api_port: int, to: Mapping[str, int]) -> str:
    simulated = f"""[adapters.{TRUNK}]
kind = "simulated"
base_url = "http://127.0.0.1:{to["carrier"]}"
api_key = {json.dumps(API_KEY)}
signing_secret = {json.dumps(SIGNING_SECRET)}
timeout = {layout.place_timeout}
"""
    return f"""[http]
port = {api_port}
public_url = "http://127.0.0.1:{to["api"]}"
requests_per_hour = 0
[logging]
level = "warning"
{layout.trunk or simulated}
{layout.config}
"""


async def _ready(on: Stage) -> None:
    """The API answers, and with it the stores and the carrier."""
    await _answers(f"{on.api_url}/readyz")
    if not on.layout.trunk:
        await on.carrier_answers()


async def _answers(url: str) -> None:
    async with asyncio.timeout(READY_SECONDS), aiohttp.ClientSession() as http:
        while True:
            try:
                async with http.get(url) as answer:
                    if answer.status == 200:
                        return
            except aiohttp.ClientError:
                pass
            await asyncio.sleep(0.05)


def _free_ports(count: int) -> list[int]:
    probes = [socket.socket() for _ in range(count)]
    for probe in probes:
        probe.bind(("127.0.0.1", 0))
    ports = [probe.getsockname()[1] for probe in probes]
    for probe in probes:
        probe.close()
    return ports


def _port(url: str) -> int:
    port = urlsplit(url).port
    assert port is not None
    return port


def _at(url: str, old: int, new: int) -> str:
    return url.replace(f":{old}/", f":{new}/", 1)
