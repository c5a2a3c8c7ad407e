"""A Postgres and a Valkey of our own on one data directory, supervised.

The directory holds ``postgres/`` and ``valkey/`` (data), ``log/``, ``access.json`` and ``endpoints.json`` (see `access`),
``owner.lock`` and ``servers.lock`` (see `claim`), and ``binaries/`` (copies, only where root has to hand them to another user).
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from types import TracebackType

from dialer.embedded import postgres, valkey
from dialer.embedded.access import Endpoints, publish, published, recall_access, withdraw
from dialer.embedded.binaries import find_postgres, find_valkey
from dialer.embedded.child import READY_SECONDS, Child
from dialer.embedded.claim import Claim, is_held
from dialer.embedded.errors import EmbeddedUnavailable
from dialer.embedded.privileges import identity


class EmbeddedServers:
    """The servers of one data directory. Synchronous; all of it from the main thread. As a context manager: started and stopped.

    If this process dies, even by ``kill -9``, both servers end by themselves.
    """

    def __init__(self, data_dir: Path) -> None:
        self._data_dir = data_dir.resolve()
        self._claim: Claim | None = None
        self._children: list[Child] = []

    def start(self) -> Endpoints:
        """Start both servers, on first use after making the database `dialer`, and return when both answer.

        Takes about 0.2 s, 1 s on first use, and up to 25 s while the servers of a killed daemon are still ending.
        Raises AlreadyRunning if a daemon has the directory, EmbeddedUnavailable if the servers cannot be run here, RuntimeError
        outside the main thread.
        """
        _prepare(self._data_dir)
        self._claim = Claim(self._data_dir)
        try:
            withdraw(self._data_dir)
            endpoints = self._start(self._claim)
            publish(self._data_dir, endpoints)
        except BaseException:
            self.stop()
            raise
        return endpoints

    def stop(self) -> None:
        """End Valkey (SIGTERM), then Postgres (SIGINT, after 20 s SIGQUIT), and let the directory go. Idempotent."""
        if self._claim is None:
            return
        withdraw(self._data_dir)
        while self._children:
            self._children.pop().end()
        self._claim.release()
        self._claim = None

    def check(self) -> None:
        """Start a server that died again, on its old port; to be called about once a second. Microseconds if none did.

        Raises EmbeddedUnavailable if it keeps dying for 5 s; the next call tries again.
        """
        fault: EmbeddedUnavailable | None = None
        for child in self._children:
            try:
                child.revive()
            except EmbeddedUnavailable as met:
                fault = fault or met
        if fault is not None:
            raise fault

    def __enter__(self) -> Endpoints:
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()

    def _start(self, claim: Claim) -> Endpoints:
        home = self._data_dir
        cluster, valkey_home, logs, copies = home / "postgres", home / "valkey", home / "log", home / "binaries"
        runner = identity()
        runner.admit(home)
        major = postgres.major_of(cluster)
        access = recall_access(home, data_exists=major is not None)
        installed = find_postgres(runner, copies, wanted=major)
        valkey_program = find_valkey(runner, copies)
        logs.mkdir(mode=0o700, exist_ok=True)
        valkey_home.mkdir(mode=0o700, exist_ok=True)
        if major is None:
            postgres.make_cluster(cluster, installed, runner, access.postgres_password, claim.inherited)
        postgres.forget_stranger(cluster)
        runner.own(cluster)
        runner.own(valkey_home)
        for plan in (
            postgres.plan(cluster, installed, access, logs / "postgres.log"),
            valkey.plan(valkey_home, valkey_program, access, logs / "valkey.log"),
        ):
            child = Child(plan, runner, claim.inherited)
            self._children.append(child)  # before it starts, so that a failed start is cleared up too
            if not child.start():
                raise EmbeddedUnavailable(f"{plan.name} does not answer within {READY_SECONDS:.0f} s (more in {plan.log})")
        return access.endpoints()


def running(data_dir: Path) -> Endpoints | None:
    """The endpoints of the daemon that is up on `data_dir`, None if there is none (or it is only starting).

    Raises EmbeddedUnavailable if the directory belongs to another user.
    """
    return published(data_dir) if is_held(data_dir) else None


def _prepare(data_dir: Path) -> None:
    if sys.platform != "linux":
        raise EmbeddedUnavailable("The embedded servers need Linux: set DATABASE_URL and REDIS_URL to servers of your own.")
    try:
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        owner = data_dir.stat().st_uid
    except OSError as fault:
        raise EmbeddedUnavailable(f"The embedded data directory {data_dir} cannot be made: {fault.strerror}.") from fault
    if owner != os.geteuid():
        raise EmbeddedUnavailable(
            f"The embedded data directory {data_dir} is another user's: run as that user or choose another."
        )
