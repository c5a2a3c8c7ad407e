"""A campaign's results, page by page: one row per enrolment with its contact and its newest call. Rows out, no decisions.

Pages instead of a cursor: a cursor would hold a transaction, and with it every dead row of the hot tables, for as long as the
slowest client takes. The key of the pages never changes, so each enrolment that was there at the start comes exactly once.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Final

from dialer.store.database import Database
from dialer.store.rows import Row, all_rows
from dialer.store.transaction import reading
from dialer.store.written import written

PAGE: Final = 500
"""Few enough that writing them down holds up nobody else in the process."""

READ: Final = """
select t.id as campaign_contact_id, t.contact_id, p.first_name, p.last_name, p.phone, p.email, k.name as company, p.job_title,
  p.lead_status, p.timezone, p.region, p.tags, p.do_not_call, t.status, t.outcome, t.priority, t.attempts, t.created_at,
  t.next_attempt_at, t.last_attempt_at, t.completed_at, a.id as last_call_id, a.claimed_at as last_call_at,
  a.from_number as last_call_from, a.to_number as last_call_to, a.state as last_call_state, a.outcome as last_call_outcome,
  a.answered_at as last_call_answered_at, a.ended_at as last_call_ended_at, a.result, p.custom_fields
from (
    select * from campaign_contacts where campaign_id = :campaign and contact_id > :after order by contact_id limit :page) t
  join contacts p on p.id = t.contact_id
  left join companies k on k.id = p.company_id
  left join lateral (
    select * from call_attempts a where a.campaign_contact_id = t.id and a.state <> 'recalled'
    order by a.attempt_no desc limit 1) a on true
order by t.contact_id
"""


async def pages(database: Database, campaign: str) -> AsyncIterator[list[Row]]:
    """In the order of the contacts' ids, which is the order in which the contacts were made."""
    after = ""
    while True:
        async with reading(database) as on:
            rows = all_rows(await on.execute(written(READ), {"campaign": campaign, "after": after, "page": PAGE}))
        if rows:
            yield rows
            after = rows[-1]["contact_id"]
        if len(rows) < PAGE:
            return
