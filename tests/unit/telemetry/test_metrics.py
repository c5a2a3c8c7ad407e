"""The names on which dashboards and alerts rest."""

from __future__ import annotations

import subprocess
import sys

from prometheus_client import Counter, Gauge, Histogram
from prometheus_client.parser import text_string_to_metric_families

from dialer.telemetry import metrics

# Name → kind and labels. A change here is a change for every dashboard: write it into CHANGELOG.md.
DOCUMENTED = {
    "dialer_attempts_total": ("counter", ("outcome",)),
    "dialer_releases_total": ("counter", ()),
    "dialer_placements_total": ("counter", ("result",)),
    "dialer_events_total": ("counter", ("phase",)),
    "dialer_recount_disagreements_total": ("counter", ()),
    "dialer_rate_limited_requests_total": ("counter", ()),
    "dialer_uncounted_requests_total": ("counter", ()),
    "dialer_failures_total": ("counter", ("loop",)),
    "dialer_loop_standstill_seconds_total": ("counter", ()),
    "dialer_place_seconds": ("histogram", ("trunk",)),
    "dialer_round_seconds": ("histogram", ()),
    "dialer_live_attempts": ("gauge", ()),
    "dialer_unknown_attempts": ("gauge", ()),
    "dialer_clock_offset_seconds": ("gauge", ()),
    "dialer_breaker_state": ("gauge", ("trunk",)),
    "dialer_breaker_openings_total": ("counter", ("scope", "cause")),
    "dialer_campaign_breakers_open": ("gauge", ()),
    "dialer_caller_ids_resting": ("gauge", ()),
    "dialer_caller_id_rests_total": ("counter", ()),
    "dialer_oldest_due_seconds": ("gauge", ()),
    "dialer_transcripts_total": ("counter", ("outcome",)),
}


def ours() -> dict[str, tuple[str, tuple[str, ...]]]:
    return {
        collector._name + ("_total" if collector._type == "counter" else ""): (collector._type, tuple(collector._labelnames))
        for collector in vars(metrics).values()
        if isinstance(collector, Counter | Gauge | Histogram)
    }


def test_the_documented_metrics_and_no_others() -> None:
    assert ours() == DOCUMENTED


def test_they_are_rendered_beside_those_of_the_process() -> None:
    metrics.PLACEMENTS.labels(result="a test of rendering").inc(2)
    families = {family.name: family for family in text_string_to_metric_families(metrics.render().decode())}
    placed = {sample.labels["result"]: sample.value for sample in families["dialer_placements"].samples}
    assert placed["a test of rendering"] == 2
    assert "process_cpu_seconds" in families
    assert {name.removesuffix("_total") for name in DOCUMENTED} <= set(families)


def test_logging_does_not_load_the_prometheus_client() -> None:
    code = "import sys, dialer.telemetry; sys.exit('prometheus_client' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=20).returncode == 0
