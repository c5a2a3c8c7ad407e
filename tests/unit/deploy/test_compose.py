"""compose.yaml: hardened, in the right order, and with settings the dialer takes."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from dialer.settings import Settings
from tests.unit.deploy.artefacts import CONNECTIONS_BESIDES_THE_POOL, DEPLOY, IMAGE, ROLES, document, settings

COMPOSE = document(DEPLOY / "compose.yaml")
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = (*ROLES, "migrate", "carrier")


def unquoted(text: str) -> str:
    """As Compose hands it over: `${NAME:-default}` is the default, `$$` a dollar."""
    return re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", text).replace("$$", "$")


def made_secrets(folder: Path) -> dict[str, str]:
    subprocess.run(["sh", DEPLOY / "compose-secrets.sh", folder], check=True, timeout=10)
    return {f"/run/secrets/{path.name}": path.read_text() for path in folder.iterdir()}


def settings_of(service: str, tmp_path: Path) -> Settings:
    environment = {name: unquoted(value) for name, value in SERVICES[service]["environment"].items()}
    content = unquoted(COMPOSE["configs"]["config"]["content"])
    return settings(content, environment, made_secrets(tmp_path / "secrets"), tmp_path)


@pytest.mark.parametrize("service", SERVICES)
def test_every_service_is_hardened(service: str) -> None:
    own = SERVICES[service]
    assert own["read_only"] is True
    assert own["cap_drop"] == ["ALL"]
    assert own["security_opt"] == ["no-new-privileges:true"]
    # Ours get their user from the image.
    assert service in OURS or re.fullmatch(r"[1-9]\d*:[1-9]\d*", own["user"])


@pytest.mark.parametrize("service", SERVICES)
def test_images_are_named_by_version(service: str) -> None:
    own = SERVICES[service]
    if service in OURS:
        assert own["image"] == IMAGE
        assert (DEPLOY / own["build"]["context"] / own["build"]["dockerfile"]).resolve() == DEPLOY / "Dockerfile"
    else:
        assert re.fullmatch(r"[\w/]+:\d[\w.-]*", own["image"])


@pytest.mark.parametrize("role", ROLES)
def test_a_role_starts_after_the_schema_is_there(role: str) -> None:
    assert SERVICES[role]["command"] == [role]
    assert {name: each["condition"] for name, each in SERVICES[role]["depends_on"].items()} == {
        "postgres": "service_healthy",
        "redis": "service_healthy",
        "migrate": "service_completed_successfully",
    }


def test_there_are_two_workers() -> None:
    assert SERVICES["worker"]["deploy"]["replicas"] == 2


def test_the_carrier_is_there_only_when_asked_for() -> None:
    assert [name for name, own in SERVICES.items() if "profiles" in own] == ["carrier"]
    assert SERVICES["carrier"]["profiles"] == ["demo"]


def test_the_stores_are_not_reached_from_outside() -> None:
    assert COMPOSE["networks"]["stores"]["internal"] is True
    for store in ("postgres", "redis"):
        assert SERVICES[store]["networks"] == ["stores"] and "ports" not in SERVICES[store]


@pytest.mark.parametrize("role", (*ROLES, "migrate"))
def test_the_settings_are_taken(role: str, tmp_path: Path) -> None:
    got = settings_of(role, tmp_path)
    assert got.database.url and got.database.url.get_secret_value().endswith("@postgres:5432/dialer")
    assert got.redis.url and got.redis.url.get_secret_value().endswith("@redis:6379/0")
    assert got.http.public_url == "http://api:8600"
    port = SERVICES["carrier"]["command"][-1]
    assert got.adapters["simulated"].options["base_url"] == f"http://carrier:{port}"


@pytest.mark.parametrize("role", ROLES)
def test_the_probes_ask_the_port_that_is_configured(role: str, tmp_path: Path) -> None:
    got = settings_of(role, tmp_path)
    port = {"api": got.http.port, "scheduler": got.scheduler.health_port, "worker": got.worker.health_port}[role]
    assert f"http://127.0.0.1:{port}/readyz" in SERVICES[role]["healthcheck"]["test"][-1]


def test_the_published_port_is_that_of_the_api_on_this_machine_alone(tmp_path: Path) -> None:
    port = settings_of("api", tmp_path).http.port
    assert SERVICES["api"]["ports"] == [f"127.0.0.1:{port}:{port}"]
    assert [name for name, own in SERVICES.items() if "ports" in own] == ["api"]


def test_the_connections_fit_the_server(tmp_path: Path) -> None:
    each = settings_of("worker", tmp_path).database.pool_size + CONNECTIONS_BESIDES_THE_POOL
    processes = sum(SERVICES[role].get("deploy", {}).get("replicas", 1) for role in ROLES)
    [most] = [int(word.removeprefix("max_connections=")) for word in SERVICES["postgres"]["command"] if "max_connections" in word]
    assert processes * each < most


def test_every_secret_that_is_named_is_made(tmp_path: Path) -> None:
    made = made_secrets(tmp_path / "secrets")
    assert {Path(name).name for name in made} == set(COMPOSE["secrets"])
    assert {each["file"] for each in COMPOSE["secrets"].values()} == {f"secrets/{Path(name).name}" for name in made}
    used = {name for own in SERVICES.values() for name in own.get("secrets", [])}
    assert used == set(COMPOSE["secrets"])
    passwords = [made[f"/run/secrets/{store}_password"].strip() for store in ("postgres", "redis")]
    assert all(re.fullmatch(r"[0-9a-f]{48}", each) for each in passwords) and len(set(passwords)) == 2


def test_secrets_that_exist_are_kept_and_nobody_else_reads_them(tmp_path: Path) -> None:
    folder = tmp_path / "secrets"
    assert made_secrets(folder) == made_secrets(folder)
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o644}


def test_the_configuration_of_redis_reads_its_password(tmp_path: Path) -> None:
    """The shell line is run with a stand-in for the server that shows what it was told."""
    [shell, flag, script] = SERVICES["redis"]["command"]
    password = tmp_path / "redis_password"
    password.write_text("s3cret\n")
    server = tmp_path / "valkey-server"
    server.write_text("#!/bin/sh\necho arguments: $*\ncat\n")
    server.chmod(0o755)
    line = unquoted(script).replace("/run/secrets/redis_password", str(password))
    environment = {"PATH": f"{tmp_path}:/usr/bin:/bin"}
    told = subprocess.run([shell, flag, line], env=environment, check=True, timeout=10, capture_output=True, text=True).stdout
    assert told.splitlines()[:3] == ["arguments: -", "bind * -::*", "requirepass s3cret"]
    assert "maxmemory-policy noeviction" in told
