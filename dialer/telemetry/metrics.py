"""The figures a Prometheus server may ask for, all in one place, and the only import of its client.

Owns names, labels and buckets. Promises that no label holds a number, a name or an id, so their count stays small. Seconds
are the unit of every duration.
"""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics, generate_latest
from prometheus_client.gc_collector import GCCollector
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

disable_created_metrics()  # type: ignore[no-untyped-call]

REGISTRY = CollectorRegistry()
ProcessCollector(registry=REGISTRY)
PlatformCollector(registry=REGISTRY)
GCCollector(registry=REGISTRY)

# Milliseconds matter up to a tick (1 s); beyond that only the order of magnitude does.
_LATENCY = (0.001, 0.0025, 0.005, 0.01, 0.015, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 30.0)

ATTEMPTS = Counter(
    "dialer_attempts_total",
    "Attempts that ended, by outcome (human, machine, busy, no_answer, declined, invalid_number, unknown, recalled ...).",
    ["outcome"],
    registry=REGISTRY,
)
RELEASES = Counter("dialer_releases_total", "Attempts released: claimed by the scheduler to be dialled.", registry=REGISTRY)
PLACEMENTS = Counter(
    "dialer_placements_total",
    "Answers to a request to place a call, by result (placed, rejected, rate_limited, unavailable, too_late, ambiguous).",
    ["result"],
    registry=REGISTRY,
)
EVENTS = Counter("dialer_events_total", "Call events that were new to the ledger, by phase.", ["phase"], registry=REGISTRY)
UNCOUNTED_REQUESTS = Counter(
    "dialer_uncounted_requests_total",
    "Requests let through without counting them against their key's limit, because Redis was away.",
    registry=REGISTRY,
)
REFUSED_REQUESTS = Counter("dialer_rate_limited_requests_total", "Requests over their key's limit (429).", registry=REGISTRY)
RECOUNT_DISAGREEMENTS = Counter(
    "dialer_recount_disagreements_total",
    "Scopes whose counter of live attempts differed from a recount: each one is a defect.",
    registry=REGISTRY,
)
BREAKER_OPENINGS = Counter(
    "dialer_breaker_openings_total",
    "Breakers that opened, of a trunk or a campaign, by cause (trunk, rate, config, request, endings).",
    ["scope", "cause"],
    registry=REGISTRY,
)
FAILURES = Counter(
    "dialer_failures_total",
    "Rounds of a loop that failed and will be tried again, by loop (tick, sweep, recount, breakers, watch, reconcile).",
    ["loop"],
    registry=REGISTRY,
)
LOOP_STANDSTILL_SECONDS = Counter(
    "dialer_loop_standstill_seconds_total",
    "Seconds in which this process's event loop did not run, for two or more at a time: it was blocked, or the process stopped.",
    registry=REGISTRY,
)
TRANSCRIPTS = Counter(
    "dialer_transcripts_total",
    "Transcripts of calls that were dealt with, by outcome (done, provider, nothing, superseded, given_up, expired), and tries "
    "to ask that failed (away, failed).",
    ["outcome"],
    registry=REGISTRY,
)

PLACE_SECONDS = Histogram(
    "dialer_place_seconds", "How long the carrier took to answer a placement.", ["trunk"], buckets=_LATENCY, registry=REGISTRY
)

ROUND_SECONDS = Histogram(
    "dialer_round_seconds",
    "How long a round of the scheduler took: reading who is due, planning, claiming, ringing the workers.",
    buckets=_LATENCY,
    registry=REGISTRY,
)

LIVE_ATTEMPTS = Gauge("dialer_live_attempts", "Attempts that hold a slot: queued, placing, ringing, answered.", registry=REGISTRY)
UNKNOWN_ATTEMPTS = Gauge(
    "dialer_unknown_attempts", "Attempts that were maybe placed and wait for a look-up to settle it.", registry=REGISTRY
)
BREAKER_STATE = Gauge(
    "dialer_breaker_state", "The breaker of a trunk: 0 closed, 1 half-open, 2 open.", ["trunk"], registry=REGISTRY
)
CAMPAIGN_BREAKERS = Gauge(
    "dialer_campaign_breakers_open", "Campaigns that are held back because all their calls were refused.", registry=REGISTRY
)
RESTING_CALLER_IDS = Gauge(
    "dialer_caller_ids_resting", "Caller IDs that are not shown for a time because their calls were blocked.", registry=REGISTRY
)
CALLER_ID_RESTS = Counter(
    "dialer_caller_id_rests_total", "Caller IDs that began to rest because their calls were blocked.", registry=REGISTRY
)
OLDEST_DUE_SECONDS = Gauge(
    "dialer_oldest_due_seconds",
    "How long nobody of some campaign was dialled although somebody was due, in an open window, with a slot free. The longest.",
    registry=REGISTRY,
)
CLOCK_OFFSET_SECONDS = Gauge(
    "dialer_clock_offset_seconds", "This machine's clock minus the database's; above 60 nobody may be called.", registry=REGISTRY
)


def render() -> bytes:
    """All figures of this process in the Prometheus text format, to be served as `CONTENT_TYPE`."""
    return generate_latest(REGISTRY)
