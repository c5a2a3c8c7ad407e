"""The manifests: valid for the API, complete, restricted, and in agreement with the settings they carry."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from kubernetes_validate import latest_version, validate

from dialer.app import DRAIN_SECONDS
from dialer.settings import Settings
from tests.unit.deploy.artefacts import DEPLOY, IMAGE, ROLES, document, documents, settings

BASE = DEPLOY / "kubernetes"
KUSTOMIZATION = document(BASE / "kustomization.yaml")
OLDEST = "1.27"
"""The first version whose PodDisruptionBudget knows unhealthyPodEvictionPolicy by default."""
RESOURCES = [each for name in KUSTOMIZATION["resources"] for each in documents(BASE / name)]
SECRET = document(BASE / "secret.example.yaml")
WORKLOADS = {each["metadata"]["name"]: each for each in RESOURCES if each["kind"] in ("Deployment", "Job")}


def named(resource: dict[str, Any]) -> str:
    return f"{resource['kind']} {resource['metadata']['name']}"


def pod(workload: str) -> dict[str, Any]:
    spec: dict[str, Any] = WORKLOADS[workload]["spec"]["template"]["spec"]
    return spec


def container(workload: str) -> dict[str, Any]:
    [only] = pod(workload)["containers"]
    return dict(only)


def settings_of(workload: str, tmp_path: Path) -> Settings:
    environ = {each["name"]: each["value"] for each in container(workload)["env"]}
    [mount] = [each["mountPath"] for each in container(workload)["volumeMounts"] if each["name"] == "secrets"]
    secrets = {f"{mount}/{name}": text for name, text in SECRET["stringData"].items()}
    config = (BASE / "dialer.toml").read_text() if "DIALER_CONFIG" in environ else ""
    return settings(config, environ, secrets, tmp_path)


@pytest.mark.parametrize("version", [OLDEST, latest_version()])
@pytest.mark.parametrize("resource", [*RESOURCES, SECRET], ids=named)
def test_the_api_takes_it(resource: dict[str, Any], version: str) -> None:
    validate(resource, version, strict=True)


def test_the_kustomization_lists_every_file() -> None:
    unlisted = {"kustomization.yaml", "secret.example.yaml"}
    assert sorted(KUSTOMIZATION["resources"]) == sorted({path.name for path in BASE.glob("*.yaml")} - unlisted)
    [config] = KUSTOMIZATION["configMapGenerator"]
    assert config == {"name": "dialer-config", "files": ["config.toml=dialer.toml"]}
    assert {path.name for path in BASE.iterdir()} - {path.name for path in BASE.glob("*.yaml")} == {"dialer.toml"}


def test_nothing_names_a_namespace() -> None:
    assert [named(each) for each in [*RESOURCES, SECRET] if "namespace" in each["metadata"]] == []


def test_each_role_is_a_deployment_of_two_and_the_migration_a_job() -> None:
    assert {name: each["kind"] for name, each in WORKLOADS.items()} == {
        "dialer-migrate": "Job",
        **{f"dialer-{role}": "Deployment" for role in ROLES},
    }
    for role in ROLES:
        assert WORKLOADS[f"dialer-{role}"]["spec"]["replicas"] == 2
        assert container(f"dialer-{role}")["args"] == [role]
    assert container("dialer-migrate")["args"] == ["migrate"]


@pytest.mark.parametrize("workload", WORKLOADS)
def test_the_pods_keep_the_restricted_standard(workload: str) -> None:
    """And more than it asks: a read-only root file system, no token of the cluster, a bound on memory."""
    own, only = pod(workload), container(workload)
    assert own["securityContext"] == {
        "runAsNonRoot": True,
        "runAsUser": 10001,
        "runAsGroup": 10001,
        "fsGroup": 10001,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    assert only["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert own["automountServiceAccountToken"] is False and own["enableServiceLinks"] is False
    assert set(only["resources"]["requests"]) == {"cpu", "memory"} and "memory" in only["resources"]["limits"]
    assert only["image"] == IMAGE
    kinds = {next(kind for kind in volume if kind != "name") for volume in own["volumes"]}
    assert kinds <= {"configMap", "secret", "emptyDir"}


@pytest.mark.parametrize("workload", WORKLOADS)
def test_what_is_mounted_exists(workload: str) -> None:
    own = pod(workload)
    assert {each["name"] for each in own["volumes"]} == {each["name"] for each in container(workload)["volumeMounts"]}
    assert [each["secret"] for each in own["volumes"] if "secret" in each] == [
        {"secretName": SECRET["metadata"]["name"], "defaultMode": 0o440}
    ]
    [config] = KUSTOMIZATION["configMapGenerator"]
    assert [each["configMap"]["name"] for each in own["volumes"] if "configMap" in each] in ([], [config["name"]])


@pytest.mark.parametrize("workload", WORKLOADS)
def test_the_settings_are_taken(workload: str, tmp_path: Path) -> None:
    got = settings_of(workload, tmp_path)
    assert got.database.url and got.redis.url and got.logging.format == "json"


@pytest.mark.parametrize("role", ROLES)
def test_ports_and_probes_are_those_of_the_settings(role: str, tmp_path: Path) -> None:
    got, only = settings_of(f"dialer-{role}", tmp_path), container(f"dialer-{role}")
    expected = {
        "api": {"http": got.http.port, "metrics": got.http.metrics_port},
        "scheduler": {"metrics": got.scheduler.health_port},
        "worker": {"metrics": got.worker.health_port},
    }
    assert {each["name"]: each["containerPort"] for each in only["ports"]} == expected[role]
    probe = "http" if role == "api" else "metrics"
    paths = {"startupProbe": "/healthz", "livenessProbe": "/healthz", "readinessProbe": "/readyz"}
    for name, path in paths.items():
        assert only[name]["httpGet"] == {"path": path, "port": probe}


def test_the_api_listens_on_the_pods_address(tmp_path: Path) -> None:
    assert settings_of("dialer-api", tmp_path).http.host == "0.0.0.0"


@pytest.mark.parametrize("role", ROLES)
def test_draining_is_given_its_time(role: str) -> None:
    assert pod(f"dialer-{role}")["terminationGracePeriodSeconds"] >= DRAIN_SECONDS + 10


@pytest.mark.parametrize("role", ROLES)
def test_no_role_is_ever_taken_away_whole(role: str) -> None:
    deployment = WORKLOADS[f"dialer-{role}"]
    labels = deployment["spec"]["selector"]["matchLabels"]
    assert deployment["spec"]["template"]["metadata"]["labels"] == labels
    assert deployment["spec"]["strategy"]["rollingUpdate"]["maxUnavailable"] == 0
    [spread] = pod(f"dialer-{role}")["topologySpreadConstraints"]
    assert spread["labelSelector"]["matchLabels"] == labels
    [budget] = [each for each in RESOURCES if named(each) == f"PodDisruptionBudget dialer-{role}"]
    assert budget["spec"]["selector"]["matchLabels"] == labels and budget["spec"]["maxUnavailable"] == 1


def test_services_point_at_ports_that_have_a_name() -> None:
    services = [each for each in RESOURCES if each["kind"] == "Service"]
    reached: dict[str, list[str]] = {}
    for service in services:
        wanted = service["spec"]["selector"].items()
        [port] = service["spec"]["ports"]
        for role in ROLES:
            labels = WORKLOADS[f"dialer-{role}"]["spec"]["template"]["metadata"]["labels"]
            if wanted <= labels.items():
                assert port["targetPort"] in {each["name"] for each in container(f"dialer-{role}")["ports"]}
                reached.setdefault(service["metadata"]["name"], []).append(role)
    assert reached == {"dialer-api": ["api"], "dialer-metrics": list(ROLES)}


def test_the_example_secret_cannot_be_taken_for_a_real_one() -> None:
    assert SECRET["stringData"] and all("REPLACE" in text for text in SECRET["stringData"].values())
