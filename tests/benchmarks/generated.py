"""Ten thousand requests that schemathesis makes up from the document: every check, every phase, links followed."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

from dialer.embedded import EmbeddedServers
from dialer.store.migrate import migrate
from tests.benchmarks.table import Row, at_least, exactly
from tests.support.fuzzing import fuzz
from tests.support.served import served

EACH = 110
"""Cases that fuzzing and the stateful phase make for each operation; the coverage phase makes some 70 for each by itself."""

SERVER_ERROR, AUTH = "Server error", "auth"


def schemathesis() -> list[Row]:
    with tempfile.TemporaryDirectory() as folder, EmbeddedServers(Path(folder) / "data") as stores:
        asyncio.run(migrate(stores.database_url))
        with served(stores.database_url, stores.redis_url) as api:
            report = fuzz(api, Path(folder), cases_each=EACH, seconds=1800)
    if report.failures or report.errors:
        print(report.output)
    broken = dict(report.failures)
    return [
        at_least("schemathesis: generated cases", 10_000, report.cases),
        exactly("schemathesis: server errors (5xx)", 0, len(broken.pop(SERVER_ERROR, ()))),
        exactly(
            "schemathesis: ways around the key", 0, sum(len(broken.pop(title)) for title in list(broken) if AUTH in title.lower())
        ),
        exactly("schemathesis: anything else that contradicts the document", 0, sum(map(len, broken.values()))),
        exactly("schemathesis: finished, without errors of its own", True, report.complete and not report.errors),
    ]
