"""One moment for everybody: the engine, the database and the simulated carrier share a clock that only the test moves.

The ledger's statements and triggers ask `clock_timestamp()` and `now()`; in a database that `stand_still` was asked of, both
answer what the test said last, and ids are counted, so that the same story comes out the same.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from datetime import datetime
from itertools import count
from typing import Any

from dialer.store.database import Pool
from tests.support.clock import ManualClock

# Looked for before pg_catalog's, and where a default was made with pg_catalog's, instead of it.
_STOPPED = """
create schema standstill;
create table standstill.clock (at timestamptz not null);
insert into standstill.clock select clock_timestamp();
create function standstill.clock_timestamp() returns timestamptz language sql volatile as 'select at from standstill.clock';
create function standstill.now() returns timestamptz language sql stable as 'select at from standstill.clock';
create sequence standstill.ids;
create or replace function public.new_id(kind text) returns text language sql volatile as $id$
  select kind || '_' || lpad(to_hex(nextval('standstill.ids')), 32, '0')
$id$;
grant usage on schema standstill to public;
grant select on standstill.clock to public;
do $$
declare
  made record;
begin
  for made in select c.table_name, c.column_name from information_schema.columns c
      where c.table_schema = 'public' and c.column_default in ('now()', 'clock_timestamp()') loop
    execute format('alter table public.%I alter column %I set default standstill.clock_timestamp()',
                   made.table_name, made.column_name);
  end loop;
  execute format('alter database %I set search_path = standstill, pg_catalog, public', current_database());
end $$;
"""


BEGIN_AGAIN = "alter sequence standstill.ids restart"
"""The first id is the first again; for a database that was emptied."""


async def stand_still(pool: Pool) -> None:
    """From the next connection on, the database has no clock of its own."""
    await pool.execute(_STOPPED)


class Moment(ManualClock):
    """The manual clock, the carrier's timer and the database's clock in one. Alarms go off in order, each at its own time."""

    def __init__(self, start: datetime) -> None:
        super().__init__(start)
        self._alarms: list[tuple[float, int, _Alarm]] = []
        self._numbers = count()

    async def pass_by(self, pool: Pool, seconds: float) -> None:
        """Let `seconds` pass, 0 or more; afterwards the database knows what time it is."""
        assert seconds >= 0, "time goes on"
        end = self.monotonic() + seconds
        while self._alarms and self._alarms[0][0] <= end:
            due, _, alarm = heapq.heappop(self._alarms)
            super().advance(max(due - self.monotonic(), 0.0))
            alarm.ring()
        super().advance(end - self.monotonic())
        await pool.execute("update standstill.clock set at = $1", self.now())

    def alarm(self, seconds: float, ring: Callable[[], None]) -> _Alarm:
        alarm = _Alarm(ring)
        heapq.heappush(self._alarms, (self.monotonic() + seconds, next(self._numbers), alarm))
        return alarm

    def next_alarm(self) -> float | None:
        """Seconds until something happens at the carrier by itself; None = never."""
        waiting = [due for due, _, alarm in self._alarms if not alarm.cancelled]
        return max(min(waiting) - self.monotonic(), 0.0) if waiting else None


class _Alarm:
    def __init__(self, ring: Callable[[], None]) -> None:
        self._ring = ring
        self.cancelled = False

    def cancel(self) -> None:
        self.cancelled = True

    def ring(self) -> None:
        if not self.cancelled:
            self._ring()


class CarrierTimer:
    """`adapters.simulated.carrier.timer.Timer` on a moment."""

    def __init__(self, moment: Moment) -> None:
        self._moment = moment

    def now(self) -> float:
        return self._moment.now().timestamp()

    def later(self, seconds: float, step: Callable[..., None], *args: Any) -> _Alarm:
        return self._moment.alarm(seconds, lambda: step(*args))
