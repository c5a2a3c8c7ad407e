"""The watchdog of an event loop: notices that it stands still, and says so while it still does.

A loop that is blocked dials nothing, hears no callback and renews no lease, and nothing that runs on it can tell. So the loop
sets a mark each half second, and a thread looks at the mark: it logs once per standstill where the loop is stuck. When the loop
runs again it counts the seconds. A process that was stopped and goes on looks the same.
"""

from __future__ import annotations

import logging
import sys
import threading
import traceback
from collections.abc import Callable

from dialer.telemetry import metrics
from scheduler.clock import Clock

BEAT_SECONDS = 0.5
PATIENCE_SECONDS = 2.0
"""What a loop may stand still without a word: as long as a claim may be old."""

FRAMES = 8
"""How many places are told, the innermost first."""

log = logging.getLogger(__name__)


class Watchdog:
    """Watches the loop it runs on. `on_standstill` is called there when it runs again; `beat` and `patience` are seconds."""

    def __init__(
        self,
        clock: Clock,
        on_standstill: Callable[[], None] = lambda: None,
        *,
        beat: float = BEAT_SECONDS,
        patience: float = PATIENCE_SECONDS,
    ) -> None:
        self._clock = clock
        self._on_standstill = on_standstill
        self._beat = beat
        self._patience = patience
        self._mark = 0.0
        self._over = threading.Event()

    async def run(self) -> None:
        """Watch until cancelled."""
        self._mark = self._clock.monotonic()
        thread = threading.Thread(target=self._watch, args=(threading.get_ident(),), name="watchdog", daemon=True)
        thread.start()
        try:
            while True:
                await self._clock.sleep(self._beat)
                now = self._clock.monotonic()
                still, self._mark = now - self._mark - self._beat, now
                if still >= self._patience:
                    metrics.LOOP_STANDSTILL_SECONDS.inc(still)
                    log.error("the event loop runs again; it had stood still for %.1f s", still)
                    self._on_standstill()
        finally:
            self._over.set()
            thread.join()

    def _watch(self, loop: int) -> None:
        told = -1.0
        while not self._over.wait(self._beat):
            mark = self._mark
            still = self._clock.monotonic() - mark - self._beat
            if still < self._patience or mark == told:
                continue
            told = mark
            frame = sys._current_frames().get(loop)
            stack = traceback.extract_stack(frame)[: -FRAMES - 1 : -1] if frame else []
            where = " < ".join(f"{each.filename}:{each.lineno} {each.name}" for each in stack)
            log.error("the event loop has stood still for %.1f s; it is at %s", still, where)
