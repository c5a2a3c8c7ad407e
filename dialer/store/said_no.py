"""Whether anybody has said that a number may not be called, whoever's it is. Rows in, rows out, no decisions."""

from __future__ import annotations

from datetime import datetime

from dialer.store.callable_numbers import HAS
from dialer.store.rows import Row, one_row
from dialer.store.transaction import Transaction
from dialer.store.written import written


async def of_number(on: Transaction, number: str, now: datetime) -> Row:
    """Of all teams together: `suppressed` in any scope, `said_no` by a contact that has it, `in_call` now."""
    statement = written(f"""
        select
          exists (select from suppressions s where s.phone_number = :number and (s.expires_at is null or s.expires_at > :now))
            as suppressed,
          exists (select from teams m join contacts p on p.team_id = m.id and {HAS} where p.do_not_call) as said_no,
          exists (select from call_attempts a where a.to_number = :number and a.ended_at is null) as in_call""")
    return one_row(await on.execute(statement, {"number": number, "now": now}))


async def voices_of(on: Transaction, trunk: str) -> list[str]:
    """The external ids of the assistants that speak over a trunk."""
    statement = written("select distinct external_id from assistants where adapter = :trunk order by external_id")
    return [row["external_id"] for row in (await on.execute(statement, {"trunk": trunk})).mappings()]
