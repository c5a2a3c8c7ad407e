"""The embedded servers through their lives, as every kind of user: start, second start, stop, kill -9, revival."""

from __future__ import annotations

import asyncio
import json
import os
import select
import shutil
import signal
import stat
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import psutil
import pytest
import redis

from dialer.embedded import AlreadyRunning, EmbeddedServers, Endpoints, running
from tests.support.memory import quickest

PROJECT = Path(__file__).parents[3]
OWNER = Path(__file__).with_name("owner.py")
NOBODY = 65534
CANARY = "+4930123456789"

ME, ORDINARY, DROPPED = "as I am", "ordinary user", "root without namespaces"
KINDS = [ME, ORDINARY, DROPPED] if os.geteuid() == 0 else [ME]


@dataclass
class Place:
    """A data directory and the way to start a daemon on it."""

    data_dir: Path
    command: list[str]
    env: dict[str, str]
    kind: str
    spawned: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def spawn(self) -> subprocess.Popen[bytes]:
        self.spawned.append(subprocess.Popen(self.command, env=self.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE))
        return self.spawned[-1]

    def start(self) -> Daemon:
        return Daemon(self.spawn())


class Daemon:
    """A living owner of servers."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.process = process
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line:
            _, words = process.communicate(timeout=10)
            pytest.fail(f"the owner ended with {process.returncode}: {words.decode()}")
        self.endpoints = Endpoints(*json.loads(line))
        self.descendants = psutil.Process(process.pid).children(recursive=True)

    def server(self, program: str) -> psutil.Process:
        return next(child for child in psutil.Process(self.process.pid).children() if child.name() == program)

    def sql(self, statement: str) -> object:
        async def run() -> object:
            connection = await asyncpg.connect(self.endpoints.database_url, timeout=5)
            try:
                return await connection.fetchval(statement)
            finally:
                await connection.close()

        return asyncio.run(run())

    def redis(self) -> redis.Redis:
        return redis.Redis.from_url(self.endpoints.redis_url, socket_timeout=5, decode_responses=True)

    def end(self, how: signal.Signals = signal.SIGTERM) -> None:
        self.process.send_signal(how)
        self.process.communicate(timeout=25)


@pytest.fixture(scope="module", params=KINDS)
def shared_place(request: pytest.FixtureRequest) -> Iterator[Place]:
    """One data directory per kind of user, for all tests of this file."""
    room = Path(tempfile.mkdtemp(prefix="embedded-", dir=quickest()))
    room.chmod(0o755)
    data_dir = room / "data"
    prefix: list[str] = []
    python, path = sys.executable, str(PROJECT)
    if request.param == ORDINARY:
        os.chown(room, NOBODY, NOBODY)
        prefix, python = ordinary_user()
        path += os.pathsep + sysconfig.get_path("purelib")
    flags = ["--without-namespaces"] if request.param == DROPPED else []
    env = {**os.environ, "PYTHONPATH": path, "PGPORT": "1", "PGDATA": "/nowhere"}
    yield Place(data_dir, [*prefix, python, str(OWNER), str(data_dir), *flags], env, request.param)
    shutil.rmtree(room)


@pytest.fixture
def place(shared_place: Place) -> Iterator[Place]:
    """That directory for one test, which leaves no daemon behind even when it fails."""
    yield shared_place
    for process in shared_place.spawned:
        process.kill()
        process.communicate()
    shared_place.spawned.clear()


def ordinary_user() -> tuple[list[str], str]:
    """The command that turns root into nobody, and a Python that nobody can run.

    Should the project or every Python lie where nobody may not go, a user namespace makes root look like an ordinary user.
    """
    become = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
    path = os.pathsep.join((str(PROJECT), sysconfig.get_path("purelib")))
    for python in (sys.executable, "/usr/bin/python3"):
        # by way of a shell: setpriv's own exec still has root's right to go everywhere
        trial = [*become, "sh", "-c", 'exec "$0" -c "import dialer.embedded"', python]
        if subprocess.run(trial, env={**os.environ, "PYTHONPATH": path}, capture_output=True, check=False).returncode == 0:
            return become, python
    return ["unshare", "--user", f"--map-user={NOBODY}", f"--map-group={NOBODY}", "--"], sys.executable


def eventually(what: Callable[[], bool], seconds: float) -> float:
    """Seconds until `what` holds; fails when it does not in time."""
    began = time.monotonic()
    while not what():
        assert time.monotonic() < began + seconds, "it did not come true in time"
        time.sleep(0.02)
    return time.monotonic() - began


def gone(processes: list[psutil.Process]) -> bool:
    def lives(process: psutil.Process) -> bool:
        try:
            return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:  # it went between the two questions
            return False

    return not any(map(lives, processes))


def connects(daemon: Daemon) -> bool:
    try:
        return daemon.sql("select 1") == 1
    except (OSError, asyncpg.PostgresError):
        return False


def pings(daemon: Daemon) -> bool:
    try:
        return bool(daemon.redis().ping())
    except redis.RedisError:
        return False


def test_is_up_once_and_keeps_its_data(place: Place) -> None:
    assert running(place.data_dir) is None
    daemon = place.start()
    assert running(place.data_dir) == daemon.endpoints
    for name in ("access.json", "endpoints.json", "owner.lock"):
        assert stat.S_IMODE((place.data_dir / name).stat().st_mode) == 0o600
    secrets = [urlsplit(url).password or "" for url in (daemon.endpoints.database_url, daemon.endpoints.redis_url)]
    command_lines = " ".join(word for child in daemon.descendants for word in child.cmdline())
    assert not [secret for secret in secrets if not secret or secret in command_lines]
    users = {child.uids().real for child in daemon.descendants}
    assert users == {os.geteuid()} if place.kind == ME else 0 not in users
    assert daemon.sql("select current_user || current_database()") == "dialerdialer"
    assert {daemon.sql(f"show {name}") for name in ("fsync", "synchronous_commit", "full_page_writes")} == {"on"}
    assert daemon.sql("show timezone") == "UTC"
    daemon.sql("create table kept (word text)")
    daemon.sql("insert into kept values ('here')")
    daemon.redis().set("kept", "here")

    second = subprocess.run(place.command, env=place.env, capture_output=True, check=False, timeout=20)
    assert second.returncode == 3
    assert f"already runs on {place.data_dir} (process {daemon.process.pid})" in second.stderr.decode()
    assert connects(daemon) and pings(daemon)

    daemon.end()
    assert daemon.process.returncode == 0
    assert gone(daemon.descendants)
    assert running(place.data_dir) is None

    again = place.start()
    assert again.endpoints == daemon.endpoints
    assert again.sql("select word from kept") == "here"
    assert again.redis().get("kept") == "here"
    again.end()


def test_kill_of_the_owner_leaves_no_orphan(place: Place) -> None:
    daemon = place.start()
    daemon.sql("create table if not exists survivor (word text)")
    daemon.sql("insert into survivor values ('committed')")
    assert len(daemon.descendants) >= 4
    last = daemon.server("valkey-server")
    last.suspend()  # it will be slow to end
    try:
        daemon.end(signal.SIGKILL)
        assert running(place.data_dir) is None
        waiting = place.spawn()
        assert waiting.stdout is not None
        assert not select.select([waiting.stdout], [], [], 1.0)[0], "it started beside the servers of its predecessor"
    finally:
        last.resume()

    at_once = Daemon(waiting)
    assert gone(daemon.descendants)
    assert at_once.sql("select word from survivor") == "committed"
    at_once.end(signal.SIGKILL)
    eventually(lambda: gone(at_once.descendants), 5)


def test_a_killed_server_comes_back_on_its_port(place: Place) -> None:
    daemon = place.start()
    daemon.sql("create table if not exists revived (word text)")
    daemon.sql("insert into revived values ('committed')")
    postmaster, valkey = daemon.server("postgres"), daemon.server("valkey-server")
    postmaster.kill()
    valkey.kill()
    eventually(lambda: gone([postmaster, valkey]) and connects(daemon) and pings(daemon), 10)
    assert daemon.sql("select word from revived") == "committed"
    assert daemon.server("postgres").pid != postmaster.pid
    revived = psutil.Process(daemon.process.pid).children(recursive=True)
    daemon.end(signal.SIGKILL)  # the second life is tethered like the first
    eventually(lambda: gone(revived), 5)


def test_a_session_wide_server_inside_one_process(tmp_path: Path) -> None:
    """What other tests use it for: a context manager in the main thread; the log holds no phone number of a failed statement."""
    servers = EmbeddedServers(tmp_path)
    with servers as endpoints:
        assert running(tmp_path) == endpoints
        with pytest.raises(AlreadyRunning):
            EmbeddedServers(tmp_path).start()
        with pytest.raises(AlreadyRunning):
            servers.start()

        async def fail() -> None:
            connection = await asyncpg.connect(endpoints.database_url)
            await connection.execute(f"create table phone (number text primary key); insert into phone values ('{CANARY}')")
            for statement in (f"insert into phone values ('{CANARY}')", f"select '{CANARY}'::uuid"):
                with pytest.raises(asyncpg.PostgresError):
                    await connection.execute(statement)
            await connection.close()

        asyncio.run(fail())
        servers.check()
    assert running(tmp_path) is None
    assert CANARY not in "".join(log.read_text() for log in (tmp_path / "log").iterdir())
    servers.stop()
