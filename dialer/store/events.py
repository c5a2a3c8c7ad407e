"""What happened in a campaign, read as a log that loses nothing. Rows out, no decisions.

Every row of the history carries the transaction that wrote it; a reader asks for the rows of transactions that its bookmark has
not seen, in the order of the index `history_log`. One statement, so that the rows, the snapshot to remember and the tallies are
of one moment. With nothing new it reads two index pages.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from dialer.domain.bookmark import LARGEST, Bookmark, Snapshot
from dialer.store.database import Pool
from dialer.store.rows import Row

_COLUMNS: Final = "h.id, h.at, h.entity, h.entity_id, h.before, h.after, h.reason, h.actor, h.xid"

# $1 campaign, $2 team, $3 transactions that may have ended since, $4 $5 position among them, $6 $7 where what is newer begins,
# $8 $9 the snapshot that bounds a long read, $10 most rows.
READ: Final = f"""
with seen as materialized (
  select pg_current_snapshot()::text as snapshot, c.id as campaign, c.status, c.pause_reason,
    (select jsonb_agg(t) from campaign_tallies t where t.campaign_id = c.id and t.n > 0) as tallies
  from campaigns c where c.id = $1 and c.team_id = $2
), turns as (
  (select l.* from unnest($3::bigint[]) late(xid) cross join lateral (
     select {_COLUMNS} from history h
     where h.campaign_id = $1 and h.xid = late.xid and (h.xid, h.id) > ($4, $5) order by h.xid, h.id limit $10) l
   order by l.xid, l.id limit $10)
  union all
  (select {_COLUMNS} from history h
   where h.campaign_id = $1 and (h.xid, h.id) > ($6, $7) and h.xid < $8 and h.xid <> all($9::bigint[])
   order by h.xid, h.id limit $10)
), page as (
  select * from turns order by xid, id limit $10
)
select seen.*, h.*, a.attempt_no, coalesce(a.campaign_contact_id, t.id) as campaign_contact_id,
       coalesce(a.contact_id, t.contact_id) as contact_id, coalesce(a.outcome, t.outcome) as outcome, t.attempts
from seen left join page h on true
  left join call_attempts a on h.entity = 'attempt' and a.id = h.entity_id
  left join campaign_contacts t on h.entity = 'contact' and t.id = h.entity_id
"""


@dataclass(frozen=True, slots=True)
class Seen:
    """`turns` in the order of their transactions; `now` is the snapshot that `status`, `pause_reason` and `tallies` are of."""

    turns: Sequence[Row]
    now: Snapshot
    status: str
    pause_reason: str | None
    tallies: Sequence[Row]


async def read(pool: Pool, team: str, campaign: str, after: Bookmark | None, limit: int) -> Seen | None:
    """What happened in the campaign after the bookmark (None = nothing is asked), at most `limit` rows; None when the team has
    no such campaign."""
    mark = after or Bookmark(Snapshot(0))
    until = Snapshot(LARGEST) if mark.until is None else mark.until
    place = (mark.late, mark.xid, mark.id, *mark.start, until.end, list(until.open))
    rows = await pool.fetch(READ, campaign, team, *place, 0 if after is None else limit)
    if not rows:
        return None
    first = rows[0]
    turns: list[dict[str, Any]] = [dict(row) for row in rows if row["id"] is not None]
    return Seen(turns, Snapshot.of(first["snapshot"]), first["status"], first["pause_reason"], first["tallies"] or [])
