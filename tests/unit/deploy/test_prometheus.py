"""Scraping and alerts rest on ports and figures that exist."""

from __future__ import annotations

import re
from typing import Any

import pytest
from prometheus_client import Counter, Gauge, Histogram

from dialer.telemetry import metrics
from tests.unit.deploy.artefacts import DEPLOY, PROJECT, ROLES, document

FOLDER = DEPLOY / "prometheus"
[GROUP] = document(FOLDER / "alerts.yml")["groups"]
ALERTS: list[dict[str, Any]] = GROUP["rules"]
CODE = "\n".join(path.read_text() for path in (PROJECT / "dialer").rglob("*.py") if "telemetry" not in path.parts)


def figures() -> dict[str, tuple[str, set[str]]]:
    """Sample name → the metric's variable, and its labels."""
    found = {}
    for variable, metric in vars(metrics).items():
        if isinstance(metric, Counter | Gauge | Histogram):
            endings = {"counter": ["_total"], "histogram": ["_bucket", "_sum", "_count"]}.get(metric._type, [""])
            for ending in endings:
                found[metric._name + ending] = (variable, set(metric._labelnames) | ({"le"} if ending == "_bucket" else set()))
    return found


def selectors(expression: str) -> list[tuple[str, set[str]]]:
    """Every figure an expression reads, and the labels it is chosen by."""
    found = re.findall(r"\b(up|(?:dialer|process)_\w+)(?:\{([^}]*)\})?", expression)
    return [(name, set(re.findall(r"(\w+)\s*[=!]", labels))) for name, labels in found]


@pytest.mark.parametrize("alert", ALERTS, ids=lambda each: str(each["alert"]))
def test_an_alert_rests_on_figures_that_the_code_sets(alert: dict[str, Any]) -> None:
    known = figures()
    read = selectors(alert["expr"])
    assert read
    for name, labels in read:
        if name == "up":
            assert labels == {"app", "role"}
            continue
        variable, own = known[name]
        assert labels <= own
        assert f"metrics.{variable}." in CODE
        by = re.findall(r"by \(([^)]*)\)", alert["expr"])
        assert {label.strip() for group in by for label in group.split(",")} <= own


@pytest.mark.parametrize("alert", ALERTS, ids=lambda each: str(each["alert"]))
def test_an_alert_says_how_bad_it_is_what_it_means_and_what_to_do(alert: dict[str, Any]) -> None:
    assert alert["labels"]["severity"] in ("page", "ticket")
    assert alert["annotations"]["summary"]
    path, _, anchor = alert["annotations"]["runbook"].partition("#")
    headings = re.findall(r"(?m)^#+ (.+)$", (DEPLOY / path).read_text())
    assert anchor in {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("alert", ALERTS, ids=lambda each: str(each["alert"]))
def test_the_brackets_of_an_expression_close(alert: dict[str, Any]) -> None:
    rest = re.sub(r"[^(){}\[\]]", "", re.sub(r'"[^"]*"', "", alert["expr"]))
    while (shorter := re.sub(r"\(\)|\{\}|\[\]", "", rest)) != rest:
        rest = shorter
    assert rest == ""


def test_every_role_is_scraped_at_the_port_compose_gives_it() -> None:
    scrape = document(FOLDER / "prometheus.yml")
    assert scrape["rule_files"] == ["alerts.yml"]
    found = {}
    for job in scrape["scrape_configs"]:
        [discovery] = job["dns_sd_configs"]
        [name] = discovery["names"]
        assert job["job_name"] == f"dialer-{name}"
        found[name] = discovery["port"]
    content = document(DEPLOY / "compose.yaml")["configs"]["config"]["content"]
    assert found == dict(zip(ROLES, (9600, 8601, 8602), strict=True))
    assert all(f"_port = {port}\n" in content for port in found.values())


def test_in_kubernetes_the_service_that_exists_is_scraped() -> None:
    [job] = document(FOLDER / "kubernetes.yml")["scrape_configs"]
    kept = [each["regex"] for each in job["relabel_configs"] if each.get("action") == "keep"]
    assert kept == ["dialer-metrics"]
    assert "name: dialer-metrics\n" in (DEPLOY / "kubernetes" / "services.yaml").read_text()
    assert {"app", "role"} <= {each.get("target_label") for each in job["relabel_configs"]}
