"""The units: known to systemd, hardened by its own measure, and alike where they should be."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from dialer.app import DRAIN_SECONDS
from dialer.settings import load
from tests.unit.deploy.artefacts import DEPLOY, settings

UNITS = DEPLOY / "systemd"
SERVICES = ("dialer@.service", "dialer-migrate.service")
MOST_EXPOSURE = 1.5
linux = pytest.mark.skipif(sys.platform != "linux", reason="systemd exists on Linux only")
NEWER_THAN_252 = {"RestartSteps", "RestartMaxDelaySec"}


def analyze(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    tool = shutil.which("systemd-analyze")
    assert tool, "systemd-analyze was not found, and it alone can judge the units; install systemd (Debian: apt install systemd)"
    environment = {**os.environ, "LC_ALL": "C.UTF-8", "SYSTEMD_COLORS": "0", "SYSTEMD_PAGER": "cat"}
    return subprocess.run([tool, *arguments], env=environment, check=False, timeout=30, capture_output=True, text=True)


def options(unit: str) -> list[tuple[str, str]]:
    lines = (UNITS / unit).read_text().splitlines()
    return [(key, value) for line in lines if not line.startswith("#") for key, found, value in [line.partition("=")] if found]


def option(unit: str, name: str) -> str:
    [value] = [value for key, value in options(unit) if key == name]
    return value


def hardening(unit: str) -> str:
    text = (UNITS / unit).read_text().partition("# Hardening")[2].partition("[Install]")[0]
    return text.partition("\n")[2].strip()


@linux
@pytest.mark.parametrize("unit", SERVICES)
def test_the_exposure_is_small(unit: str) -> None:
    told = analyze("security", "--offline=true", "--no-pager", UNITS / unit).stdout
    level = re.search(r"Overall exposure level for \S+: ([\d.]+)", told)
    assert level, told
    assert float(level[1]) <= MOST_EXPOSURE


@linux
def test_systemd_knows_every_option(tmp_path: Path) -> None:
    """What `verify` complains of: nothing but two options that came after systemd 252, which this test's machine may have."""
    for path in UNITS.glob("dialer*.*"):
        (tmp_path / path.name).write_text(path.read_text().replace("/opt/dialer/bin/dialer", "/bin/true"))
    shutil.copy(tmp_path / "dialer@.service", tmp_path / "dialer@worker.service")
    units = [tmp_path / name for name in ("dialer@worker.service", "dialer-migrate.service", "dialer.target")]
    told = analyze("verify", "--man=no", *units).stderr
    ours = [line for line in told.splitlines() if "dialer" in line]
    assert [line for line in ours if not any(f"'{name}'" in line for name in NEWER_THAN_252)] == []


def test_both_services_are_hardened_alike() -> None:
    assert "DynamicUser=yes" in hardening("dialer@.service")
    assert hardening("dialer@.service") == hardening("dialer-migrate.service")


def test_the_instance_is_the_role() -> None:
    assert option("dialer@.service", "ExecStart") == "/opt/dialer/bin/dialer %i"
    assert option("dialer-migrate.service", "ExecStart") == "/opt/dialer/bin/dialer migrate"


def test_draining_is_given_its_time() -> None:
    assert option("dialer@.service", "KillSignal") == "SIGTERM"
    assert int(option("dialer@.service", "TimeoutStopSec")) >= DRAIN_SECONDS + 10


def test_a_role_that_fails_is_started_again_but_not_one_that_is_misconfigured() -> None:
    assert option("dialer@.service", "Restart") == "on-failure"
    assert option("dialer@.service", "StartLimitIntervalSec") == "0"
    assert option("dialer@.service", "RestartPreventExitStatus").split() == ["2", "3"]


@pytest.mark.parametrize("unit", SERVICES)
def test_secrets_come_as_credentials_that_the_settings_name(unit: str, tmp_path: Path) -> None:
    environ = dict(value.split("=", 1) for key, value in options(unit) if key == "Environment")
    loaded = dict(value.split(":", 1) for key, value in options(unit) if key == "LoadCredential")
    assert {f"%d/{name}" for name in loaded} == {value for name, value in environ.items() if name.endswith("_FILE")}
    secrets = {"%d/database_url": "postgresql://dialer:pw@db/dialer", "%d/redis_url": "redis://:pw@redis:6379/0"}
    got = settings((UNITS / "dialer.toml").read_text(), environ, secrets, tmp_path)
    assert got.database.url and got.redis.url


def test_the_config_file_is_taken_and_each_role_has_a_port_for_probes() -> None:
    got = load(UNITS / "dialer.toml", {"HOME": "/nonexistent"})
    assert (got.http.metrics_port, got.scheduler.health_port, got.worker.health_port) == (9600, 8601, 8602)
    assert got.http.host == "127.0.0.1"
